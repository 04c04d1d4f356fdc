//! What is done to a message while others of the same batch, or its own further parts, are still on their way.

use std::time::Duration;

use instagram_sim::Fault;
use serde_json::json;

use crate::chat::{Chat, reaction};
use crate::world::{DEADLINE, World};

/// Longer than anything that is not held up.
const SLOW: Duration = Duration::from_secs(8);

impl Chat {
    /// A picture of Anna in the room.
    fn send_photo(&self, content: &serde_json::Value) -> String {
        let url = self.world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
        let mut photo = json!({"msgtype": "m.image", "body": "cat.jpg", "url": url});
        photo.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        self.world.homeserver.send(&self.room, &self.world.anna.id, "m.room.message", &photo).unwrap()
    }

    fn own_item(&self, text: &str) -> Option<String> {
        let items = self.world.sim.thread_items(&self.thread).unwrap();
        items.into_iter().find(|item| item.text.as_deref() == Some(text)).map(|item| item.item_id)
    }

    fn photos(&self) -> usize {
        let events = self.world.homeserver.events(&self.room);
        let ghost = self.world.ghost(&self.world.bob);
        events
            .iter()
            .filter(|event| event["sender"] == ghost.as_str() && event["content"]["msgtype"] == "m.image")
            .count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_reacted_to_while_a_file_behind_it_is_copied() {
    let mut chat = Chat::start().await;
    chat.world.bridge.kill();
    let bob = chat.world.bob.pk;
    let item = chat.world.sim.send_text(bob, &chat.thread, "look").unwrap();
    let photo = instagram_sim::kinds::named("photo").unwrap().item(&chat.world.sim);
    chat.world.sim.send_item(bob, &chat.thread, photo).unwrap();
    chat.world.homeserver.inject("upload", 1, homeserver_sim::Fault::Delay(SLOW));
    chat.world.bridge.start();
    let look = chat.world.until("the text", |world| world.event(&chat.room, "look")).await;
    let key = reaction(look["event_id"].as_str().unwrap(), "👍");
    chat.world.homeserver.send(&chat.room, &chat.world.anna.id, "m.reaction", &key).unwrap();
    let reacted = |_: &World| chat.item_reactions(&item).pop();
    assert_eq!(chat.world.until("the reaction on Instagram", reacted).await.1, "👍");
    assert_eq!(chat.photos(), 0, "the file is still on its way");
    chat.world.until("the photo", |_| (chat.photos() == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_reacted_to_and_taken_back_while_a_file_behind_it_is_uploaded() {
    let mut chat = Chat::start().await;
    chat.world.bridge.kill();
    let text = |text: &str| chat.world.homeserver.send_text(&chat.room, &chat.world.anna.id, text).unwrap();
    let (one, two) = (text("one"), text("two"));
    chat.send_photo(&json!({}));
    let account = chat.world.anna_account.pk;
    let slow = Fault::DelayHttp { ms: u64::try_from(SLOW.as_millis()).unwrap() };
    chat.world.sim.inject_on(account, "messenger_image", slow, 1).unwrap();
    chat.world.bridge.start();
    let second = chat.world.until("the texts", |_| chat.own_item("two")).await;
    let first = chat.own_item("one").unwrap();
    chat.world.sim.react(chat.world.bob.pk, &chat.thread, &first, Some("🔥")).unwrap();
    chat.world.sim.unsend(account, &chat.thread, &second).unwrap();
    let bob = chat.world.ghost(&chat.world.bob);
    chat.until_reactions(&one, &[(&bob, "🔥")]).await;
    chat.world.until("the redaction", |_| chat.is_redacted(&two).then_some(())).await;
    let items = chat.world.sim.thread_items(&chat.thread).unwrap();
    assert_eq!(items.last().unwrap().item_id, first, "no photo yet: {items:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_to_the_first_part_of_a_message_does_not_wait_for_the_others() {
    let chat = Chat::start().await;
    let account = chat.world.anna_account.pk;
    let slow = Fault::DelayAnswer { ms: u64::try_from(SLOW.as_millis()).unwrap() };
    chat.world.sim.inject_on(account, "132", slow, 1).unwrap();
    let known = chat.world.sim.thread_items(&chat.thread).unwrap().len();
    let event = chat.send_photo(&json!({"body": "a cat", "filename": "cat.jpg"}));
    let items = chat.world.sim.wait_for_items(&chat.thread, known + 1, DEADLINE).await.unwrap();
    chat.world.sim.react(chat.world.bob.pk, &chat.thread, &items[known].item_id, Some("🔥")).unwrap();
    let bob = chat.world.ghost(&chat.world.bob);
    chat.until_reactions(&event, &[(&bob, "🔥")]).await;
}
