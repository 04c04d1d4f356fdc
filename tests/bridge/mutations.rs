//! Whatever field of an item goes missing, changes its type or its name: something of it is in the room, the next message
//! is too, and the connection holds. (`crates/instagram/tests/item_mutations.rs` looks at what is understood of it.)

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
    what.starts_with("/hide_in_thread") || what.contains("/description")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_field_loses_a_message_or_the_connection() {
    // Whether a file can be had makes no difference here.
    let sections = "media:\n  ffmpeg: /nowhere/ffmpeg\n  max_download: 1\n".to_owned();
    let world = World::start_with(&Setup { sections, ..Setup::default() }).await;
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
    for kind in instagram_sim::kinds::all() {
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
        let shown = events[before..].iter().filter(|event| event["state_key"].is_null());
        let bodies: Vec<&str> = shown.map(|event| event["content"]["body"].as_str().unwrap_or_default()).collect();
        let place = |n: usize| bodies.iter().position(|body| *body == format!("{} {n}", kind.name)).unwrap();
        let is_shown = place(0) > 0;
        for (n, (what, _)) in said.iter().enumerate().skip(1).filter(|_| is_shown) {
            if place(n) == place(n - 1) + 1 && !hides(what) {
                lost.push(format!("{}: {what}", kind.name));
            }
        }
    }
    assert!(lost.is_empty(), "{} of {count}: {lost:#?}", lost.len());
    let log = world.bridge.log();
    assert_eq!(log.matches("puppetgram::login::session: connected").count(), 1, "the connection holds");
    assert!(!log.contains("panicked"));
    assert!(count > 10_000, "{count} messages");
}
