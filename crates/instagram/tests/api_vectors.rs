//! Requests, headers, identities and refusals compared with independent clients (each vector names its source).
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

use std::collections::BTreeMap;

use http::{HeaderMap, Request, Response, StatusCode};
use instagram::api::{BroadcastText, Context, CurrentUser, Endpoint, GetThread, Inbox, Logout, ReplyTo, UserInfo};
use instagram::credentials::Credentials;
use instagram::device::{AppVersion, Device};
use instagram::error::ApiError;
use instagram::item::shortcode;
use instagram::session::Session;
use serde_json::{Value as Json, json};
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
    if let (Some(tracking), Some(_)) =
        (query.get("igd_request_log_tracking_id"), expected.get("igd_request_log_tracking_id"))
    {
        assert!(is_uuid(tracking), "drawn anew for each request");
        query.remove("igd_request_log_tracking_id");
        expected.remove("igd_request_log_tracking_id");
    }
    assert_eq!(query, expected, "{url}");
    let form = recorded["body"]["form"].as_object().map_or_else(|| json!({}), |form| Json::Object(form.clone()));
    assert_eq!(pairs(ours.body()), object(&form), "{url}");
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && text.as_bytes()[14] == b'4'
        && b"89ab".contains(&text.as_bytes()[19])
}

#[test]
fn requests_equal_those_of_instagrapi() {
    let recorded = |name: &str| case("http_requests_instagrapi", name)["output"][0].clone();
    compare(&request(&Inbox { cursor: None, limit: 20 }), &recorded("inbox_initial"));
    compare(&request(&Inbox { cursor: Some("CUR".to_owned()), limit: 20 }), &recorded("inbox_page"));
    compare(&request(&CurrentUser), &recorded("current_user"));
    compare(&request(&UserInfo { user_id: "42".to_owned() }), &recorded("user_info"));

    let mut thread = recorded("thread");
    // A constant in that client, whatever the state; the parameter is optional and we have nothing true to say.
    assert_eq!(thread["query"].as_object_mut().unwrap().remove("seq_id"), Some(json!("40065")));
    compare(&request(&GetThread { thread_id: THREAD.to_owned(), cursor: None, limit: 20 }), &thread);

    let text = BroadcastText {
        thread_id: THREAD.to_owned(),
        text: "h\u{e9}llo".to_owned(),
        client_context: "6800011223344556677".to_owned(),
        reply_to: None,
        mentions: Vec::new(),
    };
    compare(&request(&text), &recorded("send_text"));
    let reply_to = Some(ReplyTo { item_id: "30075".to_owned(), client_context: "7400".to_owned() });
    compare(&request(&BroadcastText { text: "re".to_owned(), reply_to, ..text }), &recorded("send_reply"));
}

#[test]
fn requests_equal_those_of_mautrix() {
    let recorded = |name: &str| {
        let mut recorded = case("http_requests_mautrix", name)["output"].clone();
        recorded["url"] = recorded["url"].as_str().unwrap().replace("/T/", &format!("/{THREAD}/")).into();
        recorded
    };
    compare(&request(&CurrentUser), &recorded("current_user"));
    // It also sends its cursor as `seq_id`, which a thread page does not need.
    let mut page = recorded("thread_page");
    page["url"] = page["url"].as_str().unwrap().replace("&seq_id=1234", "").into();
    compare(&request(&GetThread { thread_id: THREAD.to_owned(), cursor: Some("CUR".to_owned()), limit: 20 }), &page);

    let logout = request(&Logout);
    let recorded = recorded("logout");
    assert_eq!(logout.uri().to_string(), recorded["url"]);
    let signed = |body: &str| serde_json::from_str::<Json>(body.strip_prefix("SIGNATURE.").unwrap()).unwrap();
    let ours = signed(&pairs(logout.body())["signed_body"]);
    let theirs = signed(recorded["form"]["signed_body"].as_str().unwrap());
    let keys = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&theirs));
    assert_eq!(
        (&ours["one_tap_app_login"], &ours["guid"]),
        (&theirs["one_tap_app_login"], &json!(session().device.uuid))
    );
}

