//! Statements about history that is being fetched.

use super::{Conn, rows};
use crate::domain::ids::{LoginId, PortalId, ThreadId, Timestamp};
use crate::domain::record::History;
use crate::store::error::StoreError;
use crate::store::json::json_keys;
use crate::store::write::HistoryPage;

type Found<T> = Result<T, StoreError>;

pub(in crate::store) async fn all(conn: &mut Conn) -> Found<Vec<History>> {
    const SQL: &str =
        "SELECT thread, login, kind, wanted, fetched, cursor, until_us FROM history ORDER BY login, thread";
    sqlx::query_as(SQL).fetch_all(conn).await?.into_iter().map(rows::history).collect()
}

pub(in crate::store) async fn oldest_item(conn: &mut Conn, portal: PortalId) -> Found<Option<String>> {
    const SQL: &str = "SELECT item FROM message WHERE portal = $1 ORDER BY sent_at, item LIMIT 1";
    Ok(sqlx::query_scalar(SQL).bind(portal.0).fetch_optional(conn).await?)
}

/// What is being fetched already goes on as it is.
pub(super) async fn begin(conn: &mut Conn, histories: &[History]) -> Found<()> {
    const SQL: &str =
        "INSERT INTO history (thread, login, kind, wanted, fetched, cursor, until_us) VALUES ($1, $2, $3, $4, 0, $5, $6)
        ON CONFLICT (thread, login) DO NOTHING";
    for history in histories {
        let query = sqlx::query(SQL).bind(history.thread.as_str()).bind(history.login.as_str());
        let query = query.bind(rows::history_kind_text(history.kind)).bind(history.wanted);
        query.bind(history.cursor.as_deref()).bind(history.until_us).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Adds a page, newest first, and moves the cursor: both or neither, so that no page comes twice.
pub(super) async fn add_page(conn: &mut Conn, page: &HistoryPage) -> Found<()> {
    const NEXT: &str = "SELECT COALESCE(MAX(position), -1) + 1 FROM history_item WHERE thread = $1 AND login = $2";
    const ITEM: &str = "INSERT INTO history_item (thread, login, position, dedup_key, payload)
        SELECT thread, login, $3, $4, $5 FROM history WHERE thread = $1 AND login = $2";
    const PAGE: &str = "UPDATE history SET fetched = $3, cursor = $4 WHERE thread = $1 AND login = $2";
    let HistoryPage { history, items } = page;
    let (thread, login) = (history.thread.as_str(), history.login.as_str());
    let next: i64 = sqlx::query_scalar(NEXT).bind(thread).bind(login).fetch_one(&mut *conn).await?;
    for (position, (key, payload)) in (next..).zip(items) {
        let query = sqlx::query(ITEM).bind(thread).bind(login).bind(position).bind(key).bind(payload);
        query.execute(&mut *conn).await?;
    }
    let query = sqlx::query(PAGE).bind(thread).bind(login).bind(history.fetched);
    query.bind(history.cursor.as_deref()).execute(conn).await?;
    Ok(())
}

/// Whether rows with any of these keys are fetched and wait for the rest.
pub(in crate::store) async fn is_fetched(
    conn: &mut Conn,
    thread: &ThreadId,
    login: &LoginId,
    keys: &[String],
) -> Found<bool> {
    const SQL: &str = "SELECT position FROM history_item WHERE thread = $1 AND login = $2
        AND dedup_key IN (SELECT key FROM json_each(CAST($3 AS jsontext))) LIMIT 1";
    let Some(keys) = json_keys(keys.iter().map(String::as_str)) else { return Ok(false) };
    let query = sqlx::query_scalar(SQL).bind(thread.as_str()).bind(login.as_str()).bind(keys);
    let found: Option<i64> = query.fetch_optional(conn).await?;
    Ok(found.is_some())
}

pub(super) async fn forget(conn: &mut Conn, thread: &ThreadId, login: &LoginId, keys: &[String]) -> Found<()> {
    const SQL: &str = "DELETE FROM history_item WHERE thread = $1 AND login = $2
        AND dedup_key IN (SELECT key FROM json_each(CAST($3 AS jsontext)))";
    let Some(keys) = json_keys(keys.iter().map(String::as_str)) else { return Ok(()) };
    sqlx::query(SQL).bind(thread.as_str()).bind(login.as_str()).bind(keys).execute(conn).await?;
    Ok(())
}

/// Makes rows of the inbox from what was fetched, below zero so that they come before what arrived meanwhile, oldest
/// first. What is known already is left out.
pub(super) async fn finish(conn: &mut Conn, history: &History, lane: &str, now: Timestamp) -> Found<()> {
    const ROWS: &str = "INSERT INTO inbox (id, lane, origin, dedup_key, payload, state, attempts, accepted_at)
        SELECT (SELECT CASE WHEN MIN(id) < 0 THEN MIN(id) ELSE 0 END FROM inbox) - 1 - position,
            $3, 'history', dedup_key, payload, 'pending', 0, $4
        FROM history_item WHERE thread = $1 AND login = $2
        ON CONFLICT (dedup_key) DO NOTHING";
    const DONE: &str = "DELETE FROM history WHERE thread = $1 AND login = $2";
    let (thread, login) = (history.thread.as_str(), history.login.as_str());
    sqlx::query(ROWS).bind(thread).bind(login).bind(lane).bind(now.0).execute(&mut *conn).await?;
    sqlx::query(DONE).bind(thread).bind(login).execute(conn).await?;
    Ok(())
}
