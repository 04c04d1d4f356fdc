//! Keeps one login connected: listen, store, confirm; on trouble wait and resume from the stored cursor; on a dead
//! session stop and tell the user what to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::history::{self, BeginError};
use super::{Running, Status};
use crate::bridge::Bridge;
use crate::domain::ids::{LoginId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{Cursor, LoginState};
use crate::network::{Batch, RemoteError, SessionEnd, SessionEvent};
use crate::portal::ephemeral;
use crate::{command, failpoint, inbox, runtime};

/// A connection that held this long starts the back-off anew.
const STABLE: Duration = Duration::from_secs(300);

/// Least pause of a reconciliation when Instagram asks for patience.
const REST: Duration = Duration::from_secs(60);
/// Likewise when Instagram blocks the account's requests.
const LONG_REST: Duration = Duration::from_secs(900);
/// Microseconds before the newest known item that a reconciliation looks back: items are not strictly in order.
const OVERLAP_US: i64 = 600 * 1_000_000;

/// Pauses before and between the questions for what could not be read: one broken payload is no reason to ask often.
const GAP_DELAY: Duration = Duration::from_secs(2);
const GAP_PAUSE: Duration = Duration::from_secs(300);

/// Runs until the login is stopped or its session is dead.
pub(super) async fn supervise(bridge: &Arc<Bridge>, running: &Arc<Running>) {
    let login = running.remote.login().clone();
    let span = tracing::info_span!("login", id = %login);
    supervise_inner(bridge, running, &login).instrument(span).await;
}

async fn supervise_inner(bridge: &Arc<Bridge>, running: &Arc<Running>, login: &LoginId) {
    let mut attempt = 0_u32;
    loop {
        running.set_status(Status::Connecting);
        let started = Instant::now();
        let end = tokio::select! {
            end = run(bridge, running) => end,
            () = running.stop.cancelled() => return save_session(bridge, running).await,
        };
        save_session(bridge, running).await;
        let end = match end {
            SessionEnd::Doubtful => verify(running).await,
            other => other,
        };
        match end {
            SessionEnd::LoggedOut => {
                let reason = "Instagram ended the session.";
                return stop(
                    bridge,
                    running,
                    login,
                    LoginState::LoggedOut,
                    reason,
                    "send `login` with a fresh session.",
                )
                .await;
            }
            SessionEnd::ActionRequired(demand) => {
                let (reason, hint) = demand.explain();
                return stop(bridge, running, login, LoginState::ActionRequired, reason, hint).await;
            }
            SessionEnd::Transport(reason) => {
                attempt = if started.elapsed() > STABLE { 1 } else { attempt.saturating_add(1) };
                let pause = runtime::with_jitter(backoff(bridge, attempt), bridge.config.jitter());
                tracing::warn!(attempt, %reason, pause = ?pause, "connection lost");
                running.set_status(Status::Waiting(reason));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = running.again.notified() => attempt = 0,
                    () = running.stop.cancelled() => return,
                }
            }
            SessionEnd::Doubtful => {}
        }
    }
}

/// 0, then the configured floor doubling up to a minute.
fn backoff(bridge: &Bridge, attempt: u32) -> Duration {
    let floor = bridge.config.reconnect_floor();
    if attempt <= 1 {
        floor.min(Duration::from_millis(250))
    } else {
        (floor * 2_u32.pow(attempt.min(8) - 2)).min(Duration::from_secs(60))
    }
}

/// The broker refused the session: only HTTP can tell whether it is dead.
async fn verify(running: &Running) -> SessionEnd {
    match running.remote.verify().await {
        Ok(()) => SessionEnd::Transport("the realtime server refused a session that is alive".into()),
        Err(error) => error.into(),
    }
}

async fn stop(bridge: &Arc<Bridge>, running: &Running, login: &LoginId, state: LoginState, reason: &str, hint: &str) {
    tracing::error!(?state, %reason, "login stopped");
    running.set_status(Status::Stopped(reason.to_owned()));
    if let Err(error) = bridge.store.set_login_state(login, state, Some(reason)).await {
        tracing::error!(%error, "cannot store the login's state");
    }
    command::tell_owner(bridge, login, &Notice::new(format!("Your Instagram login stopped: {reason}")).with_hint(hint))
        .await;
}

