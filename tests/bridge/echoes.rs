//! What was done in Matrix comes back from Instagram early, late and after the next change: it is no news.

use instagram_sim::Fault;
use serde_json::Value;

use crate::chat::{Chat, edit, reaction};
use crate::world::World;

/// Longer than it takes to send what a test sends.
const LATE: Fault = Fault::DelayDelivery { ms: 2_000 };

impl Chat {
    /// Holds back what Instagram tells Anna, once.
    fn late(&self) {
        self.world.sim.inject(self.world.anna_account.pk, LATE, 1).unwrap();
    }

    fn react(&self, event: &str, key: &str) -> String {
        let (room, anna) = (&self.room, &self.world.anna.id);
        self.world.homeserver.send(room, anna, "m.reaction", &reaction(event, key)).unwrap()
    }

    /// Waits until Anna's reaction to an item is this one.
    async fn until_own_reaction(&self, item: &str, expected: Option<&str>) {
        let own = |_: &World| {
            let found = self.item_reactions(item);
            (found.iter().map(|(_, emoji)| emoji.as_str()).next() == expected).then_some(())
        };
        self.world.until("the reaction on Instagram", own).await;
    }

    fn reactions_ever(&self) -> usize {
        let events = self.world.homeserver.events(&self.room);
        events.iter().filter(|event| event["type"] == "m.reaction").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reactions_in_a_row_come_back_late() {
    let chat = Chat::start().await;
    let (event, item) = chat.theirs.clone();
    chat.late();
    chat.react(&event, "👍");
    chat.until_own_reaction(&item, Some("👍")).await;
    chat.react(&event, "🔥");
    chat.until_own_reaction(&item, Some("🔥")).await;
    chat.settled().await;
    assert_eq!(chat.reactions(&event), [(chat.world.anna.id.clone(), "🔥".to_owned())]);
    assert_eq!(chat.reactions_ever(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_taken_back_and_made_again_comes_back_late() {
    let chat = Chat::start().await;
    let (event, item) = chat.theirs.clone();
    chat.late();
    let first = chat.react(&event, "👍");
    chat.until_own_reaction(&item, Some("👍")).await;
    chat.world.homeserver.redact(&chat.room, &chat.world.anna.id, &first).unwrap();
    chat.until_own_reaction(&item, None).await;
    chat.react(&event, "👍");
    chat.until_own_reaction(&item, Some("👍")).await;
    chat.settled().await;
    assert_eq!(chat.reactions(&event), [(chat.world.anna.id.clone(), "👍".to_owned())]);
    assert_eq!(chat.reactions_ever(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_comes_back_before_its_answer() {
    let chat = Chat::start().await;
    let (event, item) = chat.theirs.clone();
    chat.world.sim.inject_on(chat.world.anna_account.pk, "132", Fault::DelayAnswer { ms: 1_500 }, 1).unwrap();
    chat.react(&event, "👍");
    chat.until_own_reaction(&item, Some("👍")).await;
    chat.settled().await;
    assert_eq!(chat.reactions_ever(), 1);
    // Now it is settled: the next one takes its place.
    chat.react(&event, "🔥");
    chat.until_reactions(&event, &[(&chat.world.anna.id, "🔥")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_fails_once_still_replaces_the_one_before() {
    let chat = Chat::start().await;
    let (event, item) = chat.theirs.clone();
    chat.react(&event, "👍");
    chat.until_own_reaction(&item, Some("👍")).await;
    chat.settled().await;
    let anna = chat.world.anna_account.pk;
    chat.world.sim.inject_on(anna, "132", Fault::DropSend, 1).unwrap();
    chat.world.sim.inject_on(anna, "broadcast/reaction", Fault::Status { code: 500 }, 1).unwrap();
    chat.react(&event, "🔥");
    chat.until_reactions(&event, &[(&chat.world.anna.id, "🔥")]).await;
    assert_eq!(chat.world.sim.faults_left(anna).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_reactions_that_is_behind_takes_nothing_back() {
    let chat = Chat::start().await;
    let (event, item) = chat.theirs.clone();
    chat.late();
    chat.world.sim.restate_item(&chat.thread, &item).unwrap();
    chat.react(&event, "👍");
    chat.until_own_reaction(&item, Some("👍")).await;
    chat.settled().await;
    assert_eq!(chat.reactions(&event), [(chat.world.anna.id.clone(), "👍".to_owned())]);
    assert_eq!(chat.reactions_ever(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_edits_in_a_row_come_back_late() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    chat.late();
    for text in ["mine, once more", "mine, at last"] {
        world.homeserver.send(&chat.room, &anna, "m.room.message", &edit(&chat.own.0, text)).unwrap();
        let written = |world: &World| world.written_by(&chat.thread, &world.anna_account) == [text];
        world.until("the edited item", |world| written(world).then_some(())).await;
    }
    chat.settled().await;
    assert_eq!(world.said_by(&chat.room, &world.ghost(&world.anna_account)), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsend_that_instagram_refuses_leaves_the_item_alive() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    let path = format!("{}/delete", chat.own.1);
    world.sim.inject_on(world.anna_account.pk, &path, Fault::FeedbackRequired, 1).unwrap();
    world.homeserver.redact(&chat.room, &anna, &chat.own.0).unwrap();
    let notice = |world: &World| world.said_by(&chat.room, &world.bot()).into_iter().find(|text| text.contains("not"));
    world.until("the notice", notice).await;
    let alive = |item: &Value| item["type"] == "m.reaction";
    world.sim.react(world.bob.pk, &chat.thread, &chat.own.1, Some("😂")).unwrap();
    world.until("Bob's reaction", |world| world.homeserver.events(&chat.room).into_iter().find(alive)).await;
}
