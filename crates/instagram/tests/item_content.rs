//! Every kind of item becomes the value it should: those of `vectors/message_sync.json`, and one made by hand for each
//! row of the table of kinds that the vectors lack (`fixtures/items.json`).
//!
//! `fixtures/items.json` holds what is expected of both, spelt out line by line by `spell`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

use instagram::item::{CallAction, Card, Content, Item, Media, Picture, Share};
use serde_json::Value as Json;

fn read(file: &str) -> Json {
    let path = format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A content with all its fields, one to a line; what is absent has no line.
fn spell(content: &Content) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |name: &str, value: Option<&str>| lines.extend(value.map(|value| format!("{name}: {value}")));
    match content {
        Content::Text { text, preview } => {
            say("Text", Some(text));
            if let Some(preview) = preview {
                say("preview", Some(&preview.url));
                say("title", preview.title.as_deref());
                say("summary", preview.summary.as_deref());
                say("image", preview.image.as_deref());
            }
        }
        Content::Media(media) => {
            say("Media", Some(&media.len().to_string()));
            lines.extend(media.iter().flat_map(spell_media));
        }
        Content::Disappearing { view_mode, media, video, expires_at_s } => {
            say("Disappearing", Some(&format!("{view_mode:?} {}", if *video { "video" } else { "photo" })));
            say("expires", expires_at_s.map(|at| at.to_string()).as_deref());
            lines.extend(media.iter().flat_map(spell_media));
        }
        Content::Share(share) => lines.extend(spell_share(share)),
        Content::Location { name, address, latitude, longitude, link } => {
            say("Location", Some(name.as_deref().unwrap_or_default()));
            say("address", address.as_deref());
            say("at", latitude.zip(*longitude).map(|(lat, lng)| format!("{lat} {lng}")).as_deref());
            say("link", link.as_deref());
        }
        Content::Call { description, action } => {
            let action = match action {
                CallAction::Other(name) => name.clone(),
                known => format!("{known:?}"),
            };
            say("Call", Some(&action));
            say("description", description.as_deref());
        }
        Content::Action(line) => say("Action", Some(line.as_deref().unwrap_or("nothing to show"))),
        Content::Placeholder { title, message } => {
            say("Placeholder", Some(title.as_deref().unwrap_or_default()));
            say("message", message.as_deref());
        }
        Content::Internal => say("Internal", Some("")),
        Content::Unknown => say("Unknown", Some("")),
    }
    lines
}

fn spell_share(share: &Share) -> Vec<String> {
    let fields = [
        ("author", &share.author),
        ("title", &share.title),
        ("caption", &share.caption),
        ("link", &share.link),
        ("text", &share.text),
        ("reaction", &share.reaction),
        ("note", &share.note),
        ("clip", &share.clip_id),
        ("mentions", &share.mentioned),
        ("tags", &share.tagged),
    ];
    let mut lines = vec![format!("Share: {:?}{}", share.kind, if share.expired { ", expired" } else { "" })];
    lines.extend(fields.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}: {value}"))));
    lines.extend(share.media.iter().flat_map(spell_media));
    for Card { summary, title, caption, link, media, clip_id } in &share.further {
        lines.push(format!("and {summary}"));
        let fields = [("title", title), ("caption", caption), ("link", link), ("clip", clip_id)];
        let said =
            fields.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}: {value}")));
        lines.extend(said);
        lines.extend(media.iter().flat_map(spell_media));
    }
    lines
}

fn spell_media(media: &Media) -> Vec<String> {
    let size = |width: Option<u32>, height: Option<u32>| match (width, height) {
        (Some(width), Some(height)) => format!(" {width}x{height}"),
        (None, None) => String::new(),
        odd => panic!("half a size: {odd:?}"),
    };
    let short = |url: &str| url.replace("https://scontent.cdninstagram.com/v/", "cdn/");
    let mut line = format!("{:?}{}", media.kind, size(media.width, media.height));
    for part in [&media.mime, &media.id.as_ref().map(|id| format!("#{id}")), &media.url.as_deref().map(short)] {
        line.extend(part.iter().flat_map(|part| [" ", part]));
    }
    let mut lines = vec![line];
    lines.extend(media.alternatives.iter().map(|url| format!("  else {}", short(url))));
    lines.extend(media.duration_ms.map(|duration| format!("  lasts {duration}")));
    lines.extend((!media.waveform.is_empty()).then(|| format!("  wave {:?}", media.waveform)));
    lines.extend(
        media
            .thumbnail
            .as_ref()
            .map(|Picture { url, width, height }| format!("  thumbnail{} {}", size(*width, *height), short(url))),
    );
    lines
}

fn check(name: &str, item: &Item, expected: &Json) {
    let expected: Vec<&str> = expected.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let content = item.content();
    assert_eq!(spell(&content), expected, "{name}");
    assert!(!item.summary().is_empty(), "{name}");
    if let Content::Share(share) = &content {
        assert_eq!(share.link, item.best_link(), "{name}: one link in both ways of asking");
    }
}

#[test]
fn every_item_of_the_vectors_is_understood() {
    let expected = &read("fixtures/items.json")["vectors"];
    let mut compared = 0;
    for case in read("vectors/message_sync.json")["cases"].as_array().unwrap() {
        for (index, envelope) in case["input"].as_array().unwrap().iter().enumerate() {
            let patch = &envelope["data"][0];
            let Some(value) = patch["value"].as_str().filter(|value| value.contains("\"item_type\"")) else { continue };
            if patch["path"].as_str().unwrap().contains("/items/") {
                let name = case["name"].as_str().unwrap();
                let item = Item::decode(value).unwrap();
                let expected = expected.get(name).unwrap_or_else(|| panic!("{name}: {:#?}", spell(&item.content())));
                let expected = if name.starts_with("batch") { &expected[index] } else { expected };
                check(name, &item, expected);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 35);
}

#[test]
fn every_other_kind_is_understood() {
    for case in read("fixtures/items.json")["items"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        check(name, &Item::decode(&case["item"].to_string()).unwrap(), &case["content"]);
    }
}

/// The names of endpoints to send to are never heard; an item that has one as its type is not lost all the same.
#[test]
fn names_of_endpoints_lose_no_item() {
    let names = "photo_attachment video_attachment voice_attachment raven_attachment configure_photo configure_video \
        share_voice reaction";
    for name in names.split_whitespace() {
        let item = Item::decode(&format!(r#"{{"item_id":1,"item_type":"{name}","{name}":{{"id":"7"}}}}"#)).unwrap();
        assert!(!matches!(item.content(), Content::Internal | Content::Action(_)), "{name}");
        assert!(item.summary().starts_with("a "), "{}", item.summary());
    }
}
