//! Double puppeting: what Anna does in the Instagram app is done by her own Matrix account, and never goes back.

use serde_json::{Value, json};

use crate::chat::{Chat, edit};
use crate::world::{Setup, World};

fn setup() -> Setup {
    let sections = "double_puppet:\n  as_token: a-token-for-double-puppets\n".to_owned();
    Setup { sections, ..Setup::default() }
}

impl Chat {
    async fn until_said(&self, text: &str) -> Value {
        self.world.until(text, |world| world.event(&self.room, text)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_does_in_the_app_is_done_by_their_own_account() {
    let chat = Chat::start_with(&setup()).await;
    let (world, anna, account) = (&chat.world, chat.world.anna.id.clone(), chat.world.anna_account.pk);
    let item = world.sim.send_text(account, &chat.thread, "from my phone").unwrap();
    let event = chat.until_said("from my phone").await;
    assert_eq!(event["sender"], anna.as_str());

    world.sim.react(account, &chat.thread, &chat.theirs.1, Some("😮")).unwrap();
    chat.until_reactions(&chat.theirs.0, &[(&anna, "😮")]).await;

    world.sim.edit(account, &chat.thread, &item, "from my phone, again").unwrap();
    let edited = |world: &World| {
        let events = world.homeserver.events(&chat.room);
        events.into_iter().find(|event| event["content"]["m.new_content"]["body"] == "from my phone, again")
    };
    let edited = world.until("the edit", edited).await;
    assert_eq!((&edited["sender"], &edited["content"]["m.relates_to"]["event_id"]), (&json!(anna), &event["event_id"]));

    // What she has said in Matrix is hers to edit too.
    world.sim.edit(account, &chat.thread, &chat.own.1, "mine, from the phone").unwrap();
    let edited = |world: &World| {
        let events = world.homeserver.events(&chat.room);
        events.into_iter().find(|event| event["content"]["m.new_content"]["body"] == "mine, from the phone")
    };
    assert_eq!(world.until("the other edit", edited).await["sender"], anna.as_str());

    chat.settled().await;
    world.homeserver.send_text(&chat.room, &anna, "the end").unwrap();
    let expected: Vec<String> =
        ["mine, from the phone", "from my phone, again", "the end"].iter().map(|text| (*text).to_owned()).collect();
    world.expect_written(&chat.thread, &world.anna_account, &expected).await;
    let reactions: Vec<String> = chat.item_reactions(&chat.theirs.1).into_iter().map(|(_, emoji)| emoji).collect();
    assert_eq!(reactions, ["😮"]);
    let sent = world.sim.recorded_requests();
    assert!(!sent.iter().any(|request| request.body.contains("from my phone")), "nothing goes back");

    world.sim.unsend(account, &chat.thread, &item).unwrap();
    let event = event["event_id"].as_str().unwrap().to_owned();
    world.until("the redaction", |_| chat.is_redacted(&event).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_chat_is_entered_and_listed_as_a_direct_one() {
    let world = World::start_with(&setup()).await;
    world.homeserver.set_data(&world.anna.id, "m.direct", json!({"@else:example.org": ["!other:example.org"]}));
    let thread = world.chat_with(&world.bob);
    world.sim.send_text(world.bob.pk, &thread, "hello").unwrap();
    let entered = |world: &World| {
        let is_here = |room: &String| {
            let member = world.homeserver.state(room, "m.room.member", &world.anna.id);
            world.event(room, "hello").is_some() && member.is_some_and(|member| member["membership"] == "join")
        };
        world.homeserver.rooms().into_iter().find(is_here)
    };
    let room = world.until("Anna in the room", entered).await;
    let direct = json!({"@else:example.org": ["!other:example.org"], world.ghost(&world.bob): [room]});
    assert_eq!(world.homeserver.data(&world.anna.id, "m.direct"), Some(direct));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_in_the_app_is_edited_and_forwarded_in_matrix() {
    let chat = Chat::start_with(&setup()).await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    world.sim.send_text(world.anna_account.pk, &chat.thread, "from my phone").unwrap();
    let event = chat.until_said("from my phone").await;
    chat.settled().await;
    let target = event["event_id"].as_str().unwrap();
    world.homeserver.send(&chat.room, &anna, "m.room.message", &edit(target, "from my desk")).unwrap();
    // Clients that forward a message copy its whole content, with our mark in it.
    assert!(event["content"]["dev.puppetgram.request"].is_string());
    world.homeserver.send(&chat.room, &anna, "m.room.message", &event["content"]).unwrap();
    let expected: Vec<String> =
        ["mine", "from my desk", "from my phone"].iter().map(|text| (*text).to_owned()).collect();
    world.expect_written(&chat.thread, &world.anna_account, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_or_marked_in_the_app_is_read_or_marked_in_matrix() {
    let chat = Chat::start_with(&setup()).await;
    let (world, anna, account) = (&chat.world, chat.world.anna.id.clone(), chat.world.anna_account.pk);
    let newest = world.sim.send_text(world.bob.pk, &chat.thread, "read this").unwrap();
    let event = chat.until_said("read this").await;
    chat.settled().await;
    let last = world.sim.thread_items(&chat.thread).unwrap().pop().unwrap();
    world.sim.mark_seen(account, &chat.thread, &newest).unwrap();
    let read = |world: &World| (world.homeserver.receipt_of(&chat.room, &anna)? == event["event_id"]).then_some(());
    world.until("Anna's receipt", read).await;
    let marked = |world: &World| world.homeserver.room_data(&chat.room, &anna, "m.marked_unread");
    let is = |unread: bool| move |data: Value| (data["unread"] == unread).then_some(());
    world.until("the mark is gone", |world| marked(world).and_then(is(false))).await;

    world.sim.mark_seen(account, &chat.thread, &last.item_id).unwrap();
    world.sim.mark_unread(account, &chat.thread).unwrap();
    world.until("the mark", |world| marked(world).and_then(is(true))).await;
    // Read again, though there is nothing newer to read.
    world.sim.mark_seen(account, &chat.thread, &last.item_id).unwrap();
    world.until("the mark is gone again", |world| marked(world).and_then(is(false))).await;
    chat.settled().await;
    let told = world.sim.recorded_requests().into_iter().filter(|request| request.path.contains("/seen/")).count();
    assert_eq!(told, 0, "what was read in the app does not go back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_in_between_makes_nothing_twice() {
    let mut chat = Chat::start_with(&Setup { forget_transactions: true, ..setup() }).await;
    let account = chat.world.anna_account.pk;
    for failpoint in ["to-matrix-after-intend", "to-matrix-after-send", "to-matrix-after-settle"] {
        chat.world.bridge.kill();
        chat.world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", failpoint)]);
        chat.world.sim.send_text(account, &chat.thread, failpoint).unwrap();
        assert!(chat.world.bridge.wait_for_death().await, "{failpoint}");
        chat.world.bridge.start();
        chat.until_said(failpoint).await;
    }
    chat.settled().await;
    let anna = chat.world.anna.id.clone();
    let expected = ["mine", "to-matrix-after-intend", "to-matrix-after-send", "to-matrix-after-settle"];
    assert_eq!(chat.world.said_by(&chat.room, &anna), expected);
    assert_eq!(chat.world.written_by(&chat.thread, &chat.world.anna_account), expected, "nothing goes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_made_in_the_app_do_not_go_back_however_late_they_are_heard_of() {
    let chat = Chat::start_with(&setup()).await;
    let (world, account) = (&chat.world, chat.world.anna_account.pk);
    let item = world.sim.send_text(account, &chat.thread, "one").unwrap();
    chat.until_said("one").await;
    chat.settled().await;
    world.homeserver.set_appservice_url(Some("http://127.0.0.1:1"));
    for text in ["two", "three"] {
        world.sim.edit(account, &chat.thread, &item, text).unwrap();
        chat.until_said(&format!("* {text}")).await;
    }
    // The edits are settled by now, and the bridge has yet to hear of their events.
    chat.settled().await;
    world.homeserver.set_appservice_url(Some(&world.bridge.address()));
    world.homeserver.send_text(&chat.room, &world.anna.id, "the end").unwrap();
    let expected = ["mine", "three", "the end"].map(str::to_owned);
    world.expect_written(&chat.thread, &world.anna_account, &expected).await;
    let edits = world.sim.recorded_requests().into_iter().filter(|request| request.path.contains("/edit/")).count();
    assert_eq!((edits, world.said_by(&chat.room, &world.bot()).len()), (0, 0));
}
