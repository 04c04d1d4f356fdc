//! Whatever arrives as a sync event: no panic, and the good neighbours of a bad part are delivered.

use std::fmt::Write as _;

use instagram::item::Kind;
use instagram::sync::{Change, Envelope, Op, Patch, SyncError, Target, decode};
use proptest::prelude::*;
use serde_json::json;

fn text_patch(item: &str, text: &str) -> serde_json::Value {
    let value = json!({"item_id": item, "user_id": 7, "timestamp": 1, "item_type": "text", "text": text});
    json!({"op": "add", "path": format!("/direct_v2/threads/1/items/{item}"), "value": value.to_string()})
}

fn envelope(seq_id: i64, patches: &[serde_json::Value]) -> String {
    json!({"event": "patch", "data": patches, "seq_id": seq_id, "realtime": true}).to_string()
}

fn texts(envelopes: &[Envelope]) -> Vec<String> {
    let mut texts = Vec::new();
    for patch in envelopes.iter().flat_map(|envelope| &envelope.patches) {
        if let Change::Item { item, .. } = patch.decode() {
            texts.extend(item.body().map(str::to_owned));
        }
    }
    texts
}

fn undecodable(envelopes: &[Envelope]) -> usize {
    let patches = envelopes.iter().flat_map(|envelope| &envelope.patches);
    patches.filter(|patch| matches!(patch.decode(), Change::Undecodable { .. })).count()
}

