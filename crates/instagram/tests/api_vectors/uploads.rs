//! Heads of uploads equal the recorded ones, and names of uploads are as the app makes them.

use std::collections::BTreeMap;

use http::{Request, Response};
use instagram::api::{Upload, UploadKind};
use instagram::error::ApiError;
use serde_json::Value as Json;
use url::Url;

use super::{case, object, session};

const NOW_MS: i64 = 1_767_225_600_123;

fn upload_url() -> Url {
    Url::parse("https://rupload.facebook.com/").unwrap()
}

/// Sixteen bytes that begin with a number.
fn random(number: u64) -> [u8; 16] {
    let mut random = [0; 16];
    random[..8].copy_from_slice(&number.to_be_bytes());
    random
}

fn headers(request: &Request<()>) -> BTreeMap<String, String> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn is_waterfall(id: &str) -> bool {
    let parts: Vec<_> = id.split('_').collect();
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let hex = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    matches!(parts[..], [number, letters, "Mixed", "0"] if digits(number) && hex(letters))
}

fn compare(ours: &Request<()>, recorded: &Json) {
    assert_eq!(ours.method().as_str(), recorded["method"]);
    assert_eq!(ours.uri().to_string(), recorded["url"].as_str().unwrap());
    let (mut ours, mut theirs) = (headers(ours), object(&recorded["per_request_headers"]));
    // Belongs to the connection.
    theirs.remove("accept-encoding").unwrap();
    let waterfall = "x_fb_video_waterfall_id";
    let drawn = (ours.remove(waterfall), theirs.remove(waterfall));
    match &drawn {
        (Some(ours), Some(theirs)) => assert!(is_waterfall(ours) && is_waterfall(theirs), "{drawn:?}"),
        drawn => assert_eq!(*drawn, (None, None)),
    }
    assert_eq!(ours, theirs);
}

#[test]
fn uploads_equal_those_of_instagrapi() {
    let mut hex = [0; 16];
    for (place, byte) in hex.iter_mut().enumerate() {
        *byte = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef][place % 8];
    }
    let signed = random(u64::from((-1_234_567_890_i32).cast_unsigned()) << 32);
    for (name, upload) in [
        ("attachment_photo", Upload::new(UploadKind::Image, 8, "image/jpeg", NOW_MS, random(0))),
        ("attachment_video", Upload::new(UploadKind::Video, 12, "video/mp4", NOW_MS, hex)),
        ("attachment_voice", Upload::new(UploadKind::Audio, 12, "audio/mp4", NOW_MS, signed)),
    ] {
        let recorded = case("http_requests_instagrapi", name)["output"].as_array().unwrap().clone();
        let (_broadcast, uploads) = recorded.split_last().unwrap();
        let mut ours = Vec::new();
        if upload.is_resumable() {
            ours.push(upload.offset_request(&session(), &upload_url()));
        }
        ours.push(upload.request(&session(), &upload_url(), 0));
        assert_eq!(ours.len(), uploads.len(), "{name}");
        for (ours, recorded) in ours.iter().zip(uploads) {
            compare(ours, recorded);
        }
        assert!(!format!("{ours:?}").contains("IGT:2"), "the bearer is marked as a secret");
    }
}

#[test]
fn uploads_that_only_mautrix_makes_have_its_name_and_headers() {
    let mut compared = 0;
    for (name, kind, size, mime) in [
        ("upload_gif", UploadKind::Gif, 3, "image/gif"),
        ("upload_file", UploadKind::File, 3, "application/pdf"),
        // Names and steps of these are instagrapi's; what describes the file is the same.
        ("upload_image", UploadKind::Image, 6, "image/jpeg"),
        ("upload_video", UploadKind::Video, 3, "video/mp4"),
        ("upload_audio", UploadKind::Audio, 3, "audio/mp4"),
    ] {
        let recorded = &case("http_requests_mautrix", name)["output"];
        let upload = Upload::new(kind, size, mime, NOW_MS, random(234_567_890));
        let request = upload.request(&session(), &upload_url(), 0);
        if matches!(kind, UploadKind::Gif | UploadKind::File) {
            assert_eq!(request.uri().to_string(), recorded["url"].as_str().unwrap());
            assert_eq!(upload.entity_name, recorded["headers"]["x-entity-name"].as_str().unwrap());
        }
        let (ours, theirs) = (headers(&request), object(&recorded["headers"]));
        for (header, value) in &theirs {
            let same = match header.to_lowercase().as_str() {
                "x-entity-length" | "x-entity-type" | "offset" | "content-type" | "priority" | "image_type"
                | "video_type" | "file_type" => true,
                // The app of 2023 says `VOICE_MESSAGE`.
                "audio_type" => false,
                _ => continue,
            };
            assert_eq!(ours[&header.to_lowercase()] == *value, same, "{name}: {header}");
            compared += 1;
        }
    }
    assert_eq!(compared, 30);
}

