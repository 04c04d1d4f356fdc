//! Everything the simulated Instagram knows: accounts, threads, items and each user's queue.
//!
//! Plain data behind one lock; no sockets. The API and the realtime server both work on it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod identifiers;
pub(crate) mod item;
pub(crate) mod queue;
pub(crate) mod reaction;
pub(crate) mod send;
pub(crate) mod thread;
pub(crate) mod upload;
pub(crate) mod view;

use self::{identifiers::Identifiers, queue::Queue, thread::Thread, upload::Uploads};
use crate::{
    cdn::Cdn,
    connection::{ConnectionInfo, Order},
    error::SimError,
    fault::{Fault, Faults, Stage},
    options::{AccountOptions, SimOptions},
};

pub(crate) struct World {
    pub(crate) accounts: HashMap<u64, Account>,
    pub(crate) names: HashMap<String, u64>,
    /// Decoded session id to the account it belongs to.
    pub(crate) sessions: HashMap<String, u64>,
    pub(crate) threads: HashMap<String, Thread>,
    pub(crate) uploads: Uploads,
    pub(crate) ids: Identifiers,
    pub(crate) cdn: Cdn,
    /// Posts, reels and stories that can be asked for, by their number.
    pub(crate) posts: HashMap<String, Value>,
    pub(crate) retention: usize,
    pub(crate) announce_threads: bool,
    pub(crate) edits_add_history: bool,
    pub(crate) items_accepted: u64,
    pub(crate) duplicates_refused: u64,
    pub(crate) connections_opened: u64,
}

pub(crate) struct Account {
    pub(crate) pk: u64,
    pub(crate) username: String,
    pub(crate) full_name: String,
    pub(crate) picture_version: u32,
    pub(crate) options: AccountOptions,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) queue: Queue,
    pub(crate) faults: Faults,
    /// What this account sent: (thread, client context) to the item.
    pub(crate) sent: HashMap<(String, String), String>,
    pub(crate) threads: HashSet<String>,
    pub(crate) connections: BTreeMap<u64, Connection>,
}

/// One open realtime connection, as the world sees it.
pub(crate) struct Connection {
    pub(crate) session: String,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) cancel: CancellationToken,
    pub(crate) info: std::sync::Arc<ConnectionInfo>,
}

/// A logged-in device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    pub(crate) answers: u32,
    /// The extra field of the newest `ig-set-authorization`, and whether the client has used it.
    pub(crate) rotation: Option<(String, bool)>,
    /// The session id that ends when this one is first used.
    pub(crate) replaces: Option<String>,
}

impl World {
    pub(crate) fn new(options: &SimOptions) -> World {
        World {
            accounts: HashMap::new(),
            names: HashMap::new(),
            sessions: HashMap::new(),
            threads: HashMap::new(),
            uploads: Uploads::default(),
            ids: Identifiers::new(),
            cdn: Cdn::default(),
            posts: HashMap::new(),
            retention: options.retention,
            announce_threads: options.announce_threads,
            edits_add_history: options.edits_add_history,
            items_accepted: 0,
            duplicates_refused: 0,
            connections_opened: 0,
        }
    }

    pub(crate) fn account(&self, pk: u64) -> Result<&Account, SimError> {
        self.accounts.get(&pk).ok_or(SimError::UnknownAccount(pk))
    }

    pub(crate) fn account_mut(&mut self, pk: u64) -> Result<&mut Account, SimError> {
        self.accounts.get_mut(&pk).ok_or(SimError::UnknownAccount(pk))
    }

    pub(crate) fn thread(&self, id: &str) -> Result<&Thread, SimError> {
        self.threads.get(id).ok_or_else(|| SimError::UnknownThread(id.to_owned()))
    }

    /// A thread that `pk` is a member of.
    pub(crate) fn thread_of(&self, id: &str, pk: u64) -> Result<&Thread, SimError> {
        let thread = self.thread(id)?;
        if thread.members.contains(&pk) { Ok(thread) } else { Err(SimError::NotAMember(pk)) }
    }

    pub(crate) fn create_account(
        &mut self,
        username: &str,
        full_name: &str,
        pk: Option<u64>,
        sessionid: Option<String>,
    ) -> Result<(u64, String), SimError> {
        if self.names.contains_key(username) {
            return Err(SimError::NameTaken(username.to_owned()));
        }
        let pk = pk.unwrap_or_else(|| self.ids.account());
        if self.accounts.contains_key(&pk) {
            return Err(SimError::NameTaken(pk.to_string()));
        }
        let account = Account {
            pk,
            username: username.to_owned(),
            full_name: full_name.to_owned(),
            picture_version: 1,
            options: AccountOptions::default(),
            sessions: HashMap::new(),
            queue: Queue::new(self.retention),
            faults: Faults::default(),
            sent: HashMap::new(),
            threads: HashSet::new(),
            connections: BTreeMap::new(),
        };
        self.accounts.insert(pk, account);
        self.names.insert(username.to_owned(), pk);
        let sessionid = self.create_session(pk, sessionid)?;
        Ok((pk, sessionid))
    }

