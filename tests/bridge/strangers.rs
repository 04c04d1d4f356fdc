//! Message requests in groups, where a chat may be one for one login and none for another; and requests that were
//! declined and then accepted in the app.

use instagram_sim::{Account, AccountOptions};
use serde_json::{Value, json};

use crate::world::{Setup, World};

/// A world where what strangers write to Anna is a request.
async fn world(policy: &str) -> World {
    let bridge = format!("  message_requests: {policy}\n  history_pause: 0s\n");
    let world = World::start_with(&Setup { bridge, ..Setup::default() }).await;
    strangers_ask(&world, &world.anna_account);
    world
}

fn strangers_ask(world: &World, account: &Account) {
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(account.pk, options).unwrap();
}

fn room_of(world: &World, thread: &str) -> Option<String> {
    let key = format!("dev.puppetgram://instagram/{thread}");
    world.homeserver.rooms().into_iter().find(|room| world.homeserver.state(room, "m.bridge", &key).is_some())
}

fn is_pending(world: &World, thread: &str) -> bool {
    world.sim.thread_view(thread, world.anna_account.pk).unwrap()["pending"] == true
}

fn reaction(event: &Value, key: &str) -> Value {
    json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": event["event_id"], "key": key}})
}

/// What the bot has asked a user of a group of Bob's.
fn asked(world: &World, user: &str) -> Option<(String, Value)> {
    world.homeserver.rooms_of(user).into_iter().find_map(|room| {
        let mut events = world.homeserver.events(&room).into_iter();
        let text = |event: &Value| event["content"]["body"].as_str().unwrap_or_default().to_owned();
        let said =
            events.find(|event| event["sender"] == world.bot() && text(event).contains("@bob wants to write"))?;
        Some((room, said))
    })
}

/// A group of Bob and Carol, who has logged in and is in its room.
async fn group_of_carol(world: &World) -> (String, String, Account, homeserver_sim::User) {
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let thread = world.sim.create_thread(&[world.bob.pk, carol_account.pk], Some("Friends")).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "first").unwrap();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let invited = |world: &World| world.homeserver.rooms_of(&carol.id).contains(&room).then_some(());
    world.until("Carol's invitation", invited).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    world.until("the first message", |world| world.event(&room, "first")).await;
    (thread, room, carol_account, carol)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_brought_into_the_room_of_others_by_a_stranger() {
    let world = world("room").await;
    let (thread, room, ..) = group_of_carol(&world).await;
    world.sim.add_member(world.bob.pk, &thread, world.anna_account.pk).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "welcome Anna").unwrap();
    world.until("the message", |world| world.event(&room, "welcome Anna")).await;
    let (management, said) = world.until("the question", |world| asked(world, &world.anna.id)).await;
    world.sim.send_text(world.bob.pk, &thread, "say something").unwrap();
    world.until("the next message", |world| world.event(&room, "say something")).await;
    let here = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room);
    assert!(!here(&world), "Anna was not asked");
    world.homeserver.send(&management, &world.anna.id, "m.reaction", &reaction(&said, "👍")).unwrap();
    world.until("Anna's invitation", |world| here(world).then_some(())).await;
    assert!(!is_pending(&world, &thread));
    world.homeserver.join(&room, &world.anna.id).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "here I am").unwrap();
    world.expect_written(&thread, &world.anna_account, &["here I am".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_one_login_declines_goes_on_for_the_others() {
    let world = world("digest").await;
    let (thread, room, carol_account, carol) = group_of_carol(&world).await;
    world.sim.add_member(world.bob.pk, &thread, world.anna_account.pk).unwrap();
    let (management, said) = world.until("the question", |world| asked(world, &world.anna.id)).await;
    world.homeserver.send(&management, &world.anna.id, "m.reaction", &reaction(&said, "👎")).unwrap();
    let declined = |world: &World| {
        let requests = world.sim.recorded_requests();
        requests.into_iter().find(|request| request.path.contains(&format!("{thread}/decline")))
    };
    world.until("declined", declined).await;
    world.sim.send_text(world.bob.pk, &thread, "anybody?").unwrap();
    world.until("the next message", |world| world.event(&room, "anybody?")).await;
    world.homeserver.send_text(&room, &carol.id, "I am").unwrap();
    world.expect_written(&thread, &carol_account, &["I am".to_owned()]).await;
    assert!(!world.homeserver.rooms_of(&world.anna.id).contains(&room));
    assert_eq!(world.said_by(&room, &world.bot()), Vec::<String>::new(), "it is nobody else's business");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_by_whom_it_asks() {
    let world = world("room").await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, world.anna_account.pk, carol_account.pk];
    let thread = world.sim.create_thread(&members, Some("Offers")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let carol = world.log_in("carol", &carol_account).await;
    world.sim.send_text(world.bob.pk, &thread, "hello Carol").unwrap();
    let message = world.until("the message", |world| world.event(&room, "hello Carol")).await;
    let invited = |world: &World| world.homeserver.rooms_of(&carol.id).contains(&room).then_some(());
    world.until("Carol's invitation", invited).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    // To her it is a message like any other.
    world.homeserver.send(&room, &carol.id, "m.reaction", &reaction(&message, "👍")).unwrap();
    let reacted = |world: &World| {
        let items = world.sim.thread_items(&thread).unwrap();
        let item = items.into_iter().find(|item| item.text.as_deref() == Some("hello Carol"))?;
        (!item.reactions.is_empty()).then_some(())
    };
    world.until("Carol's reaction", reacted).await;
    assert!(is_pending(&world, &thread));
    world.homeserver.send(&room, &world.anna.id, "m.reaction", &reaction(&message, "👍")).unwrap();
    world.until("Anna's answer", |world| (!is_pending(world, &thread)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_whom_a_group_asks_is_told() {
    let world = world("digest").await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    strangers_ask(&world, &carol_account);
    let members = [world.bob.pk, world.anna_account.pk, carol_account.pk];
    let thread = world.sim.create_thread(&members, Some("Offers")).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "dear both").unwrap();
    world.until("the question to Anna", |world| asked(world, &world.anna.id)).await;
    world.until("the question to Carol", |world| asked(world, &carol.id)).await;
    assert_eq!(room_of(&world, &thread), None);
}

/// A request of Bob that Anna has declined in its room.
async fn declined(world: &World) -> (String, String) {
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig decline").unwrap();
    let bot = world.bot();
    let told = |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains("Declined"));
    world.until("the answer", told).await;
    world.sim.send_text(world.bob.pk, &thread, "please").unwrap();
    (thread, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_declined_comes_back_when_accepted_in_the_app() {
    for restarted in [false, true] {
        let mut world = world("room").await;
        let (thread, room) = declined(&world).await;
        if restarted {
            world.bridge.kill();
        }
        world.sim.approve_thread(world.anna_account.pk, &thread).unwrap();
        world.sim.send_text(world.bob.pk, &thread, "thank you").unwrap();
        if restarted {
            world.bridge.start();
        }
        let expected = ["first".to_owned(), "please".to_owned(), "thank you".to_owned()];
        world.expect_said(&room, &world.ghost(&world.bob), &expected).await;
        let told = world.said_by(&room, &world.bot());
        assert!(!told.iter().any(|text| text.contains("was deleted")), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_declined_comes_back_when_written_to_in_the_app() {
    let world = world("room").await;
    let (thread, room) = declined(&world).await;
    world.sim.send_text(world.anna_account.pk, &thread, "on second thoughts").unwrap();
    world.until("Anna's words", |world| world.event(&room, "on second thoughts")).await;
    world.until("what was said before", |world| world.event(&room, "please")).await;
}
