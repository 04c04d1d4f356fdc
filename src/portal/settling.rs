//! What is done is settled soon, even while later rows of the same batch take long.
//!
//! Rows of a batch share a commit where their requests are quick. Where one is slow (a file, a pause that Instagram
//! wants), what is done is settled meanwhile: it shows on the other side already, and people react to it, answer it and
//! take it back.

use std::pin::pin;
use std::time::Duration;

use crate::bridge::Bridge;
use crate::domain::record::Settlement;
use crate::runtime;
use crate::store::StoreError;

/// How long something done may wait for others to share its commit.
const LINGER: Duration = Duration::from_millis(20);

/// Rows of a batch that are done and not yet settled.
pub(super) struct Settling<'a> {
    bridge: &'a Bridge,
    done: Vec<Settlement>,
}

impl<'a> Settling<'a> {
    pub(super) fn new(bridge: &'a Bridge) -> Self {
        Self { bridge, done: Vec::new() }
    }

    pub(super) fn push(&mut self, settlement: Settlement) {
        self.done.push(settlement);
    }

    /// Makes a request, to its end. What is done is settled meanwhile if it takes long; where that fails, [`Self::end`]
    /// tries again.
    pub(super) async fn during<T>(&mut self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        if let Ok(answer) = tokio::time::timeout(LINGER, &mut request).await {
            return answer;
        }
        let (answer, settled) = tokio::join!(request, self.bridge.store.settle(self.done.clone(), runtime::now()));
        if settled.is_ok() {
            self.done.clear();
        }
        answer
    }

    /// Settles what is left.
    pub(super) async fn end(self) -> Result<(), StoreError> {
        self.bridge.store.settle(self.done, runtime::now()).await
    }
}
