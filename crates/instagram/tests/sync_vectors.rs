//! Sync events mean what an independent client takes them to mean (`vectors/message_sync.json` and
//! `vectors/sync_paths.json` were made by running mautrix-instagram).
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

use instagram::item::{HEART, Item, Kind};
use instagram::sync::{Change, Op, Patch, ReactionKind, Target, decode};
use serde_json::Value as Json;

fn cases(file: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// What the peer reports, as it spells it: numbers for users and times.
fn number(id: Option<&str>) -> Json {
    id.map_or(Json::Null, |id| id.parse::<u64>().unwrap().into())
}

#[test]
fn every_patch_means_what_the_peer_understands() {
    let mut compared = 0;
    for case in cases("message_sync") {
        let name = case["name"].as_str().unwrap();
        let envelopes = decode(case["input"].to_string().as_bytes()).unwrap();
        let outputs = case["output"].as_array().unwrap();
        let (cursor, events) = outputs.split_last().unwrap();
        assert_eq!(envelopes.last().unwrap().seq_id, cursor["seq_id_after"].as_i64(), "{name}");

        let mut changes = Vec::new();
        for envelope in &envelopes {
            assert!(envelope.realtime);
            for patch in &envelope.patches {
                changes.push((patch, patch.decode()));
            }
        }
        if events.is_empty() {
            assert!(changes.iter().all(|(_, change)| *change == Change::Ignored), "{name}");
            continue;
        }
        assert_eq!(changes.len(), events.len(), "{name}");
        for ((patch, change), expected) in changes.iter().zip(events) {
            compare(name, patch, change, expected);
            compared += 1;
        }
    }
    assert_eq!(compared, 47);
}

fn compare(name: &str, patch: &Patch, change: &Change, expected: &Json) {
    let expected_thread = expected["thread_id"].as_str().unwrap();
    assert_eq!(patch.path, expected["path"].as_str().unwrap(), "{name}");
    if let Some(op) = expected["op"].as_str() {
        assert_eq!(patch.op, Op::from(op.to_owned()), "{name}");
    }
    match change {
        Change::Item { thread_id, replaced, item } => {
            assert_eq!(thread_id, expected_thread, "{name}");
            assert_eq!(*replaced, expected["op"] == "replace", "{name}");
            assert_eq!(item.item_id, expected["item_id"].as_str().unwrap(), "{name}");
            assert_eq!(number(item.user_id.as_deref()), expected["user_id"], "{name}");
            assert_eq!(item.timestamp_us, expected["timestamp"].as_i64(), "{name}");
            assert_eq!(item.item_type, expected["item_type"].as_str().unwrap(), "{name}");
            assert_eq!(item.text.as_deref(), expected["text"].as_str(), "{name}");
            assert_eq!(item.client_context.as_deref(), expected["client_context"].as_str(), "{name}");
            for field in expected["content_fields"].as_array().unwrap() {
                match field.as_str().unwrap() {
                    "reactions" => assert_eq!(item.reactions.as_ref().unwrap().len(), 1, "{name}"),
                    "replied_to_message" => {
                        assert_eq!(item.replied_to.as_ref().unwrap().text.as_deref(), Some("hello"));
                    }
                    "like" => assert_eq!(item.body(), Some(HEART)),
                    "link" => assert_eq!(item.body(), Some("see https://example.com/")),
                    content => assert!(item.raw.as_ref().unwrap().contains(&format!("\"{content}\"")), "{name}"),
                }
            }
        }
        Change::ItemRemoved { thread_id, item_id } => {
            assert_eq!((thread_id.as_str(), expected["op"].as_str()), (expected_thread, Some("remove")), "{name}");
            assert_eq!(item_id, expected["item_id"].as_str().unwrap());
        }
        Change::Reaction { thread_id, item_id, user_id, emoji, timestamp_us, .. } => {
            let reaction = &expected["new_reaction"];
            assert_eq!(thread_id, expected_thread, "{name}");
            assert_eq!(item_id, expected["item_id"].as_str().unwrap());
            assert_eq!(number(Some(user_id)), reaction["sender_id"], "{name}");
            if expected["op"] == "remove" {
                // The peer does not look at the value of a removal and shows its default heart.
                assert_eq!(*emoji, None, "{name}");
            } else {
                assert_eq!(emoji.as_deref(), reaction["emoji"].as_str(), "{name}");
                assert_eq!(*timestamp_us, reaction["timestamp"].as_i64(), "{name}");
            }
        }
        Change::Seen { thread_id, user_id, item_id, timestamp_us } => {
            assert_eq!(thread_id, expected_thread, "{name}");
            assert_eq!(number(Some(user_id)), expected["has_seen"], "{name}");
            assert_eq!(item_id.as_deref(), expected["item_id"].as_str(), "{name}");
            assert_eq!(*timestamp_us, expected["timestamp"].as_i64(), "{name}");
        }
        Change::ThreadImage { thread_id, image } => {
            assert_eq!(thread_id, expected_thread, "{name}");
            let image = image.as_ref().unwrap();
            assert_eq!((image.id.as_deref(), image.width), (Some("17900000000000001"), Some(1080)));
            assert_eq!(image.url, "https://scontent.cdninstagram.com/v/a.jpg?stp=1&oe=69570000");
        }
        Change::Admin { thread_id, user_id, granted } => {
            assert_eq!((thread_id.as_str(), *granted), (expected_thread, true), "{name}");
            assert_eq!(number(Some(user_id)), expected["admin_user_id"], "{name}");
        }
        Change::ApprovalRequired { thread_id, required } => {
            assert_eq!(thread_id, expected_thread, "{name}");
            assert_eq!(Some(*required), expected["approval_required_for_new_members"].as_bool(), "{name}");
        }
        Change::Thread(thread) => {
            assert_eq!(thread.thread_id, expected_thread, "{name}");
            assert_eq!(thread.thread_v2_id.as_deref(), expected["thread_v2_id"].as_str());
            assert_eq!(thread.is_group, expected["is_group"].as_bool());
            assert_eq!(thread.title.as_deref(), expected["thread_title"].as_str());
            assert_eq!(thread.users.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["bob", "carol"]);
            assert_eq!(thread.items[0].body(), Some("hello"));
        }
        Change::ThreadRemoved { thread_id } => {
            assert_eq!((thread_id.as_str(), &expected["event"]), (expected_thread, &Json::from("ThreadRemoveEvent")));
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_path_points_where_the_peer_looks() {
    for case in cases("sync_paths") {
        let path = case["input"].as_str().unwrap();
        let expected = &case["output"];
        let field = |key: &str| expected[key].as_str();
        let target = Target::parse(path);
        if let Some(raised) = expected["raises"].as_str() {
            // What that parser rejects is a value here: inbox paths are known, the others are told apart.
            match target {
                Target::InboxThread { .. } | Target::Unknown => {}
                Target::Reaction { kind: ReactionKind::Other("unknownkind"), .. } => {}
                other => panic!("{path}: {other:?} where the peer raises {raised}"),
            }
            continue;
        }
        let user = |key: &str| expected[key].as_u64().map(|id| id.to_string());
        let thread = match target {
            Target::Item { thread, item } => {
                assert_eq!((Some(item), expected.get("reaction_type")), (field("item_id"), None), "{path}");
                thread
            }
            Target::Reaction { thread, item, kind, user: reactor } => {
                assert_eq!(Some(item), field("item_id"), "{path}");
                let kind = if kind == ReactionKind::Emoji { "emojis" } else { "likes" };
                assert_eq!((Some(kind), Some(reactor.to_owned())), (field("reaction_type"), user("reaction_user_id")));
                thread
            }
            Target::Seen { thread, user: reader } => {
                assert_eq!(Some(reader.to_owned()), user("has_seen"), "{path}");
                thread
            }
            Target::ThreadImage { thread } => {
                assert_eq!(expected["is_thread_image"], true, "{path}");
                thread
            }
            Target::ApprovalRequired { thread } => {
                assert_eq!(expected["approval_required_for_new_members"], true, "{path}");
                thread
            }
            Target::Admin { thread, user: admin } => {
                assert_eq!(Some(admin.to_owned()), user("admin_user_id"), "{path}");
                thread
            }
            Target::Typing { thread, indicator } => {
                assert_eq!(Some(indicator), field("activity_indicator_id"), "{path}");
                thread
            }
            Target::ThreadOther { thread, .. } => {
                assert_eq!(expected.as_object().unwrap().len(), 1, "{path}");
                thread
            }
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(Some(thread), field("thread_id"), "{path}");
    }
}

#[test]
fn every_kind_of_item_says_what_it_is_and_where_to_see_it() {
    let post = Some("https://www.instagram.com/p/DAbCdEfGhIj/");
    let reel = Some("https://www.instagram.com/reel/DAbCdEfGhIj/");
    let story = Some("https://www.instagram.com/stories/bob/2800000000000000001/");
    let expected: &[(&str, &str, Option<&str>, Option<&str>)] = &[
        ("text", "a text message", Some("hello"), None),
        ("like", "a text message", Some(HEART), None),
        ("link", "a text message", Some("see https://example.com/"), Some("https://example.com/")),
        ("media_photo", "a photo", None, None),
        ("media_video", "a video", None, None),
        ("raven_media_viewable", "a disappearing photo", None, None),
        ("raven_media_expired", "a disappearing photo that is no longer available", None, None),
        ("voice_media", "a voice message", None, None),
        ("animated_media", "a GIF", None, Some("https://media1.giphy.com/a.gif")),
        ("media_share", "a post by @bob", Some("caption"), post),
        ("clip", "a reel by @bob", Some("caption"), reel),
        ("felix_share", "a video by @bob", Some("igtv"), reel),
        ("story_share", "a story by @bob", Some("caption"), story),
        ("story_share_expired", "a story that is no longer available", Some("No longer available"), None),
        ("reel_share_reply", "a reply to a story by @bob", Some("nice"), story),
        ("reel_share_reaction", "a reaction to a story by @bob", Some("😍"), None),
        ("xma_media_share", "a post by @bob", Some("bob caption"), post),
        ("xma_clip", "a reel by @bob", Some("bob caption"), reel),
        ("xma_story_share", "a story by @bob", Some("bob caption"), story),
        ("xma_reel_share_reply", "a reply to a story", Some("nice story"), post),
        ("xma_reel_mention", "a story by @bob", Some("bob caption"), post),
        ("generic_xma_note_reply", "a reply to a note by @bob", Some("my reply"), None),
        ("xma_profile", "the profile of @carol", None, Some("https://www.instagram.com/carol/")),
        ("avatar_sticker", "a sticker", None, None),
        (
            "placeholder",
            "a message that Instagram does not show here",
            Some("Update to the latest version of Instagram to view this message."),
            None,
        ),
        ("expired_placeholder", "a message that is no longer available", Some("😍"), None),
        ("action_log", "a change of the chat", Some("Bob named the group Friends."), None),
        ("video_call_event", "the start of a video call", Some("Bob started a video chat"), None),
        ("profile", "the profile of @carol", None, Some("https://www.instagram.com/carol/")),
        (
            "location",
            "a location",
            Some("London, United Kingdom"),
            Some("https://www.instagram.com/explore/locations/213385402/"),
        ),
    ];
    let all = cases("message_sync");
    for (name, summary, text, link) in expected {
        let case = all.iter().find(|case| case["name"] == *name).unwrap_or_else(|| panic!("no case {name}"));
        let item = Item::decode(case["input"][0]["data"][0]["value"].as_str().unwrap()).unwrap();
        assert_eq!(item.summary(), *summary, "{name}");
        assert_eq!(item.best_text().as_deref(), *text, "{name}");
        assert_eq!(item.best_link().as_deref(), *link, "{name}");
        assert_eq!(item.kind() == Kind::Text, matches!(*name, "text" | "like" | "link"), "{name}");
    }
}