#[test]
fn the_headers_are_those_of_the_app() {
    let recorded = case("base_headers", "logged_in");
    let request = request(&CurrentUser);
    let ours = request.headers();
    let mut expected = object(&recorded["output"]);
    expected.insert("Authorization".to_owned(), recorded["authorization"].as_str().unwrap().to_owned());
    for absent in [
        // Made up by that client before the server gave it any.
        "IG-U-IG-DIRECT-REGION-HINT",
        "IG-U-SHBID",
        "IG-U-SHBTS",
        "IG-U-RUR",
        // These belong to the connection.
        "Host",
        "Connection",
        "Accept-Encoding",
    ] {
        expected.remove(absent).unwrap();
        assert!(!ours.contains_key(absent), "{absent}");
    }
    let pigeon = expected.remove("X-Pigeon-Session-Id").unwrap();
    let ours_pigeon = ours["x-pigeon-session-id"].to_str().unwrap();
    for pigeon in [pigeon.as_str(), ours_pigeon] {
        assert!(is_uuid(pigeon.strip_prefix("UFS-").unwrap().strip_suffix("-1").unwrap()), "{pigeon}");
    }
    for (name, value) in &expected {
        let header = ours.get(name.to_lowercase()).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(header, value.as_str(), "{name}");
    }
    assert_eq!(ours.len(), expected.len() + 1, "no header beyond those");
    assert!(!format!("{request:?}").contains("IGT:2"), "the bearer is marked as a secret");
}

#[test]
fn values_the_server_gave_are_sent_back() {
    let mut session = session();
    session.www_claim = Some("hmac.AR3".to_owned());
    session.rur = Some("RVA".to_owned());
    session.shbid = Some("1".to_owned());
    session.shbts = Some("2".to_owned());
    session.region_hint = Some("LLA".to_owned());
    session.mid = None;
    let request = CurrentUser.request(&session, &context());
    for (name, value) in [
        ("x-ig-www-claim", "hmac.AR3"),
        ("ig-u-rur", "RVA"),
        ("ig-u-shbid", "1"),
        ("ig-u-shbts", "2"),
        ("ig-u-ig-direct-region-hint", "LLA"),
        ("ig-intended-user-id", "12345678901"),
    ] {
        assert_eq!(request.headers()[name], value);
    }
    assert!(!request.headers().contains_key("x-mid"));
}

#[test]
fn user_agents_are_those_of_the_app() {
    for case in cases("user_agent") {
        let input = &case["input"];
        let mut device = Device::from_random([0; 32]);
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(descriptor) = input["descriptor"].as_str() {
            descriptor.clone_into(&mut device.descriptor);
            device.locale = text(&input["language"]);
            device.app.version = text(&input["app_version"]);
            device.app.version_code = text(&input["version_code"]);
        } else {
            let settings = &input["device_settings"];
            let part = |key: &str| text(&settings[key]);
            device.descriptor = format!(
                "{}/{}; {}; {}; {}; {}; {}; {}",
                part("android_version"),
                part("android_release"),
                part("dpi"),
                part("resolution"),
                part("manufacturer"),
                part("model"),
                part("device"),
                part("cpu")
            );
            device.locale = text(&input["locale"]);
            device.app = AppVersion {
                version: part("app_version"),
                version_code: part("version_code"),
                bloks_id: part("bloks_versioning_id"),
            };
            if case["name"] == "instagrapi_0" {
                let ours = Device::from_random([0; 32]);
                assert_eq!((ours.descriptor, ours.app), (device.descriptor.clone(), device.app.clone()), "the default");
            }
        }
        assert_eq!(device.user_agent(), case["output"], "{}", case["name"]);
    }
}

#[test]
fn device_identities_have_the_recorded_shape() {
    let is_android = |id: &str| {
        id.strip_prefix("android-")
            .is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
    };
    for case in cases("device_identity") {
        let output = &case["output"];
        assert!(is_android(output["id"].as_str().unwrap()));
        assert!(["uuid", "fdid", "phoneId", "adid"].iter().all(|key| is_uuid(output[*key].as_str().unwrap())));
    }
    for seed in 0..50 {
        let device = Device::from_random([seed; 32]);
        assert!(is_android(&device.android_id), "{}", device.android_id);
        for id in [&device.uuid, &device.family_device_id, &device.phone_id, &device.advertising_id] {
            assert!(is_uuid(id), "{id}");
        }
    }
}

