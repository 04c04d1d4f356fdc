//! Opening, closing, and the tables themselves.

use super::world::{NOW, World, accept, cursor, direct, one, ready_keys, row, shared, two};
use crate::domain::ids::ItemId;
use crate::domain::record::{Shows, Standing};
use crate::store::{SealKey, Store, StoreError, StoreOptions};

pub(super) async fn a_database_can_be_opened_again(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "a")]).await;
    store.close().await;
    let store = world.open().await;
    assert_eq!(ready_keys(&store, "t").await, ["a"]);
    drop(store);
    assert_eq!(ready_keys(&world.open().await, "t").await, ["a"]);
}

pub(super) async fn a_database_of_an_earlier_version_keeps_what_it_knows(world: &World) {
    let store = world.open_with_logins().await;
    let direct = store.ensure_portal(&direct("t", &one())).await.unwrap();
    let group = store.ensure_portal(&shared("g")).await.unwrap();
    store.note_login_in_thread(&group.key.thread, &two()).await.unwrap();
    store.close().await;
    // As it was before messages were told apart, requests belonged to logins and gaps were remembered.
    for statement in [
        "DROP TABLE revision",
        "DROP TABLE request",
        "DROP TABLE happening_heard",
        "DROP TABLE happening",
        "DROP INDEX portal_nicknamed",
        "ALTER TABLE message DROP COLUMN shows",
        "ALTER TABLE login_cursor DROP COLUMN gap_since_us",
        "ALTER TABLE history DROP COLUMN until_us",
        "ALTER TABLE portal ADD COLUMN standing TEXT NOT NULL DEFAULT 'open'",
        "DELETE FROM _sqlx_migrations WHERE version > 3",
        "UPDATE portal SET standing = 'declined' WHERE receiver <> ''",
        "UPDATE portal SET standing = 'request' WHERE receiver = ''",
    ] {
        world.execute(statement).await;
    }
    for (part, kind) in ["'text'", "'media'", "'placeholder'", "'video_call_event'", "NULL"].iter().enumerate() {
        let id = direct.id.0;
        let columns = "item, portal, part, event, sender, sent_at, kind";
        world
            .execute(&format!("INSERT INTO message ({columns}) VALUES ('i', {id}, {part}, '$e', '1', 0, {kind})"))
            .await;
    }

    let store = world.open().await;
    assert_eq!(store.standing(&direct.key.thread, &one()).await.unwrap(), Standing::Declined);
    assert_eq!(store.standing(&direct.key.thread, &two()).await.unwrap(), Standing::Open);
    assert_eq!(store.standing(&group.key.thread, &two()).await.unwrap(), Standing::Request);
    assert_eq!(store.standing(&group.key.thread, &one()).await.unwrap(), Standing::Open, "it is not in that group");
    let shown = store.mapping_of_item(direct.id, &ItemId::new("i")).await.unwrap();
    let shown: Vec<Shows> = shown.iter().map(|mapping| mapping.shows).collect();
    assert_eq!(shown, [Shows::Words, Shows::File, Shows::StandIn, Shows::Words, Shows::Words]);
}

pub(super) async fn a_second_bridge_is_refused(world: &World) {
    let store = world.open().await;
    let second = Store::open(&world.options()).await;
    assert!(matches!(second, Err(StoreError::InUse(_))), "{:?}", second.err());
    let sentence = second.err().unwrap().to_string();
    assert!(sentence.contains("another bridge") && sentence.contains("hint: stop"), "{sentence}");
    store.close().await;
    world.open().await;
}

pub(super) async fn another_key_is_refused(world: &World) {
    world.open().await.close().await;
    let options = StoreOptions { key: SealKey::new([8; 32]), ..world.options() };
    let refused = Store::open(&options).await;
    assert_eq!(refused.err(), Some(StoreError::WrongKey));
    world.open().await;
}

pub(super) async fn a_newer_database_is_refused(world: &World) {
    world.open().await.close().await;
    let columns = "version, description, success, checksum, execution_time";
    let values = if world.directory.is_some() { "x'00', 0" } else { "'\\x00', 0" };
    world.execute(&format!("INSERT INTO _sqlx_migrations ({columns}) VALUES (999, 'later', TRUE, {values})")).await;
    assert_eq!(Store::open(&world.options()).await.err(), Some(StoreError::TooNew));
}

pub(super) async fn a_closed_store_says_so(world: &World) {
    let store = world.open_with_logins().await;
    let other = store.clone();
    store.close().await;
    store.close().await;
    assert_eq!(other.cursor(&one()).await, Err(StoreError::Closed));
    assert_eq!(other.accept_transaction("1", vec![], NOW).await, Err(StoreError::Closed));
}

