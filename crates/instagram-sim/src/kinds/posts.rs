//! Shared posts, reels, long videos, guides and broadcasts.

use serde_json::{Value, json};

use super::{
    Kind, Shapes,
    shapes::{self, AUTHOR},
};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("post_photo", "media_share", |shapes| json!({ "media_share": shapes.post(1) })),
    Kind::new("post_video", "media_share", |shapes| json!({ "media_share": shapes.post(2) })),
    Kind::new(
        "post_with_text",
        "media_share",
        |shapes| json!({ "text": "look at this", "media_share": shapes.post(1) }),
    ),
    Kind::new("post_carousel", "media_share", |shapes| json!({ "media_share": carousel(shapes) })),
    Kind::new("post_carousel_child", "media_share", |shapes| {
        let mut media = carousel(shapes);
        media["carousel_share_child_media_id"] = media["carousel_media"][1]["id"].clone();
        json!({ "media_share": media })
    }),
    Kind::new(
        "post_gone",
        "media_share",
        |_| json!({ "media_share": { "message": "This post is unavailable", "reason": 1 } }),
    ),
    Kind::new("post_tagged", "direct_media_share", |shapes| {
        json!({ "direct_media_share": {
            "text": "",
            "media_share_type": "tag",
            "tagged_user_id": 12_345_678_901_u64,
            "media": shapes.post(1),
        } })
    }),
    Kind::new("reel", "clip", |shapes| json!({ "clip": { "clip": shapes.post(2) } })),
    Kind::new("igtv", "felix_share", |shapes| json!({ "felix_share": { "video": shapes.post(2), "text": "igtv" } })),
    Kind::new("guide", "guide_share", |_| {
        json!({ "guide_share": {
            "guide_summary": { "id": "17", "title": "Best cafés", "owner": { "pk": AUTHOR, "username": "bob" } },
            "text": "for the trip",
        } })
    }),
    Kind::new("live_video", "live_video_share", |_| {
        json!({ "live_video_share": {
            "text": "",
            "broadcast": { "id": "18", "broadcast_owner": { "pk": AUTHOR, "username": "bob" }, "broadcast_status": "active" },
            "video_offset": null,
        } })
    }),
    Kind::new(
        "live_invite_guest",
        "live_invite_guest",
        |_| json!({ "live_invite_guest": { "broadcast_id": "18", "text": "Bob invited you to a live video" } }),
    ),
    Kind::new("live_invite_viewer", "live_viewer_invite", |_| {
        json!({ "live_viewer_invite": {
            "broadcast": { "id": "18", "broadcast_owner": { "pk": AUTHOR, "username": "bob" } },
            "cta_button_name": "Watch",
            "text": "",
            "title": "bob is live",
        } })
    }),
];

/// A post of a photo, a video and a photo.
fn carousel(shapes: &Shapes<'_>) -> Value {
    let pk = shapes.number();
    let child = |media_type| {
        let mut media = shapes.still(media_type);
        let number = shapes.number();
        media["pk"] = json!(number);
        media["id"] = json!(format!("{number}_{AUTHOR}"));
        media["carousel_parent_id"] = json!(format!("{pk}_{AUTHOR}"));
        media
    };
    shapes::post(shapes.sim, pk, 1, Some(vec![child(1), child(2), child(1)]))
}
