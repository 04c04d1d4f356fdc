//! Requests, headers, identities and refusals compared with independent clients (each vector names its source).
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

mod answers;
mod identity;
mod refusals;
mod requests;
mod uploads;

use std::collections::BTreeMap;

use http::Request;
use instagram::api::{Context, Endpoint};
use instagram::credentials::Credentials;
use instagram::device::Device;
use instagram::session::Session;
use serde_json::Value as Json;
use url::Url;

const THREAD: &str = "340282366841710300949128000000000000001";
const SESSIONID: &str = "12345678901%3AAbCdEfGhIjKlMn%3A7%3AAYc0ffee00";

fn cases(file: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

fn case(file: &str, name: &str) -> Json {
    cases(file).into_iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("{file} has no {name}"))
}

/// The session that instagrapi's vectors were recorded with.
fn session() -> Session {
    let mut device = Device::from_random([0; 32]);
    device.android_id = "android-0123456789abcdef".to_owned();
    device.uuid = "1b2c3d4e-2222-4333-8444-555566667777".to_owned();
    device.phone_id = "0a1b2c3d-1111-4222-8333-444455556666".to_owned();
    // That client sends its phone id as family device id; ours has one of its own, as the app does.
    device.family_device_id = device.phone_id.clone();
    device.timezone_offset = -14_400;
    let mut session = Session::new(&Credentials::parse(SESSIONID).unwrap(), device);
    session.mid = Some("ZmlkX21hY2hpbmVfaWQ".to_owned());
    session
}

fn context() -> Context {
    let api_url = Url::parse("https://i.instagram.com/").unwrap();
    Context { api_url, now_ms: 1_767_225_600_123, nonce: [0; 16] }
}

fn request(endpoint: &impl Endpoint) -> Request<Vec<u8>> {
    endpoint.request(&session(), &context())
}

fn pairs(encoded: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

fn object(json: &Json) -> BTreeMap<String, String> {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        // That client hands Python's `False` to its HTTP library.
        Json::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        other => other.to_string(),
    };
    json.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Compares method, address, query and form with a recorded request.
fn compare(ours: &Request<Vec<u8>>, recorded: &Json) {
    let url = Url::parse(recorded["url"].as_str().unwrap()).unwrap();
    let uri = Url::parse(&ours.uri().to_string()).unwrap();
    assert_eq!(ours.method().as_str(), recorded["method"].as_str().unwrap());
    assert_eq!((uri.scheme(), uri.host_str(), uri.path()), (url.scheme(), url.host_str(), url.path()));
    let mut expected = pairs(url.query().unwrap_or_default().as_bytes());
    expected.extend(object(&recorded["query"]));
    let mut query = pairs(uri.query().unwrap_or_default().as_bytes());
    for drawn in ["igd_request_log_tracking_id", "request_session_id"] {
        if let (Some(ours), Some(_)) = (query.get(drawn), expected.get(drawn)) {
            assert!(is_uuid(ours), "{drawn} is drawn anew");
            query.remove(drawn);
            expected.remove(drawn);
        }
    }
    assert_eq!(query, expected, "{url}");
    let mut form = pairs(ours.body());
    if let Some(signed) = recorded["body"].get("signed_json") {
        let ours = form.remove("signed_body").unwrap();
        let mut ours: Json = serde_json::from_str(ours.strip_prefix("SIGNATURE.").unwrap()).unwrap();
        let mut theirs = signed.clone();
        for drawn in ["camera_session_id", "composition_id"] {
            if let (Some(ours), Some(_)) = (remove(&mut ours, drawn), remove(&mut theirs, drawn)) {
                assert!(is_uuid(ours.as_str().unwrap()), "{drawn} is drawn anew");
            }
        }
        let nested = "media_transformation_info";
        assert_eq!(
            remove(&mut ours, nested).as_ref().map(parsed),
            remove(&mut theirs, nested).as_ref().map(parsed),
            "{url}"
        );
        assert_eq!(ours, theirs, "{url}");
    }
    assert_eq!(form, object(&recorded["body"]["form"]), "{url}");
}

fn remove(object: &mut Json, key: &str) -> Option<Json> {
    object.as_object_mut().unwrap().remove(key)
}

/// JSON inside a string.
fn parsed(text: &Json) -> Json {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && text.as_bytes()[14] == b'4'
        && b"89ab".contains(&text.as_bytes()[19])
}