/// One connection, from the stored cursor to its end.
async fn run(bridge: &Arc<Bridge>, running: &Arc<Running>) -> SessionEnd {
    let remote = &running.remote;
    let cursor = match stored_cursor(bridge, running).await {
        Ok(cursor) => cursor,
        Err(end) => return end,
    };
    let (mut events, driver) = match bridge.network.open(remote, cursor).await {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    bridge.tasks.spawn("realtime", driver);
    let mut save = tokio::time::interval(Duration::from_secs(30));
    let mut refused = false;
    let mut filled_at: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = remote.doubted() => match verify_alive(running).await {
                Ok(()) => continue,
                Err(end) => return end,
            },
            _ = save.tick() => {
                save_session(bridge, running).await;
                look_for_gap(bridge, running, &mut filled_at);
                continue;
            }
        };
        match event {
            SessionEvent::Subscribed => {
                refused = false;
                tracing::info!("connected");
                running.set_status(Status::Connected);
                bridge.lanes.hurry();
                history::fetch(bridge, remote.login());
            }
            SessionEvent::Batch(batch) => {
                if let Err(end) = store(bridge, remote.login(), &batch).await {
                    return end;
                }
                if batch.has_gap {
                    running.has_gap.store(true, Ordering::Release);
                }
                events.confirm(batch);
                look_for_gap(bridge, running, &mut filled_at);
            }
            SessionEvent::Typing(notice) => ephemeral::typing_on_instagram(bridge, remote.login(), notice),
            SessionEvent::CursorRefused(reason) if refused => {
                return SessionEnd::Transport(format!("the cursor was refused again after a reconciliation: {reason}"));
            }
            SessionEvent::CursorRefused(reason) => {
                refused = true;
                tracing::warn!(%reason, "cursor refused; reconciling over HTTP");
                running.set_status(Status::Reconciling);
                match reconcile(bridge, running).await {
                    Ok(cursor) => events.resume_from(cursor),
                    Err(end) => return end,
                }
            }
            SessionEvent::Ended(end) => return end,
        }
    }
}

/// The stored cursor; for a new login, where Instagram's queue stands now: what came before is history.
async fn stored_cursor(bridge: &Arc<Bridge>, running: &Running) -> Result<Cursor, SessionEnd> {
    let login = running.remote.login();
    let stored = bridge.store.cursor(login).await.map_err(|error| SessionEnd::Transport(error.to_string()))?;
    if let Some(cursor) = stored {
        return Ok(cursor);
    }
    history::begin_login(bridge, &running.remote).await.map_err(|error| match error {
        BeginError::Remote(error) => error.into(),
        BeginError::Store(error) => SessionEnd::Transport(error.to_string()),
    })
}

/// Rows and cursor in one commit, then the lanes are woken.
async fn store(bridge: &Arc<Bridge>, login: &LoginId, batch: &Batch) -> Result<(), SessionEnd> {
    while !inbox::has_room(bridge, Duration::from_secs(60)).await {
        if bridge.tasks.is_ending() {
            return Err(SessionEnd::Transport("shutting down".into()));
        }
    }
    failpoint::hit("batch-before-commit");
    let accepted = bridge.store.accept_batch(login, batch.rows.clone(), &batch.cursor, runtime::now()).await;
    let accepted = accepted.map_err(|error| {
        tracing::error!(%error, "batch could not be stored");
        SessionEnd::Transport("the database did not take what came".into())
    })?;
    failpoint::hit("batch-after-commit");
    for lane in accepted.lanes {
        bridge.lanes.wake(bridge, lane);
    }
    Ok(())
}

