//! The app's headers, user agents and device identities.

use instagram::api::{CurrentUser, Endpoint};
use instagram::credentials::Credentials;
use instagram::device::{AppVersion, Device};
use instagram::item::shortcode;
use instagram::session::Session;
use serde_json::Value as Json;

use super::{case, cases, context, is_uuid, object, request, session};

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
