//! Lanes: one worker for each queue of the inbox that has work.
//!
//! A lane carries no payload in memory, only "there is work"; losing a nudge in a crash is harmless, because every
//! lane with pending rows is woken at start. Rows of a lane are handled in order of arrival, a few at a time. A row
//! that has to be tried again holds back its own lane and no other: what one user sends into one room waits, what
//! others say there does not.

mod failure;
mod undone;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tracing::Instrument;

use crate::bridge::Bridge;
use crate::domain::ids::{LaneKey, Timestamp};
use crate::domain::record::InboxRow;
use crate::{portal, runtime};

pub use failure::{StepError, Stop};

/// Pauses up to this long, in milliseconds, end early when something has changed; what Instagram asked for does not.
const HURRIED_MS: i64 = 61_000;
/// Rows taken at once. They share the commits around them; the sends between stay one by one.
const BATCH: i64 = 16;

/// The lanes that have a worker.
#[derive(Debug, Default)]
pub struct Lanes {
    working: Mutex<HashMap<LaneKey, Arc<Signal>>>,
}

#[derive(Debug, Default)]
struct Signal {
    /// Rows were added since the worker last looked.
    dirty: AtomicBool,
    /// What a row waited for may have come: do not wait for its time.
    hurry: AtomicBool,
    notify: Notify,
}

impl Lanes {
    /// Has the lane looked at, by a new worker if it has none.
    pub fn wake(&self, bridge: &Arc<Bridge>, lane: LaneKey) {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signal) = working.get(&lane) {
            signal.dirty.store(true, Ordering::Release);
            signal.notify.notify_one();
            return;
        }
        let signal = Arc::new(Signal::default());
        working.insert(lane.clone(), Arc::clone(&signal));
        drop(working);
        let bridge = Arc::clone(bridge);
        let tasks = bridge.tasks.clone();
        let span = tracing::debug_span!("lane", %lane);
        tasks.spawn("lane", async move { work(&bridge, &lane, &signal).await }.instrument(span));
    }

    /// Tells all waiting workers to try again now: a login connected, or the homeserver is back.
    pub fn hurry(&self) {
        let working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        for signal in working.values() {
            signal.hurry.store(true, Ordering::Release);
            signal.notify.notify_one();
        }
    }

    /// Ends the worker's registration, unless rows were added meanwhile. Under the lock that `wake` takes, so that no
    /// nudge falls in between.
    fn leave(&self, lane: &LaneKey, signal: &Signal) -> bool {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        if signal.dirty.load(Ordering::Acquire) {
            return false;
        }
        working.remove(lane);
        true
    }

    fn remove(&self, lane: &LaneKey) {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).remove(lane);
    }
}

async fn work(bridge: &Arc<Bridge>, lane: &LaneKey, signal: &Signal) {
    loop {
        signal.dirty.store(false, Ordering::Release);
        drain(bridge, lane, signal).await;
        if bridge.tasks.is_ending() {
            bridge.lanes.remove(lane);
            return;
        }
        if bridge.lanes.leave(lane, signal) {
            return;
        }
    }
}

/// Handles rows until none is pending.
async fn drain(bridge: &Arc<Bridge>, lane: &LaneKey, signal: &Signal) {
    let mut trouble = 0_u32;
    while !bridge.tasks.is_ending() {
        let hurried = signal.hurry.swap(false, Ordering::AcqRel);
        let now = runtime::now();
        let now = if hurried { Timestamp(now.0.saturating_add(HURRIED_MS)) } else { now };
        let ready = match bridge.store.ready_rows(lane, BATCH, now).await {
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!(%error, "cannot read the inbox");
                wait(bridge, signal, Duration::from_secs(1)).await;
                continue;
            }
        };
        if ready.rows.is_empty() {
            let Some(at) = ready.retry_at else { return };
            let left = at.0.saturating_sub(runtime::now().0).max(1);
            wait(bridge, signal, Duration::from_millis(left.unsigned_abs())).await;
            continue;
        }
        match handle(bridge, lane, &ready.rows).await {
            Ok(()) => trouble = 0,
            Err(stop) => {
                trouble = trouble.saturating_add(1);
                failure::dispose(bridge, lane, &stop, trouble, |pause| wait(bridge, signal, pause)).await;
            }
        }
    }
}

/// Handles rows; a panic in one is found by handling them singly, and parks that one.
async fn handle(bridge: &Arc<Bridge>, lane: &LaneKey, rows: &[InboxRow]) -> Result<(), Stop> {
    match AssertUnwindSafe(portal::handle(bridge, lane, rows)).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) if rows.len() == 1 => Err(Stop::new(&rows[0], StepError::Bug)),
        Err(_) => {
            for row in rows {
                // Those before the one that panicked may be settled.
                if !bridge.store.is_waiting(&row.dedup_key).await.map_err(|error| Stop::new(row, error))? {
                    continue;
                }
                match AssertUnwindSafe(portal::handle(bridge, lane, std::slice::from_ref(row))).catch_unwind().await {
                    Ok(outcome) => outcome?,
                    Err(_) => return Err(Stop::new(row, StepError::Bug)),
                }
            }
            Ok(())
        }
    }
}

/// Waits; ends early on a nudge that asks for hurry, or at shutdown. A nudge for new rows changes nothing: the oldest
/// row is the one that waits.
async fn wait(bridge: &Bridge, signal: &Signal, pause: Duration) {
    let hurried = async {
        while !signal.hurry.load(Ordering::Acquire) {
            signal.notify.notified().await;
        }
    };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = hurried => {}
        () = bridge.tasks.shutdown().cancelled() => {}
    }
}