#[test]
fn a_bad_envelope_harms_no_neighbour() {
    for bad in
        ["5", "null", "\"text\"", "[]", "[[{}]]", "{}", r#"{"data":7,"seq_id":2}"#, r#"{"data":[7,null,"x",[]]}"#]
    {
        let payload =
            format!("[{},{bad},{}]", envelope(1, &[text_patch("1", "a")]), envelope(3, &[text_patch("2", "b")]));
        let envelopes = decode(payload.as_bytes()).unwrap();
        assert_eq!(envelopes.len(), 3, "{bad}");
        assert_eq!(texts(&envelopes), ["a", "b"], "{bad}");
        assert_eq!((envelopes[0].seq_id, envelopes[2].seq_id), (Some(1), Some(3)));
    }
}

#[test]
fn a_bad_patch_harms_no_neighbour() {
    for bad in [
        json!({"op": "add", "path": "/direct_v2/threads/1/items/9", "value": "{\"item_type\":"}),
        json!({"op": "add", "path": "/direct_v2/threads/1/items/9", "value": "null"}),
        json!({"op": "add", "path": "/direct_v2/threads/1/items/9"}),
        json!({"op": "add", "path": "/direct_v2/threads/1/items/9", "value": [1]}),
        json!({"op": "rename", "path": "/direct_v2/threads/1/items/9", "value": "{}"}),
        json!({"op": "add", "path": "/direct_v2/inbox/threads/1", "value": "7"}),
        json!({"op": "add", "path": 5, "value": "{}"}),
        json!({"path": "/direct_v2/threads/1/items/9", "value": "{}"}),
        json!(5),
    ] {
        let payload = format!("[{}]", envelope(1, &[text_patch("1", "a"), bad.clone(), text_patch("2", "b")]));
        let envelopes = decode(payload.as_bytes()).unwrap();
        assert_eq!(texts(&envelopes), ["a", "b"], "{bad}");
        assert_eq!(undecodable(&envelopes), 1, "{bad}");
    }
}

#[test]
fn deep_nesting_is_a_value_and_harms_no_neighbour() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let depth = 100_000;
        let inner = if open == "[" { String::new() } else { "1".to_owned() };
        let deep = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));

        // As an envelope, as the data of one, as a patch, as a value inside a string and bare.
        let item = format!(r#"{{"item_id":"8","item_type":"text","text":"beside","junk":{deep},"media":{deep}}}"#);
        let as_value = json!({"op": "add", "path": "/direct_v2/threads/1/items/9", "value": deep}).to_string();
        let as_item = json!({"op": "add", "path": "/direct_v2/threads/1/items/8", "value": item}).to_string();
        let bare = format!(r#"{{"op":"add","path":"/direct_v2/threads/1/items/9","value":{deep}}}"#);
        let mut payload = format!("[{},{deep},", envelope(1, &[text_patch("1", "a")]));
        write!(payload, r#"{{"seq_id":2,"data":{deep}}},"#).unwrap();
        write!(payload, r#"{{"seq_id":3,"data":[{as_value},{deep},{bare},{as_item}]}},"#).unwrap();
        write!(payload, "{}]", envelope(4, &[text_patch("2", "b")])).unwrap();

        let envelopes = decode(payload.as_bytes()).unwrap();
        assert_eq!(envelopes.len(), 5);
        assert_eq!(texts(&envelopes), ["a", "beside", "b"]);
        assert_eq!((envelopes[2].seq_id, envelopes[3].seq_id, envelopes[4].seq_id), (Some(2), Some(3), Some(4)));
        for patch in envelopes.iter().flat_map(|envelope| &envelope.patches) {
            if let Change::Item { item, .. } = patch.decode() {
                let _ = (item.summary(), item.best_text(), item.best_link(), item.content());
            }
        }
    }
}

#[test]
fn a_payload_that_breaks_off_gives_what_came_before() {
    let whole = format!("[{},{}]", envelope(1, &[text_patch("1", "a")]), envelope(2, &[text_patch("2", "b")]));
    for end in 1..whole.len() {
        let envelopes = decode(&whole.as_bytes()[..end]).unwrap();
        let texts = texts(&envelopes);
        assert!(texts.len() <= 2 && texts.iter().zip(["a", "b"]).all(|(text, expected)| text == expected));
        assert_eq!(undecodable(&envelopes), 1, "what is missing is visible: {end}");
    }
    let trailing = decode(format!("{whole} trailing").as_bytes()).unwrap();
    assert_eq!((texts(&trailing).len(), undecodable(&trailing)), (2, 1));
    let broken = decode(whole.replace("},{", "},NaN,{").as_bytes()).unwrap();
    assert_eq!(texts(&broken), ["a"]);
    let Patch { value, .. } = &broken.last().unwrap().patches[0];
    assert!(value.as_ref().unwrap().contains("NaN"), "the rest is kept");
}

#[test]
fn what_is_no_sync_event_at_all_is_an_error() {
    for payload in ["", " ", "x", "nul", "\u{0}"] {
        assert_eq!(decode(payload.as_bytes()), Err(SyncError::NotJson), "{payload:?}");
    }
    for payload in ["null", "3", "\"[]\"", "true"] {
        assert_eq!(decode(payload.as_bytes()), Err(SyncError::NotEnvelopes), "{payload:?}");
    }
    assert_eq!(decode(b"[]"), Ok(Vec::new()));
    assert_eq!(decode(envelope(5, &[]).as_bytes()).unwrap()[0].seq_id, Some(5), "an envelope without its array");
}

#[test]
fn an_envelope_without_data_only_moves_the_cursor() {
    let payload = r#"[{"event":"patch","op":"add","path":"/x","seq_id":"5001","realtime":1,"mutation_token":74}]"#;
    let expected =
        Envelope { seq_id: Some(5001), mutation_token: Some("74".to_owned()), realtime: true, patches: Vec::new() };
    assert_eq!(decode(payload.as_bytes()), Ok(vec![expected]));
}

#[test]
fn invalid_bytes_and_half_emoji_are_replaced() {
    let mut payload = format!("[{}]", envelope(1, &[text_patch("1", "a@b")])).into_bytes();
    let place = payload.iter().position(|byte| *byte == b'@').unwrap();
    payload[place] = 0xFF;
    assert_eq!(texts(&decode(&payload).unwrap()), ["a\u{FFFD}b"]);

    let inner = r#"{\"item_type\":\"text\",\"text\":\"half \\ud83d emoji \\ud83d\\ude02\"}"#;
    let patch = format!(r#"{{"op":"add","path":"/direct_v2/threads/1/items/1","value":"{inner}"}}"#);
    let payload = format!(r#"[{{"data":[{patch}],"seq_id":1}}]"#);
    assert_eq!(texts(&decode(payload.as_bytes()).unwrap()), ["half \u{FFFD} emoji 😂"]);
}

#[test]
fn ten_megabytes_are_one_message() {
    let text = "0123456789".repeat(1 << 20);
    let payload = format!("[{},{}]", envelope(1, &[text_patch("1", &text)]), envelope(2, &[text_patch("2", "b")]));
    let texts = texts(&decode(payload.as_bytes()).unwrap());
    assert_eq!((texts[0].len(), texts[1].as_str()), (text.len(), "b"));
}

#[test]
fn a_million_small_parts_take_no_recursion_and_no_square_time() {
    let envelopes = decode(format!("[{}]", vec!["{}"; 1_000_000].join(",")).as_bytes()).unwrap();
    assert_eq!(envelopes.len(), 1_000_000);
    let fields: Vec<_> = (0..200_000).map(|number| format!("\"f{number}\":1")).collect();
    let value = format!(r#"{{"item_type":"text","text":"x",{}}}"#, fields.join(","));
    let patch = Patch { op: Op::Add, path: "/direct_v2/threads/1/items/1".to_owned(), value: Some(value) };
    assert!(matches!(patch.decode(), Change::Item { item, .. } if item.body() == Some("x")));
}

#[test]
fn a_patch_survives_storage_and_hides_its_value() {
    for (op, written) in [(Op::Add, "add"), (Op::Remove, "remove"), (Op::Other("move".to_owned()), "move")] {
        let patch = Patch { op, path: "/x".to_owned(), value: Some("{\"text\":\"planted\"}".to_owned()) };
        let stored = serde_json::to_string(&patch).unwrap();
        assert!(stored.contains(&format!(r#""op":"{written}""#)));
        assert_eq!(serde_json::from_str::<Patch>(&stored).unwrap(), patch);
        assert!(!format!("{patch:?}").contains("planted"));
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
        Just("340282366841710300949128000000000000001".into()),
    ];
    let key = prop_oneof![
        "[a-z_]{1,6}",
        proptest::sample::select(vec![
            "item_id",
            "user_id",
            "timestamp",
            "item_type",
            "text",
            "link",
            "like",
            "reactions",
            "emojis",
            "likes",
            "replied_to_message",
            "users",
            "items",
            "pk",
            "thread_id",
            "media",
            "clip",
            "xma_clip",
            "target_url",
            "story_share",
            "user",
            "username",
            "last_seen_at",
            "thread_image",
            "image_versions2",
            "candidates",
            "url",
            "mentioned_entities",
            "visual_media",
            "action_log",
            "data",
            "seq_id",
            "op",
            "path",
            "value",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec((key.clone(), inner), 0..7)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/direct_v2/threads/1/items/2".to_owned()),
        Just("/direct_v2/threads/1/items/2/reactions/emojis/3".to_owned()),
        Just("/direct_v2/threads/1/items/2/reactions/likes/3".to_owned()),
        Just("/direct_v2/threads/1/participants/3/has_seen".to_owned()),
        Just("/direct_v2/threads/1/thread_image".to_owned()),
        Just("/direct_v2/threads/1/activity_indicator_id/x".to_owned()),
        Just("/direct_v2/threads/1/approval_required_for_new_members".to_owned()),
        Just("/direct_v2/inbox/threads/1".to_owned()),
        "(/(direct_v2|threads|items|inbox|users|[a-z0-9_]{0,4})){0,8}/?",
        ".{0,20}",
    ]
}

proptest! {
    #[test]
    fn any_value_at_any_path_is_a_change(value in any_json(), path in any_path(), op in "add|replace|remove|x?") {
        let patch = Patch { op: Op::from(op), path, value: Some(value.to_string()) };
        let _ = patch.target();
        match patch.decode() {
            Change::Item { item, .. } => {
                let summary = item.summary();
                prop_assert!(!summary.is_empty() && !summary.contains(['\n', '<', '>']));
                prop_assert!(item.best_link().is_none_or(|link| link.starts_with("http")));
                let _ = (item.best_text(), item.client_contexts().len(), item.content());
                prop_assert_eq!(item.kind() == Kind::Text, item.raw.is_none());
            }
            Change::Thread(thread) => _ = (thread.name().map(str::len), thread.link()),
            _ => {}
        }
    }

    #[test]
    fn any_json_is_a_payload(value in any_json()) {
        for envelope in decode(value.to_string().as_bytes()).unwrap_or_default() {
            for patch in &envelope.patches {
                let _ = patch.decode();
            }
        }
    }

    #[test]
    fn any_bytes_are_a_payload(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn no_path_is_read_as_an_empty_id(path in any_path()) {
        match Target::parse(&path) {
            Target::Item { thread, item } => prop_assert!(!thread.is_empty() && !item.is_empty()),
            Target::InboxThread { thread } => prop_assert!(!thread.is_empty() && !thread.contains('/')),
            _ => {}
        }
    }
}
