//! What must hold with a real homeserver: everything arrives, once, in order, whatever is down meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use xtask::servers::SERVER_NAME;
use xtask::table;

use crate::world::{Chat, DEADLINE, World};

/// What is in a chat after `count` texts: the first, the numbered, and a last one. Whatever is doubled comes before it.
fn incoming(count: usize) -> Vec<String> {
    let numbered = (0..count).map(|n| format!("in {n}"));
    [String::from("first")].into_iter().chain(numbered).chain([String::from("end")]).collect()
}

fn outgoing(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("out {n}")).chain([String::from("end")]).collect()
}

/// Sends the last text both ways, then compares both sides.
async fn close(world: &World, chats: &[Chat], received: usize, sent: usize) {
    for chat in chats {
        world.sim.send_text(chat.other.pk, &chat.thread, "end").unwrap();
        world.anna.send(&chat.room, "end").await.unwrap();
    }
    for chat in chats {
        world.expect_on_matrix(chat, &incoming(received)).await;
        world.expect_on_instagram(chat, &outgoing(sent)).await;
    }
}

pub(crate) async fn one_chat_goes_both_ways(world: &mut World) {
    let chats = [world.chat().await];
    let [chat] = &chats;
    world.sim.send_text(chat.other.pk, &chat.thread, "in 0").unwrap();
    world.anna.wait_for(DEADLINE, |seen| seen.said_by(&chat.room, &chat.ghost).get(1).cloned()).await.unwrap();
    world.anna.send(&chat.room, "out 0").await.unwrap();
    world.sim.wait_for_items_of(&chat.thread, world.anna_account.pk, 1, DEADLINE).await.unwrap();
    close(world, &chats, 1, 1).await;
}

/// `count` texts each way in every chat, both ways at once.
pub(crate) async fn many_messages(world: &mut World, chats: usize, count: usize) {
    let mut open = Vec::new();
    for _ in 0..chats {
        open.push(world.chat().await);
    }
    let started = Instant::now();
    let world = &*world;
    let from_instagram = async {
        for n in 0..count {
            for chat in &open {
                world.sim.send_text(chat.other.pk, &chat.thread, &format!("in {n}")).unwrap();
                tokio::task::yield_now().await;
            }
        }
    };
    let from_matrix = futures_util::future::join_all(open.iter().map(async |chat| {
        for n in 0..count {
            world.anna.send(&chat.room, &format!("out {n}")).await.unwrap();
        }
    }));
    tokio::join!(from_instagram, from_matrix);
    close(world, &open, count, count).await;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{} messages each way in {chats} chats: {seconds:.1} s, lost 0, doubled 0, reordered 0", chats * count);
}

/// 30 messages are written on Instagram while Synapse is away for so many seconds.
pub(crate) async fn synapse_away(world: &mut World, seconds: u64) {
    const COUNT: usize = 30;
    let chats = [world.chat().await];
    let [chat] = &chats;
    let back = Instant::now() + Duration::from_secs(seconds);
    world.synapse.stop();
    for n in 0..COUNT {
        world.sim.send_text(chat.other.pk, &chat.thread, &format!("in {n}")).unwrap();
        // Spread over the first half of the outage; its length is the condition of this test.
        sleep(Duration::from_millis(seconds * 500 / COUNT as u64)).await;
    }
    tokio::time::sleep_until(back).await;
    world.synapse.start_again().await.unwrap();
    let started = Instant::now();
    close(world, &chats, COUNT, 0).await;
    let after = started.elapsed().as_secs_f64();
    eprintln!("Synapse away for {seconds} s: all {COUNT} messages {after:.1} s after its return, once, in order");
}

