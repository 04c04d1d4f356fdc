//! One message that is several on the other side, messages of people who have no login, and what requests do not show.

use instagram_sim::AccountOptions;
use serde_json::{Value, json};

use crate::chat::{Chat, edit, reaction};
use crate::world::{Setup, World};

/// A picture with a caption, and the two items it became.
async fn captioned(chat: &Chat) -> (String, Vec<String>) {
    let world = &chat.world;
    let url = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let photo = json!({"msgtype": "m.image", "body": "a cat", "filename": "cat.jpg", "url": url});
    let event = world.homeserver.send(&chat.room, &world.anna.id, "m.room.message", &photo).unwrap();
    world.until("the caption", |world| world.written_by(&chat.thread, &world.anna_account).pop()).await;
    let both = |world: &World| {
        let items = world.sim.thread_items(&chat.thread).unwrap();
        let own: Vec<String> = items
            .into_iter()
            .skip_while(|item| item.item_id != chat.own.1)
            .skip(1)
            .filter(|item| item.sender == world.anna_account.pk)
            .map(|item| item.item_id)
            .collect();
        (own.len() == 2).then_some(own)
    };
    let items = world.until("both items", both).await;
    chat.settled().await;
    (event, items)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_stays_when_its_caption_is_taken_back_in_the_app() {
    let chat = Chat::start().await;
    let (event, items) = captioned(&chat).await;
    let account = chat.world.anna_account.pk;
    chat.world.sim.unsend(account, &chat.thread, &items[1]).unwrap();
    chat.settled().await;
    assert!(!chat.is_redacted(&event));
    chat.world.sim.unsend(account, &chat.thread, &items[0]).unwrap();
    chat.world.until("the redaction", |_| chat.is_redacted(&event).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caption_is_edited() {
    let chat = Chat::start().await;
    let (event, _) = captioned(&chat).await;
    let world = &chat.world;
    let url = world.homeserver.events(&chat.room).into_iter().find(|found| found["event_id"] == event).unwrap();
    let new = json!({"msgtype": "m.image", "body": "a dog", "filename": "cat.jpg", "url": url["content"]["url"]});
    let change = json!({"msgtype": "m.image", "body": "* a dog", "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event}});
    world.homeserver.send(&chat.room, &world.anna.id, "m.room.message", &change).unwrap();
    let edited =
        |world: &World| world.written_by(&chat.thread, &world.anna_account).contains(&"a dog".to_owned()).then_some(());
    world.until("the new caption", edited).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_of_an_item_go_when_one_is_redacted() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let album = instagram_sim::kinds::named("several_attachments").unwrap().item(&world.sim);
    let item = world.sim.send_item(world.anna_account.pk, &chat.thread, album).unwrap();
    let own = world.ghost(&world.anna_account);
    let parts = |world: &World| {
        let events = world.homeserver.events(&chat.room).into_iter();
        let of_own = events.filter(|event| event["sender"] == own.as_str() && event["type"] == "m.room.message");
        let parts: Vec<String> = of_own.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
        (parts.len() > 1).then_some(parts)
    };
    let events = world.until("the parts", parts).await;
    chat.settled().await;
    world.homeserver.redact(&chat.room, &world.anna.id, &events[0]).unwrap();
    for event in &events {
        world.until("its redaction", |_| chat.is_redacted(event).then_some(())).await;
    }
    let gone = |world: &World| {
        let items = world.sim.thread_items(&chat.thread).unwrap();
        (!items.iter().any(|one| one.item_id == item)).then_some(())
    };
    world.until("the item is gone", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_attachments_go_together_when_they_are_unsent_in_the_app() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let before = world.homeserver.events(&chat.room).len();
    let album = instagram_sim::kinds::named("several_attachments").unwrap().item(&world.sim);
    let item = world.sim.send_item(world.bob.pk, &chat.thread, album).unwrap();
    chat.settled().await;
    let events = world.homeserver.events(&chat.room);
    let parts = events[before..events.len() - 1].iter().map(|event| event["event_id"].as_str().unwrap());
    let parts: Vec<&str> = parts.collect();
    assert_eq!(parts.len(), 3);
    world.sim.unsend(world.bob.pk, &chat.thread, &item).unwrap();
    chat.settled().await;
    for part in parts {
        assert!(chat.is_redacted(part), "{part}");
    }
    assert!(!chat.is_redacted(&chat.theirs.0), "nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_relayed_edits_and_takes_back_what_they_said() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let guest = world.homeserver.register("carol", "secret").unwrap();
    world.homeserver.invite(&chat.room, &world.anna.id, &guest.id).unwrap();
    world.homeserver.join(&chat.room, &guest.id).unwrap();
    world.homeserver.send_text(&chat.room, &world.anna.id, "!ig set-relay").unwrap();
    let bot = world.bot();
    let told =
        |world: &World| world.said_by(&chat.room, &bot).into_iter().find(|text| text.contains("by your account"));
    world.until("the answer", told).await;
    let said = world.said_by(&chat.room, &bot).len();
    let event = world.homeserver.send_text(&chat.room, &guest.id, "hello").unwrap();
    let written = |expected: &'static [&'static str]| {
        let thread = chat.thread.clone();
        move |world: &World| (world.written_by(&thread, &world.anna_account) == expected).then_some(())
    };
    world.until("the message", written(&["mine", "carol: hello"])).await;
    chat.settled().await;
    world.homeserver.send(&chat.room, &guest.id, "m.reaction", &reaction(&chat.theirs.0, "👍")).unwrap();
    world.homeserver.send(&chat.room, &guest.id, "m.room.message", &edit(&event, "good evening")).unwrap();
    world.until("the edit", written(&["mine", "carol: good evening"])).await;
    world.homeserver.redact(&chat.room, &guest.id, &event).unwrap();
    world.until("its end", written(&["mine"])).await;
    assert_eq!(world.said_by(&chat.room, &bot).len(), said, "nothing of this needs a notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_write_does_not_see_that_it_was_read() {
    let world = World::start_with(&Setup::default()).await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let thread = world.sim.create_thread(&[world.bob.pk, world.anna_account.pk], None).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let event = world.event(&room, "first").unwrap()["event_id"].as_str().unwrap().to_owned();
    world.homeserver.mark_read(&room, &world.anna.id, &event).unwrap();
    world.homeserver.set_typing(&room, &world.anna.id, true).unwrap();
    let seen = |world: &World| -> Vec<Value> {
        let requests = world.sim.recorded_requests().into_iter();
        requests.filter(|request| request.path.contains("seen")).map(|request| json!(request.path)).collect()
    };
    world.homeserver.send(&room, &world.anna.id, "m.reaction", &reaction(&event, "👍")).unwrap();
    let accepted = |world: &World| {
        (world.sim.thread_view(&thread, world.anna_account.pk).unwrap()["pending"] == false).then_some(())
    };
    world.until("accepted", accepted).await;
    assert_eq!(seen(&world), Vec::<Value>::new());
    // Accepted, it is shown.
    world.sim.send_text(world.bob.pk, &thread, "thanks").unwrap();
    let thanks = world.until("the answer", |world| world.event(&room, "thanks")).await;
    world.homeserver.mark_read(&room, &world.anna.id, thanks["event_id"].as_str().unwrap()).unwrap();
    world.until("the receipt", |world| seen(world).pop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_is_still_uploaded_waits_for_it() {
    let world = World::start().await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let members = [world.bob.pk, world.anna_account.pk, carol_account.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let invited = |world: &World| world.homeserver.rooms_of(&carol.id).contains(&room).then_some(());
    world.until("Carol's invitation", invited).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    let slow = instagram_sim::Fault::DelayHttp { ms: 2500 };
    world.sim.inject_on(carol_account.pk, "messenger_image", slow, 1).unwrap();
    let url = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let photo = json!({"msgtype": "m.image", "body": "cat.jpg", "url": url});
    let event = world.homeserver.send(&room, &carol.id, "m.room.message", &photo).unwrap();
    world.sim.wait_for_request("messenger_image", crate::world::DEADLINE).await.unwrap();
    let answer = json!({"msgtype": "m.text", "body": "how sweet",
        "m.relates_to": {"m.in_reply_to": {"event_id": event}}});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &answer).unwrap();
    world.expect_written(&thread, &world.anna_account, &["how sweet".to_owned()]).await;
    let items = world.sim.thread_items(&thread).unwrap();
    let photo = items.iter().find(|item| item.sender == carol_account.pk).unwrap();
    let answer = items.iter().find(|item| item.sender == world.anna_account.pk).unwrap();
    assert_eq!(answer.reply_to.as_deref(), Some(photo.item_id.as_str()));
}
