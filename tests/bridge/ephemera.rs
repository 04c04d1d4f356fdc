//! What passes: who types, and how far somebody has read.

use instagram_sim::{Fault, RecordedRequest};

use crate::chat::Chat;
use crate::world::World;

/// Whether each typing notice that Instagram got says that somebody types, in order.
fn typing(world: &World) -> Vec<bool> {
    let notices = world.sim.recorded_requests().into_iter().filter(|one| one.body.contains("indicate_activity"));
    let status = |one: RecordedRequest| {
        let body: serde_json::Value = serde_json::from_str(&one.body).unwrap();
        ["1", "\"1\""].contains(&body["activity_status"].to_string().as_str())
    };
    notices.map(status).collect()
}

/// Where the last receipt went.
fn seen(world: &World) -> Option<String> {
    let mut paths = world.sim.recorded_requests().into_iter().map(|request| request.path);
    paths.rfind(|path| path.contains("/seen/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_for_long_is_shown_for_long() {
    let chat = Chat::start().await;
    let world = &chat.world;
    world.homeserver.set_typing(&chat.room, &world.anna.id, true).unwrap();
    // The homeserver says it once; Instagram forgets it after twelve seconds.
    world.until("the renewal", |world| (typing(world).len() >= 2).then_some(())).await;
    world.homeserver.set_typing(&chat.room, &world.anna.id, false).unwrap();
    world.until("the end", |world| typing(world).contains(&false).then_some(())).await;
    let told = typing(world);
    assert!(told[..told.len() - 1].iter().all(|typing| *typing), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_in_order() {
    let chat = Chat::start().await;
    let world = &chat.world;
    for _ in 0..30 {
        world.homeserver.set_typing(&chat.room, &world.anna.id, true).unwrap();
        world.homeserver.set_typing(&chat.room, &world.anna.id, false).unwrap();
    }
    // What has been read is told after what was typed before.
    world.homeserver.mark_read(&chat.room, &world.anna.id, &chat.theirs.0).unwrap();
    world.until("the receipt", seen).await;
    chat.settled().await;
    assert_eq!(typing(world).last(), Some(&false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_passes_over_what_was_unsent() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let newest = world.sim.send_text(world.bob.pk, &chat.thread, "read this").unwrap();
    let gone = world.sim.send_text(world.bob.pk, &chat.thread, "not this").unwrap();
    let event = world.until("the message", |world| world.event(&chat.room, "not this")).await;
    let event = event["event_id"].as_str().unwrap().to_owned();
    world.sim.unsend(world.bob.pk, &chat.thread, &gone).unwrap();
    world.until("the redaction", |_| chat.is_redacted(&event).then_some(())).await;
    world.homeserver.mark_read(&chat.room, &world.anna.id, &event).unwrap();
    let path = world.until("the receipt", seen).await;
    assert!(path.contains(&newest), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_outlasts_a_broken_line() {
    let chat = Chat::start().await;
    let world = &chat.world;
    world.sim.inject_on(world.anna_account.pk, "/seen/", Fault::DropHttpAnswer, 1).unwrap();
    world.homeserver.mark_read(&chat.room, &world.anna.id, &chat.theirs.0).unwrap();
    let told = |world: &World| {
        let requests = world.sim.recorded_requests().into_iter().filter(|request| request.path.contains("/seen/"));
        (requests.count() == 2).then_some(())
    };
    world.until("the second try", told).await;
    assert!(seen(world).unwrap().contains(&chat.theirs.1));
}
