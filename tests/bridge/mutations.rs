//! Whatever field of an item goes missing, changes its type or its name: something of it is in the room, the next message
//! is too, and the connection holds. (`crates/instagram/tests/item_mutations.rs` looks at what is understood of it.)

use instagram_sim::kinds::Kind;
use serde_json::{Value, json};

use crate::world::{Setup, World};

/// JSON pointers to everything inside a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (format!("{at}/{key}"), value)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(n, value)| (format!("{at}/{n}"), value)).collect(),
        _ => Vec::new(),
    };
    for (place, value) in children {
        places(value, &place, found);
        found.push(place);
    }
}

/// One place of an item removed, renamed and of other types.
fn mutations(item: &Value, place: &str) -> Vec<(String, Value)> {
    let (parent, key) = place.rsplit_once('/').unwrap();
    let wrong = if item.pointer(place).unwrap().is_string() { json!(7) } else { json!("x") };
    let mut all = Vec::new();
    for wrong in [wrong, json!(null)] {
        let mut mutated = item.clone();
        *mutated.pointer_mut(place).unwrap() = wrong.clone();
        all.push((format!("{place} = {wrong}"), mutated));
    }
    for name in [None, Some(format!("{key}_v2"))] {
        let mut mutated = item.clone();
        match mutated.pointer_mut(parent).unwrap() {
            Value::Object(fields) => {
                let value = fields.remove(key).unwrap();
                fields.extend(name.clone().map(|name| (name, value)));
            }
            Value::Array(elements) => drop(elements.remove(key.parse().unwrap())),
            _ => unreachable!("a parent has children"),
        }
        all.push((format!("{place} renamed to {name:?}"), mutated));
    }
    all
}

/// Mutations after which the app would show nothing either.
fn hides(what: &str) -> bool {
    what.starts_with("/hide_in_thread")
}

/// Whether an event says something: a file is there, or words are.
fn says_something(event: &Value) -> bool {
    let content = &event["content"];
    let is_there = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let is_file = ["m.image", "m.video", "m.audio", "m.file"].iter().any(|kind| content["msgtype"] == *kind);
    is_there(&content["body"]) && (is_there(&content["url"]) || !(is_file || event["type"] == "m.sticker"))
}

