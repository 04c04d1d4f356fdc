//! What was said before: what is to be fetched of it, and what has to wait meanwhile. The fetching is done by
//! `history/worker.rs`.
//!
//! While the first history of a chat is fetched, what is said there waits, so that the order is kept.

mod report;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::bridge::Bridge;
use crate::config::Requests;
use crate::domain::ids::{LoginId, ThreadId};
use crate::domain::record::{Cursor, History, HistoryKind, NewRow};
use crate::lane::StepError;
use crate::network::{Remote, RemoteError};
use crate::runtime;
use crate::store::StoreError;

use worker::Worker;
pub use worker::fetch;

/// What is being fetched, and by whom.
#[derive(Debug, Default)]
pub struct Histories {
    fetched: Mutex<HashMap<(ThreadId, LoginId), HistoryKind>>,
    working: Mutex<HashMap<LoginId, Arc<Worker>>>,
}

impl Histories {
    /// Whether what a login hears in a chat has to wait until its first history is there.
    pub fn holds(&self, thread: &ThreadId, login: &LoginId) -> bool {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        !fetched.is_empty() && fetched.get(&(thread.clone(), login.clone())) == Some(&HistoryKind::First)
    }

    /// Whether earlier messages of a chat are being fetched for a login.
    pub fn fetches(&self, thread: &ThreadId, login: &LoginId) -> bool {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        !fetched.is_empty() && fetched.contains_key(&(thread.clone(), login.clone()))
    }

    /// Forgets a login that was removed, and ends what is done for it.
    pub fn forget(&self, login: &LoginId) {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, fetched), _| fetched != login);
        if let Some(worker) = self.working.lock().unwrap_or_else(PoisonError::into_inner).remove(login) {
            worker.stop();
        }
    }

    fn hold(&self, histories: &[History]) {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |history: &History| (history.thread.clone(), history.login.clone());
        fetched.extend(histories.iter().map(|history| (place(history), history.kind)));
    }

    fn release(&self, history: &History) {
        let place = (history.thread.clone(), history.login.clone());
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
    }
}

/// Goes on with what a former process was fetching. Before the lanes start.
pub async fn resume(bridge: &Bridge) -> Result<(), StoreError> {
    bridge.histories.hold(&bridge.store.histories().await?);
    Ok(())
}

/// The first cursor of a new login, together with the history it begins with and the message requests that wait.
pub async fn begin_login(bridge: &Arc<Bridge>, remote: &Remote) -> Result<Cursor, BeginError> {
    let login = remote.login();
    let chats = remote.latest_chats(bridge.config.bridge.history_chats).await?;
    let requests = waiting_requests(bridge, remote).await?;
    let wanted = bridge.config.bridge.history_messages.max(0);
    let mut histories = Vec::new();
    for thread in chats.threads.into_iter().filter(|_| wanted > 0) {
        // In the room of a group that another login has brought, this one is only invited.
        let portals = bridge.store.portals_of_thread(&thread).await?;
        let is_there = portals.iter().any(|portal| portal.key.receiver.is_none() && portal.room.is_some());
        let wanted = if is_there { 0 } else { wanted };
        histories.push(first(&thread, login, wanted, chats.until_us));
    }
    // An item with a time in the future must not hide what comes before that.
    let newest_item_us = chats.until_us.min(runtime::now().0.saturating_mul(1000));
    let cursor = Cursor { seq_id: chats.seq_id, snapshot_at_ms: chats.snapshot_at_ms, newest_item_us };
    bridge.histories.hold(&histories);
    let begun = bridge.store.begin_login(login, histories.clone(), requests, &cursor, runtime::now()).await;
    for lane in or_release(bridge, &histories, begun)?.lanes {
        bridge.lanes.wake(bridge, lane);
    }
    Ok(cursor)
}

/// Those who wrote before the login are told of like those who write from now on.
async fn waiting_requests(bridge: &Bridge, remote: &Remote) -> Result<Vec<NewRow>, RemoteError> {
    if bridge.config.bridge.message_requests == Requests::Ignore {
        return Ok(Vec::new());
    }
    match remote.waiting_requests().await {
        Err(error) if error.is_refusal() => {
            tracing::warn!(login = %remote.login(), %error, "waiting message requests could not be fetched");
            Ok(Vec::new())
        }
        requests => requests,
    }
}

/// The newest messages of a chat, up to a time in microseconds.
fn first(thread: &ThreadId, login: &LoginId, wanted: i64, until_us: i64) -> History {
    let (thread, login, kind) = (thread.clone(), login.clone(), HistoryKind::First);
    History { thread, login, kind, wanted, fetched: 0, cursor: None, until_us: Some(until_us) }
}

/// What was not written down holds nothing back.
fn or_release<T>(bridge: &Bridge, histories: &[History], begun: Result<T, StoreError>) -> Result<T, StoreError> {
    if begun.is_err() {
        histories.iter().for_each(|history| bridge.histories.release(history));
    }
    begun
}

async fn begin(bridge: &Arc<Bridge>, history: History) -> Result<(), StoreError> {
    let (login, histories) = (history.login.clone(), [history]);
    bridge.histories.hold(&histories);
    or_release(bridge, &histories, bridge.store.begin_histories(histories.to_vec()).await)?;
    fetch(bridge, &login);
    Ok(())
}

/// Why a login did not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Instagram.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks for messages of a chat from before the oldest one that is there. False when the chat is being fetched already.
pub async fn ask_for_more(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &ThreadId,
    before: Option<String>,
    wanted: i64,
) -> Result<bool, StepError> {
    let is_same = |history: &History| history.thread == *thread && history.login == *login;
    if bridge.store.histories().await?.iter().any(is_same) {
        return Ok(false);
    }
    let (thread, login, kind) = (thread.clone(), login.clone(), HistoryKind::More);
    begin(bridge, History { thread, login, kind, wanted, fetched: 0, cursor: before, until_us: None }).await?;
    Ok(true)
}

/// Asks for the newest messages of a chat that has no room yet; what is said there from now on waits.
pub async fn ask_for_first(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &ThreadId,
    wanted: i64,
) -> Result<(), StepError> {
    // What was heard so far has no place in a room.
    let newest_us = bridge.store.cursor(login).await?.map_or(0, |cursor| cursor.newest_item_us);
    let until_us = newest_us.max(runtime::now().0.saturating_mul(1000));
    begin(bridge, first(thread, login, wanted, until_us)).await?;
    Ok(())
}