/// The bridge dies at random moments while both sides write.
pub(crate) async fn random_deaths(world: &mut World) {
    let kills: usize = std::env::var("PUPPETGRAM_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let chats = [world.chat().await];
    let [chat] = &chats;
    let done = tokio_util::sync::CancellationToken::new();
    let (sim, anna, bridge) = (&world.sim, &world.anna, &mut world.bridge);
    let from_instagram = async {
        let mut sent = 0;
        while !done.is_cancelled() {
            sim.send_text(chat.other.pk, &chat.thread, &format!("in {sent}")).unwrap();
            sent += 1;
            sleep(Duration::from_millis(fastrand::u64(5..40))).await;
        }
        sent
    };
    let from_matrix = async {
        let mut sent = 0;
        while !done.is_cancelled() {
            anna.send(&chat.room, &format!("out {sent}")).await.unwrap();
            sent += 1;
            sleep(Duration::from_millis(fastrand::u64(5..40))).await;
        }
        sent
    };
    let deaths = async {
        for _ in 0..kills {
            sleep(Duration::from_millis(fastrand::u64(5..1500))).await;
            bridge.kill();
            bridge.start();
        }
        done.cancel();
    };
    let (received, sent, ()) = tokio::join!(from_instagram, from_matrix, deaths);
    world.bridge.wait_until_ready().await;
    close(world, &chats, received, sent).await;
    eprintln!("{kills} kills, {received} messages in, {sent} out: lost 0, doubled 0, reordered 0");
}

/// Bridge and Synapse end and come back; nobody has to log in again, and the portal is the same.
pub(crate) async fn restart_of_everything(world: &mut World) {
    let chats = [world.chat().await];
    let [chat] = &chats;
    world.bridge.kill();
    world.synapse.stop();
    world.sim.send_text(chat.other.pk, &chat.thread, "in 0").unwrap();
    world.bridge.start();
    world.synapse.start_again().await.unwrap();
    world.bridge.wait_until_ready().await;
    close(world, &chats, 1, 0).await;
}

/// Everything on the list becomes, through a real homeserver, what the table says, field by field.
/// `UPDATE_SNAPSHOTS=1` writes the table anew: read the difference.
pub(crate) async fn everything(world: &mut World) {
    let bot = format!("@instagrambot:{SERVER_NAME}");
    let lines = table::play(&world.sim, (&world.anna, &world.guest), &world.anna_account, &bot).await;
    let lines = lines.unwrap_or_else(|error| panic!("{error:#}\n{}", world.bridge.log_tail()));
    let made: BTreeMap<String, Value> = lines.into_iter().map(|line| (line.name, line.record)).collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/table.json");
        std::fs::write(path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        return;
    }
    let expected = table::expected().unwrap();
    for (name, record) in &made {
        let wanted = expected.get(name).unwrap_or(&Value::Null);
        assert!(wanted == record, "{name}: {record:#}\nis not what the table says: {wanted:#}");
    }
    assert_eq!(made.len(), expected.len(), "the table has lines that are no more");
    eprintln!("{} lines as in the table", made.len());
}

/// With a second registration, what Anna does in the app is done by her own account, and nothing goes back.
pub(crate) async fn own_account(world: &mut World) {
    let chat = world.chat().await;
    world.bridge.kill();
    world.bridge.allow_puppets();
    world.bridge.start();
    world.bridge.wait_until_ready().await;
    let own = world.sim.send_text(world.anna_account.pk, &chat.thread, "from my phone").unwrap();
    let item = world.sim.send_text(chat.other.pk, &chat.thread, "seen").unwrap();
    world.sim.react(world.anna_account.pk, &chat.thread, &item, Some("👍")).unwrap();
    world.sim.mark_seen(world.anna_account.pk, &chat.thread, &item).unwrap();
    world.sim.edit(world.anna_account.pk, &chat.thread, &own, "from my own phone").unwrap();
    world.sim.send_text(chat.other.pk, &chat.thread, "end").unwrap();
    world.expect_on_matrix(&chat, &["first", "seen", "end"].map(str::to_owned)).await;
    let anna = world.anna.user_id().to_owned();
    let events = world.anna.history(&chat.room).await.unwrap();
    let of_anna = events.iter().filter(|event| event["sender"] == anna.as_str() && event["state_key"].is_null());
    let kinds: Vec<&str> = of_anna.clone().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["m.room.message", "m.reaction", "m.room.message"]);
    assert!(of_anna.clone().any(|event| event["content"]["m.new_content"]["body"] == "from my own phone"));
    let seen = events.iter().find(|event| event["content"]["body"] == "seen").unwrap()["event_id"].clone();
    let read = |all: &xtask::matrix::Seen| {
        let receipts = all.ephemeral(&chat.room).iter();
        let id = seen.as_str().unwrap_or_default();
        receipts.into_iter().any(|event| event["content"][id]["m.read"][&anna].is_object()).then_some(())
    };
    world.anna.wait_for(DEADLINE, read).await.unwrap();
    world.anna.send(&chat.room, "out").await.unwrap();
    world.expect_on_instagram(&chat, &["from my own phone", "out"].map(str::to_owned)).await;
}
