//! Keeps two bridges from using one SQLite file: a lock file beside it, held until the process ends.
//!
//! The lock belongs to the open file, not to its existence, so a bridge that was killed leaves none behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::StoreError;

/// How often an occupied lock is tried again: a bridge that was just stopped may need a moment to let go.
pub(super) const ATTEMPTS: u32 = 20;
/// The pause between two attempts.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(super) struct LockFile(#[expect(dead_code, reason = "the open file is the lock")] File);

impl LockFile {
    /// Takes the lock of the database at `database`.
    pub(super) async fn take(database: &Path) -> Result<Self, StoreError> {
        let path = database.with_added_extension("lock");
        let cannot = |cause: std::io::Error| StoreError::File { path: path.clone(), cause: cause.to_string() };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.display().to_string())),
                Err(TryLockError::Error(cause)) => return Err(cannot(cause)),
            }
        }
        Ok(Self(file))
    }
}
