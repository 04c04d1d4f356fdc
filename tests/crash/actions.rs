//! Photos, edits, reactions, unsends and receipts, in both directions, while the bridge dies again and again; in the end
//! both sides show the same.

use std::time::Duration;

use instagram_sim::sample;
use serde_json::{Value, json};

use crate::world::World;
use crate::{kills, setup};

/// Each has two deaths.
fn rounds() -> usize {
    kills() / 2
}

/// Has the next process die at a moment of what is done, a different one each round.
fn doomed(world: &mut World, n: usize, moments: &[&str]) -> String {
    let moment = moments[n % moments.len()];
    world.bridge.kill();
    world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", moment)]);
    moment.to_owned()
}

/// Done on Instagram while the bridge dies.
#[tokio::test(flavor = "multi_thread")]
async fn random_deaths_change_nothing_of_what_is_done_in_the_app() {
    let mut world = World::start_with(&setup()).await;
    let bob = world.bob.pk;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let mut random = fastrand::Rng::with_seed(17);
    let photo = instagram_sim::kinds::named("photo").unwrap();
    let mut expected = vec!["first".to_owned()];
    let mut edited = Vec::new();
    for n in 0..rounds() {
        // Whatever is done to a message is done while the bridge comes and goes.
        let kept = world.sim.send_text(bob, &thread, &format!("kept {n}")).unwrap();
        let removed = world.sim.send_text(bob, &thread, &format!("removed {n}")).unwrap();
        let moment = doomed(&mut world, n, &["media-after-upload", "to-matrix-after-send:2"]);
        world.sim.send_item(bob, &thread, photo.item(&world.sim)).unwrap();
        expected.extend([format!("kept {n}"), format!("removed {n}"), "photo.jpg".to_owned()]);
        assert!(world.bridge.wait_for_death().await, "{moment}");
        world.bridge.start();
        world.sim.react(bob, &thread, &kept, Some("😂")).unwrap();
        world.sim.react(world.anna_account.pk, &thread, &kept, Some("❤")).unwrap();
        world.sim.edit(bob, &thread, &kept, &format!("edited {n}")).unwrap();
        world.sim.mark_seen(bob, &thread, &kept).unwrap();
        world.sim.unsend(bob, &thread, &removed).unwrap();
        world.sim.react(bob, &thread, &kept, Some("😮")).unwrap();
        tokio::time::sleep(Duration::from_millis(random.u64(0..150))).await;
        world.bridge.kill();
        world.bridge.start();
        edited.push(format!("kept {n}"));
    }
    world.sim.send_text(bob, &thread, "end").unwrap();
    expected.push("end".to_owned());
    world.until("the end", |world| world.event(&room, "end")).await;
    let ghost = world.ghost(&world.bob);
    let events = world.homeserver.events(&room);
    let said: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "m.room.message" && event["sender"] == ghost.as_str())
        .filter(|event| event["content"]["m.relates_to"]["rel_type"] != "m.replace")
        .collect();
    // What was unsent before it could be bridged may never have been shown; nothing else is missing, nothing is doubled.
    let bodies: Vec<&str> = said.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    let wanted: Vec<&str> = expected.iter().map(String::as_str).filter(|text| !text.starts_with("removed")).collect();
    assert_eq!(bodies.iter().filter(|text| !text.starts_with("removed")).copied().collect::<Vec<_>>(), wanted);
    assert!(!bodies.iter().any(|text| text.starts_with("removed")), "what was unsent is redacted");
    for (n, text) in edited.iter().enumerate() {
        let event = said.iter().find(|event| event["content"]["body"] == text.as_str()).unwrap();
        let edits = events.iter().filter(|other| {
            other["content"]["m.relates_to"]["rel_type"] == "m.replace"
                && other["content"]["m.relates_to"]["event_id"] == event["event_id"]
        });
        let edits: Vec<&Value> = edits.map(|edit| &edit["content"]["m.new_content"]["body"]).collect();
        assert_eq!(edits, [&json!(format!("edited {n}"))], "one edit");
        let reactions = events.iter().filter(|other| {
            other["type"] == "m.reaction" && other["content"]["m.relates_to"]["event_id"] == event["event_id"]
        });
        let mut keys: Vec<&str> =
            reactions.filter_map(|other| other["content"]["m.relates_to"]["key"].as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["❤\u{fe0f}", "😮"], "the last reaction of each, once");
    }
    let last = format!("kept {}", rounds() - 1);
    let last = said.iter().find(|event| event["content"]["body"] == last.as_str()).unwrap();
    assert_eq!(world.homeserver.receipt_of(&room, &ghost).as_deref(), last["event_id"].as_str(), "Bob's last receipt");
}

fn items_of_bob(world: &World, thread: &str) -> Vec<String> {
    let items = world.sim.thread_items(thread).unwrap().into_iter();
    items.filter(|item| item.sender == world.bob.pk).map(|item| item.item_id).collect()
}

