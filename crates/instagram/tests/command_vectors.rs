//! Commands and subscriptions equal those of independent implementations (each vector file names its source).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

use instagram::command::{
    Share, indicate_activity, mark_seen, mark_visual_item_seen, react, send_like, send_link, send_share, send_text,
};
use instagram::subscription::{IrisRequest, graphql, skywalker};
use serde_json::Value as Json;

const CONTEXT: &str = "7412345678901234567";

fn cases(file: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// The other implementation writes a space after commas and colons; none of the texts contains such a pair.
fn compact(json: &str) -> String {
    json.replace(", \"", ",\"").replace("\": ", "\":")
}

/// Subscriptions, of which there is instagrapi's form only: each has a test of its own below.
const SUBSCRIPTIONS: [&str; 3] = ["graphql_sub", "skywalker_sub", "iris_sub"];

/// Where we differ from instagrapi, and why.
const NOT_OURS: [(&str, &str); 2] = [
    ("typing_on", "instagrapi writes the status as text, mautrix as a number, as we do"),
    ("typing_off", "instagrapi writes the status as text, mautrix as a number, as we do"),
];

/// The command of a case, as we make it.
fn ours(name: &str) -> Vec<u8> {
    let long = "340282366841710300949128000000000000001";
    match name {
        "text" => send_text(long, "h\u{e9}llo", CONTEXT, None, &[]),
        "text_mention" => send_text("T", "hi @bob", CONTEXT, None, &["42".to_owned()]),
        "text_reply" => send_text("T", "re", CONTEXT, Some(("300000000000000001", "7400000000000000000")), &[]),
        "link" => {
            let url = "https://example.com/x".to_owned();
            send_link("T", "see https://example.com/x", &[url], CONTEXT, None)
        }
        "like" => send_like("T", CONTEXT),
        "reaction_add" => react("T", "I", "text", Some("\u{1f525}"), CONTEXT),
        "reaction_remove" => react("T", "I", "text", None, CONTEXT),
        "mark_seen" => mark_seen("T", "I", CONTEXT),
        "mark_visual_item_seen" => mark_visual_item_seen("T", "I", CONTEXT),
        "hashtag" => send_share("T", Share::Hashtag, "cats", "", CONTEXT),
        "location" => send_share("T", Share::Location, "V", "", CONTEXT),
        "profile" => send_share("T", Share::Profile, "42", "", CONTEXT),
        "media_share" => send_share("T", Share::Post, "1_2", "", CONTEXT),
        "reel_share" => send_share("T", Share::Story, "1_2", "", CONTEXT),
        "typing_on" => indicate_activity("T", true, CONTEXT),
        "typing_off" => indicate_activity("T", false, CONTEXT),
        unknown => panic!("{unknown} has no command"),
    }
}

#[test]
fn commands_are_byte_equal_to_mautrix() {
    let mut compared = 0;
    for case in cases("mqtt_commands") {
        let name = case["name"].as_str().unwrap();
        let Some(expected) = case["outputs"]["mautrix_instagram"]["json"].as_str() else {
            assert!(SUBSCRIPTIONS.contains(&name), "{name}");
            continue;
        };
        assert_eq!(String::from_utf8(ours(name)).unwrap(), compact(expected), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 16);
}

/// Ours have every field of instagrapi's, and some more, which mautrix has too.
#[test]
fn commands_have_all_that_those_of_instagrapi_have() {
    let mut compared = 0;
    for case in cases("mqtt_commands") {
        let name = case["name"].as_str().unwrap();
        let Some(theirs) = case["outputs"]["instagrapi"]["json"].as_str() else { continue };
        if SUBSCRIPTIONS.contains(&name) {
            continue;
        }
        let theirs: Json = serde_json::from_str(theirs).unwrap();
        let ours: Json = serde_json::from_slice(&ours(name)).unwrap();
        let differing: Vec<_> =
            theirs.as_object().unwrap().iter().filter(|(key, value)| ours[*key] != **value).collect();
        let is_excused = NOT_OURS.iter().any(|(excused, _)| *excused == name);
        assert_eq!(differing.is_empty(), !is_excused, "{name}: {differing:?}");
        compared += 1;
    }
    assert_eq!(compared, 6);
}

/// Names under `sub` and nothing else, as instagrapi has it.
#[test]
fn subscriptions_have_the_shape_of_instagrapis() {
    for (name, ours) in
        [("graphql_sub", graphql(1, "11111111-2222-4333-8444-555555555555")), ("skywalker_sub", skywalker(1))]
    {
        let case = cases("mqtt_commands").into_iter().find(|case| case["name"] == name).unwrap();
        let theirs: Json = serde_json::from_str(case["outputs"]["instagrapi"]["json"].as_str().unwrap()).unwrap();
        let ours: Json = serde_json::from_slice(&ours).unwrap();
        for document in [&theirs, &ours] {
            assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["sub"], "{name}");
            assert!(document["sub"].as_array().unwrap().iter().all(Json::is_string), "{name}");
        }
    }
}

#[test]
fn a_text_survives_whatever_it_contains() {
    for text in
        ["", "\u{0}\u{1}\u{7f}\u{85}", "a\nb\r\n\t\"\\/", "\u{202e}\u{2066}x\u{2069}", "👨\u{200d}👩 é 日本 x", "é"]
    {
        let json = send_text("T", text, CONTEXT, None, &[]);
        assert!(json.is_ascii());
        let parsed: Json = serde_json::from_slice(&json).unwrap();
        assert_eq!(parsed["text"].as_str().unwrap(), text);
    }
}

#[test]
fn subscriptions_equal_those_of_the_others() {
    let all = cases("subscriptions");
    let expected = |name: &str| {
        let case = all.iter().find(|case| case["name"] == name).unwrap();
        case["output"].as_str().unwrap().to_owned()
    };
    let ours: Json = serde_json::from_slice(&graphql(12_345_678_901, "11111111-2222-4333-8444-555555555555")).unwrap();
    assert_eq!(
        ours["sub"],
        Json::from(vec![expected("app_presence"), expected("direct_typing"), expected("direct_status")])
    );
    let ours: Json = serde_json::from_slice(&skywalker(12_345_678_901)).unwrap();
    assert_eq!(ours["sub"], Json::from(vec![expected("skywalker_direct"), expected("skywalker_live")]));
}

#[test]
fn the_iris_request_has_the_fields_of_the_others_and_mautrix_two_more() {
    let case = cases("mqtt_commands").into_iter().find(|case| case["name"] == "iris_sub").unwrap();
    let theirs: Json = serde_json::from_str(case["outputs"]["instagrapi"]["json"].as_str().unwrap()).unwrap();
    let request = IrisRequest {
        seq_id: 1234,
        snapshot_at_ms: 1_767_225_600_123,
        snapshot_app_version: "428.0.0.47.67",
        timezone_offset: 0,
        subscription_type: "message",
    };
    let ours: Json = serde_json::from_slice(&request.encode()).unwrap();
    for (key, value) in theirs.as_object().unwrap() {
        assert_eq!(&ours[key], value, "{key}");
    }
    assert_eq!(ours["subscription_type"], "message");
}
