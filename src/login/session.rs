//! Keeps one login connected: listen, store, confirm; on trouble wait and resume from the stored cursor; on a dead
//! session stop and tell the user what to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::gap::Gap;
use super::history::{self, BeginError};
use super::reconcile::{self, reconcile};
use super::{Running, Status};
use crate::bridge::Bridge;
use crate::domain::ids::{LoginId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{Cursor, LoginState};
use crate::network::{Batch, RemoteError, SessionEnd, SessionEvent};
use crate::portal::ephemeral;
use crate::{command, failpoint, runtime};

/// A connection that held this long starts the back-off anew.
const STABLE: Duration = Duration::from_secs(300);

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
    let since = match bridge.store.login(remote.login()).await {
        Ok(login) => login.map_or(Timestamp(0), |login| login.created_at),
        Err(error) => return SessionEnd::Transport(error.to_string()),
    };
    let (mut events, driver) = match bridge.network.open(remote, cursor, since).await {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    bridge.tasks.spawn("realtime", driver);
    let mut save = tokio::time::interval(Duration::from_secs(30));
    let mut refused = false;
    let mut gap = match Gap::left(bridge, running).await {
        Ok(gap) => gap,
        Err(error) => return SessionEnd::Transport(error.to_string()),
    };
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = remote.doubted() => match verify_alive(running).await {
                Ok(()) => continue,
                Err(end) => return end,
            },
            answer = gap.answer() => {
                gap.answered(bridge, running, answer).await;
                continue;
            }
            _ = save.tick() => {
                save_session(bridge, running).await;
                gap.look(bridge, running);
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
                    gap.note();
                }
                events.confirm(batch);
                gap.look(bridge, running);
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
                    Ok(cursor) => {
                        gap.close();
                        events.resume_from(cursor);
                    }
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
    match history::begin_login(bridge, &running.remote).await {
        Ok(cursor) => Ok(cursor),
        Err(BeginError::Remote(error)) => {
            reconcile::rest(bridge, running, &error).await;
            Err(error.into())
        }
        Err(BeginError::Store(error)) => Err(SessionEnd::Transport(error.to_string())),
    }
}

/// Rows and cursor in one commit, then the lanes are woken.
async fn store(bridge: &Arc<Bridge>, login: &LoginId, batch: &Batch) -> Result<(), SessionEnd> {
    reconcile::wait_for_room(bridge).await?;
    failpoint::hit("batch-before-commit");
    let (rows, now) = (batch.rows.clone(), runtime::now());
    let accepted = if batch.has_gap {
        bridge.store.accept_batch_with_gap(login, rows, &batch.cursor, now).await
    } else {
        bridge.store.accept_batch(login, rows, &batch.cursor, now).await
    };
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