/// Done in Matrix while the bridge dies.
#[tokio::test(flavor = "multi_thread")]
async fn random_deaths_change_nothing_of_what_is_done_in_matrix() {
    let mut world = World::start_with(&setup()).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let anna = world.anna.id.clone();
    let mut random = fastrand::Rng::with_seed(17);
    let file = world.homeserver.add_media(sample::PHOTO.bytes, "image/jpeg");
    let photo = json!({"msgtype": "m.image", "body": "a.jpg", "url": file});
    let mut reacted = Vec::new();
    for n in 0..rounds() {
        let theirs = world.sim.send_text(world.bob.pk, &thread, &format!("bob {n}")).unwrap();
        let text = format!("bob {n}");
        let target = world.until("Bob's message", |world| world.event(&room, &text)).await["event_id"].clone();
        let react = |world: &World, key: &str| {
            let relation = json!({"rel_type": "m.annotation", "event_id": target, "key": key});
            world.homeserver.send(&room, &anna, "m.reaction", &json!({"m.relates_to": relation})).unwrap()
        };
        let kept = world.homeserver.send_text(&room, &anna, &format!("kept {n}")).unwrap();
        let removed = world.homeserver.send_text(&room, &anna, &format!("removed {n}")).unwrap();
        react(&world, "👍");
        tokio::time::sleep(Duration::from_millis(random.u64(0..150))).await;
        let moments =
            ["file-after-upload", "reaction-after-send", "edit-after-send", "unsend-after-send", "receipt-after-send"];
        let moment = doomed(&mut world, n, &moments);
        world.homeserver.send(&room, &anna, "m.room.message", &photo).unwrap();
        react(&world, "🔥");
        let edit = json!({"msgtype": "m.text", "body": "* edited", "m.new_content": {"msgtype": "m.text", "body": format!("edited {n}")},
            "m.relates_to": {"rel_type": "m.replace", "event_id": kept}});
        world.homeserver.send(&room, &anna, "m.room.message", &edit).unwrap();
        world.homeserver.redact(&room, &anna, &removed).unwrap();
        world.homeserver.mark_read(&room, &anna, target.as_str().unwrap()).unwrap();
        assert!(world.bridge.wait_for_death().await, "{moment}");
        world.bridge.start();
        tokio::time::sleep(Duration::from_millis(random.u64(0..150))).await;
        world.bridge.kill();
        world.bridge.start();
        reacted.push((theirs, target));
    }
    world.homeserver.send_text(&room, &anna, "end").unwrap();
    let account = world.anna_account.clone();
    let ended = |world: &World| world.written_by(&thread, &account).contains(&"end".to_owned()).then_some(());
    world.until("the end on Instagram", ended).await;
    let mut expected: Vec<String> = (0..rounds()).map(|n| format!("edited {n}")).collect();
    expected.push("end".to_owned());
    assert_eq!(world.written_by(&thread, &account), expected);
    let items = world.sim.thread_items(&thread).unwrap();
    let photos = items.iter().filter(|item| item.sender == account.pk && item.item_type == "media").count();
    assert_eq!(photos, rounds(), "each photo once");
    // Whatever comes back has come before this.
    world.sim.send_text(world.bob.pk, &thread, "end of Bob").unwrap();
    world.until("the end in Matrix", |world| world.event(&room, "end of Bob")).await;
    let events = world.homeserver.events(&room);
    for (item, target) in &reacted {
        let found = items.iter().find(|one| one.item_id == *item).unwrap();
        let own: Vec<&str> = found.reactions.iter().map(|one| one.emoji.as_str()).collect();
        assert_eq!(own, ["🔥"], "the last reaction");
        let shown = events.iter().filter(|event| event["content"]["m.relates_to"]["event_id"] == *target);
        let shown: Vec<(&Value, &Value)> =
            shown.map(|event| (&event["sender"], &event["content"]["m.relates_to"]["key"])).collect();
        assert_eq!(shown, [(&json!(anna), &json!("🔥"))], "the same in Matrix");
    }
    let ghost = world.ghost(&account);
    assert_eq!(world.said_by(&room, &ghost), Vec::<String>::new(), "echoes are not bridged");
    let read = |world: &World| -> Vec<String> {
        let paths = world.sim.recorded_requests().into_iter().map(|request| request.path);
        paths.filter(|path| path.contains("/seen/")).collect()
    };
    // A receipt may be lost with the bridge; the next one makes it good.
    let end = events.iter().find(|event| event["content"]["body"] == "end of Bob").unwrap();
    world.homeserver.mark_read(&room, &anna, end["event_id"].as_str().unwrap()).unwrap();
    let item = items_of_bob(&world, &thread).pop().unwrap();
    let path = format!("items/{item}/seen/");
    let last = |world: &World| read(world).pop().filter(|last| last.contains(&path));
    world.until("the last receipt", last).await;
    let read = read(&world);
    let mut once = read.clone();
    once.dedup();
    assert_eq!(once, read, "no receipt twice in a row");
}
