//! Every kind of item that Instagram has, and the events that each becomes in the room.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::time::Instant;
use xtask::matrix::Seen;

use super::script::{Scene, room_with, scene};
use super::stage::{DEADLINE, Stage};

/// The events that the bridge's own tests expect, kind by kind.
const TABLE: &str = include_str!("../../../tests/bridge/items.json");

/// Sends one of each, and compares types with the table.
pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Vec<Scene>> {
    let table: BTreeMap<String, Vec<Value>> = serde_json::from_str(TABLE)?;
    let sender = stage.sim.create_account("everything", "Every Thing")?;
    let thread = stage.sim.create_thread(&[stage.account.pk, sender.pk], None)?;
    stage.sim.send_text(sender.pk, &thread, "Here comes one of each.")?;
    let mut scenes = Vec::new();
    let Some(room) = room_with(stage, "Here comes one of each.").await else {
        return Ok(vec![scene("one of each kind", "matrix", None)]);
    };
    let ghost = Stage::ghost(&sender);
    let mut seen_before = shown(&stage.anna.seen(), &room, &ghost).len();
    for kind in instagram_sim::kinds::all() {
        let expected: Vec<String> = table.get(kind.name).into_iter().flatten().map(name).collect();
        let started = Instant::now();
        stage.sim.send_item(sender.pk, &thread, kind.item(&stage.sim))?;
        let marker = format!("({})", kind.name);
        stage.sim.send_text(sender.pk, &thread, &marker)?;
        let came = stage.anna.wait_for(DEADLINE, |seen| {
            let all = shown(seen, &room, &ghost);
            (all.len() > seen_before + expected.len()).then_some(all)
        });
        let all = came.await.unwrap_or_default();
        let events = all.get(seen_before..seen_before + expected.len()).unwrap_or_default();
        let fits = events == expected && all.len() == seen_before + expected.len() + 1;
        seen_before = all.len();
        let events = if expected.is_empty() { "nothing".to_owned() } else { expected.join(" + ") };
        scenes.push(scene(format!("{} → {events}", kind.name), "matrix", fits.then(|| started.elapsed())));
    }
    Ok(scenes)
}

/// What a ghost has sent so far, as type or message type.
fn shown(seen: &Seen, room: &str, ghost: &str) -> Vec<String> {
    let events = seen.events(room).iter();
    events.filter(|event| event["sender"] == ghost && event["state_key"].is_null()).map(name).collect()
}

fn name(event: &Value) -> String {
    let msgtype = event["content"]["msgtype"].as_str();
    msgtype.or(event["type"].as_str()).unwrap_or_default().to_owned()
}