#[test]
fn a_name_is_a_function_of_time_and_randomness() {
    for kind in [UploadKind::Image, UploadKind::Gif, UploadKind::Video, UploadKind::Audio, UploadKind::File] {
        let name = |random| Upload::new(kind, 7, "x/y", NOW_MS, random).entity_name;
        assert_eq!(name([7; 16]), name([7; 16]));
        assert_ne!(name([7; 16]), name([8; 16]), "two files of one moment stay two");
        assert!(name([255; 16]).bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
    }
}

#[test]
fn an_upload_that_goes_on_keeps_its_head_but_for_the_offset() {
    let upload = Upload::new(UploadKind::Video, 100, "video/mp4", NOW_MS, [7; 16]);
    let (start, rest) = (upload.request(&session(), &upload_url(), 0), upload.request(&session(), &upload_url(), 60));
    assert_eq!(
        (start.uri(), &rest.headers()["offset"], &rest.headers()["x-entity-length"]),
        (rest.uri(), &http::HeaderValue::from_static("60"), &http::HeaderValue::from_static("100"))
    );
    let (mut start, mut rest) = (headers(&start), headers(&rest));
    assert_ne!(start.remove("offset"), rest.remove("offset"));
    assert_eq!(start, rest);
    let waterfall = start["x_fb_video_waterfall_id"].clone();
    assert_eq!(waterfall.split('_').next().unwrap(), upload.upload_id(), "the broadcast names the same upload");
    let voice = Upload::new(UploadKind::Audio, 100, "audio/mp4", NOW_MS, [7; 16]);
    assert_eq!(voice.upload_id(), "1767225600123");
    assert_eq!(Upload::new(UploadKind::Image, 1, "image/jpeg", NOW_MS, [0; 16]).upload_id(), "1767225600123");
}

#[test]
fn no_header_goes_along_that_the_upload_host_refuses() {
    let mut session = session();
    session.rur = Some("RVA".to_owned());
    session.www_claim = Some("hmac.1".to_owned());
    let request = Upload::new(UploadKind::Video, 1, "video/mp4", 0, [0; 16]).request(&session, &upload_url(), 0);
    assert_eq!(request.headers()["ig-u-rur"], "RVA");
    for name in request.headers().keys().map(http::HeaderName::as_str) {
        let refused = ["x-ig-", "x-bloks-", "x-pigeon-"].iter().any(|prefix| name.starts_with(prefix));
        assert!(!refused || name == "x-ig-salt-ids", "{name}");
    }
}

#[test]
fn answers_of_the_upload_host_are_read_or_refused() {
    let upload = Upload::new(UploadKind::Video, 100, "video/mp4", NOW_MS, [0; 16]);
    let answer = |body: &str| Response::new(body.as_bytes().to_vec());
    assert_eq!(upload.offset(&answer(r#"{"offset":60}"#)), Ok(60));
    assert_eq!(upload.offset(&answer(r#"{"offset":"100"}"#)), Ok(100));
    for body in ["{}", r#"{"offset":101}"#, r#"{"offset":-1}"#, r#"{"offset":null}"#] {
        let missing = "an offset within the file";
        assert_eq!(upload.offset(&answer(body)), Err(ApiError::Malformed { missing }), "{body}");
    }
    let media_id = Upload::media_id(&answer(r#"{"media_id":17900000000000009,"id":0}"#));
    assert_eq!(media_id.as_deref(), Ok("17900000000000009"));
    for body in ["{}", r#"{"media_id":0}"#, r#"{"media_id":{}}"#] {
        assert_eq!(Upload::media_id(&answer(body)), Err(ApiError::Malformed { missing: "the media id" }), "{body}");
    }
    let refused = Upload::media_id(&answer(r#"{"debug_info":{"message":"x"},"status":"fail"}"#));
    assert!(matches!(refused, Err(ApiError::Refused { .. })));
}
