//! The database: everything the bridge remembers, behind verbs of the domain.
//!
//! Each write verb is one durable transaction; it returns when the commit is on disk, and a verb whose answer was lost
//! may be repeated. Concurrent writes share a commit (see `statements/writer.rs`). No SQL and no sqlx type leaves
//! this module, and nothing here reads a clock: times are passed in.
//!
//! One text of SQL serves SQLite and PostgreSQL: `sqlite.rs` and `postgres.rs` each compile the files of
//! `statements/` against their own connection type.

mod accounts;
mod cache;
mod delivery;
mod error;
mod facts;
mod history;
mod json;
mod lock;
mod parked;
mod postgres;
mod rows;
mod seal;
mod sqlite;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

use self::cache::Cache;
pub use self::delivery::{Accepted, ParkedRows, Ready};
pub use self::error::StoreError;
pub use self::seal::SealKey;
use self::write::{Answer, Job, Message, Write};

/// How many writes may wait for the writer; more callers than that wait to be queued.
const QUEUE: usize = 512;

/// How many writes share one commit at most.
const GROUP: usize = 128;

/// Where the database is and how to use it. No `Debug`: the address may hold a password.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub uri: String,
    /// Connections that read. One more writes.
    pub max_connections: u32,
    /// Seals credentials.
    pub key: SealKey,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Message>,
    readers: Readers,
    key: SealKey,
}

/// How much the store has written since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Transactions.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
}

/// What the verbs and the writer both touch.
#[derive(Default)]
struct Shared {
    cache: Cache,
    /// Pending inbox rows.
    depth: AtomicI64,
    /// Transactions committed by the writer.
    commits: AtomicU64,
    /// Writes in them.
    writes: AtomicU64,
}

#[derive(Clone)]
enum Readers {
    Sqlite(Arc<sqlite::Readers>),
    Postgres(Arc<postgres::Readers>),
}

/// Runs a statement function of the same name on a reading connection of whichever database is open.
macro_rules! read {
    ($store:expr, $module:ident :: $verb:ident ( $($argument:expr),* )) => {
        match &$store.readers {
            Readers::Sqlite(readers) => {
                let mut lease = readers.lease().await?;
                let found = sqlite::$module::$verb(lease.connection(), $($argument),*).await;
                lease.finish(found)
            }
            Readers::Postgres(readers) => {
                let mut lease = readers.lease().await?;
                let found = postgres::$module::$verb(lease.connection(), $($argument),*).await;
                lease.finish(found)
            }
        }
    };
}
use read;

/// Whether the start would take this address of a database. Nothing is opened.
///
/// # Errors
/// A sentence for the operator.
pub fn check_address(uri: &str) -> Result<(), StoreError> {
    match uri.split(':').next().unwrap_or_default() {
        "sqlite" => sqlite::check_address(uri),
        "postgres" | "postgresql" => postgres::check_address(uri),
        _ => Err(StoreError::Address),
    }
}

impl Store {
    /// Opens the database, creates or migrates it, and takes hold of it: a second bridge is refused.
    ///
    /// # Errors
    /// Every error is a sentence for the operator, with the cure.
    pub async fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let readers_wanted = options.max_connections.max(1);
        let (queue, jobs) = mpsc::channel(QUEUE);
        let scheme = options.uri.split(':').next().unwrap_or_default();
        let readers = match scheme {
            "sqlite" => {
                let (writer, readers) = sqlite::open(&options.uri, readers_wanted, &options.key, &shared).await?;
                spawn_writer(writer.run(jobs));
                Readers::Sqlite(Arc::new(readers))
            }
            "postgres" | "postgresql" => {
                let (writer, readers) = postgres::open(&options.uri, readers_wanted, &options.key, &shared).await?;
                spawn_writer(writer.run(jobs));
                Readers::Postgres(Arc::new(readers))
            }
            _ => return Err(StoreError::Address),
        };
        Ok(Self { shared, queue, readers, key: options.key.clone() })
    }

    /// Finishes the writes that wait, closes the database and lets go of it. Later calls fail with
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        match &self.readers {
            Readers::Sqlite(readers) => readers.close().await,
            Readers::Postgres(readers) => readers.close().await,
        }
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            closed.await.ok();
        }
    }

    /// How much has been written.
    pub fn counters(&self) -> Counters {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counters { commits: read(&self.shared.commits), writes: read(&self.shared.writes) }
    }

    /// Queues a write and waits for its commit. A caller that stops waiting changes nothing: the write still happens.
    async fn write(&self, write: Write) -> Result<Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job { write, answer };
        self.queue.send(Message::Write(job)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the writer belongs to the store, which outlives the bridge's tasks; it ends when the store is closed"
)]
fn spawn_writer(writer: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(writer);
}
