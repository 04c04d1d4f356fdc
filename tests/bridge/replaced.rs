//! Items that say something else than before: edits, what has become ready, and what Instagram no longer hands out.

use instagram_sim::{RawItem, kinds};
use serde_json::{Value, json};

use crate::chat::{Chat, edit};
use crate::world::{Setup, World};

fn item(chat: &Chat, name: &str) -> RawItem {
    kinds::named(name).unwrap().item(&chat.world.sim)
}

/// Bob sends an item; its name, and the events that came of it.
async fn send(chat: &Chat, item: RawItem) -> (String, Vec<Value>) {
    let before = chat.world.homeserver.events(&chat.room).len();
    let id = chat.world.sim.send_item(chat.world.bob.pk, &chat.thread, item).unwrap();
    (id, news(chat, before).await)
}

/// The messages that came into the room since there were so many events, without the marker that ends them.
async fn news(chat: &Chat, before: usize) -> Vec<Value> {
    chat.settled().await;
    let mut events = chat.world.homeserver.events(&chat.room).split_off(before);
    events.retain(|event| event["type"] == "m.room.message" || event["type"] == "m.sticker");
    events.pop();
    events
}

async fn until_redacted(chat: &Chat, event: &str) {
    chat.world.until("the redaction", |_| chat.is_redacted(event).then_some(())).await;
}

