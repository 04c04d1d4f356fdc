//! A database for one test, and short ways to fill it.

use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::domain::ids::{ItemId, LaneKey, LoginId, PortalId, PortalKey, RequestId, RowId, ThreadId, Timestamp};
use crate::domain::record::{
    Cursor, Echo, InboxRow, Intended, Login, LoginState, Mapping, NewRow, Origin, Portal, Settlement, Shows,
};
use crate::store::{SealKey, Store, StoreOptions};

/// The time it is in these tests.
pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub(super) const DAY: i64 = 24 * 60 * 60 * 1000;

/// A database that nobody else uses.
pub(super) struct World {
    pub(super) uri: String,
    pub(super) directory: Option<TempDir>,
    server: Option<(String, String)>,
}

impl World {
    pub(super) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let uri = format!("sqlite:{}", directory.path().join("bridge.db").display());
        Self { uri, directory: Some(directory), server: None }
    }

    /// None where no server is named.
    pub(super) async fn postgres() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("PUPPETGRAM_TEST_POSTGRES") else {
            let required = std::env::var("PUPPETGRAM_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
            assert!(!required, "PUPPETGRAM_TEST_POSTGRES names no server, and PUPPETGRAM_REQUIRE_SERVERS=1");
            static SAID: Once = Once::new();
            // Past the test harness, which shows nothing of a test that passes.
            let line = b"SKIPPED: the store suite on PostgreSQL, for no server is named; run `cargo xtask test`\n";
            SAID.call_once(|| std::io::stderr().write_all(line).unwrap());
            return None;
        };
        let name = format!("puppetgram_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        admin(&server, format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        let mut uri = url::Url::parse(&server).unwrap();
        uri.set_path(&name);
        Some(Self { uri: uri.into(), directory: None, server: Some((server, name)) })
    }

    /// Removes a database on a server.
    pub(super) async fn remove(self) {
        if let Some((server, name)) = self.server {
            admin(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    pub(super) fn options(&self) -> StoreOptions {
        StoreOptions { uri: self.uri.clone(), max_connections: 3, key: SealKey::new([7; 32]) }
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.options()).await.unwrap()
    }

    /// Opens the database with two logins, `1` of @anna and `2` of @bert.
    pub(super) async fn open_with_logins(&self) -> Store {
        let store = self.open().await;
        store.save_login(&login("1", "@anna:example.com")).await.unwrap();
        store.save_login(&login("2", "@bert:example.com")).await.unwrap();
        store
    }

    /// Runs a statement behind the store's back.
    pub(super) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.directory.is_some() {
            let mut connection = sqlx::SqliteConnection::connect(&self.uri).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.uri).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
    }

    /// The first column of what a statement finds.
    pub(super) async fn column<T>(&self, sql: &str) -> Vec<T>
    where
        T: Send + Unpin,
        (T,): for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        let rows: Vec<(T,)> = if self.directory.is_some() {
            let mut connection = sqlx::SqliteConnection::connect(&self.uri).await.unwrap();
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.uri).await.unwrap();
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        };
        rows.into_iter().map(|(value,)| value).collect()
    }
}

async fn admin(server: &str, sql: String) {
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
}

pub(super) fn login(id: &str, user: &str) -> Login {
    Login {
        id: LoginId::new(id),
        user: user.try_into().unwrap(),
        username: format!("name{id}"),
        state: LoginState::Active,
        reason: None,
        created_at: NOW,
    }
}

pub(super) fn one() -> LoginId {
    LoginId::new("1")
}

pub(super) fn two() -> LoginId {
    LoginId::new("2")
}

pub(super) fn thread(name: &str) -> ThreadId {
    ThreadId::new(name)
}

pub(super) fn lane(thread: &str) -> LaneKey {
    LaneKey::incoming(&ThreadId::new(thread))
}

pub(super) fn shared(thread: &str) -> PortalKey {
    PortalKey { thread: ThreadId::new(thread), receiver: None }
}

pub(super) fn direct(thread: &str, login: &LoginId) -> PortalKey {
    PortalKey { thread: ThreadId::new(thread), receiver: Some(login.clone()) }
}

pub(super) fn cursor(seq_id: i64) -> Cursor {
    Cursor { seq_id, snapshot_at_ms: seq_id * 10, newest_item_us: seq_id * 100 }
}

pub(super) fn row(thread: &str, key: &str) -> NewRow {
    NewRow {
        lane: lane(thread),
        origin: Origin::Instagram { reconciled: false },
        dedup_key: key.to_owned(),
        payload: format!("payload of {key}"),
        echo: None,
    }
}

pub(super) fn own_row(thread: &str, key: &str, context: &str, item: &str) -> NewRow {
    let echo = Echo { client_context: RequestId::new(context).into(), item: ItemId::new(item) };
    NewRow { echo: Some(echo), ..row(thread, key) }
}

pub(super) fn intended(row: RowId, part: i64, request: &str) -> Intended {
    Intended { row, part, request_id: RequestId::new(request) }
}

pub(super) fn mapping(portal: &Portal, item: &str, part: i64, event: &str) -> Mapping {
    Mapping {
        portal: portal.id,
        item: ItemId::new(item),
        part,
        event: event.try_into().unwrap(),
        sender: "33".to_owned(),
        client_context: Some(RequestId::new(format!("context of {item}")).into()),
        at: Timestamp(NOW.0 + part),
        kind: Some("text".to_owned()),
        digest: Some(format!("digest of {item}")),
        shows: Shows::Words,
        unsent: false,
        redact_at: None,
    }
}

pub(super) fn done(row: RowId, mappings: Vec<Mapping>) -> Settlement {
    Settlement { mappings, ..Settlement::nothing(row) }
}

pub(super) fn failed(row: RowId, reason: &str) -> Settlement {
    Settlement::failed(row, reason.to_owned())
}

/// Accepts rows for login `1`.
pub(super) async fn accept(store: &Store, seq_id: i64, rows: Vec<NewRow>) -> Vec<LaneKey> {
    store.accept_batch(&one(), rows, &cursor(seq_id), NOW).await.unwrap().lanes
}

/// The rows of a thread that can be worked on now.
pub(super) async fn ready(store: &Store, thread: &str) -> Vec<InboxRow> {
    store.ready_rows(&lane(thread), 100, NOW).await.unwrap().rows
}

/// The same, by key.
pub(super) async fn ready_keys(store: &Store, thread: &str) -> Vec<String> {
    ready(store, thread).await.into_iter().map(|row| row.dedup_key).collect()
}

/// Accepts one row for login `1`, and reads it.
pub(super) async fn accepted_row(store: &Store, thread: &str, key: &str) -> InboxRow {
    accept(store, 1, vec![row(thread, key)]).await;
    ready(store, thread).await.into_iter().find(|row| row.dedup_key == key).unwrap()
}

/// Puts lines into the message map by way of a row of its own.
pub(super) async fn map(store: &Store, mappings: Vec<Mapping>) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let key = format!("map {}", COUNT.fetch_add(1, Ordering::Relaxed));
    let row = accepted_row(store, "mapped", &key).await;
    store.settle(vec![done(row.id, mappings)], NOW).await.unwrap();
}

pub(super) async fn events_of(store: &Store, portal: PortalId, item: &str) -> Vec<String> {
    let mappings = store.mapping_of_item(portal, &ItemId::new(item)).await.unwrap();
    mappings.into_iter().map(|mapping| mapping.event.to_string()).collect()
}
