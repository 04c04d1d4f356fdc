//! What passes: how far somebody has read.

use crate::chat::Chat;
use crate::world::World;

/// Where the last receipt went.
fn seen(world: &World) -> Option<String> {
    let paths = world.sim.recorded_requests().into_iter().map(|request| request.path);
    paths.filter(|path| path.contains("/seen/")).next_back()
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