/// Whatever it is, it stays in the room when Instagram does not hand it out any more; reactions still come.
async fn stays_when_it_becomes(chat: &Chat, name: &str, gone: &Value) {
    let (id, shown) = send(chat, item(chat, name)).await;
    assert!(shown.iter().any(|event| event["content"]["url"].is_string()), "{name}: {shown:?}");
    let before = chat.world.homeserver.events(&chat.room).len();
    chat.world.sim.replace_item(&chat.thread, &id, gone.as_object().unwrap().clone()).unwrap();
    assert_eq!(news(chat, before).await, Vec::<Value>::new(), "{name}");
    chat.world.sim.react(chat.world.bob.pk, &chat.thread, &id, Some("🔥")).unwrap();
    chat.world.sim.restate_item(&chat.thread, &id).unwrap();
    let event = shown[0]["event_id"].as_str().unwrap();
    chat.until_reactions(event, &[(&chat.world.ghost(&chat.world.bob), "🔥")]).await;
    assert!(!shown.iter().any(|event| chat.is_redacted(event["event_id"].as_str().unwrap())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_instagram_no_longer_hands_out_stays_in_the_room() {
    let chat = Chat::start().await;
    let gone = |name: &str| Value::Object(item(&chat, name));
    stays_when_it_becomes(&chat, "story_photo", &gone("story_expired")).await;
    stays_when_it_becomes(&chat, "story_reply", &gone("story_reply_to_expired")).await;
    stays_when_it_becomes(&chat, "xma_story", &gone("xma_story_expired")).await;
    stays_when_it_becomes(&chat, "photo", &gone("photo_without_address")).await;
    // A post that only some members of a group may see.
    stays_when_it_becomes(&chat, "post_photo", &gone("placeholder")).await;
    let private =
        json!({"item_type": "media_share", "media_share": {"message": "Post unavailable", "title": "Private"}});
    stays_when_it_becomes(&chat, "post_photo", &private).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_while_nobody_listened_stays_in_the_room() {
    let mut chat = Chat::start().await;
    let (id, shown) = send(&chat, item(&chat, "story_photo")).await;
    let expired = item(&chat, "story_expired");
    chat.world.bridge.kill();
    chat.world.sim.replace_item(&chat.thread, &id, expired).unwrap();
    chat.world.sim.edit(chat.world.bob.pk, &chat.thread, &chat.theirs.1, "first, corrected").unwrap();
    chat.world.sim.trim_queue(chat.world.anna_account.pk, 0).unwrap();
    let before = chat.world.homeserver.events(&chat.room).len();
    chat.world.bridge.start();
    let edited = |world: &World| {
        let events = world.homeserver.events(&chat.room);
        events.into_iter().find(|event| event["content"]["m.new_content"]["body"] == "first, corrected")
    };
    chat.world.until("the edit, which the same look has found", edited).await;
    let news = news(&chat, before).await;
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(!shown.iter().any(|event| chat.is_redacted(event["event_id"].as_str().unwrap())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_photo_stays_when_it_is_seen_in_the_app() {
    let sections = "media:\n  ffmpeg: /nowhere/ffmpeg\n  disappearing: media\n".to_owned();
    let chat = Chat::start_with(&Setup { sections, ..Setup::default() }).await;
    let (id, shown) = send(&chat, item(&chat, "raven_photo_once")).await;
    assert_eq!(shown[0]["content"]["msgtype"], "m.image");
    let before = chat.world.homeserver.events(&chat.room).len();
    chat.world.sim.see_visual(chat.world.anna_account.pk, &chat.thread, &id).unwrap();
    assert_eq!(news(&chat, before).await, Vec::<Value>::new());
    assert!(!chat.is_redacted(shown[0]["event_id"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_becomes_ready_is_shown_once_and_goes_with_its_item() {
    let chat = Chat::start().await;
    let (id, notice) = send(&chat, item(&chat, "photo_without_address")).await;
    assert_eq!(notice[0]["content"]["msgtype"], "m.notice");
    let before = chat.world.homeserver.events(&chat.room).len();
    chat.world.sim.replace_item(&chat.thread, &id, item(&chat, "photo")).unwrap();
    let photo = news(&chat, before).await;
    assert_eq!(photo.len(), 1, "{photo:?}");
    assert_eq!(photo[0]["content"]["msgtype"], "m.image");
    // Signed anew, or with other words around it: it is the same photo.
    let before = chat.world.homeserver.events(&chat.room).len();
    chat.world.sim.restate_item(&chat.thread, &id).unwrap();
    chat.world.sim.replace_item(&chat.thread, &id, item(&chat, "photo")).unwrap();
    assert_eq!(news(&chat, before).await, Vec::<Value>::new());
    chat.world.sim.unsend(chat.world.bob.pk, &chat.thread, &id).unwrap();
    for event in [&notice[0], &photo[0]] {
        until_redacted(&chat, event["event_id"].as_str().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_becomes_what_it_stood_for() {
    let chat = Chat::start().await;
    let (id, line) = send(&chat, item(&chat, "placeholder")).await;
    let before = chat.world.homeserver.events(&chat.room).len();
    let text = json!({"item_type": "text", "text": "here it is"});
    chat.world.sim.replace_item(&chat.thread, &id, text.as_object().unwrap().clone()).unwrap();
    let edited = news(&chat, before).await;
    assert_eq!(edited.len(), 1, "{edited:?}");
    assert_eq!(edited[0]["content"]["m.new_content"]["body"], "here it is");
    assert_eq!(edited[0]["content"]["m.relates_to"]["event_id"], line[0]["event_id"]);
    // Now it is words, which no placeholder takes away.
    let before = chat.world.homeserver.events(&chat.room).len();
    chat.world.sim.replace_item(&chat.thread, &id, item(&chat, "expired_placeholder")).unwrap();
    assert_eq!(news(&chat, before).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsent_takes_its_edits_along() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let before = world.homeserver.events(&chat.room).len();
    world.sim.edit(world.bob.pk, &chat.thread, &chat.theirs.1, "first, corrected").unwrap();
    let edits = news(&chat, before).await;
    assert_eq!(edits[0]["content"]["m.new_content"]["body"], "first, corrected");
    world.sim.unsend(world.bob.pk, &chat.thread, &chat.theirs.1).unwrap();
    until_redacted(&chat, &chat.theirs.0).await;
    until_redacted(&chat, edits[0]["event_id"].as_str().unwrap()).await;

    // An own message, edited here and in the app.
    let anna = world.anna.id.clone();
    let here =
        world.homeserver.send(&chat.room, &anna, "m.room.message", &edit(&chat.own.0, "mine, corrected")).unwrap();
    let corrected = |world: &World| world.written_by(&chat.thread, &world.anna_account) == ["mine, corrected"];
    world.until("the corrected item", |world| corrected(world).then_some(())).await;
    let before = world.homeserver.events(&chat.room).len();
    world.sim.edit(world.anna_account.pk, &chat.thread, &chat.own.1, "mine, from the phone").unwrap();
    let corrections = news(&chat, before).await;
    assert_eq!(corrections[0]["content"]["body"], "Edited: mine, from the phone");
    world.sim.unsend(world.anna_account.pk, &chat.thread, &chat.own.1).unwrap();
    for event in [&chat.own.0, &here, corrections[0]["event_id"].as_str().unwrap()] {
        until_redacted(&chat, event).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_redacted_in_matrix_takes_its_corrections_along() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let before = world.homeserver.events(&chat.room).len();
    world.sim.edit(world.anna_account.pk, &chat.thread, &chat.own.1, "mine, from the phone").unwrap();
    let corrections = news(&chat, before).await;
    world.homeserver.redact(&chat.room, &world.anna.id, &chat.own.0).unwrap();
    until_redacted(&chat, corrections[0]["event_id"].as_str().unwrap()).await;
}