#[test]
fn bearers_and_shortcodes_equal_the_recorded_ones() {
    let mut compared = 0;
    for case in cases("misc_tokens") {
        let (name, input, output) = (case["name"].as_str().unwrap(), &case["input"], &case["output"]);
        if name == "authorization_build" {
            let credentials = Credentials::parse(input["sessionid"].as_str().unwrap()).unwrap();
            assert_eq!(credentials.user_id.to_string(), input["ds_user_id"]);
            assert_eq!(Session::new(&credentials, Device::from_random([0; 32])).bearer(), output.as_str().unwrap());
            compared += 1;
        }
        // The list has both directions; we only need numbers to codes.
        if let (true, Ok(number)) = (name.starts_with("shortcode_"), input.as_str().unwrap_or_default().parse()) {
            assert_eq!(shortcode(number), *output, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 7);
}

/// Where the two peers disagree, or where we side with neither.
fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "login_required_400" => "mautrix: the message counts, not the status",
        "user_has_logged_out_403" => "mautrix: instagrapi has no class for it",
        "challenge_suspended" => "instagrapi: the address tells a suspension, which needs other words to the user",
        "checkpoint_required" | "consent_required" => "mautrix: instagrapi has no class for it",
        "unusable_password" | "invalid_credentials_exception_name" | "bad_2fa_code" | "expired_2fa_nonce" => {
            "mautrix: instagrapi has no class for it"
        }
        "invalid_user" => {
            "mautrix: instagrapi guesses at a blocked address; error_type goes before invalid_credentials, which only \
             accompanies it"
        }
        "inactive_user" => "mautrix: instagrapi has no class for it",
        "http_401_please_wait" => "instagrapi: mautrix would see an unknown refusal and ask again at once",
        "http_404_masked_challenge" => "instagrapi: mautrix sees a page that is not JSON",
        "ip_block" => "neither has a class for it, but the reaction differs: another proxy is needed",
        "dm_requests_disabled" => "instagrapi: the user must learn that the other side refuses",
        _ => return None,
    })
}

