//! Items made from what was uploaded, and from posts, stories and GIFs that a client names by their ids.

use serde_json::{Map, Value, json};

use super::Fields;
use crate::{
    cdn::content::Content,
    clock,
    kinds::{post_code, video_versions},
    probe::{Probe, probe},
    sample::{GIF, MOVING_WEBP, PHOTO, SILENT_VIDEO, VIDEO_COVER},
    world::World,
};

/// Item type and content of a broadcast of an upload.
pub(super) fn uploaded(
    world: &mut World,
    pk: u64,
    kind: &str,
    fields: &Fields,
) -> Result<(&'static str, Map<String, Value>), String> {
    let wanted: &[&str] = match kind {
        "photo_attachment" => &["messenger_image"],
        "video_attachment" => &["messenger_video"],
        "voice_attachment" => &["messenger_audio"],
        "raven_attachment" => &["messenger_video", "messenger_image"],
        _ => return Err(format!("unknown item type {kind:?}")),
    };
    let id = fields.get("attachment_fbid").map(String::as_str).unwrap_or_default();
    let found = world.uploads.media(pk, id).filter(|(kind, ..)| wanted.contains(kind));
    let Some((uploaded, content, mime)) = found else {
        return Err(format!("attachment_fbid is no upload of a kind that {kind} takes"));
    };
    let is_video = uploaded == "messenger_video";
    let (content, mime) = (content.clone(), mime.to_owned());
    let told = match &content {
        Content::Held(bytes) => probe(bytes),
        _ => Probe { content_type: "", width: 0, height: 0, duration_ms: 0 },
    };
    let address = world.cdn.add_address(content, &mime);
    Ok(match kind {
        "voice_attachment" => ("voice_media", voice(id, &address, &told, fields)),
        "raven_attachment" => ("raven_media", raven(&media(world, id, &address, &told, is_video), fields)),
        _ => ("media", Map::from_iter([("media".into(), media(world, id, &address, &told, is_video))])),
    })
}

/// `media` of a photo or video.
fn media(world: &mut World, id: &str, address: &str, told: &Probe, is_video: bool) -> Value {
    let (width, height) = if told.width > 0 { (told.width, told.height) } else { (720, 1280) };
    let picture = if is_video {
        let url = world.cdn.add_address(Content::Held(VIDEO_COVER.file()), VIDEO_COVER.content_type);
        json!({ "width": VIDEO_COVER.width, "height": VIDEO_COVER.height, "url": url })
    } else {
        json!({ "width": width, "height": height, "url": address })
    };
    let mut media = json!({
        "id": id,
        "image_versions2": { "candidates": [picture] },
        "original_width": width,
        "original_height": height,
        "media_type": if is_video { 2 } else { 1 },
        "organic_tracking_token": "ott",
    });
    if is_video {
        media["video_versions"] = video_versions(address, width, height);
    }
    media
}

fn raven(media: &Value, fields: &Fields) -> Map<String, Value> {
    let visual = json!({
        "url_expire_at_secs": clock::now_us() / 1_000_000 + 86_400,
        "playback_duration_secs": 0,
        "media": media,
        "seen_user_ids": [],
        "view_mode": fields.get("view_mode").map(String::as_str).unwrap_or("once"),
        "seen_count": 0,
        "replay_expiring_at_us": null,
    });
    Map::from_iter([("visual_media".into(), visual)])
}

fn voice(id: &str, address: &str, told: &Probe, fields: &Fields) -> Map<String, Value> {
    let json = |key: &str| fields.get(key).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let voice = json!({
        "media": {
            "id": id,
            "media_type": 11,
            "product_type": "direct_audio",
            "audio": {
                "audio_src": address,
                "duration": told.duration_ms,
                "waveform_data": json("waveform").unwrap_or_else(|| json!([])),
                "waveform_sampling_frequency_hz": json("waveform_sampling_frequency_hz").unwrap_or_else(|| json!(10)),
            },
        },
        "seen_user_ids": [],
        "view_mode": "permanent",
        "seen_count": 0,
        "replay_expiring_at_us": null,
    });
    Map::from_iter([("voice_media".into(), voice)])
}

/// The post with this id (`<number>_<owner>` or the number), or one made up for it.
pub(super) fn post(world: &mut World, id: &str) -> Value {
    let number = id.split('_').next().unwrap_or_default();
    if let Some(known) = world.posts.get(number) {
        return known.clone();
    }
    let url = world.cdn.add_address(Content::Held(PHOTO.file()), PHOTO.content_type);
    json!({
        "id": id,
        "pk": number,
        "code": number.parse().map(post_code).unwrap_or_default(),
        "media_type": 1,
        "user": { "pk": id.split('_').nth(1), "username": "somebody", "full_name": "Somebody" },
        "caption": null,
        "image_versions2": { "candidates": [{ "width": PHOTO.width, "height": PHOTO.height, "url": url }] },
        "original_width": PHOTO.width,
        "original_height": PHOTO.height,
    })
}

/// The GIF with this Giphy id; all look the same here.
pub(super) fn animation(world: &mut World, id: &str) -> Value {
    let [gif, webp, mp4] = [GIF, MOVING_WEBP, SILENT_VIDEO]
        .map(|sample| world.cdn.add_address(Content::Held(sample.file()), sample.content_type));
    json!({
        "id": id,
        "images": { "fixed_height": {
            "height": GIF.height.to_string(),
            "width": GIF.width.to_string(),
            "url": gif,
            "webp": webp,
            "mp4": mp4,
        } },
        "is_random": false,
        "is_sticker": false,
        "user": { "is_verified": false, "username": "" },
    })
}
