//! What could not be bridged is kept until an admin decides.

use homeserver_sim::Fault;

use crate::world::World;

/// The admin, in a room with the bot.
struct Admin {
    user: homeserver_sim::User,
    office: String,
}

impl Admin {
    async fn in_office(world: &World) -> Self {
        let user = world.homeserver.register("admin", "secret").unwrap();
        let office = world.homeserver.create_room(&user.id, &[]).unwrap();
        world.homeserver.invite(&office, &user.id, &world.bot()).unwrap();
        world.until("the welcome", |world| world.said_by(&office, &world.bot()).pop()).await;
        Self { user, office }
    }

    async fn ask(&self, world: &World, text: &str) -> String {
        let before = world.said_by(&self.office, &world.bot()).len();
        world.homeserver.send_text(&self.office, &self.user.id, text).unwrap();
        let answer = |world: &World| world.said_by(&self.office, &world.bot()).get(before).cloned();
        world.until("the answer", answer).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_listed_and_tried_again() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let (bot, ghost) = (world.bot(), world.ghost(&world.bob));
    // Refused until the bridge gives up.
    world.homeserver.inject(
        "/send/m.room.message",
        4,
        Fault::Refuse { status: 403, errcode: "M_FORBIDDEN".to_owned() },
    );
    world.sim.send_text(world.bob.pk, &thread, "refused").unwrap();
    world.until("the notice", |world| world.said_by(&room, &bot).pop()).await;
    assert!(world.command("parked").await.contains("Only admins"));

    let admin = Admin::in_office(&world).await;
    let listed = admin.ask(&world, "parked").await;
    assert!(listed.starts_with("1 event could not be bridged") && listed.contains("1 × "), "{listed}");
    assert!(admin.ask(&world, "parked retry").await.starts_with("1 event is tried again"));
    world.expect_said(&room, &ghost, &["first".to_owned(), "refused".to_owned()]).await;
    assert_eq!(admin.ask(&world, "parked").await, "Nothing is parked.");
    assert!(admin.ask(&world, "parked discard").await.starts_with("0 events"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_here_is_not_sent_again_by_an_admin() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let refusal = instagram_sim::Fault::RejectSend { status_code: 400, message: "not now".into() };
    world.sim.inject_on(world.anna_account.pk, "132", refusal, 1).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "refused").unwrap();
    let bot = world.bot();
    world.until("the notice", |world| world.said_by(&room, &bot).pop()).await;
    let admin = Admin::in_office(&world).await;
    assert!(admin.ask(&world, "parked retry").await.starts_with("0 events are tried again"));
    assert!(admin.ask(&world, "parked discard").await.starts_with("1 event was discarded"));
    world.homeserver.send_text(&room, &world.anna.id, "accepted").unwrap();
    world.expect_written(&thread, &world.anna_account, &["accepted".to_owned()]).await;
}
