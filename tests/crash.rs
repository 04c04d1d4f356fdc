//! The bridge is killed at every named moment, and at random ones during two-way traffic; afterwards both sides are
//! equal: nothing lost, doubled or reordered.
//!
//! `PUPPETGRAM_KILLS=200 cargo test --test crash random` is the longer mode.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "bridge/world.rs"]
#[expect(dead_code, reason = "the other test binary uses the rest")]
mod world;

use std::time::Duration;

use world::{Setup, World};

fn numbered(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{prefix} {n}")).collect()
}

/// Homeservers that remember no transaction id are the harder case.
fn setup() -> Setup {
    Setup { forget_transactions: true, instagram: "  reconnect_floor: 0s\n".to_owned(), ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_named_moment_changes_nothing() {
    let mut world = World::start_with(&setup()).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let mut sent = 0;
    for failpoint in puppetgram::failpoint::ALL.into_iter().filter(|name| !name.starts_with("room-")) {
        for hit in ["1", "3"] {
            world.bridge.kill();
            world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", &format!("{failpoint}:{hit}"))]);
            let mut died = false;
            for _ in 0..200 {
                world.sim.send_text(world.bob.pk, &thread, &format!("in {sent}")).unwrap();
                world.homeserver.send_text(&room, &world.anna.id, &format!("out {sent}")).unwrap();
                sent += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                if !world.bridge.is_running() {
                    died = true;
                    break;
                }
            }
            assert!(died, "{failpoint} was never reached {hit} times");
            assert!(world.bridge.wait_for_death().await, "{failpoint}: the bridge ended by itself");
        }
    }
    world.bridge.start();
    compare(&world, &thread, &room, sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_while_a_room_is_made_leaves_one_room() {
    for failpoint in puppetgram::failpoint::ALL.into_iter().filter(|name| name.starts_with("room-")) {
        let mut world = World::start_with(&setup()).await;
        let thread = world.chat_with(&world.bob);
        world.bridge.kill();
        world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", failpoint)]);
        world.sim.send_text(world.bob.pk, &thread, "first").unwrap();
        assert!(world.bridge.wait_for_death().await, "{failpoint}");
        world.bridge.start();
        let ghost = world.ghost(&world.bob);
        let found = |world: &World| {
            let rooms = world.homeserver.rooms();
            rooms.into_iter().find(|room| world.said_by(room, &ghost) == ["first"])
        };
        world.until("the message", found).await;
        let key = format!("dev.puppetgram://instagram/{thread}");
        let portals = world.homeserver.rooms();
        let portals = portals.iter().filter(|room| world.homeserver.state(room, "m.bridge", &key).is_some()).count();
        assert_eq!(portals, 1, "{failpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_deaths_under_traffic_change_nothing() {
    let kills: usize = std::env::var("PUPPETGRAM_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut world = World::start_with(&setup()).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut sent = 0;
    for _ in 0..kills {
        let until = tokio::time::Instant::now() + Duration::from_millis(random.u64(5..500));
        while tokio::time::Instant::now() < until {
            world.sim.send_text(world.bob.pk, &thread, &format!("in {sent}")).unwrap();
            world.homeserver.send_text(&room, &world.anna.id, &format!("out {sent}")).unwrap();
            sent += 1;
            tokio::time::sleep(Duration::from_millis(random.u64(1..10))).await;
        }
        world.bridge.kill();
        world.bridge.start();
    }
    compare(&world, &thread, &room, sent).await;
    say(&format!("{kills} kills, {sent} messages each way: lost 0, doubled 0, reordered 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn random_deaths_under_traffic_in_twenty_chats_change_nothing() {
    const CHATS: usize = 20;
    let kills: usize = std::env::var("PUPPETGRAM_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut world = World::start_with(&setup()).await;
    let mut chats = Vec::new();
    for n in 0..CHATS {
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let thread = world.chat_with(&other);
        let room = world.portal_of(&thread, &other).await;
        chats.push((other, thread, room));
    }
    let mut random = fastrand::Rng::with_seed(11);
    let mut sent = 0;
    for _ in 0..kills {
        for _ in 0..random.usize(1..8) {
            for (other, thread, room) in &chats {
                world.sim.send_text(other.pk, thread, &format!("in {sent}")).unwrap();
                world.homeserver.send_text(room, &world.anna.id, &format!("out {sent}")).unwrap();
            }
            sent += 1;
            tokio::time::sleep(Duration::from_millis(random.u64(1..50))).await;
        }
        world.bridge.kill();
        world.bridge.start();
    }
    let mut expected = vec!["first".to_owned()];
    expected.extend(numbered("in", 0..sent));
    for (other, thread, room) in &chats {
        world.expect_said(room, &world.ghost(other), &expected).await;
        world.expect_written(thread, &world.anna_account, &numbered("out", 0..sent)).await;
    }
    let total = sent * CHATS;
    say(&format!("{kills} kills, {total} messages each way in {CHATS} chats: lost 0, doubled 0, reordered 0"));
}

/// Photos, edits, reactions, unsends and receipts while the bridge dies; in the end both sides show the same.
#[tokio::test(flavor = "multi_thread")]
async fn random_deaths_change_nothing_of_photos_edits_reactions_and_unsends() {
    const ROUNDS: usize = 12;
    let mut world = World::start_with(&setup()).await;
    let bob = world.bob.pk;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let mut random = fastrand::Rng::with_seed(13);
    let photo = instagram_sim::kinds::named("photo").unwrap();
    let mut expected = vec!["first".to_owned()];
    let mut edited = Vec::new();
    for n in 0..ROUNDS {
        // Whatever is done to a message is done while the bridge comes and goes.
        let kept = world.sim.send_text(bob, &thread, &format!("kept {n}")).unwrap();
        let removed = world.sim.send_text(bob, &thread, &format!("removed {n}")).unwrap();
        world.sim.send_item(bob, &thread, photo.item(&world.sim)).unwrap();
        expected.extend([format!("kept {n}"), format!("removed {n}"), "photo.jpg".to_owned()]);
        tokio::time::sleep(Duration::from_millis(random.u64(0..150))).await;
        world.bridge.kill();
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
    world.until("the end", |world| world.event(&room, "end")).await;
    let ghost = world.ghost(&world.bob);
    let events = world.homeserver.events(&room);
    let said: Vec<&serde_json::Value> = events
        .iter()
        .filter(|event| event["type"] == "m.room.message" && event["sender"] == ghost.as_str())
        .filter(|event| event["content"]["m.relates_to"]["rel_type"] != "m.replace")
        .collect();
    // What was unsent before it could be bridged may never have been shown; nothing else is missing, nothing is doubled.
    let bodies: Vec<&str> = said.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    let wanted: Vec<&str> = expected.iter().map(String::as_str).filter(|text| !text.starts_with("removed")).collect();
    assert_eq!(
        bodies.iter().filter(|text| !text.starts_with("removed")).copied().collect::<Vec<_>>()[..wanted.len()],
        wanted
    );
    assert!(!bodies.iter().any(|text| text.starts_with("removed")), "what was unsent is redacted");
    for (n, text) in edited.iter().enumerate() {
        let event = said.iter().find(|event| event["content"]["body"] == text.as_str()).unwrap();
        let edits = events.iter().filter(|other| {
            other["content"]["m.relates_to"]["rel_type"] == "m.replace"
                && other["content"]["m.relates_to"]["event_id"] == event["event_id"]
        });
        let edits: Vec<&serde_json::Value> = edits.map(|edit| &edit["content"]["m.new_content"]["body"]).collect();
        assert_eq!(edits, [&serde_json::json!(format!("edited {n}"))], "one edit");
        let reactions = events.iter().filter(|other| {
            other["type"] == "m.reaction" && other["content"]["m.relates_to"]["event_id"] == event["event_id"]
        });
        let mut keys: Vec<&str> =
            reactions.filter_map(|other| other["content"]["m.relates_to"]["key"].as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["❤\u{fe0f}", "😮"], "the last reaction of each, once");
    }
    assert!(world.homeserver.receipt_of(&room, &ghost).is_some());
}

fn say(result: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("{result}\n").as_bytes()).unwrap();
}

async fn compare(world: &World, thread: &str, room: &str, sent: usize) {
    let mut expected = vec!["first".to_owned()];
    expected.extend(numbered("in", 0..sent));
    world.expect_said(room, &world.ghost(&world.bob), &expected).await;
    world.expect_written(thread, &world.anna_account, &numbered("out", 0..sent)).await;
}

/// While the bridge is away, others may say more than any look-up that counts messages would go through.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_a_death_is_found_behind_much_that_others_said() {
    const MUCH: usize = 700;
    let mut world = World::start_with(&setup()).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    for failpoint in ["to-matrix-after-send", "to-remote-after-send"] {
        world.bridge.kill();
        world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", failpoint)]);
        world.sim.send_text(world.bob.pk, &thread, &format!("in {failpoint}")).unwrap();
        if failpoint.starts_with("to-remote") {
            world.homeserver.send_text(&room, &world.anna.id, &format!("out {failpoint}")).unwrap();
        }
        assert!(world.bridge.wait_for_death().await, "{failpoint}");
        for n in 0..MUCH {
            world.homeserver.send_text(&room, &world.anna.id, &format!("much {failpoint} {n}")).unwrap();
            world.sim.send_text(world.bob.pk, &thread, &format!("much {failpoint} {n}")).unwrap();
        }
        world.bridge.start();
        let last = format!("much {failpoint} {}", MUCH - 1);
        world
            .until("the rest", |world| world.said_by(&room, &world.ghost(&world.bob)).contains(&last).then_some(()))
            .await;
        let written = |world: &World| world.written_by(&thread, &world.anna_account).contains(&last).then_some(());
        world.until("the rest on Instagram", written).await;
    }
    let said = world.said_by(&room, &world.ghost(&world.bob));
    let written = world.written_by(&thread, &world.anna_account);
    for texts in [&said, &written] {
        let mut once = (*texts).clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), texts.len(), "nothing is doubled");
    }
}
