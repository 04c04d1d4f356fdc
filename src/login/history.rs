//! Fetching what was said before: page by page, at an unhurried pace, going on after a restart where it stopped.
//!
//! While the first history of a chat is fetched, what is said there meanwhile waits, so that the order is kept.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::bridge::Bridge;
use crate::command::Progress;
use crate::config::Requests;
use crate::domain::ids::{LaneKey, LoginId, ThreadId};
use crate::domain::record::{Cursor, History, HistoryKind};
use crate::failpoint;
use crate::lane::StepError;
use crate::network::{Page, Remote, RemoteError};
use crate::runtime;
use crate::store::StoreError;

/// Pause after Instagram asked for patience.
const REST: Duration = Duration::from_secs(300);
/// Pause after any other trouble.
const TROUBLE: Duration = Duration::from_secs(20);
/// So often Instagram may answer nonsense before the other chats of the login have their turn.
const REFUSALS: u32 = 10;
/// An import of one chat with more messages than this is worth a report.
const SHORT: i64 = 200;
/// How often the report is renewed.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The chats whose lanes wait, and the logins whose history is being fetched.
#[derive(Debug, Default)]
pub struct Histories {
    held: Mutex<HashSet<(ThreadId, LoginId)>>,
    working: Mutex<HashSet<LoginId>>,
}

impl Histories {
    /// Whether what a login hears in a chat has to wait until its first history is there.
    pub fn holds(&self, thread: &ThreadId, login: &LoginId) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        !held.is_empty() && held.contains(&(thread.clone(), login.clone()))
    }

    /// Forgets a login that was removed.
    pub fn forget(&self, login: &LoginId) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, held)| held != login);
    }

    fn hold(&self, histories: &[History]) {
        let first = histories.iter().filter(|history| history.kind == HistoryKind::First);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend(first.map(|history| (history.thread.clone(), history.login.clone())));
    }

    fn release(&self, history: &History) {
        let place = (history.thread.clone(), history.login.clone());
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
    }

    fn enter(&self, login: &LoginId) -> bool {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).insert(login.clone())
    }

    fn leave(&self, login: &LoginId) {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).remove(login);
    }
}

/// Goes on with what a former process was fetching. Before the lanes start.
pub async fn resume(bridge: &Bridge) -> Result<(), StoreError> {
    bridge.histories.hold(&bridge.store.histories().await?);
    Ok(())
}

/// The first cursor of a new login, together with the history it begins with.
pub async fn begin_login(bridge: &Arc<Bridge>, remote: &Remote) -> Result<Cursor, BeginError> {
    let login = remote.login();
    let chats = remote.latest_chats(bridge.config.bridge.history_chats).await?;
    let wanted = bridge.config.bridge.history_messages.max(0);
    let mut histories = Vec::new();
    for thread in chats.threads.into_iter().filter(|_| wanted > 0) {
        // In the room of a group that another login has brought, this one is only invited.
        let portals = bridge.store.portals_of_thread(&thread).await?;
        let is_there = portals.iter().any(|portal| portal.key.receiver.is_none() && portal.room.is_some());
        let (login, wanted) = (login.clone(), if is_there { 0 } else { wanted });
        histories.push(History { thread, login, kind: HistoryKind::First, wanted, fetched: 0, cursor: None });
    }
    let newest_item_us = runtime::now().0.saturating_mul(1000);
    let cursor = Cursor { seq_id: chats.seq_id, snapshot_at_ms: chats.snapshot_at_ms, newest_item_us };
    bridge.histories.hold(&histories);
    bridge.store.begin_login(login, histories, &cursor).await?;
    if bridge.config.bridge.message_requests != Requests::Ignore {
        // Those who wrote before are told of like those who write from now on.
        match remote.waiting_requests().await {
            Ok(rows) => {
                let accepted = bridge.store.accept_batch(login, rows, &cursor, runtime::now()).await?;
                for lane in accepted.lanes {
                    bridge.lanes.wake(bridge, lane);
                }
            }
            Err(error) => tracing::warn!(%login, %error, "waiting message requests could not be fetched"),
        }
    }
    Ok(cursor)
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
    let history = History {
        thread: thread.clone(),
        login: login.clone(),
        kind: HistoryKind::More,
        wanted,
        fetched: 0,
        cursor: before,
    };
    bridge.store.begin_histories(vec![history]).await?;
    fetch(bridge, login);
    Ok(true)
}

/// Asks for the newest messages of a chat that has no room yet; what is said there meanwhile waits.
pub async fn ask_for_first(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &ThreadId,
    wanted: i64,
) -> Result<(), StepError> {
    let (thread, login, kind) = (thread.clone(), login.clone(), HistoryKind::First);
    let histories = vec![History { thread, login: login.clone(), kind, wanted, fetched: 0, cursor: None }];
    bridge.histories.hold(&histories);
    bridge.store.begin_histories(histories).await?;
    fetch(bridge, &login);
    Ok(())
}

