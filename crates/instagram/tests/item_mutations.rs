//! Whatever field of an item goes missing, changes its type or its name: it is still an item and still says something.
//!
//! Every field at every depth of every fixture: those of `vectors/message_sync.json` and of `fixtures/items.json`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

#[path = "shared/mutate.rs"]
mod mutate;

use instagram::item::{Content, Item, Media, Share, ViewMode};
use mutate::{mutations, places};
use serde_json::Value as Json;

fn read(file: &str) -> Json {
    let path = format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn fixtures() -> Vec<(String, Json)> {
    let mut fixtures = Vec::new();
    for case in read("fixtures/items.json")["items"].as_array().unwrap() {
        fixtures.push((case["name"].as_str().unwrap().to_owned(), case["item"].clone()));
    }
    for case in read("vectors/message_sync.json")["cases"].as_array().unwrap() {
        let patches =
            case["input"].as_array().unwrap().iter().flat_map(|envelope| envelope["data"].as_array().unwrap());
        for (n, patch) in patches.enumerate() {
            let item: Json = serde_json::from_str(patch["value"].as_str().unwrap_or("{}")).unwrap();
            if item.get("item_type").is_some() {
                fixtures.push((format!("{} {n}", case["name"].as_str().unwrap()), item));
            }
        }
    }
    assert!(fixtures.len() > 100);
    fixtures
}

fn files(content: &Content) -> &[Media] {
    match content {
        Content::Media(media) => media,
        Content::Disappearing { media, .. } => media.as_slice(),
        Content::Share(share) => &share.media,
        _ => &[],
    }
}

fn addresses(content: &Content) -> Vec<&str> {
    files(content)
        .iter()
        .flat_map(|media| {
            let thumbnail = media.thumbnail.iter().map(|thumbnail| &thumbnail.url);
            media.url.iter().chain(&media.alternatives).chain(thumbnail)
        })
        .map(String::as_str)
        .collect()
}

/// The words and the address of something shared.
fn words(share: &Share) -> [&Option<String>; 7] {
    [&share.author, &share.title, &share.caption, &share.link, &share.text, &share.reaction, &share.note]
}

fn shows_nothing(content: &Content) -> bool {
    matches!(content, Content::Internal | Content::Action(None))
}

#[test]
fn no_change_of_a_field_loses_an_item() {
    let mut count = 0;
    for (name, original) in fixtures() {
        let content = Item::decode(&original.to_string()).unwrap().content();
        let mut all = Vec::new();
        places(&original, "", &mut all);
        for place in all {
            for (what, mutated) in mutations(&original, &place) {
                let what = format!("{name}: {what}");
                let json = mutated.to_string();
                let Some(item) = Item::decode(&json) else {
                    assert_eq!(place, "/item_id", "{what}");
                    continue;
                };
                check(&what, &place, &json, &content, &item);
                count += 1;
            }
        }
    }
    assert!(count > 20_000, "{count}");
}

fn check(what: &str, place: &str, json: &str, before: &Content, item: &Item) {
    let (after, summary) = (item.content(), item.summary());
    assert!(!summary.is_empty() && !summary.contains(['\n', '<', '{']), "{what}: {summary:?}");
    assert!(item.best_link().is_none_or(|link| link.starts_with("http")), "{what}");
    let _ = item.best_text();
    assert!(!matches!(&after, Content::Media(media) if media.is_empty()), "{what}");
    for address in addresses(&after) {
        assert!(address.starts_with("https://") && json.contains(address), "{what}: {address}");
    }
    let meant_to_be_nothing = place == "/hide_in_thread" || what.ends_with("/description = \"\"");
    if !shows_nothing(before) && !meant_to_be_nothing {
        assert!(!shows_nothing(&after), "{what}: {after:?}");
    }
    if let Content::Disappearing { view_mode, .. } = before {
        let stricter = match &after {
            Content::Disappearing { view_mode: now, .. } => now == view_mode || *now == ViewMode::Other,
            after => *after == Content::Unknown,
        };
        assert!(stricter, "{what}: what was to disappear stays: {after:?}");
    }
    if let (Content::Share(before), Content::Share(after)) = (before, &after)
        && is_of_files(place)
    {
        assert_eq!((before.kind, words(before)), (after.kind, words(after)), "{what}");
    } else if matches!(before, Content::Share(_)) && is_of_files(place) {
        panic!("{what}: no longer shared: {after:?}");
    }
}

/// Places that tell of files and of nothing else.
fn is_of_files(place: &str) -> bool {
    let files = [
        "image_versions2",
        "video_versions",
        "carousel_media",
        "animated_media",
        "media_type",
        "original_",
        "video_duration",
        "preview_",
        "main_image",
        "cover_",
        "thumbnail_image",
    ];
    place.split('/').any(|part| files.iter().any(|file| part.starts_with(file)))
}
