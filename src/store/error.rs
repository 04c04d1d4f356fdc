//! What can go wrong with the database, in sentences with the cure.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// Why the store could not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// `database.uri` names no database we know.
    #[error(
        "`database.uri` names neither SQLite nor PostgreSQL\nhint: write `sqlite:/path/to/bridge.db` or `postgres://user:password@host/name`"
    )]
    Address,
    /// `database.uri` is of a known kind, but makes no sense.
    #[error(
        "`database.uri` cannot be understood: {0}\nhint: write `sqlite:/path/to/bridge.db` or `postgres://user:password@host/name`"
    )]
    BadAddress(String),
    /// The database file cannot be made or opened.
    #[error("the database file {} cannot be opened: {cause}\nhint: check that the directory exists and that the bridge's user may write to it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The server cannot be reached, or does not let us in.
    #[error(
        "the database cannot be opened: {0}\nhint: check `database.uri`, and that the server is running and lets this user in"
    )]
    Connect(String),
    /// Another process holds the database.
    #[error(
        "another bridge is using this database ({0})\nhint: stop the other one first, or give this one its own `database.uri`"
    )]
    InUse(String),
    /// The database was made by a newer version.
    #[error(
        "this database was made by a newer version of puppetgram\nhint: run that version, or restore the backup made before the upgrade"
    )]
    TooNew,
    /// Making or changing the tables failed.
    #[error(
        "the tables could not be brought up to date: {0}\nhint: check that the database belongs to puppetgram alone and that its user may create tables"
    )]
    Migration(String),
    /// The credentials in the database were sealed with another key.
    #[error(
        "the logins in this database were sealed with another key\nhint: put the former `database.secret_key` back into the configuration, or start with an empty database and log in again"
    )]
    WrongKey,
    /// A sealed value was changed or belongs to another login.
    #[error("the stored session of login {0} cannot be opened\nhint: log in again")]
    Sealed(String),
    /// Trouble that may pass: the server is away, the disk is full, the file is locked.
    #[error(
        "the database does not answer: {0}\nhint: check that it is running and that its disk has room; the bridge tries again"
    )]
    Unavailable(String),
    /// A statement was refused. Repeating it will not help.
    #[error("the database refused a statement: {0}")]
    Refused(String),
    /// A stored value makes no sense.
    #[error("the database holds a value that makes no sense: table {table}, column {column}, row {key}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Which value.
        column: &'static str,
        /// Of which row.
        key: String,
    },
    /// The store was closed.
    #[error("the database is closed because the bridge is stopping")]
    Closed,
}

impl StoreError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Connect(_))
    }

    pub(super) fn corrupt(table: &'static str, column: &'static str, key: &impl ToString) -> Self {
        Self::Corrupt { table, column, key: key.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        match &error {
            Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed => {
                Self::Unavailable(error.to_string())
            }
            Database(refusal) if refusal.code().is_some_and(|code| passes(&code)) => {
                Self::Unavailable(refusal.message().to_owned())
            }
            Database(refusal) => Self::Refused(refusal.message().to_owned()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::TooNew,
            other => Self::Migration(other.to_string()),
        }
    }
}

/// Whether an error code means trouble outside the statement.
fn passes(code: &str) -> bool {
    // PostgreSQL: five characters, the first two are the class: connection, roll-back (serialisation, deadlock),
    // resources, operator, system.
    if code.len() == 5 {
        return ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    // SQLite: a decimal number of up to four digits whose low byte is the primary code: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR,
    // FULL, CANTOPEN.
    code.parse::<i64>().is_ok_and(|number| [5, 6, 7, 8, 9, 10, 13, 14].contains(&(number & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn trouble_outside_the_statement_is_told_from_a_refusal() {
        let transient = ["08006", "40001", "53100", "57P01", "58030", "5", "10", "13", "778", "1546"];
        let refusals = ["23505", "42P01", "22021", "19", "2067", "1555", "1"];
        assert!(transient.iter().all(|code| passes(code)));
        assert!(!refusals.iter().any(|code| passes(code)));
    }
}