    /// Opens a session; the answer is the cookie's value, percent-encoded as browsers show it.
    pub(crate) fn create_session(&mut self, pk: u64, sessionid: Option<String>) -> Result<String, SimError> {
        let sessionid = sessionid.unwrap_or_else(|| self.ids.sessionid(pk));
        let plain = decode_percent(&sessionid);
        self.account_mut(pk)?.sessions.insert(plain.clone(), Session::default());
        self.sessions.insert(plain, pk);
        Ok(sessionid)
    }

    /// The account and the decoded session id behind what a client presents.
    pub(crate) fn session(&self, presented: &str) -> Option<(u64, String)> {
        let plain = decode_percent(presented);
        let pk = *self.sessions.get(&plain)?;
        Some((pk, plain))
    }

    /// Ends a session: its connections close, later calls answer `login_required`.
    pub(crate) fn end_session(&mut self, plain: &str) {
        let Some(pk) = self.sessions.remove(plain) else { return };
        if let Some(account) = self.accounts.get_mut(&pk) {
            account.sessions.remove(plain);
            for connection in account.connections.values().filter(|connection| connection.session == plain) {
                connection.cancel.cancel();
            }
        }
    }

    pub(crate) fn end_all_sessions(&mut self, pk: u64) -> Result<(), SimError> {
        let all: Vec<String> = self.account(pk)?.sessions.keys().cloned().collect();
        for plain in all {
            self.end_session(&plain);
        }
        Ok(())
    }

    pub(crate) fn take_fault(&mut self, pk: u64, stage: Stage, path: &str) -> Option<Fault> {
        self.accounts.get_mut(&pk)?.faults.take(stage, path)
    }

    pub(crate) fn create_thread(&mut self, members: &[u64], title: Option<&str>) -> Result<String, SimError> {
        let mut unique: Vec<u64> = Vec::new();
        for pk in members {
            self.account(*pk)?;
            if !unique.contains(pk) {
                unique.push(*pk);
            }
        }
        let Some(inviter) = unique.first().copied() else {
            return Err(SimError::Invalid("a thread needs members".into()));
        };
        let is_group = unique.len() > 2 || title.is_some();
        if !is_group && let Some(existing) = self.direct_thread(&unique) {
            return Ok(existing);
        }
        let (id, v2_id) = self.ids.thread();
        let pending_for = unique
            .iter()
            .filter(|pk| **pk != inviter && self.accounts.get(pk).is_some_and(|who| who.options.requests_are_pending))
            .copied()
            .collect();
        for pk in &unique {
            self.account_mut(*pk)?.threads.insert(id.clone());
        }
        let mut thread = Thread::new(id.clone(), v2_id, unique, self.ids.timestamp_us());
        thread.title = title.filter(|title| !title.is_empty()).map(str::to_owned);
        thread.is_group = is_group;
        thread.pending_for = pending_for;
        if is_group {
            thread.admins.insert(inviter);
        }
        self.threads.insert(id.clone(), thread);
        Ok(id)
    }

    /// The one-to-one thread of exactly these people, if they have one.
    pub(crate) fn direct_thread(&self, members: &[u64]) -> Option<String> {
        let first = self.accounts.get(members.first()?)?;
        let same = |thread: &&Thread| {
            !thread.is_group
                && thread.members.len() == members.len()
                && members.iter().all(|pk| thread.members.contains(pk))
        };
        first.threads.iter().filter_map(|id| self.threads.get(id)).find(same).map(|thread| thread.id.clone())
    }

    /// A number for a new realtime connection.
    pub(crate) fn next_connection(&mut self) -> u64 {
        self.connections_opened += 1;
        self.connections_opened
    }

    /// Gives an order to every open connection of an account.
    pub(crate) fn order(&self, pk: u64, order: impl Fn() -> Order) -> Result<usize, SimError> {
        let connections = self.account(pk)?.connections.values();
        Ok(connections.filter(|connection| connection.orders.try_send(order()).is_ok()).count())
    }

    /// Shows the other members that somebody types.
    pub(crate) fn show_typing(&mut self, sender: u64, id: &str, active: bool) -> Result<(), SimError> {
        let at_us = self.ids.timestamp_us();
        for pk in &self.thread_of(id, sender)?.members {
            self.order(*pk, || Order::Typing { thread: id.to_owned(), sender, active, at_us })?;
        }
        Ok(())
    }
}

/// `%3A` and its like decoded; anything else as it is.
pub(crate) fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if bytes[at] == b'%' => {
                plain.push(value);
                at += 3;
            }
            _ => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}
