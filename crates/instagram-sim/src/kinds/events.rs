//! What happened rather than what was said: calls, log lines, placeholders, internal kinds, and one nobody knows.

use serde_json::{Value, json};

use super::Kind;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("call_started", "video_call_event", |_| call("video_call_started", "Bob started a video chat", None)),
    Kind::new("call_joined", "video_call_event", |_| {
        call("video_call_joined", "Bob joined the video chat", Some(true))
    }),
    Kind::new("call_left", "video_call_event", |_| call("video_call_left", "Bob left the video chat", Some(true))),
    Kind::new("call_ended", "video_call_event", |_| call("video_call_ended", "Video chat ended", Some(false))),
    Kind::new("action_log", "action_log", |_| {
        json!({
            "action_log": {
                "description": "Bob named the group Friends.",
                "bold": [{ "start": 0, "end": 3 }],
                "text_attributes": [],
            },
            "hide_in_thread": 0,
        })
    }),
    Kind::new("action_log_hidden", "action_log", |_| {
        json!({
            "action_log": { "description": "Bob reacted ❤ to your message", "bold": [], "text_attributes": [] },
            "hide_in_thread": 1,
        })
    }),
    Kind::new("placeholder", "placeholder", |_| {
        json!({ "placeholder": {
            "is_linked": false,
            "title": "Message unavailable",
            "message": "Update to the latest version of Instagram to view this message.",
            "reason": 1,
        } })
    }),
    Kind::new(
        "expired_placeholder",
        "expired_placeholder",
        |_| json!({ "message_item_type": "reaction", "text": "😍" }),
    ),
    Kind::new("poll_vote", "poll_vote", |_| json!({ "poll_vote": { "poll_id": "7", "vote": 1 }, "text": "yes" })),
    Kind::new("ar_effect", "ar_effect", |_| json!({ "ar_effect": { "effect_id": "8", "title": "Cat ears" } })),
    Kind::new("reaction_log", "reaction_log", |_| json!({ "reaction_log": { "description": "liked a message" } })),
    Kind::new("user_reaction", "user_reaction", |_| json!({ "user_reaction": { "emoji": "👍" } })),
    Kind::new("history_edit", "history_edit", |_| json!({ "history_edit": { "item_id": "1" } })),
    Kind::new("deletion", "deletion", |_| json!({})),
    Kind::new("title", "title", |_| json!({ "title": "Friends" })),
    Kind::new("type_max", "type_max", |_| json!({})),
    Kind::new("test", "test", |_| json!({})),
    Kind::new("deprecated_channel", "deprecated_channel", |_| json!({})),
    Kind::new(
        "unknown",
        "hologram",
        |_| json!({ "hologram": { "depth": 3, "url": "https://example.com/hologram" }, "text": "from the future" }),
    ),
    Kind::new("unknown_without_content", "telepathy", |_| json!({})),
];

fn call(action: &str, description: &str, did_join: Option<bool>) -> Value {
    json!({ "video_call_event": {
        "action": action,
        "vc_id": 17_912_345,
        "description": description,
        "text_attributes": [],
        "did_join": did_join,
    } })
}
