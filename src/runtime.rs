//! Time and tasks: the only place that reads the clock or starts a task, so that everything else can be repeated,
//! tracked and stopped.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::domain::ids::Timestamp;

/// The time of the wall clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is sent to")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// `after`, plus up to `jitter` of it.
pub fn with_jitter(after: Duration, jitter: f64) -> Duration {
    after.mul_f64(fastrand::f64().mul_add(jitter.max(0.0), 1.0))
}

/// All tasks of the process, and the signal that ends them.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Tasks {
    /// Starts a task. A panic in it is reported and ends this task only.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let span = tracing::info_span!(parent: None, "task", name);
        let guarded = async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!("task panicked");
            }
        };
        self.tracker.spawn(guarded.instrument(span));
    }

    /// Cancelled when the process is to end.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// True once the process is to end.
    pub fn is_ending(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Asks all tasks to end and waits for them, at most `patience`. True if all ended.
    pub async fn end(&self, patience: Duration) -> bool {
        self.shutdown.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}
