//! The bridge is killed at every named moment, and at random ones during two-way traffic; afterwards both sides are
//! equal: nothing lost, doubled or reordered.
//!
//! `PUPPETGRAM_KILLS=200 cargo test --test crash random` is the longer mode.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod actions;
mod deeds;
#[path = "../bridge/world.rs"]
#[expect(dead_code, reason = "the other test binary uses the rest")]
mod world;

use std::time::Duration;

use world::{Setup, World};

/// Moments that every message meets: those begin so.
const OF_MESSAGES: [&str; 3] = ["transaction-", "batch-", "to-"];
/// Moments that `tests/bridge/history.rs` meets.
const OF_HISTORY: [&str; 2] = ["history-after-page", "history-after-finish"];

fn is_of_messages(name: &str) -> bool {
    OF_MESSAGES.iter().any(|start| name.starts_with(start))
}

fn numbered(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{prefix} {n}")).collect()
}

/// Homeservers that remember no transaction id are the harder case.
fn setup() -> Setup {
    Setup { forget_transactions: true, instagram: "  reconnect_floor: 0s\n".to_owned(), ..Setup::default() }
}

/// How often the bridge dies at random.
fn kills() -> usize {
    std::env::var("PUPPETGRAM_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

#[test]
fn every_named_moment_is_met_by_a_test() {
    let of_deeds = deeds::moments();
    for name in puppetgram::failpoint::ALL {
        let is_met =
            is_of_messages(name) || name.starts_with("room-") || OF_HISTORY.contains(&name) || of_deeds.contains(&name);
        assert!(is_met, "no test dies at {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_moment_of_a_message_changes_nothing() {
    let mut world = World::start_with(&setup()).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let mut sent = 0;
    for failpoint in puppetgram::failpoint::ALL.into_iter().filter(|name| is_of_messages(name)) {
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
    let kills = kills();
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
    let kills = kills();
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
