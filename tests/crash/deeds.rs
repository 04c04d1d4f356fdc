//! The bridge is killed at each named moment of each thing that people do besides writing texts; afterwards both sides
//! show exactly what was done, once.

use serde_json::{Value, json};

use crate::setup;
use crate::world::World;

/// What is done in the app, and the moments of it at which the bridge dies. A receipt makes no event.
const IN_THE_APP: [(Deed, &[&str]); 6] = [
    (Deed::Photo, &["to-matrix-after-intend", "media-after-upload", "to-matrix-after-send", "to-matrix-after-settle"]),
    (
        Deed::Album,
        &[
            "to-matrix-after-intend",
            "media-after-upload:2",
            "to-matrix-after-send:1",
            "to-matrix-after-send:2",
            "to-matrix-after-send:3",
            "to-matrix-after-settle",
        ],
    ),
    (
        Deed::Reaction,
        &["to-matrix-after-intend", "to-matrix-after-send:1", "to-matrix-after-send:2", "to-matrix-after-settle"],
    ),
    (Deed::Edit, &["to-matrix-after-intend", "to-matrix-after-send", "to-matrix-after-settle"]),
    (
        Deed::Unsend,
        &["to-matrix-after-intend", "to-matrix-after-send:1", "to-matrix-after-send:2", "to-matrix-after-settle"],
    ),
    (Deed::Receipt, &["to-matrix-after-intend", "to-matrix-after-settle"]),
];

/// The same in Matrix. Only messages are intended in the outbox; what is done to them is stored with its transaction.
const IN_MATRIX: [(Deed, &[&str]); 6] = [
    (Deed::Photo, &["to-remote-after-intend", "file-after-upload", "to-remote-after-send", "to-remote-after-settle"]),
    (
        Deed::CaptionedPhoto,
        &[
            "to-remote-after-intend",
            "file-after-upload",
            "to-remote-after-send:1",
            "to-remote-after-send:2",
            "to-remote-after-settle",
        ],
    ),
    (Deed::Reaction, &["transaction-after-commit", "reaction-after-send"]),
    (Deed::Edit, &["transaction-after-commit", "edit-after-send"]),
    (Deed::Unsend, &["transaction-after-commit", "unsend-after-send:1", "unsend-after-send:2"]),
    (Deed::Receipt, &["receipt-after-send"]),
];

/// The moments that are met here.
pub(crate) fn moments() -> Vec<&'static str> {
    let all = IN_THE_APP.iter().chain(&IN_MATRIX).flat_map(|(_, moments)| moments.iter());
    all.map(|moment| moment.split_once(':').map_or(*moment, |(name, _)| name)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Photo,
    /// Three attachments in one message.
    Album,
    /// Two items for one event.
    CaptionedPhoto,
    /// In place of an earlier one.
    Reaction,
    Edit,
    /// Of a message with a reaction to it, or of one that is two items.
    Unsend,
    Receipt,
}