/// Sends every mutation of these kinds; gives those of which too little came, and the number of messages.
async fn lost_of(world: &World, kinds: Vec<Kind>) -> (Vec<String>, u64) {
    let mut count: u64 = 0;
    let push = |thread: &str, sender: u64, count: u64, mut item: Value, own: bool| {
        let id = format!("300762132101168{count:020}");
        let path = format!("/direct_v2/threads/{thread}/items/{id}");
        if own {
            for (key, value) in [
                ("item_id", json!(id)),
                ("user_id", json!(sender)),
                ("timestamp", json!(1_800_000_000_000_000_u64 + count)),
                ("client_context", json!(count.to_string())),
            ] {
                item[key] = value;
            }
        }
        let text = item.to_string();
        world.sim.push_patch(world.anna_account.pk, "add", &path, Some(&text)).unwrap();
    };
    let mut lost = Vec::new();
    for kind in kinds {
        // A room each: asking for the events of a small one is quick.
        let sender = world.sim.create_account(&format!("sender.{}", kind.name), kind.name).unwrap();
        let thread = world.chat_with(&sender);
        let room = world.portal_of(&thread, &sender).await;
        let mut original = Value::Object(kind.item(&world.sim));
        for (key, value) in [("user_id", json!(sender.pk)), ("timestamp", json!(1_800_000_000_000_000_u64))] {
            original[key] = value;
        }
        let mut all = Vec::new();
        places(&original, "", &mut all);
        let mut said: Vec<(String, Value)> = vec![("nothing".to_owned(), original.clone())];
        said.extend(all.iter().flat_map(|place| mutations(&original, place)));
        let before = world.homeserver.events(&room).len();
        for (n, (_, item)) in said.iter().enumerate() {
            push(&thread, sender.pk, count, item.clone(), false);
            push(
                &thread,
                sender.pk,
                count + 1,
                json!({"item_type": "text", "text": format!("{} {n}", kind.name)}),
                true,
            );
            count += 2;
        }
        let last = format!("{} {}", kind.name, said.len() - 1);
        world.until(&last, |world| world.event(&room, &last)).await;
        let events = world.homeserver.events(&room);
        let shown: Vec<&Value> = events[before..].iter().filter(|event| event["state_key"].is_null()).collect();
        let bodies: Vec<&str> =
            shown.iter().map(|event| event["content"]["body"].as_str().unwrap_or_default()).collect();
        let place = |n: usize| bodies.iter().position(|body| *body == format!("{} {n}", kind.name)).unwrap();
        let is_shown = place(0) > 0;
        for (n, (what, _)) in said.iter().enumerate().skip(1).filter(|_| is_shown) {
            let said_of_it = &shown[place(n - 1) + 1..place(n)];
            let usual = &bodies[..place(0)];
            // A line that says less than usual has to say where the rest is.
            let says_enough = |event: &&Value| {
                let body = event["content"]["body"].as_str().unwrap_or_default();
                says_something(event)
                    && (event["content"]["msgtype"] != "m.notice"
                        || body.contains("https://")
                        || usual.iter().any(|usual| usual.starts_with(body)))
            };
            if said_of_it.is_empty() && !hides(what) {
                lost.push(format!("{}: {what}", kind.name));
            } else if !said_of_it.iter().all(says_enough) {
                lost.push(format!("{}: {what}: {said_of_it:#?}", kind.name));
            }
        }
    }
    let log = world.bridge.log();
    assert_eq!(log.matches("puppetgram::login::session: connected").count(), 1, "the connection holds");
    assert!(!log.contains("panicked"));
    (lost, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_field_loses_a_message_or_the_connection() {
    // No file can be had here: that is quick.
    let sections = "media:\n  ffmpeg: /nowhere/ffmpeg\n  max_download: 1\n".to_owned();
    let world = World::start_with(&Setup { sections, ..Setup::default() }).await;
    let (lost, count) = lost_of(&world, instagram_sim::kinds::all()).await;
    assert!(lost.is_empty(), "{} of {count}: {lost:#?}", lost.len());
    assert!(count > 10_000, "{count} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_field_loses_a_message_with_a_file_that_can_be_had() {
    let world = World::start().await;
    let kinds = ["photo_with_one_size", "video", "voice", "gif", "static_sticker", "raven_photo_kept"];
    let kinds = kinds.iter().map(|name| instagram_sim::kinds::named(name).unwrap()).collect();
    let (lost, count) = lost_of(&world, kinds).await;
    assert!(lost.is_empty(), "{} of {count}: {lost:#?}", lost.len());
    assert!(count > 1_000, "{count} messages");
}

/// The vectors of the protocol notes.
const VECTORS: &str = include_str!("../../crates/instagram/tests/vectors/message_sync.json");

/// Patches of the vectors that are no new items, with the ids of a chat here: their operation, path and value.
fn other_patches(thread: &str, item: &str, bob: u64, anna: u64) -> Vec<(String, String, Value)> {
    let ids = [
        ("340282366841710300949128000000000000001", thread.to_owned()),
        ("222333444", bob.to_string()),
        ("12345678901", anna.to_string()),
    ];
    let here = |text: &str| ids.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors.as_array().or(vectors["cases"].as_array()).unwrap();
    let patches = cases.iter().flat_map(|case| case["input"].as_array().unwrap()).flat_map(|message| {
        let data = message["data"].as_array();
        data.into_iter().flatten()
    });
    let mut found = Vec::new();
    for patch in patches {
        let (op, path) = (patch["op"].as_str().unwrap(), here(patch["path"].as_str().unwrap()));
        let mut parts: Vec<&str> = path.split('/').collect();
        let place = parts.iter().position(|part| *part == "items").map(|place| place + 1);
        if op == "add" && place == Some(parts.len() - 1) {
            continue;
        }
        let said = place.map(|place| std::mem::replace(&mut parts[place], item).to_owned());
        let value = here(patch["value"].as_str().unwrap_or_default());
        let value = said.map_or(value.clone(), |said| value.replace(&said, item));
        found.push((op.to_owned(), parts.join("/"), serde_json::from_str(&value).unwrap_or_default()));
    }
    found
}

/// Has every file at an address that answers.
fn give_address(value: &mut Value, address: &str) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| give_address(value, address)),
        Value::Array(elements) => elements.iter_mut().for_each(|value| give_address(value, address)),
        Value::String(text) if text.starts_with("https://") => address.clone_into(text),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_what_happens_to_chats_and_messages_harms_others() {
    let sections = "media:\n  ffmpeg: /nowhere/ffmpeg\n  max_download: 1\n".to_owned();
    let world = World::start_with(&Setup { sections, ..Setup::default() }).await;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let (anna, bob) = (world.anna_account.pk, world.bob.pk);
    let thread = world.sim.create_thread(&[bob, anna, carol.pk], Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let (mut count, mut said) = (0, Vec::new());
    let picture = world.sim.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let cases = other_patches(&thread, "0", bob, anna).len();
    for case in 0..cases {
        let text = format!("target {case}");
        let item = world.sim.send_text(carol.pk, &thread, &text).unwrap();
        let (op, path, mut value) = other_patches(&thread, &item, bob, anna).remove(case);
        give_address(&mut value, &picture);
        let mut all = Vec::new();
        places(&value, "", &mut all);
        let mutated = all.iter().flat_map(|place| mutations(&value, place)).map(|(_, mutated)| mutated);
        for value in [value.clone(), json!(null), json!([]), json!("x")].into_iter().chain(mutated) {
            count += 1;
            world.sim.push_patch(anna, &op, &path, Some(&value.to_string())).unwrap();
        }
        let text = format!("marker {case}");
        world.sim.send_text(carol.pk, &thread, &text).unwrap();
        world.until(&format!("{text}, after {path}"), |world| world.event(&room, &text)).await;
        said.push(text);
    }
    let ghost = world.ghost(&carol);
    let words = world.said_by(&room, &ghost);
    assert_eq!(words.iter().filter(|text| text.starts_with("marker")).cloned().collect::<Vec<_>>(), said);
    // What the changes are about is there as well, unless one of them took it back: none of them brings it anew.
    for case in 0..cases {
        let text = format!("target {case}");
        assert!(words.iter().filter(|word| **word == text).count() <= 1, "{text} came twice");
    }
    let log = world.bridge.log();
    assert_eq!(log.matches("puppetgram::login::session: connected").count(), 1, "the connection holds");
    assert!(!log.contains("panicked") && count > 300, "{count} patches");
}
