//! Message requests: shown as such, answered by command or reaction, kept away when declined.

use instagram_sim::{AccountOptions, Fault};
use serde_json::{Value, json};

use crate::world::{DEADLINE, Setup, World};

/// A world where what strangers write to Anna is a request.
async fn world(policy: &str) -> World {
    let bridge = format!("  message_requests: {policy}\n  history_pause: 0s\n");
    let world = World::start_with(&Setup { bridge, ..Setup::default() }).await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    world
}

/// A request of Bob, which has no room yet.
async fn request(world: &World) -> String {
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "may I?").unwrap();
    thread
}

fn room_of(world: &World, thread: &str) -> Option<String> {
    let key = format!("dev.puppetgram://instagram/{thread}");
    world.homeserver.rooms().into_iter().find(|room| world.homeserver.state(room, "m.bridge", &key).is_some())
}

/// The bot's words about a request, which have come to Anna's management room.
async fn digest(world: &World) -> Value {
    let said = |world: &World| {
        let events = world.homeserver.events(world.management_room());
        let text = |event: &Value| event["content"]["body"].as_str().unwrap_or_default().to_owned();
        events.into_iter().find(|event| text(event).contains("@bob wants to write"))
    };
    world.until("the digest", said).await
}

fn is_pending(world: &World, thread: &str) -> bool {
    world.sim.thread_view(thread, world.anna_account.pk).unwrap()["pending"] == true
}

