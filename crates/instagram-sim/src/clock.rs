//! The one place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulator stamps messages with the real time; this is its only reader"
)]
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
