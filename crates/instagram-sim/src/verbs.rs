//! What tests make people and the server do.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    connection::{ConnectionDetails, Order},
    error::SimError,
    fault::Fault,
    options::AccountOptions,
    realtime,
    shared::RecordedRequest,
    sim::{Account, Sim},
    world::{item::Item, queue::Patch, send::NewItem},
};

mod history;
mod items;
mod media;
mod threads;

/// A text with what may go along.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewText {
    /// The text itself.
    pub text: String,
    /// The item it answers.
    pub reply_to: Option<String>,
    /// The key against doubles; made up if absent.
    pub client_context: Option<String>,
    /// Numbers of those it mentions.
    pub mentions: Vec<u64>,
}

/// An item of any type: `{"item_type": "clip", "clip": {…}}`.
pub type RawItem = Map<String, Value>;

impl Sim {
    /// Creates an account with one session.
    pub fn create_account(&self, username: &str, full_name: &str) -> Result<Account, SimError> {
        self.create_account_with(username, full_name, None, None)
    }

    /// Creates an account with a given number and session cookie.
    pub fn create_account_with(
        &self,
        username: &str,
        full_name: &str,
        pk: Option<u64>,
        sessionid: Option<String>,
    ) -> Result<Account, SimError> {
        let (pk, sessionid) = self.shared.act(|world| world.create_account(username, full_name, pk, sessionid))?;
        Ok(Account { pk, username: username.to_owned(), full_name: full_name.to_owned(), sessionid })
    }

    /// Opens another session of an account (another device); the answer is its cookie.
    pub fn create_session(&self, pk: u64) -> Result<String, SimError> {
        self.shared.act(|world| world.create_session(pk, None))
    }

    /// Creates a thread; the first member is who started it. Two members without a title make a one-to-one chat, and
    /// asking for the same one again gives the same thread.
    pub fn create_thread(&self, members: &[u64], title: Option<&str>) -> Result<String, SimError> {
        self.shared.act(|world| world.create_thread(members, title))
    }

    /// Sends a text as that person's phone.
    pub fn send_text(&self, from: u64, thread: &str, text: &str) -> Result<String, SimError> {
        self.send(from, thread, NewText { text: text.to_owned(), ..NewText::default() })
    }

    /// Sends a text with a reply, mentions or a client context of its own.
    pub fn send(&self, from: u64, thread: &str, new: NewText) -> Result<String, SimError> {
        let mut item = NewItem::text(&new.text);
        item.reply_to = new.reply_to;
        if !new.mentions.is_empty() {
            let entities = serde_json::json!({ "mentioned_user_ids": new.mentions });
            item.content.insert("text_entities".into(), entities);
        }
        self.add(from, thread, item, new.client_context)
    }

    /// Sends an item of any type; the fields besides `item_type`, `text` and `client_context` are passed on as they are.
    pub fn send_item(&self, from: u64, thread: &str, item: RawItem) -> Result<String, SimError> {
        let mut item = items::new_item(item)?;
        let context = item.client_context.take();
        self.add(from, thread, item, context)
    }

    fn add(&self, from: u64, thread: &str, mut item: NewItem, context: Option<String>) -> Result<String, SimError> {
        self.shared.act(|world| {
            item.client_context = Some(match context {
                Some(context) => context,
                // As phones make it: milliseconds and a random part.
                None => ((world.ids.timestamp_us() / 1000) << 22 | world.ids.number(22) as i64).to_string(),
            });
            world.add_item(from, thread, item, 0).map(|sent| sent.item_id)
        })
    }