#[tokio::test]
async fn an_address_of_no_database_is_refused() {
    for uri in ["", "mysql://localhost/x", "bridge.db", "sqlite::memory:", "sqlite:", "postgres://h:port/x"] {
        let options = StoreOptions { uri: uri.to_owned(), max_connections: 1, key: SealKey::new([7; 32]) };
        let error = Store::open(&options).await.err().unwrap();
        assert!(matches!(error, StoreError::Address | StoreError::BadAddress(_)), "{uri}: {error}");
        assert!(error.to_string().contains("hint: write `sqlite:"), "{uri}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:{}/missing/bridge.db", directory.path().display());
    let options = StoreOptions { uri, max_connections: 1, key: SealKey::new([7; 32]) };
    let error = Store::open(&options).await.err().unwrap();
    assert!(error.to_string().contains("missing/bridge.db"), "{error}");

    // A file that is no database at all.
    std::fs::write(directory.path().join("text"), "not a database ".repeat(100)).unwrap();
    let uri = format!("sqlite:{}/text", directory.path().display());
    let error = Store::open(&StoreOptions { uri, ..options }).await.err().unwrap();
    assert!(matches!(error, StoreError::File { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_in_a_sentence() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("postgres://bridge:planted-secret@127.0.0.1:{port}/bridge");
    let options = StoreOptions { uri, max_connections: 1, key: SealKey::new([7; 32]) };
    let error = Store::open(&options).await.err().unwrap();
    assert!(matches!(error, StoreError::Connect(_)), "{error}");
    assert!(!error.to_string().contains("planted-secret"), "{error}");
}

#[tokio::test]
async fn a_broken_connection_to_the_server_is_made_again() {
    let Some(world) = World::postgres().await else { return };
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "a")]).await;
    assert_eq!(ready_keys(&store, "t").await, ["a"]);
    world
        .column::<bool>("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'puppetgram' AND datname = current_database()")
        .await;

    let write = store.accept_batch(&one(), vec![row("t", "b")], &cursor(2), NOW).await;
    assert!(matches!(&write, Err(StoreError::Unavailable(_))), "{write:?}");
    let read = store.cursor(&one()).await;
    assert!(matches!(&read, Err(StoreError::Unavailable(_))), "{read:?}");

    accept(&store, 2, vec![row("t", "b")]).await;
    assert_eq!(ready_keys(&store, "t").await, ["a", "b"]);
    assert_eq!(store.inbox_depth(), 2);
    assert!(matches!(Store::open(&world.options()).await, Err(StoreError::InUse(_))), "the lock was taken again");
    store.close().await;
    world.remove().await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::sqlite();
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "a")]).await;
    for name in ["bridge.db", "bridge.db-wal"] {
        let path = world.directory.as_ref().unwrap().path().join(name);
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    const SQLITE: &str = "SELECT m.name || '.' || p.name || ' ' || p.type ||
            CASE WHEN p.\"notnull\" = 1 OR p.pk > 0 THEN ' not null' ELSE '' END ||
            CASE WHEN p.pk > 0 THEN ' key ' || p.pk ELSE '' END
        FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'";
    const POSTGRES: &str = "SELECT CAST(c.table_name || '.' || c.column_name || ' ' || c.data_type ||
            CASE WHEN c.is_nullable = 'NO' THEN ' not null' ELSE '' END ||
            COALESCE(' key ' || k.ordinal_position, '') AS TEXT)
        FROM information_schema.columns AS c
        LEFT JOIN information_schema.table_constraints AS t
            ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY'
        LEFT JOIN information_schema.key_column_usage AS k
            ON k.constraint_name = t.constraint_name AND k.table_name = c.table_name AND k.column_name = c.column_name
        WHERE c.table_schema = 'public' AND c.table_name <> '_sqlx_migrations'";
    const SQLITE_INDICES: &str = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
    const POSTGRES_INDICES: &str = "SELECT CAST(indexname AS TEXT) FROM pg_indexes WHERE schemaname = 'public'
        AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key' AND indexname NOT LIKE '\\_sqlx%'";
    let Some(server) = World::postgres().await else { return };
    let file = World::sqlite();
    file.open().await;
    server.open().await;

    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let ours = sorted(file.column(SQLITE).await);
    let theirs = server.column::<String>(POSTGRES).await;
    let theirs = theirs
        .iter()
        .map(|line| line.replace(" text", " TEXT").replace(" bigint", " INTEGER").replace(" bytea", " BLOB"));
    assert!(ours.len() > 40, "{ours:?}");
    assert_eq!(ours, sorted(theirs.collect()));
    assert_eq!(sorted(file.column(SQLITE_INDICES).await), sorted(server.column(POSTGRES_INDICES).await));
    server.remove().await;
}
