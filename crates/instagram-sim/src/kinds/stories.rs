//! Stories: shared, answered, reacted to, mentioned in, and gone.

use serde_json::{Value, json};

use super::{Kind, Shapes, shapes::AUTHOR};
use crate::sample::GIF;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("story_photo", "story_share", |shapes| story(shapes, 1)),
    Kind::new("story_video", "story_share", |shapes| story(shapes, 2)),
    Kind::new(
        "story_expired",
        "story_share",
        |_| json!({ "story_share": { "text": "", "message": "No longer available", "reason": 3 } }),
    ),
    Kind::new("story_reply", "reel_share", |shapes| json!({ "reel_share": reel("reply", "nice", &shapes.post(1)) })),
    Kind::new(
        "story_reply_to_video",
        "reel_share",
        |shapes| json!({ "reel_share": reel("reply", "wow", &shapes.post(2)) }),
    ),
    Kind::new(
        "story_reply_to_expired",
        "reel_share",
        |shapes| json!({ "reel_share": reel("reply", "too late", &gone(shapes)) }),
    ),
    Kind::new("story_reply_with_gif", "reel_share", |shapes| {
        let mut share = reel("reply_gif", "", &shapes.post(1));
        share["animated_media"] = json!({
            "id": "3o7abc",
            "images": { "fixed_height": {
                "height": GIF.height.to_string(),
                "width": GIF.width.to_string(),
                "url": shapes.file(&GIF),
            } },
            "is_sticker": false,
        });
        json!({ "reel_share": share })
    }),
    Kind::new("story_reaction", "reel_share", |shapes| {
        let mut share = reel("reaction", "😍", &gone(shapes));
        share["reaction_info"] = json!({ "emoji": "😍", "intensity": null });
        json!({ "reel_share": share })
    }),
    Kind::new("story_mention", "reel_share", |shapes| {
        let mut share = reel("mention", "", &shapes.post(1));
        share["mentioned_user_id"] = json!(12_345_678_901_u64);
        json!({ "reel_share": share })
    }),
    Kind::new(
        "story_reaction_old",
        "reel_react",
        |shapes| json!({ "reel_react": { "text": "😂", "media": gone(shapes), "reel_owner_id": AUTHOR } }),
    ),
];

fn story(shapes: &Shapes<'_>, media_type: u8) -> Value {
    json!({ "story_share": {
        "text": "see this",
        "media": shapes.post(media_type),
        "is_reel_persisted": false,
        "reel_type": "user_reel",
        "reel_id": AUTHOR.to_string(),
        "story_share_type": "default",
    } })
}

fn reel(kind: &str, text: &str, media: &Value) -> Value {
    json!({
        "text": text,
        "type": kind,
        "reel_owner_id": 12_345_678_901_u64,
        "is_reel_persisted": 0,
        "reel_type": "user_reel",
        "media": media,
    })
}

/// What is left of a story after a day.
fn gone(shapes: &Shapes<'_>) -> Value {
    json!({ "media_type": 1, "user": shapes.author() })
}