fn reaction(event: &Value, key: &str) -> Value {
    json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": event["event_id"], "key": key}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_request_says_so_and_is_accepted_by_a_reaction() {
    let world = World::start().await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let bot = world.bot();
    let told =
        |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains("message request from @bob"));
    world.until("the explanation", told).await;
    let target = world.event(&room, "first").unwrap()["event_id"].clone();
    let thumb = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": "👍"}});
    world.homeserver.send(&room, &world.anna.id, "m.reaction", &thumb).unwrap();
    let accepted = |world: &World| {
        let view = world.sim.thread_view(&thread, world.anna_account.pk).unwrap();
        (view["pending"] == false).then_some(())
    };
    world.until("accepted", accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_room_gets_one_when_it_is_accepted_and_nothing_is_lost() {
    let setup = Setup { bridge: "  message_requests: digest\n  history_pause: 0s\n".to_owned(), ..Setup::default() };
    let mut world = World::start_with(&setup).await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "may I?").unwrap();
    let bot = world.bot();
    let management = world.management_room().to_owned();
    let told =
        |world: &World| world.said_by(&management, &bot).into_iter().find(|text| text.contains("@bob wants to write"));
    world.until("the digest", told).await;
    world.bridge.kill();
    world.bridge.start();
    world.sim.send_text(world.bob.pk, &thread, "hello?").unwrap();
    world.sim.approve_thread(world.anna_account.pk, &thread).unwrap();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let expected = ["may I?".to_owned(), "hello?".to_owned()];
    world.expect_said(&room, &world.ghost(&world.bob), &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_at_the_login_is_told_of() {
    for policy in ["digest", "room"] {
        let bridge = format!("  message_requests: {policy}\n");
        let mut world = World::start_logged_out(&Setup { bridge, ..Setup::default() }).await;
        let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
        world.sim.set_options(world.anna_account.pk, options).unwrap();
        let thread = request(&world).await;
        world.log_in_anna().await;
        if policy == "digest" {
            digest(&world).await;
        } else {
            let room = world.until("the room", |world| room_of(world, &thread)).await;
            world.expect_said(&room, &world.ghost(&world.bob), &["may I?".to_owned()]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_request_stays_away() {
    let mut world = World::start().await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig decline").unwrap();
    let bot = world.bot();
    let told = |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains("Declined"));
    world.until("the answer", told).await;
    world.bridge.kill();
    world.bridge.start();
    world.sim.send_text(world.bob.pk, &thread, "still there?").unwrap();
    let other = world.sim.create_account("other", "").unwrap();
    let marker = world.chat_with(&other);
    // One connection brings both, in this order.
    world.portal_of(&marker, &other).await;
    world.until_idle().await;
    assert!(world.event(&room, "still there?").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_request_stays_ignored_over_a_restart() {
    let mut world = world("ignore").await;
    let thread = request(&world).await;
    let before = world.said_by(world.management_room(), &world.bot());
    for n in 0..2 {
        world.sim.set_options(world.anna_account.pk, AccountOptions::default()).unwrap();
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let marker = world.chat_with(&other);
        world.portal_of(&marker, &other).await;
        world.until_idle().await;
        assert_eq!(room_of(&world, &thread), None, "{n} restarts");
        assert!(is_pending(&world, &thread));
        world.bridge.kill();
        world.bridge.start();
        world.sim.send_text(world.bob.pk, &thread, "may I, please?").unwrap();
    }
    assert_eq!(world.said_by(world.management_room(), &world.bot()), before, "nobody is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_answered_by_a_reaction_to_it() {
    let world = world("digest").await;
    let thread = request(&world).await;
    let said = digest(&world).await;
    let management = world.management_room().to_owned();
    world.homeserver.send(&management, &world.anna.id, "m.reaction", &reaction(&said, "👍🏽")).unwrap();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.expect_said(&room, &world.ghost(&world.bob), &["may I?".to_owned()]).await;
    assert!(!is_pending(&world, &thread));
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("Anna's invitation", invited).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_room_is_answered_by_name() {
    let mut world = world("ignore").await;
    let thread = request(&world).await;
    let answer = world.until_answered("accept @bob", "Accepted").await;
    assert!(answer.contains("you can write to each other now"), "{answer}");
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.expect_said(&room, &world.ghost(&world.bob), &["may I?".to_owned()]).await;
    let answer = world.command("decline @bob").await;
    assert!(answer.contains("There is no message request from @bob"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_declined_comes_back_when_asked_for() {
    let mut world = world("digest").await;
    let thread = request(&world).await;
    digest(&world).await;
    let answer = world.until_answered("decline @bob", "Declined").await;
    assert!(answer.contains("nothing more of this chat is bridged"), "{answer}");
    world.sim.send_text(world.bob.pk, &thread, "please").unwrap();
    world.sim.approve_thread(world.anna_account.pk, &thread).unwrap();
    let answer = world.command("start-chat @bob").await;
    let room = room_of(&world, &thread).expect("a room");
    assert!(answer.contains(&room), "{answer}");
    world.sim.send_text(world.bob.pk, &thread, "thanks").unwrap();
    world.until("the message", |world| world.event(&room, "thanks")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_shown_as_one_whenever_the_bridge_dies() {
    for failpoint in ["room-after-create", "room-after-save"] {
        let mut world = world("room").await;
        world.bridge.kill();
        world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", failpoint)]);
        let thread = request(&world).await;
        assert!(world.bridge.wait_for_death().await, "{failpoint}");
        world.bridge.start();
        let room = world.until("the room", |world| room_of(world, &thread)).await;
        let message = world.until("the message", |world| world.event(&room, "may I?")).await;
        let bot = world.bot();
        let told = world.said_by(&room, &bot).into_iter().filter(|text| text.contains("message request from @bob"));
        assert_eq!(told.count(), 1, "{failpoint}");
        world.homeserver.join(&room, &world.anna.id).unwrap();
        world.homeserver.send(&room, &world.anna.id, "m.reaction", &reaction(&message, "👍")).unwrap();
        world.until("accepted", |world| (!is_pending(world, &thread)).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_the_bots_room_is_told_in_another() {
    let world = world("digest").await;
    let (anna, former) = (world.anna.id.clone(), world.management_room().to_owned());
    let leave = json!({"membership": "leave"});
    world.homeserver.set_state(&former, &anna, "m.room.member", &anna, &leave).unwrap();
    let bot_left = |world: &World| (!world.homeserver.rooms_of(&world.bot()).contains(&former)).then_some(());
    world.until("the bot leaves too", bot_left).await;
    request(&world).await;
    let told = |world: &World| {
        let rooms = world.homeserver.rooms_of(&anna);
        rooms.into_iter().find(|room| world.said_by(room, &world.bot()).iter().any(|text| text.contains("@bob wants")))
    };
    assert_ne!(world.until("the digest", told).await, former);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_chat_is_not_declined() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig decline").unwrap();
    let bot = world.bot();
    let told = |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains("no message request"));
    world.until("the answer", told).await;
    world.sim.send_text(world.bob.pk, &thread, "still there").unwrap();
    world.until("the message", |world| world.event(&room, "still there")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_accepted_while_nobody_listened_gets_its_room() {
    let bridge = "  message_requests: digest\n  history_pause: 0s\n".to_owned();
    let mut world = World::start_with(&Setup { bridge, retention: 3, ..Setup::default() }).await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = request(&world).await;
    digest(&world).await;
    world.bridge.kill();
    world.sim.approve_thread(world.anna_account.pk, &thread).unwrap();
    let expected: Vec<String> =
        ["may I?".to_owned()].into_iter().chain((0..8).map(|n| format!("thanks {n}"))).collect();
    for text in &expected[1..] {
        world.sim.send_text(world.bob.pk, &thread, text).unwrap();
    }
    world.bridge.start();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.expect_said(&room, &world.ghost(&world.bob), &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_came_while_nobody_listened_is_shown() {
    let mut world = World::start_with(&Setup { retention: 3, ..Setup::default() }).await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let known = world.sim.create_account("known", "").unwrap();
    let chat = world.chat_with(&known);
    world.bridge.kill();
    let thread = request(&world).await;
    world.sim.approve_thread(world.anna_account.pk, &chat).unwrap();
    for n in 0..8 {
        world.sim.send_text(known.pk, &chat, &format!("{n}")).unwrap();
    }
    world.bridge.start();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.expect_said(&room, &world.ghost(&world.bob), &["may I?".to_owned()]).await;
    assert!(is_pending(&world, &thread));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_only_with_its_thread_is_shown() {
    let world = World::start().await;
    let options = AccountOptions { news_inside_threads: true, requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    let thread = world.sim.create_thread(&[dora.pk, world.anna_account.pk], None).unwrap();
    world.sim.send_text(dora.pk, &thread, "may I?").unwrap();
    world.sim.send_text(dora.pk, &thread, "hello?").unwrap();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.expect_said(&room, &world.ghost(&dora), &["may I?".to_owned(), "hello?".to_owned()]).await;
    assert!(is_pending(&world, &thread));
    // A chat that comes back brings its news along as well.
    let back = world.chat_with(&world.bob);
    world.sim.hide_thread(world.anna_account.pk, &back).unwrap();
    world.sim.send_text(world.bob.pk, &back, "there I am").unwrap();
    let room = world.until("Bob's room", |world| room_of(world, &back)).await;
    world.expect_said(&room, &world.ghost(&world.bob), &["there I am".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_redacted_before_it_was_sent_accepts_nothing() {
    let world = World::start().await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    // Instagram answers nothing useful for a while.
    world.sim.inject_on(world.anna_account.pk, "approve", Fault::Status { code: 500 }, 8).unwrap();
    let answer = world.homeserver.send_text(&room, &world.anna.id, "who are you?").unwrap();
    world.sim.wait_for_request("approve", DEADLINE).await.unwrap();
    world.homeserver.redact(&room, &world.anna.id, &answer).unwrap();
    // The lane goes on with the next command once the answer has ended.
    world.homeserver.send_text(&room, &world.anna.id, "!ig ping").unwrap();
    let pinged = |world: &World| world.said_by(&room, &world.bot()).into_iter().find(|text| text.contains("anna.alm"));
    world.until("the answer to the command", pinged).await;
    assert_eq!(world.sim.thread_view(&thread, world.anna_account.pk).unwrap()["pending"], true);
    assert_eq!(world.written_by(&thread, &world.anna_account), Vec::<String>::new());
}
