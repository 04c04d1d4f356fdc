//! Every kind of item that Instagram knows, from the simulator's generators to the event in the room, field by field.
//!
//! The expected events are in `items.json`. `UPDATE_SNAPSHOTS=1` writes that file anew: read the difference.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::World;

/// An event without what changes from run to run.
fn stable(event: &Value, thread: &str) -> Value {
    let mut content = event["content"].clone();
    if let Some(fields) = content.as_object_mut() {
        fields.remove("dev.puppetgram.request");
        for url in ["url", "info/thumbnail_url", "org.matrix.msc1767.file/url"] {
            let pointer = format!("/{url}");
            if let Some(url) = content.pointer_mut(&pointer) {
                *url = json!("mxc://…");
            }
        }
    }
    if let Some(raw) = content.pointer_mut("/dev.puppetgram.item/raw") {
        *raw = json!(if raw.is_string() { "…" } else { "" });
    }
    if let Some(body) = content.get_mut("body") {
        let text = body.as_str().unwrap_or_default().replace(thread, "THREAD");
        *body = json!(text.lines().map(without_code).collect::<Vec<_>>().join("\n"));
    }
    json!({"type": event["type"], "content": content})
}

/// A link whose last part is a number made up by the simulator.
fn without_code(line: &str) -> String {
    for kind in ["/p/", "/reel/", "/stories/bob/"] {
        if let Some((start, _)) = line.split_once(kind) {
            return format!("{start}{kind}…/");
        }
    }
    line.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_item_becomes_the_expected_events() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let ghost = world.ghost(&world.bob);
    let mut table: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for kind in instagram_sim::kinds::all() {
        let before = world.homeserver.events(&room).len();
        world.sim.send_item(world.bob.pk, &thread, kind.item(&world.sim)).unwrap();
        let marker = format!("after {}", kind.name);
        world.sim.send_text(world.bob.pk, &thread, &marker).unwrap();
        world.until(&marker, |world| world.event(&room, &marker)).await;
        let mut events: Vec<Value> = world.homeserver.events(&room).into_iter().skip(before).collect();
        assert!(events.iter().all(|event| event["sender"] == ghost.as_str()), "{}: a notice of the bot", kind.name);
        events.pop();
        table.insert(kind.name.to_owned(), events.iter().map(|event| stable(event, &thread)).collect());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge/items.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let text = serde_json::to_string_pretty(&table).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let expected: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (name, events) in &table {
        assert_eq!(Some(events), expected.get(name), "{name}");
    }
    assert_eq!(table.len(), expected.len());
}
