//! Whatever changes around the items (envelopes and patches of the queue, pages over HTTP): nothing panics or ends, and what
//! stands beside the change is understood as before.
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

#[path = "shared/mutate.rs"]
mod mutate;

use http::Response;
use instagram::api::{Endpoint, GetThread, Inbox};
use instagram::sync::{Change, Envelope, Op, decode};
use mutate::{mutations, places};
use serde_json::{Value as Json, json};

fn vectors() -> Vec<(String, Json)> {
    let path = format!("{}/tests/vectors/message_sync.json", env!("CARGO_MANIFEST_DIR"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap().iter();
    cases.map(|case| (case["name"].as_str().unwrap().to_owned(), case["input"].clone())).collect()
}

/// An envelope that follows the changed ones.
fn neighbour() -> Json {
    let item = json!({"item_id": "9", "item_type": "text", "text": "after", "user_id": 7, "timestamp": 5});
    let path = "/direct_v2/threads/340282366841710300949128000000000000001/items/9";
    json!({"event": "patch", "seq_id": 6000, "realtime": true,
        "data": [{"op": "add", "path": path, "value": item.to_string()}]})
}

fn read(envelopes: &Json) -> Vec<Envelope> {
    decode(envelopes.to_string().as_bytes()).unwrap()
}

/// The numbers in a place: of the envelope, and of the patch if it is within one.
fn numbers(place: &str) -> (usize, Option<usize>) {
    let parts: Vec<&str> = place.split('/').skip(1).collect();
    let patch = parts.get(2).filter(|_| parts.get(1) == Some(&"data"));
    (parts[0].parse().unwrap(), patch.map(|patch| patch.parse().unwrap()))
}

#[test]
fn no_change_of_an_envelope_harms_what_is_beside_it() {
    let mut count = 0;
    for (name, mut input) in vectors() {
        input.as_array_mut().unwrap().push(neighbour());
        let before = read(&input);
        let mut all = Vec::new();
        places(&input, "", &mut all);
        for place in all {
            let (changed, patch) = numbers(&place);
            if changed == before.len() - 1 {
                continue;
            }
            for (what, mutated) in mutations(&input, &place) {
                let what = format!("{name}: {what}");
                let after = read(&mutated);
                let is_gone = place.matches('/').count() == 1 && mutated.as_array().unwrap().len() < before.len();
                assert_eq!(after.len(), before.len() - usize::from(is_gone), "{what}");
                assert_eq!(after.last(), before.last(), "{what}: what follows");
                assert_eq!(after[..changed], before[..changed], "{what}: what was before");
                if !is_gone {
                    check(&what, &place, patch, &before[changed], &after[changed]);
                }
                count += 1;
            }
        }
    }
    assert!(count > 5_000, "{count}");
}

/// The changed envelope itself.
fn check(what: &str, place: &str, changed: Option<usize>, before: &Envelope, after: &Envelope) {
    let field = place.rsplit('/').next().unwrap();
    match (changed, place.matches('/').count()) {
        // Beside its patches.
        (None, 2) if field != "data" => {
            assert_eq!(after.patches, before.patches, "{what}");
            assert!(field == "seq_id" || after.seq_id == before.seq_id, "{what}: the cursor");
        }
        // One of its patches.
        (Some(changed), 4) => {
            assert_eq!(after.seq_id, before.seq_id, "{what}: the cursor");
            assert_eq!(after.patches.len(), before.patches.len(), "{what}");
            for (n, (now, then)) in after.patches.iter().zip(&before.patches).enumerate() {
                assert!(n == changed || now == then, "{what}: another patch");
            }
            let (now, then) = (after.patches[changed].decode(), before.patches[changed].decode());
            // What spoke of a message speaks of it, or says that it cannot be understood: then it is shown as that.
            let of_message = matches!(then, Change::Item { .. });
            let elsewhere = field == "path" && !after.patches[changed].path.is_empty();
            if of_message && !elsewhere {
                let is_known = matches!(now, Change::Item { .. } | Change::Undecodable { .. });
                let removed = after.patches[changed].op == Op::Remove;
                assert!(is_known || removed, "{what}: {now:?}");
            }
        }
        _ => {
            for patch in &after.patches {
                let _ = patch.decode();
            }
        }
    }
}

/// Two chats with two messages each.
fn threads() -> Json {
    let path = format!("{}/tests/fixtures/items.json", env!("CARGO_MANIFEST_DIR"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let items: Vec<Json> = document["items"].as_array().unwrap().iter().map(|case| case["item"].clone()).collect();
    let thread = |id: &str, items: &[Json]| {
        let user =
            json!({"pk": 222333444, "username": "bob", "full_name": "Bob Berg", "profile_pic_url": "https://x/1"});
        json!({"thread_id": id, "thread_v2_id": "1", "users": [user], "left_users": [], "inviter": user,
            "admin_user_ids": [222333444], "viewer_id": 12345678901_u64, "is_group": false, "pending": false,
            "thread_title": "Bob Berg", "named": false, "muted": false, "archived": false, "items": items,
            "last_activity_at": 1_767_225_600_123_456_u64, "read_state": 0, "has_older": true, "folder": 0,
            "last_seen_at": {"222333444": {"item_id": "1", "timestamp": "1767225600123456"}},
            "oldest_cursor": "o", "newest_cursor": "n", "shh_mode_enabled": false,
            "approval_required_for_new_members": false})
    };
    json!([thread("1", &items[..2]), thread("2", &items[2..4])])
}

#[test]
fn no_change_of_a_thread_harms_another_on_the_page() {
    let page = |threads: &Json| {
        let body = json!({"inbox": {"threads": threads, "has_older": true, "oldest_cursor": "c"},
            "seq_id": 1234, "snapshot_at_ms": 1_767_225_600_123_u64, "status": "ok"});
        Inbox::answer(&Response::new(body.to_string().into_bytes())).unwrap()
    };
    let threads = threads();
    let before = page(&threads);
    assert_eq!((before.threads.len(), before.unreadable), (2, 0));
    let mut all = Vec::new();
    places(&threads, "", &mut all);
    let mut count = 0;
    for place in all.iter().filter(|place| place.starts_with("/0")) {
        for (what, mutated) in mutations(&threads, place) {
            let after = page(&mutated);
            assert_eq!(after.threads.last(), before.threads.last(), "{what}: the other chat");
            assert_eq!(after.threads.len() + after.unreadable, mutated.as_array().unwrap().len(), "{what}: counted");
            assert_eq!((after.seq_id, after.oldest_cursor.as_deref()), (Some(1234), Some("c")), "{what}");
            count += 1;
        }
    }
    assert!(count > 500, "{count}");
}

#[test]
fn no_change_of_a_message_harms_another_on_the_page() {
    let page = |thread: &Json| {
        let body = json!({"thread": thread, "status": "ok"});
        GetThread::answer(&Response::new(body.to_string().into_bytes()))
    };
    let thread = threads()[0].clone();
    let before = page(&thread).unwrap();
    let mut all = Vec::new();
    places(&thread, "", &mut all);
    for place in &all {
        for (what, mutated) in mutations(&thread, place) {
            let after = match page(&mutated) {
                Ok(after) => after,
                Err(error) => {
                    assert_eq!(place, "/thread_id", "{what}: {error}");
                    continue;
                }
            };
            if place.starts_with("/items/0") {
                assert_eq!(after.items.last(), before.items.last(), "{what}: the other message");
            } else if place != "/items" && !place.starts_with("/items/1") {
                assert_eq!(after.items, before.items, "{what}");
            }
            if place != "/has_older" && place != "/oldest_cursor" {
                assert_eq!(
                    (after.has_older, &after.oldest_cursor),
                    (before.has_older, &before.oldest_cursor),
                    "{what}"
                );
            }
        }
    }
    assert!(all.len() > 50);
}