/// Fetches the history of a login in the background, unless that is done already.
pub fn fetch(bridge: &Arc<Bridge>, login: &LoginId) {
    if !bridge.histories.enter(login) {
        return;
    }
    let (task, login) = (Arc::clone(bridge), login.clone());
    bridge.tasks.spawn("history", async move {
        let mut report = Report::begin(&task, &login).await;
        while let Some(history) = next(&task, &login).await {
            tokio::select! {
                () = work(&task, history, &mut report) => report.chats += 1,
                () = task.tasks.shutdown().cancelled() => break,
            }
        }
        task.histories.leave(&login);
        if !task.tasks.is_ending() {
            report.end(&task).await;
        }
    });
}

/// What the owner is told of a long import.
struct Report {
    progress: Option<Progress>,
    told_at: Instant,
    waiting: usize,
    chats: usize,
    items: i64,
}

impl Report {
    async fn begin(bridge: &Bridge, login: &LoginId) -> Self {
        let histories = bridge.store.histories().await.unwrap_or_default();
        let own: Vec<&History> = histories.iter().filter(|history| history.login == *login).collect();
        let is_long = own.len() > 1 || own.iter().any(|history| history.wanted > SHORT);
        let mut report = Self { progress: None, told_at: Instant::now(), waiting: own.len(), chats: 0, items: 0 };
        if is_long {
            report.progress = Progress::begin(bridge, login, &report.text()).await;
        }
        report
    }

    fn text(&self) -> String {
        let Self { waiting, chats, items, .. } = self;
        format!(
            "Fetching earlier messages of {waiting} chats: {chats} done, {items} messages. You are invited to each when it is there."
        )
    }

    async fn note(&mut self, bridge: &Bridge, items: i64) {
        self.items = self.items.saturating_add(items);
        if self.told_at.elapsed() >= REPORT_EVERY {
            self.told_at = Instant::now();
            let text = self.text();
            if let Some(progress) = &mut self.progress {
                progress.update(bridge, &text).await;
            }
        }
    }

    async fn end(mut self, bridge: &Bridge) {
        let Self { chats, items, .. } = self;
        if let Some(progress) = &mut self.progress {
            let text = format!("{items} earlier messages of {chats} chats have been fetched; their rooms fill up now.");
            progress.update(bridge, &text).await;
        }
    }
}

async fn next(bridge: &Bridge, login: &LoginId) -> Option<History> {
    match bridge.store.histories().await {
        Ok(histories) => histories.into_iter().find(|history| history.login == *login),
        Err(error) => {
            tracing::error!(%error, "cannot read what history is to be fetched");
            None
        }
    }
}

/// Fetches all pages of one chat. Trouble is waited for; a chat that Instagram does not hand out has no history.
async fn work(bridge: &Arc<Bridge>, mut history: History, report: &mut Report) {
    let mut refusals = 0;
    loop {
        let before = history.fetched;
        let step = page(bridge, &mut history).await;
        let is_last = matches!(step, Ok(true));
        report.note(bridge, history.fetched - before).await;
        let pause = match step {
            Ok(_) => bridge.config.bridge.history_pause.get(),
            Err(BeginError::Remote(RemoteError::RateLimited(after))) => after.max(REST),
            Err(BeginError::Remote(error)) if error.is_transient() && refusals < REFUSALS => {
                if matches!(bridge.store.login(&history.login).await, Ok(None)) {
                    return;
                }
                refusals += u32::from(error.is_nonsense());
                tracing::info!(login = %history.login, %error, "history waits");
                TROUBLE
            }
            Err(BeginError::Remote(error)) => {
                tracing::warn!(login = %history.login, %error, "this chat has no history");
                if finish(bridge, &history).await.is_ok() {
                    break;
                }
                TROUBLE
            }
            Err(BeginError::Store(error)) => {
                tracing::error!(%error, "history could not be stored");
                TROUBLE
            }
        };
        if !pause.is_zero() {
            tokio::time::sleep(runtime::with_jitter(pause, bridge.config.jitter())).await;
        }
        if is_last {
            break;
        }
    }
}

/// Fetches and stores the next page. True when it was the last.
async fn page(bridge: &Arc<Bridge>, history: &mut History) -> Result<bool, BeginError> {
    let remote = match bridge.remote(&history.login).await {
        Ok(remote) => remote,
        Err(StepError::Remote { error, .. }) => return Err(error.into()),
        Err(_) => return Err(RemoteError::NotConnected.into()),
    };
    let is_first = history.fetched == 0;
    let left = history.wanted.saturating_sub(history.fetched);
    let Page { mut rows, items, next, end } =
        remote.history_page(&history.thread, history.cursor.clone(), left).await?;
    if is_first {
        rows.insert(0, end);
    }
    let before = history.cursor.clone();
    let moved = History { cursor: next, fetched: history.fetched.saturating_add(items), ..history.clone() };
    bridge.store.add_history_page(&moved, rows).await?;
    failpoint::hit("history-after-page");
    *history = moved;
    // The first message may come again and again at the end.
    if items == 0 || items >= left || history.cursor.is_none() || history.cursor == before {
        finish(bridge, history).await?;
        return Ok(true);
    }
    Ok(false)
}

async fn finish(bridge: &Arc<Bridge>, history: &History) -> Result<(), BeginError> {
    bridge.store.finish_history(&history.thread, &history.login, runtime::now()).await?;
    failpoint::hit("history-after-finish");
    bridge.histories.release(history);
    bridge.lanes.wake(bridge, LaneKey::incoming(&history.thread));
    bridge.lanes.hurry();
    Ok(())
}
