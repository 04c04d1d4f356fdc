//! PostgreSQL: how it is opened, and the statements compiled for it.
//!
//! The writing connection holds an advisory lock of the database. If it breaks, the lock goes with it, and the next one
//! takes it again before it writes: two bridges can never both write.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::error::StoreError;
use super::seal::SealKey;
use super::{Shared, lock, rows};

#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/accounts.rs"]
pub(super) mod accounts;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/delivery.rs"]
pub(super) mod delivery;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/facts.rs"]
pub(super) mod facts;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/happenings.rs"]
pub(super) mod happenings;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/history.rs"]
pub(super) mod history;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/parked.rs"]
pub(super) mod parked;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/readers.rs"]
mod readers;
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each database")]
#[path = "statements/writer.rs"]
mod writer;

pub(super) use self::readers::Readers;
use self::writer::Writer;

/// The connection that the statements are compiled for.
type Conn = sqlx::PgConnection;

const BEGIN: &str = "BEGIN";

/// The number of our advisory lock; any that others hardly choose. Locks belong to one database of a server.
const LOCK: i64 = 0x7075_7070_6574_6772;

/// How to make the writing connection again.
struct Source {
    options: PgConnectOptions,
}

impl Source {
    async fn connect(&self) -> Result<Conn, StoreError> {
        let mut connection = self.options.connect().await?;
        for attempt in 1.. {
            let taken: bool =
                sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut connection).await?;
            if taken {
                break;
            }
            if attempt == lock::ATTEMPTS {
                return Err(StoreError::InUse("its advisory lock is held".to_owned()));
            }
            tokio::time::sleep(lock::PAUSE).await;
        }
        Ok(connection)
    }
}

/// Whether the address can be read.
pub(super) fn check_address(uri: &str) -> Result<(), StoreError> {
    PgConnectOptions::from_str(uri).map(drop).map_err(|error| StoreError::BadAddress(error.to_string()))
}

/// Opens the database named by `uri` for the writer and the readers.
pub(super) async fn open(
    uri: &str,
    readers: u32,
    key: &SealKey,
    shared: &Arc<Shared>,
) -> Result<(Writer, Readers), StoreError> {
    let options = PgConnectOptions::from_str(uri)
        .map_err(|error| StoreError::BadAddress(error.to_string()))?
        .application_name("puppetgram")
        .disable_statement_logging();
    let source = Source { options: options.clone() };
    let mut connection = source.connect().await.map_err(|error| match error {
        StoreError::Unavailable(cause) | StoreError::Refused(cause) => StoreError::Connect(cause),
        other => other,
    })?;
    sqlx::migrate!("migrations/postgres").run(&mut connection).await?;
    Ok((Writer::new(source, connection, key, Arc::clone(shared)).await?, Readers::new(readers, options)))
}
