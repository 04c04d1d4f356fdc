//! The simulator's clock and tasks: the only place that asks the operating system for time.

use std::{
    future::Future,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::task::JoinHandle;

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a homeserver stamps events with the real time")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Starts a task that ends with the homeserver.
#[expect(clippy::disallowed_methods, reason = "the handle is kept and aborted by Homeserver")]
pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) -> JoinHandle<()> {
    tokio::spawn(task)
}