#[test]
fn refusals_are_told_apart_as_by_the_peers() {
    let mut compared = 0;
    for case in cases("http_errors") {
        let name = case["name"].as_str().unwrap();
        let input = &case["input"];
        let body = input["body"].as_str().map_or_else(|| input["body"].to_string(), str::to_owned);
        let status = StatusCode::from_u16(u16::try_from(input["http_status"].as_u64().unwrap()).unwrap()).unwrap();
        let ours = ApiError::classify(status, &HeaderMap::new(), body.as_bytes());
        let (mautrix, instagrapi) = names(ours.as_ref());
        let outputs = &case["outputs"];
        let agrees = |peer: &str, classes: &[&str]| classes.contains(&outputs[peer].as_str().unwrap());
        let (with_mautrix, with_instagrapi) = (agrees("mautrix_instagram", mautrix), agrees("instagrapi", instagrapi));
        match reason(name) {
            None => assert!(with_mautrix && with_instagrapi, "{name}: {ours:?} against {outputs}"),
            Some(reason) => {
                assert!(!(with_mautrix && with_instagrapi), "{name}: no reason is needed");
                assert_eq!(reason.starts_with("mautrix:"), with_mautrix, "{name}: {ours:?}");
                assert_eq!(reason.starts_with("instagrapi:"), with_instagrapi, "{name}: {ours:?}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 29);
}

/// What the peers call a class of ours.
fn names(error: Option<&ApiError>) -> (&'static [&'static str], &'static [&'static str]) {
    match error {
        None => (&["ok (body returned)"], &["ok (body returned)"]),
        Some(ApiError::LoggedOut { certain: false }) => (&["IGLoginRequiredError"], &["LoginRequired"]),
        Some(ApiError::LoggedOut { certain: true }) => (&["IGUserHasLoggedOutError"], &[]),
        Some(ApiError::Challenge { .. }) => (&["IGChallengeError"], &["ChallengeRequired"]),
        Some(ApiError::Suspended) => (&[], &["AccountSuspended"]),
        Some(ApiError::Checkpoint { .. }) => (&["IGCheckpointError"], &[]),
        Some(ApiError::Consent { .. }) => (&["IGConsentRequiredError"], &[]),
        Some(ApiError::ActionBlocked { .. }) => (&["IGActionSpamError"], &["FeedbackRequired"]),
        Some(ApiError::TwoFactor) => (&["IGLoginTwoFactorRequiredError"], &["TwoFactorRequired"]),
        Some(ApiError::BadPassword) => {
            (&["IGLoginBadPasswordError", "IGLoginInvalidCredentialsError"], &["BadPassword"])
        }
        Some(ApiError::UnusablePassword) => (&["IGLoginUnusablePasswordError"], &[]),
        Some(ApiError::UnknownUser) => (&["IGLoginInvalidUserError"], &[]),
        Some(ApiError::WrongCode) => (&["IGBad2FACodeError"], &[]),
        Some(ApiError::CodeExpired) => (&["IG2FACodeExpiredError"], &[]),
        Some(ApiError::SentryBlock) => (&["IGSentryBlockError"], &["SentryBlock"]),
        Some(ApiError::RateLimited { .. }) => {
            (&["IGRateLimitError"], &["RateLimitError", "PleaseWaitFewMinutes", "ClientThrottledError"])
        }
        Some(ApiError::Disabled) => (&["IGInactiveUserError"], &[]),
        Some(ApiError::NotFound) => (&["IGNotFoundError"], &["ClientNotFoundError"]),
        Some(ApiError::MaskedChallenge) => (&[], &["ChallengeRequired"]),
        Some(ApiError::NotJson { .. }) => (&["IGUnknownError"], &["ClientError"]),
        Some(ApiError::RecipientRefuses) => (&[], &["DirectMessageRequestsDisabled"]),
        Some(ApiError::Refused { .. }) => (&["IGResponseError"], &["ClientError"]),
        Some(_) => (&[], &[]),
    }
}

fn answer<E: Endpoint>(body: &str) -> Result<E::Answer, ApiError> {
    E::answer(&Response::new(body.as_bytes().to_vec()))
}

#[test]
fn answers_are_read_in_every_variant() {
    let user = answer::<CurrentUser>(r#"{"user":{"pk":12345678901,"username":"anna"},"status":"ok"}"#).unwrap();
    assert_eq!((user.pk.as_str(), user.username.as_str()), ("12345678901", "anna"));

    let page = answer::<Inbox>(
        r#"{"inbox":{"threads":[{"thread_id":"1"},{"users":[]},7],"has_older":true,"oldest_cursor":"c"},
        "seq_id":"1234","snapshot_at_ms":1767225600123,"viewer":{"pk":9},"status":"ok"}"#,
    )
    .unwrap();
    assert_eq!((page.threads.len(), page.unreadable, page.has_older), (1, 2, true));
    assert_eq!((page.seq_id, page.snapshot_at_ms), (Some(1234), Some(1_767_225_600_123)));
    assert_eq!((page.oldest_cursor.as_deref(), page.viewer.unwrap().pk.as_str()), (Some("c"), "9"));

    let thread = answer::<GetThread>(r#"{"thread":{"thread_id":1,"items":[{"item_id":2}]},"status":"ok"}"#).unwrap();
    assert_eq!(thread.items[0].item_id, "2");

    let receipt = r#"{"client_context":"7","item_id":30076213210116812312341061613568001,"timestamp":"5"}"#;
    for body in [
        format!(r#"{{"action":"item_ack","status_code":"200","payload":{receipt},"status":"ok"}}"#),
        format!(r#"{{"message_metadata":[{receipt}],"status":"ok"}}"#),
    ] {
        let sent = answer::<BroadcastText>(&body).unwrap();
        assert_eq!(sent.item_id, "30076213210116812312341061613568001");
        assert_eq!((sent.client_context.as_deref(), sent.timestamp_us), (Some("7"), Some(5)));
    }
    let refused = answer::<BroadcastText>(r#"{"payload":{"message":"target item is not supported"},"status":"fail"}"#);
    assert!(matches!(refused, Err(ApiError::Refused { message: Some(said), .. }) if said.contains("not supported")));

    assert_eq!(answer::<Logout>(r#"{"status":"ok"}"#), Ok(()));
    assert_eq!(answer::<Logout>(r#"{"message":"login_required","status":"fail"}"#), Ok(()), "already logged out");
    for malformed in ["{}", r#"{"user":null,"status":"ok"}"#, r#"{"user":[{"pk":1}]}"#] {
        assert_eq!(answer::<UserInfo>(malformed), Err(ApiError::Malformed { missing: "the user" }));
    }
}

#[test]
fn strange_ids_stay_in_their_place() {
    let uri = request(&GetThread { thread_id: "../../a b/c?d#e".to_owned(), cursor: None, limit: 5 }).uri().clone();
    assert_eq!(uri.path(), "/api/v1/direct_v2/threads/..%2F..%2Fa%20b%2Fc%3Fd%23e/");
    let text = BroadcastText {
        thread_id: "x\"]".to_owned(),
        text: "a&b=c".to_owned(),
        client_context: "7".to_owned(),
        reply_to: None,
        mentions: vec!["42".to_owned(), "43".to_owned()],
    };
    let form = pairs(request(&text).body());
    assert_eq!((form["thread_ids"].as_str(), form["text"].as_str()), (r#"["x\"]"]"#, "a&b=c"));
    assert_eq!(form["mentioned_user_ids"], r#"["42","43"]"#);
    assert!(!format!("{text:?}").contains("a&b"));
}

#[test]
fn a_base_address_may_have_a_port_and_a_path() {
    let context = Context { api_url: Url::parse("https://127.0.0.1:8443/proxy").unwrap(), ..context() };
    let uri = CurrentUser.request(&session(), &context).uri().to_string();
    assert_eq!(uri, "https://127.0.0.1:8443/proxy/api/v1/accounts/current_user/?edit=true");
}