/// One chat for all deaths.
struct Scene {
    world: World,
    thread: String,
    room: String,
    round: usize,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start_with(&setup()).await;
        let thread = world.chat_with(&world.bob);
        let room = world.portal_of(&thread, &world.bob).await;
        Self { world, thread, room, round: 0 }
    }

    /// Bob says something new; its item and its event.
    async fn said_by_bob(&mut self) -> (String, String) {
        self.round += 1;
        let text = format!("bob {}", self.round);
        let item = self.world.sim.send_text(self.world.bob.pk, &self.thread, &text).unwrap();
        let event = self.world.until("Bob's message", |world| world.event(&self.room, &text)).await;
        (item, id_of(&event))
    }

    /// Anna says something new; its event and its items.
    async fn said_by_anna(&mut self, content: &Value, items: usize) -> (String, Vec<String>) {
        let before = self.items().len();
        let event = self.world.homeserver.send(&self.room, &self.world.anna.id, "m.room.message", content).unwrap();
        let all = |_: &World| Some(self.items()).filter(|all| all.len() == before + items);
        let all = self.world.until("Anna's message", all).await;
        (event, all[before..].iter().map(|item| item.item_id.clone()).collect())
    }

    /// Anna's items that are still there.
    fn items(&self) -> Vec<instagram_sim::Item> {
        let items = self.world.sim.thread_items(&self.thread).unwrap().into_iter();
        items.filter(|item| item.sender == self.world.anna_account.pk).collect()
    }

    fn photo(&self) -> Value {
        let url = self.world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
        json!({"msgtype": "m.image", "body": "cat.jpg", "url": url})
    }

    fn captioned(&self) -> Value {
        let mut photo = self.photo();
        photo["filename"] = json!("cat.jpg");
        photo["body"] = json!(format!("caption {}", self.round));
        photo
    }

    /// Has the bridge die at that moment of what is done next.
    async fn arm(&mut self, moment: &str) {
        self.world.until_idle().await;
        self.world.bridge.kill();
        let pk = self.world.anna_account.pk;
        self.world.sim.wait_for_connections(pk, 0, crate::world::DEADLINE).await.unwrap();
        self.world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", moment)]);
        self.world.bridge.wait_until_ready().await;
        self.world.sim.wait_for_subscription(pk, crate::world::DEADLINE).await.unwrap();
        assert!(self.world.bridge.is_running(), "{moment}: something else died of it");
    }

    /// Waits for the death, and for the end of what comes after it.
    async fn revive(&mut self, what: &str) {
        assert!(self.world.bridge.wait_for_death().await, "{what}: the bridge ended by itself");
        self.world.bridge.start();
        self.said_by_bob().await;
        self.world.until_idle().await;
    }

    /// What came into the room since there were so many events, except for Bob's last words.
    fn news(&self, since: usize) -> Vec<(String, String)> {
        let last = format!("bob {}", self.round);
        let events = self.world.homeserver.events(&self.room);
        events[since..].iter().filter(|event| event["content"]["body"] != last.as_str()).map(brief).collect()
    }

    fn count(&self) -> usize {
        self.world.homeserver.events(&self.room).len()
    }

    /// Does it in the app while the bridge dies at that moment, and compares.
    async fn app(&mut self, deed: Deed, moment: &str) {
        let what = format!("{deed:?} in the app, {moment}");
        let (item, event) = self.said_by_bob().await;
        let (bob, thread) = (self.world.bob.pk, self.thread.clone());
        let mut earlier = String::new();
        if matches!(deed, Deed::Reaction | Deed::Unsend) {
            self.world.sim.react(bob, &thread, &item, Some("❤")).unwrap();
            let shown = |world: &World| reaction_to(world, &self.room, &event);
            earlier = self.world.until("the earlier reaction", shown).await;
        }
        self.arm(moment).await;
        let before = self.count();
        let sim = &self.world.sim;
        match deed {
            Deed::Photo | Deed::CaptionedPhoto => {
                let photo = instagram_sim::kinds::named("photo").unwrap().item(sim);
                sim.send_item(bob, &thread, photo).map(drop)
            }
            Deed::Album => {
                let album = instagram_sim::kinds::named("several_attachments").unwrap().item(sim);
                sim.send_item(bob, &thread, album).map(drop)
            }
            Deed::Reaction => sim.react(bob, &thread, &item, Some("😂")),
            Deed::Edit => sim.edit(bob, &thread, &item, "edited"),
            Deed::Unsend => sim.unsend(bob, &thread, &item),
            Deed::Receipt => sim.mark_seen(bob, &thread, &item),
        }
        .unwrap();
        self.revive(&what).await;
        let ghost = self.world.ghost(&self.world.bob);
        let by_bob = |briefs: &[&str]| briefs.iter().map(|brief| (ghost.clone(), (*brief).to_owned())).collect();
        let expected: Vec<(String, String)> = match deed {
            Deed::Photo | Deed::CaptionedPhoto => by_bob(&["photo.jpg"]),
            Deed::Album => by_bob(&["1/3", "2/3", "3/3"]),
            Deed::Reaction => by_bob(&[&format!("redacts {earlier}"), &format!("😂 to {event}")]),
            Deed::Edit => by_bob(&[&format!("edited in place of {event}")]),
            Deed::Unsend => by_bob(&[&format!("redacts {event}"), &format!("redacts {earlier}")]),
            Deed::Receipt => {
                let shown = self.world.homeserver.receipt_of(&self.room, &ghost);
                assert_eq!(shown.as_deref(), Some(event.as_str()), "{what}");
                Vec::new()
            }
        };
        assert_eq!(self.news(before), expected, "{what}");
    }

    /// Does it in Matrix while the bridge dies at that moment, and compares.
    async fn matrix(&mut self, deed: Deed, moment: &str) {
        let what = format!("{deed:?} in Matrix, {moment}");
        let anna = self.world.anna.id.clone();
        let (item, event) = self.said_by_bob().await;
        let own = match deed {
            Deed::Edit => self.said_by_anna(&json!({"msgtype": "m.text", "body": "mine"}), 1).await,
            Deed::Unsend => self.said_by_anna(&self.captioned(), 2).await,
            _ => (String::new(), Vec::new()),
        };
        let mut earlier = String::new();
        if deed == Deed::Reaction {
            earlier = self.react(&event, "👍");
            let known = |_: &World| (self.reactions(&item) == ["👍"]).then_some(());
            self.world.until("the earlier reaction", known).await;
        }
        self.arm(moment).await;
        let (before, items, reads) = (self.count(), self.items(), self.reads(&item).len());
        let homeserver = &self.world.homeserver;
        let say = |content: &Value| homeserver.send(&self.room, &anna, "m.room.message", content).map(drop);
        match deed {
            Deed::Photo | Deed::Album => say(&self.photo()),
            Deed::CaptionedPhoto => say(&self.captioned()),
            Deed::Reaction => {
                self.react(&event, "🔥");
                Ok(())
            }
            Deed::Edit => say(&json!({"msgtype": "m.text", "body": "* edited",
                "m.new_content": {"msgtype": "m.text", "body": "edited"},
                "m.relates_to": {"rel_type": "m.replace", "event_id": own.0}})),
            Deed::Unsend => homeserver.redact(&self.room, &anna, &own.0).map(drop),
            Deed::Receipt => homeserver.mark_read(&self.room, &anna, &event),
        }
        .unwrap();
        let caption = format!("caption {}", self.round);
        self.revive(&what).await;
        // What Anna did is there as she did it, and its echo is no news.
        let mut expected_news = Vec::new();
        let mut expected: Vec<(String, Option<String>)> = items.iter().map(shown).collect();
        match deed {
            Deed::Photo | Deed::Album => expected.push(("media".to_owned(), None)),
            Deed::CaptionedPhoto => {
                expected.push(("media".to_owned(), None));
                expected.push(("text".to_owned(), Some(caption.clone())));
            }
            Deed::Reaction => {
                assert_eq!(self.reactions(&item), ["🔥"], "{what}");
                expected_news.push((self.world.bot(), format!("redacts {earlier}")));
            }
            Deed::Edit => {
                let edited = items.iter().position(|item| item.item_id == own.1[0]).unwrap();
                expected[edited].1 = Some("edited".to_owned());
            }
            Deed::Unsend => {
                let left = items.iter().filter(|item| !own.1.contains(&item.item_id));
                expected = left.map(shown).collect();
            }
            Deed::Receipt => {
                assert!(self.reads(&item).len() > reads, "{what}: the receipt");
                // Another one goes its way.
                let (item, event) = self.said_by_bob().await;
                self.world.homeserver.mark_read(&self.room, &anna, &event).unwrap();
                self.world.until("the next receipt", |_| self.reads(&item).pop()).await;
                return;
            }
        }
        let items: Vec<_> = self.items().iter().map(shown).collect();
        assert_eq!(items, expected, "{what}");
        let news: Vec<_> = self.news(before).into_iter().filter(|(sender, _)| *sender != anna).collect();
        assert_eq!(news, expected_news, "{what}");
    }

    /// Anna reacts; her event.
    fn react(&self, event: &str, key: &str) -> String {
        let relation = json!({"rel_type": "m.annotation", "event_id": event, "key": key});
        let content = json!({"m.relates_to": relation});
        self.world.homeserver.send(&self.room, &self.world.anna.id, "m.reaction", &content).unwrap()
    }

    /// Anna's reactions to an item of Bob's.
    fn reactions(&self, item: &str) -> Vec<String> {
        let items = self.world.sim.thread_items(&self.thread).unwrap();
        let found = items.into_iter().find(|one| one.item_id == item).unwrap();
        found.reactions.into_iter().map(|one| one.emoji).collect()
    }

    /// The requests that say that this item was read.
    fn reads(&self, item: &str) -> Vec<String> {
        let requests = self.world.sim.recorded_requests().into_iter();
        requests.map(|request| request.path).filter(|path| path.contains(&format!("items/{item}/seen/"))).collect()
    }
}

