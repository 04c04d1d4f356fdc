//! Photos, videos, voice messages, stickers, and those that are to be seen only once.

use serde_json::{Value, json};

use super::{Kind, Shapes, shapes::AUTHOR};
use crate::{
    clock,
    sample::{GIF, MOVING_WEBP, SILENT_VIDEO, STICKER, VOICE},
};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("photo", "media", |shapes| json!({ "media": attachment(shapes, 1) })),
    Kind::new("video", "media", |shapes| json!({ "media": attachment(shapes, 2) })),
    Kind::new("photo_with_one_size", "media", |shapes| {
        let mut media = attachment(shapes, 1);
        if let Some(all) = media["image_versions2"]["candidates"].as_array_mut() {
            all.truncate(1);
        }
        json!({ "media": media })
    }),
    Kind::new(
        "photo_without_address",
        "media",
        |_| json!({ "media": { "id": "2700000000000000009", "media_type": 1, "original_width": 320, "original_height": 400 } }),
    ),
    Kind::new("several_attachments", "media_attachments", |shapes| {
        // How the app represents them is not known; the web has lists of pictures and of videos.
        json!({ "media_attachments": [attachment(shapes, 1), attachment(shapes, 1), attachment(shapes, 2)] })
    }),
    Kind::new("voice", "voice_media", |shapes| voice(shapes, "permanent")),
    Kind::new("voice_once", "voice_media", |shapes| voice(shapes, "once")),
    Kind::new("gif", "animated_media", |shapes| animated(shapes, false)),
    Kind::new("animated_sticker", "animated_media", |shapes| animated(shapes, true)),
    // Such types are names of endpoints to send to, and never heard.
    Kind::new(
        "name_of_an_endpoint",
        "photo_attachment",
        |shapes| json!({ "photo_attachment": { "media": attachment(shapes, 1) } }),
    ),
    Kind::new("static_sticker", "static_sticker", |shapes| {
        json!({ "static_sticker": {
            "id": "s1",
            "image_url": shapes.file(&STICKER),
            "width": STICKER.width,
            "height": STICKER.height,
            "label": "Thumbs up",
        } })
    }),
    Kind::new(
        "selfie_sticker",
        "selfie_sticker",
        |shapes| json!({ "selfie_sticker": { "media": attachment(shapes, 1) } }),
    ),
    Kind::new("raven_photo_once", "raven_media", |shapes| raven(shapes, 1, "once")),
    Kind::new("raven_photo_replayable", "raven_media", |shapes| raven(shapes, 1, "replayable")),
    Kind::new("raven_photo_kept", "raven_media", |shapes| raven(shapes, 1, "permanent")),
    Kind::new("raven_video_once", "raven_media", |shapes| raven(shapes, 2, "once")),
    Kind::new("raven_video_replayable", "raven_media", |shapes| raven(shapes, 2, "replayable")),
    Kind::new("raven_expired", "raven_media", |_| {
        json!({ "visual_media": {
            "media": { "media_type": 1 },
            "seen_user_ids": ["12345678901"],
            "view_mode": "once",
            "seen_count": 1,
            "replay_expiring_at_us": null,
            "expiring_media_action_summary": { "type": "raven_opened", "timestamp": clock::now_us(), "count": 1 },
        } })
    }),
    Kind::new(
        "raven_under_its_own_name",
        "raven_media",
        |shapes| json!({ "raven_media": raven(shapes, 1, "replayable")["visual_media"] }),
    ),
];

/// `media` of a photo or a video in a chat.
fn attachment(shapes: &Shapes<'_>, media_type: u8) -> Value {
    let mut media = shapes.still(media_type);
    media["media_id"] = json!(shapes.number());
    media["organic_tracking_token"] = json!("ott");
    media
}

fn animated(shapes: &Shapes<'_>, is_sticker: bool) -> Value {
    json!({ "animated_media": {
        "id": "3o7abc",
        "images": { "fixed_height": {
            "height": GIF.height.to_string(),
            "width": GIF.width.to_string(),
            "url": shapes.file(&GIF),
            "size": GIF.bytes.len().to_string(),
            "webp": shapes.file(&MOVING_WEBP),
            "webp_size": MOVING_WEBP.bytes.len().to_string(),
            "mp4": shapes.file(&SILENT_VIDEO),
            "mp4_size": SILENT_VIDEO.bytes.len().to_string(),
        } },
        "is_random": false,
        "is_sticker": is_sticker,
        "user": { "is_verified": false, "username": "" },
    } })
}

fn raven(shapes: &Shapes<'_>, media_type: u8, view_mode: &str) -> Value {
    json!({ "visual_media": {
        "url_expire_at_secs": clock::now_us() / 1_000_000 + 86_400,
        "playback_duration_secs": 0,
        "media": attachment(shapes, media_type),
        "seen_user_ids": [],
        "view_mode": view_mode,
        "seen_count": 0,
        "replay_expiring_at_us": null,
        "reply_type": null,
        "tap_models": [],
    } })
}

/// A recording.
fn voice(shapes: &Shapes<'_>, view_mode: &str) -> Value {
    json!({ "voice_media": {
        "media": {
            "id": shapes.number().to_string(),
            "media_type": 11,
            "product_type": "direct_audio",
            "audio": {
                "audio_src": shapes.file(&VOICE),
                "duration": VOICE.duration_ms,
                "waveform_data": [0, 0.1, 0.25, 0.5, 0.75, 1, 0.9, 0.4, 0.2, 0.05],
                "waveform_sampling_frequency_hz": 10,
            },
            "organic_tracking_token": "ott",
            "user": { "pk": AUTHOR, "username": "bob" },
        },
        "seen_user_ids": [],
        "view_mode": view_mode,
        "seen_count": 0,
        "replay_expiring_at_us": null,
    } })
}
