//! One simulated Instagram, one Synapse, the bridge between them, and Anna, who uses all three.

use std::time::Duration;

use instagram_sim::{Account, Sim, SimOptions};
use xtask::matrix::Client;
use xtask::servers::{SERVER_NAME, Synapse};

use crate::bridge::Bridge;

/// How long one thing may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// How long many things may take.
pub(crate) const LONG_DEADLINE: Duration = Duration::from_secs(180);

/// Everything a scenario needs.
pub(crate) struct World {
    pub(crate) bridge: Bridge,
    pub(crate) synapse: Synapse,
    pub(crate) sim: Sim,
    pub(crate) anna: Client,
    /// Somebody without an account at Instagram.
    pub(crate) guest: Client,
    pub(crate) anna_account: Account,
    people: usize,
}

/// A direct chat of Anna with somebody, on both sides.
pub(crate) struct Chat {
    pub(crate) other: Account,
    pub(crate) thread: String,
    pub(crate) room: String,
    pub(crate) ghost: String,
}

impl World {
    /// Starts everything; Anna logs in to Instagram by a chat with the bot.
    pub(crate) async fn start() -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let anna_account = sim.create_account("anna.alm", "Anna Alm").unwrap();
        let mut bridge = Bridge::prepare();
        let synapse = Synapse::start(&[bridge.registration(), bridge.puppet_registration()]).await.unwrap();
        synapse.register_user("anna", "secret").await.unwrap();
        let anna = Client::login(&synapse.url(), "anna", "secret").await.unwrap();
        synapse.register_user("grace", "secret").await.unwrap();
        let guest = Client::login(&synapse.url(), "grace", "secret").await.unwrap();
        bridge.configure(&sim, &synapse.url());
        bridge.start();
        bridge.wait_until_ready().await;
        let world = Self { bridge, synapse, sim, anna, guest, anna_account, people: 0 };
        world.log_in().await;
        world
    }

    async fn log_in(&self) {
        let bot = format!("@instagrambot:{SERVER_NAME}");
        let room = self.anna.create_room(&[]).await.unwrap();
        self.anna.invite(&room, &bot).await.unwrap();
        self.answer(&room, &bot, 0).await;
        self.anna.send(&room, &format!("login {}", self.anna_account.sessionid)).await.unwrap();
        let answer = self.answer(&room, &bot, 1).await;
        assert!(answer.starts_with("Logged in"), "{answer}");
        self.sim.wait_for_subscription(self.anna_account.pk, DEADLINE).await.unwrap();
    }

    async fn answer(&self, room: &str, bot: &str, number: usize) -> String {
        let found = self.anna.wait_for(DEADLINE, |seen| seen.said_by(room, bot).get(number).cloned()).await;
        found.unwrap_or_else(|error| panic!("no answer {number} of the bot: {error}\n{}", self.bridge.log_tail()))
    }

    /// Somebody new writes "first" to Anna, who joins the portal.
    pub(crate) async fn chat(&mut self) -> Chat {
        self.people += 1;
        let name = format!("friend{}", self.people);
        let other = self.sim.create_account(&name, &name).unwrap();
        let thread = self.sim.create_thread(&[self.anna_account.pk, other.pk], None).unwrap();
        self.sim.send_text(other.pk, &thread, "first").unwrap();
        let key = format!("dev.puppetgram://instagram/{thread}");
        let room = loop {
            // Other chats may have invited her too.
            let news = self.anna.wait_for(DEADLINE, |seen| {
                let room = seen.rooms().find(|room| seen.state(room, "m.bridge", &key).is_some()).map(str::to_owned);
                let invites: Vec<String> = seen.invites().map(str::to_owned).collect();
                (room.is_some() || !invites.is_empty()).then_some((room, invites))
            });
            let (room, invites) =
                news.await.unwrap_or_else(|error| panic!("no portal: {error}\n{}", self.bridge.log_tail()));
            if let Some(room) = room {
                break room;
            }
            for room in &invites {
                self.anna.join(room).await.unwrap();
            }
        };
        let ghost = format!("@instagram_{}:{SERVER_NAME}", other.pk);
        let chat = Chat { other, thread, room, ghost };
        self.expect_on_matrix(&chat, &["first".to_owned()]).await;
        chat
    }

    /// Waits for the last text in the room, then compares everything the other person said since "first". Both the
    /// order in which it came and the history count.
    pub(crate) async fn expect_on_matrix(&self, chat: &Chat, expected: &[String]) {
        let last = expected.last().unwrap();
        let came = |seen: &xtask::matrix::Seen| seen.said_by(&chat.room, &chat.ghost).contains(last).then_some(());
        let waited = self.anna.wait_for(LONG_DEADLINE, came).await;
        assert!(waited.is_ok(), "{last} never came to {}\n{}", chat.room, self.bridge.log_tail());
        assert_same("by /sync", &self.anna.seen().said_by(&chat.room, &chat.ghost), expected);
        assert_same("by /messages", &self.anna.messages(&chat.room, &chat.ghost).await.unwrap(), expected);
    }

    /// Waits for the last text in the thread, then compares everything Anna wrote.
    pub(crate) async fn expect_on_instagram(&self, chat: &Chat, expected: &[String]) {
        let last = expected.last().unwrap();
        let came = |_: &Sim| self.written_by_anna(chat).contains(last).then_some(());
        let waited = self.sim.wait_for("the last text", LONG_DEADLINE, came).await;
        assert!(waited.is_ok(), "{last} never came to thread {}\n{}", chat.thread, self.bridge.log_tail());
        assert_same("in the thread", &self.written_by_anna(chat), expected);
    }

    fn written_by_anna(&self, chat: &Chat) -> Vec<String> {
        let items = self.sim.thread_items(&chat.thread).unwrap().into_iter();
        items.filter(|item| item.sender == self.anna_account.pk).filter_map(|item| item.text).collect()
    }
}

/// Lost, doubled and reordered are different faults: say which.
fn assert_same(place: &str, actual: &[String], expected: &[String]) {
    if actual == expected {
        return;
    }
    let lost: Vec<_> = expected.iter().filter(|text| !actual.contains(text)).collect();
    let count = |text: &String| actual.iter().filter(|other| *other == text).count();
    let mut doubled: Vec<_> = actual.iter().filter(|text| count(text) > 1).collect();
    doubled.dedup();
    let first = actual.iter().zip(expected).position(|(a, b)| a != b);
    panic!("{place}: lost {lost:?}, doubled {doubled:?}, first difference at {first:?}: {actual:?}");
}
