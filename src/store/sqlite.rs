//! SQLite: how it is opened, and the statements compiled for it.
//!
//! WAL with `synchronous = FULL`: a commit is on disk when it returns. One connection writes, a few read.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::error::StoreError;
use super::lock::LockFile;
use super::seal::SealKey;
use super::{Shared, rows};

#[path = "statements/accounts.rs"]
pub(super) mod accounts;
#[path = "statements/delivery.rs"]
pub(super) mod delivery;
#[path = "statements/facts.rs"]
pub(super) mod facts;
#[path = "statements/happenings.rs"]
pub(super) mod happenings;
#[path = "statements/history.rs"]
pub(super) mod history;
#[path = "statements/parked.rs"]
pub(super) mod parked;
#[path = "statements/readers.rs"]
mod readers;
#[path = "statements/writer.rs"]
mod writer;

pub(super) use self::readers::Readers;
use self::writer::Writer;

/// The connection that the statements are compiled for.
type Conn = sqlx::SqliteConnection;

/// Takes the write lock at once, so that no statement of the transaction can fail for want of it.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// How to make the writing connection again, and what keeps others out.
struct Source {
    options: SqliteConnectOptions,
    _lock: LockFile,
}

impl Source {
    async fn connect(&self) -> Result<Conn, StoreError> {
        Ok(self.options.connect().await?)
    }
}

/// Whether the address can be read.
pub(super) fn check_address(uri: &str) -> Result<(), StoreError> {
    SqliteConnectOptions::from_str(uri).map(drop).map_err(|error| StoreError::BadAddress(error.to_string()))
}

/// Opens the file named by `uri` for the writer and the readers.
pub(super) async fn open(
    uri: &str,
    readers: u32,
    key: &SealKey,
    shared: &Arc<Shared>,
) -> Result<(Writer, Readers), StoreError> {
    let options = SqliteConnectOptions::from_str(uri).map_err(|error| StoreError::BadAddress(error.to_string()))?;
    let named = options.get_filename().to_owned();
    if named.as_os_str().is_empty() || uri.contains(":memory:") || uri.contains("mode=memory") {
        return Err(StoreError::BadAddress("it names no file".to_owned()));
    }
    let path = create(&named).map_err(|cause| StoreError::File { path: named, cause: cause.to_string() })?;
    let lock = LockFile::take(&path).await?;

    let options = options
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", "2000")
        .disable_statement_logging();
    let source = Source { options: options.clone().thread_name(|_| "sqlite-writer".to_owned()), _lock: lock };
    let cannot = |cause: StoreError| StoreError::File { path: path.clone(), cause: cause.to_string() };
    let mut connection = source.connect().await.map_err(cannot)?;
    sqlx::migrate!("migrations/sqlite").run(&mut connection).await?;

    let readers = Readers::new(readers, options.read_only(true).thread_name(|id| format!("sqlite-reader-{id}")));
    Ok((Writer::new(source, connection, key, Arc::clone(shared)).await?, readers))
}

/// Makes the file if it is not there, readable only by its owner, and returns its one true path: two bridges that
/// name it differently must meet at the same lock.
fn create(path: &Path) -> std::io::Result<PathBuf> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    fs::canonicalize(path)
}
