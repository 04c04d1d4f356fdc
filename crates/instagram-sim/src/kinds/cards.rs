//! Cards ("xma"): what newer apps send for shares, notes, music, answers of an AI and stickers. Each is a list, usually
//! of one.

use serde_json::{Value, json};

use super::{
    Kind, Shapes,
    shapes::{AUTHOR, code},
};
use crate::sample::{PHOTO, STICKER, VIDEO_COVER};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("xma_post", "xma_media_share", |shapes| json!({ "xma_media_share": [post(shapes, 0)] })),
    Kind::new(
        "xma_post_with_text",
        "xma_media_share",
        |shapes| json!({ "text": "what do you think?", "xma_media_share": [post(shapes, 0)] }),
    ),
    Kind::new(
        "xma_carousel",
        "xma_media_share",
        |shapes| json!({ "xma_media_share": [post(shapes, 0), post(shapes, 0), post(shapes, 0)] }),
    ),
    Kind::new("xma_reel", "xma_clip", |shapes| {
        let media = shapes.post(2);
        let (id, letters) = (media["id"].as_str().unwrap_or_default(), media["code"].as_str().unwrap_or_default());
        json!({ "xma_clip": [{
            "xma_layout_type": 0,
            "title_text": "A day at the lake",
            "header_title_text": "bob",
            "header_icon_url": shapes.file(&PHOTO),
            "target_url": format!("https://www.instagram.com/reel/{letters}/?id={id}"),
            "preview_url": shapes.file(&VIDEO_COVER),
            "preview_url_mime_type": "image/jpeg",
            "preview_width": VIDEO_COVER.width,
            "preview_height": VIDEO_COVER.height,
            "preview_media_fbid": "123",
        }] })
    }),
    Kind::new("xma_reel_that_is_gone", "xma_clip", |shapes| {
        json!({ "xma_clip": [{
            "xma_layout_type": 0,
            "title_text": "An old one",
            "header_title_text": "bob",
            "target_url": "https://www.instagram.com/reel/DAbCdEfGhIj/?id=2800000000000000001_222333444",
            "preview_url": shapes.file(&VIDEO_COVER),
            "preview_url_mime_type": "image/jpeg",
        }] })
    }),
    Kind::new("xma_story", "xma_story_share", |shapes| {
        let mut card = post(shapes, 4);
        card["target_url"] =
            json!(format!("https://www.instagram.com/stories/bob/{}?reel_id={AUTHOR}", shapes.number()));
        json!({ "xma_story_share": [card] })
    }),
    Kind::new("xma_story_expired", "xma_story_share", |_| {
        json!({ "xma_story_share": [{
            "xma_layout_type": 4,
            "title_text": "No longer available",
            "header_title_text": "bob",
            "target_url": null,
        }] })
    }),
    Kind::new("xma_story_reply", "xma_reel_share", |shapes| {
        json!({
            "message_item_type": "text",
            "text": "nice story",
            "auxiliary_text": "Replied to your story",
            "auxiliary_text_source_type": 4,
            "xma_reel_share": [untitled(shapes)],
        })
    }),
    Kind::new("xma_story_reaction", "xma_reel_share", |shapes| {
        json!({
            "message_item_type": "reaction",
            "text": "😍",
            "auxiliary_text": "Reacted to your story",
            "auxiliary_text_source_type": 4,
            "xma_reel_share": [untitled(shapes)],
        })
    }),
    Kind::new(
        "xma_story_mention",
        "xma_reel_mention",
        |shapes| json!({ "auxiliary_text": "Mentioned you in their story", "xma_reel_mention": [post(shapes, 4)] }),
    ),
    Kind::new("note_reply", "generic_xma", |_| {
        json!({
            "text": "my reply",
            "generic_xma": [{
                "xma_layout_type": 0,
                "title_text": "bob",
                "eyebrow_text": "Replied to a note",
                "caption_body_text": "original note",
                "target_url": "instagram://direct-notes?user_id=222333444&is_self_note=0",
            }],
        })
    }),
    Kind::new("music", "generic_xma", |shapes| {
        json!({ "generic_xma": [{
            "xma_layout_type": 0,
            "title_text": "Blue Monday",
            "subtitle_text": "New Order",
            "header_title_text": "Music",
            "target_url": "https://www.instagram.com/reels/audio/998877/",
            "preview_url": shapes.file(&PHOTO),
            "preview_url_mime_type": "image/jpeg",
            "preview_width": PHOTO.width,
            "preview_height": PHOTO.height,
        }] })
    }),
    Kind::new("ai_answer", "generic_xma", |_| {
        json!({ "generic_xma": [{
            "xma_layout_type": 0,
            "header_title_text": "Meta AI",
            "title_text": "The lake is 12 km long.",
            "caption_body_text": "The lake is 12 km long and up to 80 m deep. Its name is older than the town.",
            "target_url": null,
        }] })
    }),
    Kind::new("xma_without_anything", "generic_xma", |_| json!({ "generic_xma": [] })),
    Kind::new("xma_preview_as_object", "generic_xma", |shapes| {
        json!({ "generic_xma": [{
            "xma_layout_type": 0,
            "title_text": "A shop",
            "cta_buttons": [{ "title": "Open", "action_url": "https://shop.example.com/" }],
            "preview_url_info": { "url": shapes.file(&PHOTO), "width": PHOTO.width, "height": PHOTO.height },
        }] })
    }),
    Kind::new("xma_profile", "xma_profile", |_| {
        json!({ "xma_profile": [{
            "xma_layout_type": 0,
            "header_title_text": "carol",
            "header_subtitle_text": "Carol C",
            "target_url": "https://www.instagram.com/carol",
        }] })
    }),
    Kind::new("avatar_sticker", "avatar_sticker", |shapes| {
        json!({ "avatar_sticker": [{
            "xma_layout_type": 0,
            "preview_url": shapes.file(&STICKER),
            "preview_url_mime_type": "image/webp",
            "is_sharable": true,
            "is_borderless": true,
            "should_respect_server_preview_size": true,
            "preview_width": STICKER.width,
            "preview_height": STICKER.height,
            "target_url": null,
        }] })
    }),
];

/// The card of a post, or, with layout 4, of a story.
fn post(shapes: &Shapes<'_>, layout: u8) -> Value {
    json!({
        "xma_layout_type": layout,
        "title_text": "A day at the lake 🌊",
        "header_title_text": "bob",
        "target_url": format!("https://www.instagram.com/p/{}/?igsh=x", code(shapes.number())),
        "preview_url": shapes.file(&PHOTO),
        "preview_url_mime_type": "image/jpeg",
        "preview_width": PHOTO.width,
        "preview_height": PHOTO.height,
    })
}

fn untitled(shapes: &Shapes<'_>) -> Value {
    let mut card = post(shapes, 4);
    card["title_text"] = Value::Null;
    card["header_title_text"] = Value::Null;
    card
}