    /// Marks a thread as read up to an item.
    pub fn mark_seen(&self, by: u64, thread: &str, item_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.mark_seen(by, thread, item_id))
    }

    /// Shows the others that somebody types, or has stopped.
    pub fn show_typing(&self, by: u64, thread: &str, active: bool) -> Result<(), SimError> {
        self.shared.act(|world| world.show_typing(by, thread, active))
    }

    /// Changes the name an account shows and, with it, nothing else.
    pub fn set_full_name(&self, pk: u64, full_name: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.account_mut(pk).map(|account| account.full_name = full_name.to_owned()))
    }

    /// Gives an account another profile picture.
    pub fn change_picture(&self, pk: u64) -> Result<(), SimError> {
        self.shared.act(|world| world.account_mut(pk).map(|account| account.picture_version += 1))
    }

    /// All threads.
    pub fn threads(&self) -> Vec<String> {
        self.shared.look(|world| {
            let mut threads: Vec<String> = world.threads.keys().cloned().collect();
            threads.sort();
            threads
        })
    }

    /// The items of a thread, oldest first, without those taken back.
    pub fn thread_items(&self, thread: &str) -> Result<Vec<Item>, SimError> {
        self.shared.look(|world| {
            world.thread(thread).map(|thread| thread.items.iter().filter(|item| !item.unsent).cloned().collect())
        })
    }

    /// How many items a thread has, those taken back included.
    pub fn item_count(&self, thread: &str) -> Result<usize, SimError> {
        self.shared.look(|world| world.thread(thread).map(|thread| thread.items.len()))
    }

    /// How many items one person has sent to a thread, those taken back included.
    pub fn item_count_of(&self, thread: &str, sender: u64) -> Result<usize, SimError> {
        self.shared.look(|world| world.thread(thread).map(|thread| thread.counts.get(&sender).copied().unwrap_or(0)))
    }

    /// The API requests so far, oldest first.
    pub fn recorded_requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests()
    }

    /// How many realtime connections an account has open.
    pub fn connections(&self, pk: u64) -> usize {
        self.shared.look(|world| world.account(pk).map_or(0, |account| account.connections.len()))
    }

    /// What is known of an account's open realtime connections.
    pub fn connection_details(&self, pk: u64) -> Vec<ConnectionDetails> {
        self.shared.look(|world| {
            let connections =
                world.account(pk).map(|account| account.connections.values().map(|one| one.info.details()));
            connections.map(Iterator::collect).unwrap_or_default()
        })
    }

    /// The number of the newest envelope of an account's queue.
    pub fn queue_head(&self, pk: u64) -> Result<i64, SimError> {
        self.shared.look(|world| world.account(pk).map(|account| account.queue.head()))
    }

    /// Makes an account misbehave `times` times.
    pub fn inject(&self, pk: u64, fault: Fault, times: u32) -> Result<(), SimError> {
        self.shared.act(|world| world.account_mut(pk).map(|account| account.faults.add(fault, times, None)))
    }

    /// Like [`Sim::inject`], only for API paths that contain `path`.
    pub fn inject_on(&self, pk: u64, path: &str, fault: Fault, times: u32) -> Result<(), SimError> {
        let path = Some(path.to_owned());
        self.shared.act(|world| world.account_mut(pk).map(|account| account.faults.add(fault, times, path)))
    }

    /// Forgets all faults of an account that have not happened yet.
    pub fn clear_faults(&self, pk: u64) -> Result<(), SimError> {
        self.shared.act(|world| world.account_mut(pk).map(|account| account.faults.clear()))
    }

    /// How many faults of an account have not happened yet.
    pub fn faults_left(&self, pk: u64) -> Result<u64, SimError> {
        self.shared.look(|world| world.account(pk).map(|account| account.faults.left()))
    }

    /// Sets an account's lasting switches.
    pub fn set_options(&self, pk: u64, options: AccountOptions) -> Result<(), SimError> {
        self.shared.act(|world| world.account_mut(pk).map(|account| account.options = options))
    }

    /// Closes an account's realtime connections without a word.
    pub fn cut_connections(&self, pk: u64) -> Result<usize, SimError> {
        self.shared.act(|world| {
            let connections = world.account(pk)?.connections.values();
            Ok(connections.map(|connection| connection.cancel.cancel()).count())
        })
    }

    /// Makes an account's open realtime connections neither read nor write any more, without closing them.
    pub fn stall_connections(&self, pk: u64) -> Result<usize, SimError> {
        self.shared.act(|world| world.order(pk, || Order::Stall))
    }

    /// Ends all sessions of an account: connections close, API calls answer `login_required`.
    pub fn expire_session(&self, pk: u64) -> Result<(), SimError> {
        self.shared.act(|world| world.end_all_sessions(pk))
    }

    /// Forgets all but the newest `keep` envelopes of an account's queue, so that older cursors are refused.
    pub fn trim_queue(&self, pk: u64, keep: usize) -> Result<(), SimError> {
        self.shared.act(|world| world.account_mut(pk).map(|account| account.queue.trim(keep)))
    }

    /// Puts an envelope with one patch into an account's queue; the answer is its number.
    pub fn push_patch(&self, pk: u64, op: &str, path: &str, value: Option<&str>) -> Result<i64, SimError> {
        let data = Patch { op, path, value }.data();
        self.shared.act(|world| world.account_mut(pk).map(|account| account.queue.push(data, None, 0)))
    }

    /// Puts an envelope with these raw patches into an account's queue, whatever they are.
    pub fn push_patches(&self, pk: u64, patches: &[Value]) -> Result<i64, SimError> {
        let data = Value::from(patches).to_string();
        self.shared.act(|world| world.account_mut(pk).map(|account| account.queue.push(data.into(), None, 0)))
    }

    /// Publishes bytes as they are on a topic, to an account's open connections; the answer is their number.
    pub fn push_raw_publish(&self, pk: u64, topic: &str, payload: &[u8]) -> Result<usize, SimError> {
        let order = || Order::Publish { topic: topic.to_owned(), payload: payload.to_vec() };
        self.shared.act(|world| world.order(pk, order))
    }

    /// Publishes text, compressed, on a topic.
    pub fn push_publish(&self, pk: u64, topic: &str, text: &str) -> Result<usize, SimError> {
        self.push_raw_publish(pk, topic, &realtime::deflate(text.as_bytes()))
    }

    /// Writes bytes to the sockets of an account's open connections, outside of any packet.
    pub fn push_raw_bytes(&self, pk: u64, bytes: &[u8]) -> Result<usize, SimError> {
        self.shared.act(|world| world.order(pk, || Order::Raw(bytes.to_vec())))
    }
}