fn id_of(event: &Value) -> String {
    event["event_id"].as_str().unwrap().to_owned()
}

fn shown(item: &instagram_sim::Item) -> (String, Option<String>) {
    (item.item_type.clone(), item.text.clone())
}

/// The reaction to an event.
fn reaction_to(world: &World, room: &str, target: &str) -> Option<String> {
    let mut events = world.homeserver.events(room).into_iter();
    events
        .find(|event| event["type"] == "m.reaction" && event["content"]["m.relates_to"]["event_id"] == target)
        .map(|event| id_of(&event))
}

/// Who did what, in a few words.
fn brief(event: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let content = &event["content"];
    let target = text(&content["m.relates_to"]["event_id"]);
    let what = match event["type"].as_str().unwrap_or_default() {
        "m.reaction" => format!("{} to {target}", text(&content["m.relates_to"]["key"])),
        "m.room.redaction" => {
            let redacted = if event["redacts"].is_string() { &event["redacts"] } else { &content["redacts"] };
            format!("redacts {}", text(redacted))
        }
        _ if content["m.new_content"].is_object() => {
            format!("{} in place of {target}", text(&content["m.new_content"]["body"]))
        }
        "m.room.message" => text(&content["body"]),
        other => other.to_owned(),
    };
    (text(&event["sender"]), what)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_each_moment_of_what_is_done_in_the_app_changes_nothing() {
    let mut scene = Scene::start().await;
    for (deed, moments) in IN_THE_APP {
        for moment in moments {
            scene.app(deed, moment).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_each_moment_of_what_is_done_in_matrix_changes_nothing() {
    let mut scene = Scene::start().await;
    for (deed, moments) in IN_MATRIX {
        for moment in moments {
            scene.matrix(deed, moment).await;
        }
    }
}
