//! What could not be bridged is kept until an admin decides.

use instagram_sim::Fault;
use serde_json::json;

use crate::world::World;

/// A room in which the admin talks to the bot.
async fn admins_room(world: &World) -> (homeserver_sim::User, String) {
    let admin = world.homeserver.register("admin", "secret").unwrap();
    let room = world.homeserver.create_room(&admin.id, &[]).unwrap();
    world.homeserver.invite(&room, &admin.id, &world.bot()).unwrap();
    world.until("the welcome", |world| world.said_by(&room, &world.bot()).pop()).await;
    (admin, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_listed_and_tried_again_without_its_parts_that_arrived() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let refusal = Fault::RejectSend { status_code: 400, message: "not now".into() };
    world.sim.inject_on(world.anna_account.pk, "132", refusal, 1).unwrap();
    // The picture arrives, its caption does not.
    let url = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let photo = json!({"msgtype": "m.image", "body": "a cat", "filename": "cat.jpg", "url": url});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &photo).unwrap();
    let bot = world.bot();
    world.until("the notice", |world| world.said_by(&room, &bot).pop()).await;
    assert!(world.command("parked").await.contains("Only admins"));

    let (admin, office) = admins_room(&world).await;
    let answer = async |text: &str| {
        let before = world.said_by(&office, &bot).len();
        world.homeserver.send_text(&office, &admin.id, text).unwrap();
        world.until("the answer", |world| world.said_by(&office, &bot).get(before).cloned()).await
    };
    let listed = answer("parked").await;
    assert!(listed.starts_with("1 event could not be bridged") && listed.contains("1 × "), "{listed}");
    assert!(answer("parked retry").await.starts_with("1 event is tried again"));
    world.expect_written(&thread, &world.anna_account, &["a cat".to_owned()]).await;
    let own = world.sim.thread_items(&thread).unwrap().into_iter().filter(|item| item.sender == world.anna_account.pk);
    assert_eq!(own.count(), 2, "the picture went out once");
    assert_eq!(answer("parked").await, "Nothing is parked.");
    assert!(answer("parked discard").await.starts_with("0 events"));
}
