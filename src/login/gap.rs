//! Something came that could not be read. That is written down in the commit that goes past it, and what it may have
//! said is asked for: soon, again after a while when that failed, and after a restart.

use std::future::{self, Future};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Running, reconcile};
use crate::bridge::Bridge;
use crate::network::SessionEnd;
use crate::store::StoreError;

/// Pauses before and between the questions: one broken payload is no reason to ask often.
const DELAY: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(300);

type Filling = Pin<Box<dyn Future<Output = Result<usize, SessionEnd>> + Send>>;

/// What one connection knows of the gap, and the question that is under way.
pub(super) struct Gap {
    /// There is one that no question under way asks for.
    is_open: bool,
    filling: Option<Filling>,
}

impl Gap {
    /// The one that an earlier connection has left, if any.
    pub(super) async fn left(bridge: &Bridge, running: &Running) -> Result<Self, StoreError> {
        let is_open = bridge.store.gap(running.remote.login()).await?.is_some();
        Ok(Self { is_open, filling: None })
    }

    /// Something could not be read; that is stored.
    pub(super) fn note(&mut self) {
        self.is_open = true;
    }

    /// Everything was asked for by other means.
    pub(super) fn close(&mut self) {
        (self.is_open, self.filling) = (false, None);
    }

    /// Asks, unless that is being done or was done a short while ago.
    pub(super) fn look(&mut self, bridge: &Arc<Bridge>, running: &Arc<Running>) {
        let mut asked_at = running.gap_asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = asked_at.is_none_or(|at| at.elapsed() > PAUSE);
        if self.is_open && self.filling.is_none() && is_time {
            *asked_at = Some(Instant::now());
            self.is_open = false;
            let (bridge, running) = (Arc::clone(bridge), Arc::clone(running));
            self.filling = Some(Box::pin(async move {
                tokio::time::sleep(DELAY).await;
                reconcile::fill(bridge, running).await
            }));
        }
    }

    /// Waits for the answer to the question that is under way. Safe to cancel.
    pub(super) async fn answer(&mut self) -> Result<usize, SessionEnd> {
        let Some(filling) = &mut self.filling else { return future::pending().await };
        let answer = filling.await;
        self.filling = None;
        answer
    }

    /// Takes the answer: if it is all, the gap is forgotten.
    pub(super) async fn answered(&mut self, bridge: &Bridge, running: &Running, answer: Result<usize, SessionEnd>) {
        match answer {
            Ok(found) => {
                tracing::info!(found, "asked for what could not be read");
                // What could not be read meanwhile is asked for in its turn.
                if !self.is_open
                    && let Err(error) = bridge.store.close_gap(running.remote.login()).await
                {
                    tracing::error!(%error, "cannot store that a gap is filled");
                    self.is_open = true;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "what could not be read could not be asked for");
                self.is_open = true;
            }
        }
    }
}