/// Fetches what was missed and takes a new cursor, in one commit.
async fn reconcile(bridge: &Arc<Bridge>, running: &Running) -> Result<Cursor, SessionEnd> {
    let login = running.remote.login();
    let trouble = |error: crate::store::StoreError| SessionEnd::Transport(error.to_string());
    let old = bridge.store.cursor(login).await.map_err(trouble)?;
    let since = bridge.store.login(login).await.map_err(trouble)?.map_or(Timestamp(0), |login| login.created_at);
    let newest = old.map_or(0, |cursor| cursor.newest_item_us);
    let since_us = newest.saturating_sub(OVERLAP_US).max(since.0.saturating_mul(1000));
    let missed = match running.remote.missed(since_us).await {
        Err(error) if error.is_block() || matches!(error, RemoteError::RateLimited(_)) => {
            // A burst that is repeated at once is what limits are for.
            let rest = match &error {
                RemoteError::RateLimited(after) => (*after).max(REST),
                _ => LONG_REST,
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = bridge.tasks.shutdown().cancelled() => {}
            }
            return Err(error.into());
        }
        missed => missed?,
    };
    let cursor = Cursor {
        seq_id: missed.seq_id,
        snapshot_at_ms: missed.snapshot_at_ms,
        newest_item_us: missed.newest_us.max(newest),
    };
    let looks = missed.rows.len() - missed.found;
    let accepted =
        bridge.store.accept_reconciled(login, missed.rows, &cursor, runtime::now()).await.map_err(trouble)?;
    let found = accepted.new.saturating_sub(looks);
    tracing::info!(found, "reconciled");
    if found > 0 {
        let text = format!(
            "The connection was away for longer than Instagram keeps messages ready. {found} messages were missed; they \
             were fetched and appear in their order."
        );
        command::tell_owner(bridge, login, &Notice::new(text)).await;
    }
    for lane in accepted.lanes {
        bridge.lanes.wake(bridge, lane);
    }
    Ok(cursor)
}

/// Something could not be read: asked for at once, and again after a while when more of it came or that failed.
fn look_for_gap(bridge: &Arc<Bridge>, running: &Arc<Running>, filled_at: &mut Option<Instant>) {
    if filled_at.is_none_or(|at| at.elapsed() > GAP_PAUSE) && running.has_gap.swap(false, Ordering::AcqRel) {
        *filled_at = Some(Instant::now());
        fill_gap(bridge, running);
    }
}

/// Asks over HTTP for what an unreadable piece of the queue may have said.
fn fill_gap(bridge: &Arc<Bridge>, running: &Arc<Running>) {
    let (task, running) = (Arc::clone(bridge), Arc::clone(running));
    bridge.tasks.spawn("gap", async move {
        tokio::time::sleep(GAP_DELAY).await;
        let login = running.remote.login();
        let filled = async {
            let Some(cursor) = task.store.cursor(login).await? else { return Ok(0) };
            let login_at = task.store.login(login).await?.map_or(Timestamp(0), |login| login.created_at);
            let since_us = cursor.newest_item_us.saturating_sub(OVERLAP_US).max(login_at.0.saturating_mul(1000));
            let missed = running.remote.missed(since_us).await?;
            let found = missed.found;
            // The same cursor: only the rows are wanted.
            let accepted = task.store.accept_batch(login, missed.rows, &cursor, runtime::now()).await?;
            for lane in accepted.lanes {
                task.lanes.wake(&task, lane);
            }
            Ok::<usize, BeginError>(found)
        };
        match filled.await {
            Ok(found) => tracing::info!(%login, found, "asked for what could not be read"),
            Err(error) => {
                tracing::warn!(%login, %error, "what could not be read could not be asked for");
                running.has_gap.store(true, Ordering::Release);
            }
        }
    });
}

/// A request made the session look dead: end the connection only if it is.
async fn verify_alive(running: &Running) -> Result<(), SessionEnd> {
    match running.remote.verify().await {
        Err(error @ (RemoteError::LoggedOut | RemoteError::ActionRequired(_))) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Stores rotated values of the session.
async fn save_session(bridge: &Bridge, running: &Running) {
    let Some(json) = running.remote.changed_session() else { return };
    if let Err(error) = bridge.store.save_session(running.remote.login(), &json).await {
        tracing::error!(%error, "cannot store the session");
    }
}
