//! The task that fetches the histories of one login: page by page, at an unhurried pace, going on after a restart where it
//! stopped. Trouble is waited for; only what Instagram clearly does not hand out stays away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::report::Report;
use super::{BeginError, Histories};
use crate::bridge::Bridge;
use crate::domain::ids::{LaneKey, LoginId};
use crate::domain::record::{History, NewRow};
use crate::lane::StepError;
use crate::network::{Page, Remote, RemoteError};
use crate::{failpoint, runtime};

/// Pause after Instagram asked for patience.
const REST: Duration = Duration::from_secs(300);
/// Pause after Instagram blocked the account's requests: repeating them is what gets accounts flagged.
const LONG_REST: Duration = Duration::from_secs(900);
/// Pause after any other trouble.
const TROUBLE: Duration = Duration::from_secs(20);
/// So often in a row Instagram may answer nonsense before it is asked whether that is about this chat.
const REFUSALS: u32 = 10;

/// One task.
#[derive(Debug)]
pub(super) struct Worker {
    /// There may be more to be fetched than it knows.
    again: AtomicBool,
    stop: CancellationToken,
}

impl Worker {
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Histories {
    /// The worker that is to do a login's work; none if one does it, which then looks again.
    fn enter(&self, shutdown: &CancellationToken, login: &LoginId) -> Option<Arc<Worker>> {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = working.get(login) {
            worker.again.store(true, Ordering::Release);
            return None;
        }
        let worker = Arc::new(Worker { again: AtomicBool::new(false), stop: shutdown.child_token() });
        working.insert(login.clone(), Arc::clone(&worker));
        Some(worker)
    }

    /// Ends a worker's turn; false if there may be more to do. Under the lock that `enter` takes, so that nothing asked
    /// for in between is overlooked.
    fn leave(&self, login: &LoginId, worker: &Arc<Worker>) -> bool {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        // After a removal the place may be another's.
        if !working.get(login).is_some_and(|other| Arc::ptr_eq(other, worker)) {
            return true;
        }
        if worker.again.swap(false, Ordering::AcqRel) && !worker.stop.is_cancelled() {
            return false;
        }
        working.remove(login);
        true
    }
}

/// Fetches the history of a login in the background, unless that is done already.
pub fn fetch(bridge: &Arc<Bridge>, login: &LoginId) {
    let Some(worker) = bridge.histories.enter(bridge.tasks.shutdown(), login) else { return };
    let (task, login) = (Arc::clone(bridge), login.clone());
    bridge.tasks.spawn("history", async move {
        loop {
            tokio::select! {
                () = fetch_all(&task, &login) => {}
                () = worker.stop.cancelled() => {}
            }
            if task.histories.leave(&login, &worker) {
                break;
            }
        }
    });
}

async fn fetch_all(bridge: &Arc<Bridge>, login: &LoginId) {
    let mut report = Report::begin(bridge, login).await;
    while let Some(history) = next(bridge, login).await {
        bridge.histories.hold(std::slice::from_ref(&history));
        fetch_one(bridge, history, &mut report).await;
    }
    report.end(bridge).await;
}

async fn next(bridge: &Bridge, login: &LoginId) -> Option<History> {
    loop {
        match bridge.store.histories().await {
            Ok(histories) => return histories.into_iter().find(|history| history.login == *login),
            Err(error) => {
                tracing::error!(%error, "cannot read what history is to be fetched");
                tokio::time::sleep(TROUBLE).await;
            }
        }
    }
}

/// Fetches all pages of one chat.
async fn fetch_one(bridge: &Arc<Bridge>, mut history: History, report: &mut Report) {
    let mut refusals = 0;
    loop {
        let before = history.fetched;
        let outcome = page(bridge, &mut history).await;
        report.note(bridge, history.fetched - before).await;
        let (is_over, pause) = match outcome {
            Ok(is_last) => {
                refusals = 0;
                (is_last, bridge.config.bridge.history_pause.get())
            }
            Err(BeginError::Store(error)) => {
                tracing::error!(%error, "history could not be stored");
                (false, TROUBLE)
            }
            Err(BeginError::Remote(error)) => {
                tracing::info!(login = %history.login, %error, "history has to wait");
                if matches!(bridge.store.login(&history.login).await, Ok(None)) {
                    return;
                }
                refusals += u32::from(error.is_nonsense());
                match judge(bridge, &history, &error, refusals).await {
                    Trouble::Wait(pause) => {
                        if pause >= REST {
                            report.rest(bridge).await;
                        }
                        (false, pause)
                    }
                    Trouble::Refused => {
                        tracing::warn!(login = %history.login, %error, "no more history of this chat");
                        if end(bridge, &history, Vec::new()).await.is_ok() {
                            return report.refused();
                        }
                        (false, TROUBLE)
                    }
                }
            }
        };
        if is_over {
            report.finished();
        }
        if !pause.is_zero() {
            tokio::time::sleep(runtime::with_jitter(pause, bridge.config.jitter())).await;
        }
        if is_over {
            return;
        }
    }
}

/// What trouble with a page means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// It may pass.
    Wait(Duration),
    /// It is about this chat, and will not pass.
    Refused,
}

