//! Items that mean harm: no panic, no endless work, and nothing is fetched from where it must not be.
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

use instagram::item::{Content, Item, Media};
use serde_json::{Value as Json, json};

fn content(item_type: &str, key: &str, value: &Json) -> Content {
    let item = json!({"item_id": "1", "item_type": item_type, key: value});
    Item::decode(&item.to_string()).unwrap().content()
}

fn photo(candidates: &Json) -> Media {
    let media = json!({"id": "1", "media_type": 1, "image_versions2": {"candidates": candidates},
        "original_width": 10, "original_height": 20});
    match content("media", "media", &media) {
        Content::Media(media) => media.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_https_is_fetched() {
    for bad in [
        "http://a.example/a.jpg",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "ftp://a.example/a.jpg",
        "//a.example/a.jpg",
        "https://user:pass@a.example/a.jpg",
        "https://a.example/a\r\nHost: b.jpg",
        "",
        "x",
    ] {
        let good = "https://a.example/%7Ea.jpg?sig=%2f%2F&b";
        let only = photo(&json!([{"url": bad, "width": 5, "height": 5}]));
        assert_eq!((only.url, only.width, only.height), (None, Some(10), Some(20)), "{bad}");
        let best = photo(&json!([{"url": bad, "width": 999, "height": 999}, {"url": good, "width": 5, "height": 6}]));
        assert_eq!((best.url.as_deref(), best.width, best.alternatives.len()), (Some(good), Some(5), 0), "{bad}");

        // In no other place that can hold an address either.
        for (item_type, value) in [
            (
                "media",
                json!({"media_type": 2, "video_versions": [{"url": bad}],
                    "image_versions2": {"candidates": [{"url": bad}]}}),
            ),
            ("voice_media", json!({"media": {"audio": {"audio_src": bad}}})),
            ("animated_media", json!({"images": {"fixed_height": {"url": bad, "webp": bad, "mp4": good}}})),
            ("avatar_sticker", json!([{"preview_url": bad, "preview_url_info": {"url": bad}}])),
            ("static_sticker", json!({"image_url": bad, "images": {"fixed_height": {"webp": bad}}})),
            ("raven_media", json!({"media": {"media_type": 1, "image_versions2": {"candidates": [{"url": bad}]}}})),
            ("generic_xma", json!([{"title_text": "card", "preview_url": bad, "target_url": bad}])),
            ("live_video_share", json!({"text": "join", "broadcast": {"cover_frame_url": bad}})),
        ] {
            let media = match content(item_type, item_type, &value) {
                Content::Media(media) => media,
                Content::Disappearing { media, .. } => media.into_iter().collect(),
                Content::Share(share) => {
                    assert_eq!(share.link, None, "{item_type} {bad}");
                    share.media
                }
                Content::Unknown => Vec::new(),
                other => panic!("{item_type}: {other:?}"),
            };
            for media in media {
                assert_eq!(
                    (media.url, media.alternatives.len(), media.thumbnail),
                    (None, 0, None),
                    "{item_type} {bad}"
                );
            }
        }
    }
    let context = json!({"link_url": "https://a.example/", "link_image_url": "http://a.example/a.jpg"});
    let preview = json!({"text": "see", "link_context": context});
    assert!(
        matches!(content("link", "link", &preview), Content::Text { preview: Some(preview), .. } if preview.image.is_none())
    );
}

#[test]
fn the_best_of_ten_thousand_versions_is_found_and_few_are_kept() {
    let candidates: Vec<Json> = (1..=10_000_u32)
        .map(|i| (i * 7919) % 10_007)
        .map(|i| json!({"url": format!("https://a.example/{i}.jpg"), "width": i, "height": i}))
        .collect();
    let photo = photo(&json!(candidates));
    assert_eq!((photo.url.as_deref(), photo.width), (Some("https://a.example/10006.jpg"), Some(10_006)));
    assert_eq!(photo.alternatives.len(), 8);
    assert!(photo.alternatives.is_sorted_by_key(|url| std::cmp::Reverse(url.len())));
}

#[test]
fn a_crowd_of_attachments_and_a_long_waveform_are_cut() {
    let file = json!({"id": "1", "media_type": 1, "image_versions2": {"candidates": [{"url": "https://a.example/a"}]}});
    let crowd = vec![file; 10_000];
    for (item_type, value) in
        [("media", json!(crowd)), ("new_kind", json!(crowd)), ("media", json!({"carousel_media": crowd}))]
    {
        assert!(
            matches!(content(item_type, item_type, &value), Content::Media(media) if media.len() == 50),
            "{item_type}"
        );
    }
    let post = json!({"code": "A", "user": {"username": "bob"}, "carousel_media": crowd});
    assert!(matches!(content("media_share", "media_share", &post), Content::Share(share) if share.media.len() == 50));
    let cards = vec![json!({"title_text": "card", "preview_url": "https://a.example/a"}); 10_000];
    assert!(
        matches!(content("generic_xma", "generic_xma", &json!(cards)), Content::Share(share) if share.media.len() == 50)
    );
    let voice = json!({"media": {"audio": {"waveform_data": vec![1e300; 100_000], "duration": -5}}});
    let Content::Media(voice) = content("voice_media", "voice_media", &voice) else { panic!("no voice") };
    assert_eq!((voice[0].waveform.len(), voice[0].duration_ms), (6000, None));
    assert!(voice[0].waveform.iter().all(|loudness| *loudness == 1.0));
}

#[test]
fn sizes_that_cannot_be_are_absent() {
    for size in [json!(-1), json!(0), json!(4_294_967_296_u64), json!("9e99"), json!(1.5), json!(null), json!([5])] {
        let photo = photo(&json!([{"url": "https://a.example/a", "width": size, "height": 7}]));
        assert_eq!((photo.width, photo.height), (Some(10), Some(20)), "the original's, not half of a size: {size}");
    }
    let huge = photo(&json!([{"url": "https://a.example/a", "width": u32::MAX, "height": u32::MAX}]));
    assert_eq!(huge.width, Some(u32::MAX));
    let raven = json!({"media": {"media_type": 1}, "url_expire_at_secs": -7});
    assert!(matches!(content("raven_media", "visual_media", &raven), Content::Disappearing { expires_at_s: None, .. }));
    for (lat, lng) in
        [(json!(91), json!(0)), (json!(0), json!(-180.5)), (json!("NaN"), json!(0)), (json!(null), json!(5))]
    {
        let place = json!({"name": "here", "lat": lat, "lng": lng});
        assert!(matches!(
            content("location", "location", &place),
            Content::Location { latitude: None, longitude: None, .. }
        ));
    }
}

#[test]
fn deep_nesting_is_a_value_wherever_it_is() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let deeper = format!("{}1{}", r#"{"media":"#.repeat(20_000), "}".repeat(20_000));
    for deep in [&deep, &deeper] {
        for item_type in
            ["media", "raven_media", "media_share", "clip", "generic_xma", "voice_media", "location", "new_kind", ""]
        {
            for value in [
                deep.clone(),
                format!(r#"{{"media":{deep},"clip":{deep},"image_versions2":{deep}}}"#),
                format!(r#"[{{"carousel_media":{deep},"preview_url":{deep},"title_text":{deep}}}]"#),
                format!(r#"{{"video_versions":[{deep}],"audio":{{"waveform_data":{deep}}},"name":{deep}}}"#),
            ] {
                let key = if item_type.is_empty() { "visual_media" } else { item_type };
                let json = format!(r#"{{"item_id":1,"item_type":"{item_type}","{key}":{value}}}"#);
                let item = Item::decode(&json).unwrap();
                let _ = (item.content(), item.best_text(), item.best_link());
                assert!(!item.summary().is_empty());
            }
        }
    }
}

#[test]
fn what_disappears_is_never_an_ordinary_photo_whatever_it_is_called() {
    let file = json!({"media_type": 1, "code": "A", "user": {"username": "bob"},
        "image_versions2": {"candidates": [{"url": "https://a.example/a.jpg"}]}});
    for (item_type, key) in
        [("raven_media", "visual_media"), ("", "visual_media"), ("new", "visual_media"), ("new", "new")]
    {
        let item = content(item_type, key, &json!({"view_mode": "once", "media": file}));
        assert!(matches!(item, Content::Disappearing { media: Some(_), .. }), "{item_type} {key}: {item:?}");
    }
}

#[test]
fn debug_shows_kinds_and_sizes_only() {
    let planted = "https://planted.example/planted.jpg?planted";
    let file = json!({"id": "planted", "media_type": 2, "code": "planted", "user": {"username": "planted"},
        "caption": {"text": "planted"}, "image_versions2": {"candidates": [{"url": planted, "width": 4, "height": 5}]},
        "video_versions": [{"url": planted}, {"url": "https://planted.example/b"}]});
    for (item_type, value) in [
        ("media", file.clone()),
        ("media_share", file.clone()),
        ("visual_media", json!({"media": file, "view_mode": "planted"})),
        (
            "link",
            json!({"text": "planted",
                "link_context": {"link_url": planted, "link_title": "planted", "link_image_url": planted}}),
        ),
        ("location", json!({"name": "planted", "address": "planted", "lat": 1, "lng": 1})),
        ("video_call_event", json!({"action": "planted", "description": "planted"})),
        ("action_log", json!({"description": "planted"})),
        ("placeholder", json!({"title": "planted", "message": "planted"})),
        (
            "generic_xma",
            json!([{"title_text": "planted", "caption_body_text": "planted",
                "target_url": planted, "preview_url": planted}]),
        ),
    ] {
        let content = content(item_type, item_type, &value);
        assert_ne!(content, Content::Unknown, "{item_type}");
        let preview = if let Content::Text { preview, .. } = &content { preview.clone() } else { None };
        assert!(!format!("{content:?}{preview:?}").contains("planted"), "{item_type}: {content:?}");
    }
}
