//! Named moments at which a test may have the process die as if killed. In release builds they are nothing.

/// Every moment: those that messages meet, in their order, those of a new room, of files, of what is done to messages, and
/// of history.
pub const ALL: [&str; 20] = [
    "transaction-before-commit",
    "transaction-after-commit",
    "batch-before-commit",
    "batch-after-commit",
    "to-matrix-after-intend",
    "to-matrix-after-send",
    "to-matrix-after-settle",
    "to-remote-after-intend",
    "to-remote-after-send",
    "to-remote-after-settle",
    "room-after-create",
    "room-after-save",
    "media-after-upload",
    "file-after-upload",
    "reaction-after-send",
    "edit-after-send",
    "unsend-after-send",
    "receipt-after-send",
    "history-after-page",
    "history-after-finish",
];

/// Dies here if `PUPPETGRAM_FAILPOINT` is `name`, or `name:N` for the N-th time it is reached.
#[cfg(debug_assertions)]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI64, Ordering};
    static ARMED: OnceLock<Option<(String, AtomicI64)>> = OnceLock::new();

    debug_assert!(ALL.contains(&name), "an unlisted failpoint is never tested");
    let armed = ARMED.get_or_init(|| {
        let value = std::env::var("PUPPETGRAM_FAILPOINT").ok()?;
        let (name, count) = value.split_once(':').unwrap_or((&value, "1"));
        Some((name.to_owned(), AtomicI64::new(count.parse().unwrap_or(1))))
    });
    if let Some((armed, left)) = armed
        && armed == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Nothing, in release builds.
#[cfg(not(debug_assertions))]
pub fn hit(_name: &str) {}