/// `refusals` counts answers in a row that made no sense, this one included.
async fn judge(bridge: &Bridge, history: &History, error: &RemoteError, refusals: u32) -> Trouble {
    match error {
        RemoteError::RateLimited(after) => Trouble::Wait((*after).max(REST)),
        error if error.is_block() => Trouble::Wait(LONG_REST),
        error if error.is_refusal() => Trouble::Refused,
        // An outage passes. If everything else works, there is something about this chat.
        _ if refusals >= REFUSALS => match remote(bridge, history).await {
            Ok(remote) if remote.verify().await.is_ok() => Trouble::Refused,
            _ => Trouble::Wait(REST),
        },
        _ => Trouble::Wait(TROUBLE),
    }
}

async fn remote(bridge: &Bridge, history: &History) -> Result<Remote, RemoteError> {
    match bridge.remote(&history.login).await {
        Ok(remote) => Ok(remote),
        Err(StepError::Remote { error, .. }) => Err(error),
        Err(_) => Err(RemoteError::NotConnected),
    }
}

/// Fetches and stores the next page. True when it was the last.
async fn page(bridge: &Arc<Bridge>, history: &mut History) -> Result<bool, BeginError> {
    if history.fetched > 0 && history.cursor.is_none() {
        // A former version stored the last page by itself.
        end(bridge, history, Vec::new()).await?;
        return Ok(true);
    }
    let Page { mut rows, items, next, end: last_row } = remote(bridge, history).await?.history_page(history).await?;
    let moved = History { fetched: history.fetched.saturating_add(items), cursor: next, ..history.clone() };
    let is_last = moved.cursor.is_none() || moved.fetched >= moved.wanted;
    if history.fetched == 0 && (items > 0 || is_last) {
        rows.insert(0, last_row);
    }
    if is_last {
        end(bridge, &moved, rows).await?;
    } else {
        bridge.store.add_history_page(&moved, rows).await?;
        failpoint::hit("history-after-page");
    }
    *history = moved;
    Ok(is_last)
}

/// Stores the last page, and has all of them brought into the room.
async fn end(bridge: &Arc<Bridge>, history: &History, rows: Vec<NewRow>) -> Result<(), BeginError> {
    bridge.store.end_history(history, rows, runtime::now()).await?;
    failpoint::hit("history-after-page");
    failpoint::hit("history-after-finish");
    bridge.histories.release(history);
    bridge.lanes.wake(bridge, LaneKey::incoming(&history.thread));
    bridge.lanes.hurry();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_while_a_worker_ends_is_not_overlooked() {
        let (histories, shutdown, login) = (Histories::default(), CancellationToken::new(), LoginId::new("1"));
        let worker = histories.enter(&shutdown, &login).unwrap();
        assert!(histories.enter(&shutdown, &login).is_none(), "one worker is enough");
        assert!(!histories.leave(&login, &worker), "it has to look again");
        assert!(histories.leave(&login, &worker));
        assert!(histories.enter(&shutdown, &login).is_some());
    }

    #[test]
    fn the_worker_of_a_removed_login_is_in_nobodys_way() {
        let (histories, shutdown, login) = (Histories::default(), CancellationToken::new(), LoginId::new("1"));
        let worker = histories.enter(&shutdown, &login).unwrap();
        histories.forget(&login);
        assert!(worker.stop.is_cancelled());
        let next = histories.enter(&shutdown, &login).unwrap();
        assert!(histories.leave(&login, &worker));
        assert!(histories.enter(&shutdown, &login).is_none(), "its successor works");
        assert!(!next.stop.is_cancelled());
    }
}
