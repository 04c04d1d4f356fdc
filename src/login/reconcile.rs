//! Making good what the queue did not say: fetched over HTTP chat by chat, and stored as it is found.
//!
//! The cursor moves last. A chat that comes twice is harmless, since its rows carry the keys they would have had if they
//! had been heard; so trouble costs patience and nothing else.

use std::sync::Arc;
use std::time::Duration;

use super::{Running, Status};
use crate::bridge::Bridge;
use crate::domain::ids::{LoginId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{Cursor, NewRow};
use crate::network::{RemoteError, SessionEnd};
use crate::store::StoreError;
use crate::{command, inbox, runtime};

/// Least pause when Instagram asks for patience: a burst that is repeated at once is what limits are for.
const REST: Duration = Duration::from_secs(60);
/// Likewise when Instagram blocks the account's requests.
const LONG_REST: Duration = Duration::from_secs(900);
/// Pause after an answer that makes no sense.
const TROUBLE: Duration = Duration::from_secs(5);
/// So often in a row Instagram may answer nonsense before it is asked whether that is about one chat.
const REFUSALS: u32 = 5;
/// Microseconds before the newest known item that are looked at again: items are not strictly in order.
const OVERLAP_US: i64 = 600 * 1_000_000;

/// How long to leave Instagram alone, where it has asked for that.
pub(super) fn rest_after(error: &RemoteError) -> Option<Duration> {
    match error {
        RemoteError::RateLimited(after) => Some((*after).max(REST)),
        error if error.is_block() => Some(LONG_REST),
        _ => None,
    }
}

/// Leaves Instagram alone, where it has asked for that; until its user asks for a connection.
pub(super) async fn rest(bridge: &Bridge, running: &Running, error: &RemoteError) {
    let Some(pause) = rest_after(error) else { return };
    tracing::warn!(%error, ?pause, "Instagram asks for patience");
    let status = running.status();
    if !matches!(status, Status::Connected) {
        running.set_status(Status::Waiting(error.to_string()));
    }
    wait(bridge, running, pause).await;
    running.set_status(status);
}

async fn wait(bridge: &Bridge, running: &Running, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = running.again.notified() => {}
        () = bridge.tasks.shutdown().cancelled() => {}
    }
}

/// Waits until the inbox takes more.
pub(super) async fn wait_for_room(bridge: &Bridge) -> Result<(), SessionEnd> {
    while !inbox::has_room(bridge, Duration::from_secs(60)).await {
        if bridge.tasks.is_ending() {
            return Err(SessionEnd::Transport("shutting down".into()));
        }
    }
    Ok(())
}

/// After the cursor was refused: fetches what was missed, and takes a new cursor when all of it is stored.
pub(super) async fn reconcile(bridge: &Arc<Bridge>, running: &Running) -> Result<Cursor, SessionEnd> {
    let login = running.remote.login();
    let old = bridge.store.cursor(login).await.map_err(|error| trouble(&error))?;
    let Some(old) = old else { return Err(SessionEnd::Transport("there is no cursor".into())) };
    let gap = bridge.store.gap(login).await.map_err(|error| trouble(&error))?;
    let newest_us = gap.unwrap_or(i64::MAX).min(old.newest_item_us);
    let (found, cursor) = collect(bridge, running, &old, newest_us).await?;
    bridge
        .store
        .accept_reconciled(login, Vec::new(), &cursor, runtime::now())
        .await
        .map_err(|error| trouble(&error))?;
    tracing::info!(found, "reconciled");
    if found > 0 {
        let messages = if found == 1 { "1 message was" } else { &format!("{found} messages were") };
        let text = format!(
            "The connection was away for longer than Instagram keeps messages ready. {messages} missed; all that could \
             be found was fetched and appears in its order."
        );
        command::tell_owner(bridge, login, &Notice::new(text)).await;
    }
    Ok(cursor)
}

/// Asks for what an unreadable piece of the queue may have said. Returns how many messages that were.
pub(super) async fn fill(bridge: Arc<Bridge>, running: Arc<Running>) -> Result<usize, SessionEnd> {
    let login = running.remote.login();
    let cursor = bridge.store.cursor(login).await.map_err(|error| trouble(&error))?;
    let gap = bridge.store.gap(login).await.map_err(|error| trouble(&error))?;
    let (Some(cursor), Some(gap)) = (cursor, gap) else { return Ok(0) };
    Ok(collect(&bridge, &running, &cursor, gap).await?.0)
}

/// Stores what came after an item, except for a little overlap. Returns how many messages are new, and the cursor that
/// comes after them, which is not stored.
async fn collect(
    bridge: &Arc<Bridge>,
    running: &Running,
    stored: &Cursor,
    newest_us: i64,
) -> Result<(usize, Cursor), SessionEnd> {
    let login = running.remote.login();
    let login_at = bridge
        .store
        .login(login)
        .await
        .map_err(|error| trouble(&error))?
        .map_or(Timestamp(0), |login| login.created_at);
    let since_us = newest_us.saturating_sub(OVERLAP_US).max(login_at.0.saturating_mul(1000));
    let mut missed = running.remote.missed(since_us);
    let (mut found, mut refusals) = (0, 0);
    loop {
        match missed.next().await {
            Ok(Some(chat)) => {
                refusals = 0;
                let looks = usize::from(chat.look.is_some());
                let rows = chat.rows.into_iter().chain(chat.look).collect();
                found += accept(bridge, login, rows, stored).await?.saturating_sub(looks);
            }
            Ok(None) => break,
            Err(error) if rest_after(&error).is_some() => {
                rest(bridge, running, &error).await;
                if bridge.tasks.is_ending() {
                    return Err(error.into());
                }
            }
            // An outage passes. If everything else works, there is something about this chat.
            Err(error) if error.is_nonsense() => {
                refusals += 1;
                let is_about_chat = refusals >= REFUSALS && running.remote.verify().await.is_ok() && missed.skip();
                if bridge.tasks.is_ending() || (refusals >= REFUSALS && !is_about_chat) {
                    return Err(error.into());
                }
                if is_about_chat {
                    refusals = 0;
                } else {
                    wait(bridge, running, runtime::with_jitter(TROUBLE, bridge.config.jitter())).await;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    let position = missed.position()?;
    let newest_item_us = position.newest_us.max(stored.newest_item_us);
    Ok((found, Cursor { seq_id: position.seq_id, snapshot_at_ms: position.snapshot_at_ms, newest_item_us }))
}

/// Stores rows and leaves the cursor where it is. Returns how many are new.
async fn accept(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    rows: Vec<NewRow>,
    stored: &Cursor,
) -> Result<usize, SessionEnd> {
    wait_for_room(bridge).await?;
    let accepted =
        bridge.store.accept_batch(login, rows, stored, runtime::now()).await.map_err(|error| trouble(&error))?;
    for lane in accepted.lanes {
        bridge.lanes.wake(bridge, lane);
    }
    Ok(accepted.new)
}

fn trouble(error: &StoreError) -> SessionEnd {
    SessionEnd::Transport(error.to_string())
}
