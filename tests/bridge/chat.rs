//! A chat that has a message of each side, and what tests ask about it.

use serde_json::{Value, json};

use crate::world::{DEADLINE, Setup, World};

pub(crate) fn reaction(target: &str, key: &str) -> Value {
    json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}})
}

pub(crate) fn edit(target: &str, body: &str) -> Value {
    json!({"msgtype": "m.text", "body": format!("* {body}"), "m.new_content": {"msgtype": "m.text", "body": body},
        "m.relates_to": {"rel_type": "m.replace", "event_id": target}})
}

/// A chat with a message of each side, and what both sides call them.
pub(crate) struct Chat {
    pub(crate) world: World,
    pub(crate) thread: String,
    pub(crate) room: String,
    /// Bob's message "first".
    pub(crate) theirs: (String, String),
    /// Anna's message "mine".
    pub(crate) own: (String, String),
}

impl Chat {
    pub(crate) async fn start() -> Self {
        Self::start_with(&Setup::default()).await
    }

    pub(crate) async fn start_with(setup: &Setup) -> Self {
        let world = World::start_with(setup).await;
        let thread = world.chat_with(&world.bob);
        let room = world.portal_of(&thread, &world.bob).await;
        let own = world.homeserver.send_text(&room, &world.anna.id, "mine").unwrap();
        let items = world.sim.wait_for_items(&thread, 2, DEADLINE).await.unwrap();
        let first = world.event(&room, "first").unwrap()["event_id"].as_str().unwrap().to_owned();
        let chat = Self {
            theirs: (first, items[0].item_id.clone()),
            own: (own, items[1].item_id.clone()),
            world,
            thread,
            room,
        };
        // What refers to the own message finds it once it is settled.
        chat.settled().await;
        chat
    }

    /// Waits until the lanes are empty.
    pub(crate) async fn settled(&self) {
        let bob = self.world.bob.pk;
        let text = format!("marker {}", self.world.homeserver.events(&self.room).len());
        self.world.sim.send_text(bob, &self.thread, &text).unwrap();
        self.world.until("a marker", |world| world.event(&self.room, &text)).await;
    }

    pub(crate) fn reactions(&self, event: &str) -> Vec<(String, String)> {
        let live = |event: &Value| event["type"] == "m.reaction" && event["content"]["m.relates_to"].is_object();
        let of = |found: &Value| found["content"]["m.relates_to"]["event_id"] == event;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let events = self.world.homeserver.events(&self.room).into_iter();
        events
            .filter(|found| live(found) && of(found))
            .map(|found| (text(&found["sender"]), text(&found["content"]["m.relates_to"]["key"])))
            .collect()
    }

    pub(crate) fn item_reactions(&self, item: &str) -> Vec<(u64, String)> {
        let items = self.world.sim.thread_items(&self.thread).unwrap();
        let found = items.into_iter().find(|one| one.item_id == item).unwrap();
        found.reactions.into_iter().map(|one| (one.sender, one.emoji)).collect()
    }

    pub(crate) async fn until_reactions(&self, event: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned())).collect();
        self.world.until("reactions", |_| (self.reactions(event) == expected).then_some(())).await;
    }

    pub(crate) fn is_redacted(&self, event: &str) -> bool {
        let events = self.world.homeserver.events(&self.room);
        events.iter().any(|found| found["event_id"] == event && found["content"].get("body").is_none())
    }
}
