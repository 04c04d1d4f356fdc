//! Who speaks for whom, what a message opens, what is said of a refusal, and what becomes of a request whose outcome is
//! not known.

use instagram_sim::{AccountOptions, Fault};
use serde_json::json;

use crate::chat::{Chat, edit, reaction};
use crate::world::{DEADLINE, World};

async fn told(world: &World, room: &str, words: &str) -> String {
    let bot = world.bot();
    world.until(words, |world| world.said_by(room, &bot).into_iter().find(|text| text.contains(words))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_has_ended_holds_up_neither_the_relay_nor_another_login() {
    let mut world = World::start().await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk, dora.pk], Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.expire_session(carol_account.pk).unwrap();
    let ended = |world: &World| world.bridge.log().contains("login stopped").then_some(());
    world.until("the end of Carol's login", ended).await;
    world.homeserver.invite(&room, &world.anna.id, &carol.id).unwrap();
    world.homeserver.join(&room, &carol.id).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "!ig set-relay").unwrap();
    told(&world, &room, "by your account").await;
    world.homeserver.send_text(&room, &carol.id, "hello").unwrap();
    world.expect_written(&thread, &world.anna_account, &["carol: hello".to_owned()]).await;

    // A second account of Anna's has ended too; the first is in this group, of which nothing was heard.
    let other = world.sim.create_account("anna.other", "Anna Other").unwrap();
    let answer = world.command(&format!("login {}", other.sessionid)).await;
    assert!(answer.starts_with("Logged in"), "{answer}");
    world.sim.wait_for_subscription(other.pk, DEADLINE).await.unwrap();
    world.sim.expire_session(other.pk).unwrap();
    world.until_answered("list-logins", "logged out").await;
    let gone = json!({"membership": "leave"});
    world.homeserver.set_state(&room, &world.anna.id, "m.room.member", &world.anna.id, &gone).unwrap();
    world.homeserver.invite(&room, &world.bot(), &world.anna.id).unwrap();
    world.homeserver.join(&room, &world.anna.id).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "me again").unwrap();
    let expected = ["carol: hello".to_owned(), "me again".to_owned()];
    world.expect_written(&thread, &world.anna_account, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_write_into_a_declined_chat_is_to_want_it_after_all() {
    let world = World::start().await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig decline").unwrap();
    told(&world, &room, "Declined").await;
    world.homeserver.send_text(&room, &world.anna.id, "on second thoughts").unwrap();
    world.expect_written(&thread, &world.anna_account, &["on second thoughts".to_owned()]).await;
    world.sim.send_text(world.bob.pk, &thread, "how nice").unwrap();
    world.until("the answer", |world| world.event(&room, "how nice")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_or_group_whose_beginning_is_not_confirmed_begins_once() {
    let mut world = World::start().await;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let anna = world.anna_account.pk;
    world.sim.inject(anna, Fault::CloseAfterSend, 1).unwrap();
    let answer = world.command("start-chat @carol Hello").await;
    assert!(answer.contains("https://matrix.to/#/!"), "{answer}");
    world.sim.inject_on(anna, "create_group_thread", Fault::DropHttpAnswer, 1).unwrap();
    world.sim.inject_on(anna, "create_group_thread", Fault::Status { code: 500 }, 1).unwrap();
    let answer = world.command("create-group @bob @carol Holidays").await;
    assert!(answer.contains("https://matrix.to/#/!"), "{answer}");
    let threads = world.sim.threads();
    assert_eq!(threads.len(), 2, "one chat and one group");
    let texts: Vec<_> = threads.iter().flat_map(|thread| world.written_by(thread, &world.anna_account)).collect();
    assert_eq!(texts, ["Hello"]);
    drop(carol);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_called_what_it_was() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna_account.pk);
    let refuse = || Fault::RejectSend { status_code: 400, message: "no".to_owned() };
    let send = |kind: &str, content: &serde_json::Value| {
        world.homeserver.send(&chat.room, &world.anna.id, kind, content).unwrap();
    };
    world.sim.inject_on(anna, "132", refuse(), 1).unwrap();
    send("m.reaction", &reaction(&chat.theirs.0, "👍"));
    told(world, &chat.room, "Your reaction was not bridged: Instagram refused it (\"no\")").await;
    world.sim.inject_on(anna, "/edit/", Fault::Status { code: 400 }, 1).unwrap();
    send("m.room.message", &edit(&chat.own.0, "mine!"));
    told(world, &chat.room, "Your edit was not bridged: Instagram refused it").await;
    // The picture itself goes over HTTP.
    world.sim.inject_on(anna, "132", refuse(), 1).unwrap();
    let url = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let picture = json!({"msgtype": "m.image", "body": "look!", "filename": "a.jpg", "url": url});
    send("m.room.message", &picture);
    told(world, &chat.room, "Your file was sent, but not the words with it").await;
    world.sim.inject_on(anna, "/delete/", Fault::Status { code: 400 }, 1).unwrap();
    world.homeserver.redact(&chat.room, &world.anna.id, &chat.own.0).unwrap();
    told(world, &chat.room, "What you removed here is still on Instagram").await;
    assert!(!world.said_by(&chat.room, &world.bot()).iter().any(|text| text.contains("was not sent")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_rests_says_until_when() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna_account.pk);
    world.sim.inject_on(anna, "/mute/", Fault::FeedbackRequired, 1).unwrap();
    world.homeserver.send_text(&chat.room, &world.anna.id, "!ig mute").unwrap();
    told(world, &chat.room, "Instagram blocks this action for now").await;
    world.homeserver.send_text(&chat.room, &world.anna.id, "hello?").unwrap();
    let text = told(world, &chat.room, "the bridge rests this account until").await;
    assert!(text.contains(" UTC, because Instagram blocked an action") && !text.contains('"'), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_redacted_while_it_waits_is_never_sent() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna_account.pk);
    let dora = world.homeserver.register("dora", "secret").unwrap();
    world.homeserver.invite(&chat.room, &world.anna.id, &dora.id).unwrap();
    world.homeserver.join(&chat.room, &dora.id).unwrap();
    let busy = Fault::RejectSend { status_code: 503, message: "busy".to_owned() };
    world.sim.inject(anna, busy, 1000).unwrap();
    let say = |text: &str| world.homeserver.send_text(&chat.room, &world.anna.id, text).unwrap();
    let (first, second) = (say("regretted"), say("found unseemly by Dora"));
    world.until("the first try", |world| world.bridge.log().contains("status 503").then_some(())).await;
    world.homeserver.redact(&chat.room, &world.anna.id, &first).unwrap();
    world.homeserver.redact(&chat.room, &dora.id, &second).unwrap();
    say("the end");
    let withdrawn =
        |world: &World| (world.bridge.log().matches("redacted before it was sent").count() >= 2).then_some(());
    world.until("both seen as redacted", withdrawn).await;
    world.sim.clear_faults(anna).unwrap();
    world.expect_written(&chat.thread, &world.anna_account, &["mine".to_owned(), "the end".to_owned()]).await;
    let unsent = world.sim.recorded_requests().into_iter().filter(|one| one.path.contains("/delete/")).count();
    assert_eq!(unsent, 0, "nothing had to be taken back");
}
