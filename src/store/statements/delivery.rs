//! Statements about the inbox, the outbox and the message map as delivery writes them.

use std::collections::HashSet;

use super::{Conn, accounts, rows};
use crate::domain::ids::{LaneKey, LoginId, RequestId, RowId, Timestamp};
use crate::domain::record::{Cursor, Echo, InboxRow, Intended, Mapping, NewRow, OutboxState, Settlement};
use crate::store::delivery::Accepted;
use crate::store::error::StoreError;
use crate::store::write::CursorRule;

type Found<T> = Result<T, StoreError>;

/// Rows one portion of pruning removes.
const PORTION: i64 = 2_000;

pub(in crate::store) async fn pending_lanes(conn: &mut Conn) -> Found<Vec<LaneKey>> {
    const SQL: &str = "SELECT DISTINCT lane FROM inbox WHERE state = 'pending'";
    let lanes: Vec<String> = sqlx::query_scalar(SQL).fetch_all(conn).await?;
    Ok(lanes.into_iter().map(LaneKey::new).collect())
}

pub(in crate::store) async fn pending_rows(
    conn: &mut Conn,
    lane: &LaneKey,
    limit: i64,
) -> Found<Vec<(InboxRow, Option<Timestamp>)>> {
    const SQL: &str = "SELECT id, lane, origin, dedup_key, payload, attempts, accepted_at, retry_at FROM inbox
        WHERE lane = $1 AND state = 'pending' ORDER BY id LIMIT $2";
    let query = sqlx::query_as(SQL).bind(lane.as_str()).bind(limit);
    query.fetch_all(conn).await?.into_iter().map(rows::pending).collect()
}

pub(super) async fn pending_count(conn: &mut Conn) -> Found<i64> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM inbox WHERE state = 'pending'").fetch_one(conn).await?)
}

pub(in crate::store) async fn dedup_key_of_request(conn: &mut Conn, request: &RequestId) -> Found<Option<String>> {
    const SQL: &str = "SELECT inbox.dedup_key FROM outbox JOIN inbox ON inbox.id = outbox.inbox_id
        WHERE outbox.request_id = $1";
    Ok(sqlx::query_scalar(SQL).bind(request.as_str()).fetch_optional(conn).await?)
}

pub(in crate::store) async fn parked_reasons(conn: &mut Conn) -> Found<Vec<(String, i64)>> {
    const SQL: &str = "SELECT COALESCE(reason, ''), COUNT(*) FROM inbox WHERE state = 'failed'
        GROUP BY reason ORDER BY 2 DESC, 1";
    Ok(sqlx::query_as(SQL).fetch_all(conn).await?)
}

/// Returns what was accepted and how many rows became pending.
pub(super) async fn accept_transaction(
    conn: &mut Conn,
    txn_id: &str,
    new: &[NewRow],
    now: Timestamp,
) -> Found<(Accepted, i64)> {
    const SQL: &str = "INSERT INTO homeserver_txn (id, accepted_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    if sqlx::query(SQL).bind(txn_id).bind(now.0).execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok((Accepted::default(), 0));
    }
    insert_rows(conn, new.iter(), now).await
}

/// Returns what was accepted and how many rows became pending.
pub(super) async fn accept_batch(
    conn: &mut Conn,
    login: &LoginId,
    new: &[NewRow],
    cursor: &Cursor,
    rule: CursorRule,
    now: Timestamp,
) -> Found<(Accepted, i64)> {
    let mut wanted = Vec::with_capacity(new.len());
    for row in new {
        let known = match &row.echo {
            Some(echo) => confirms(conn, echo).await? || is_bridged(conn, login, echo).await?,
            None => false,
        };
        if !known {
            wanted.push(row);
        }
    }
    let accepted = insert_rows(conn, wanted.into_iter(), now).await?;
    // Rows and cursor share this transaction: a cursor ahead of its rows would lose them.
    accounts::save_cursor(conn, login, cursor, rule).await?;
    Ok(accepted)
}

async fn insert_rows(conn: &mut Conn, new: impl Iterator<Item = &NewRow>, now: Timestamp) -> Found<(Accepted, i64)> {
    const SQL: &str = "INSERT INTO inbox (lane, origin, dedup_key, payload, state, attempts, accepted_at)
        VALUES ($1, $2, $3, $4, 'pending', 0, $5) ON CONFLICT (dedup_key) DO NOTHING";
    let mut lanes = HashSet::new();
    let mut count = 0;
    let mut accepted = Accepted { fresh: true, lanes: Vec::new() };
    for row in new {
        let query = sqlx::query(SQL).bind(row.lane.as_str()).bind(rows::origin_text(row.origin));
        let query = query.bind(&row.dedup_key).bind(&row.payload).bind(now.0);
        if query.execute(&mut *conn).await?.rows_affected() == 0 {
            continue;
        }
        count += 1;
        if lanes.insert(&row.lane) {
            accepted.lanes.push(row.lane.clone());
        }
    }
    Ok((accepted, count))
}

/// Whether the item is the echo of a send in the outbox. If so, the send is confirmed.
async fn confirms(conn: &mut Conn, echo: &Echo) -> Found<bool> {
    confirm(conn, echo.client_context.as_str(), echo.item.as_str()).await
}

/// Whether the item is in a portal of this login already. In another login's portal it is another event.
async fn is_bridged(conn: &mut Conn, login: &LoginId, echo: &Echo) -> Found<bool> {
    const SQL: &str = "SELECT 1 FROM message JOIN portal ON portal.id = message.portal
        WHERE message.item = $1 AND portal.receiver IN ('', $2) LIMIT 1";
    let query = sqlx::query(SQL).bind(echo.item.as_str()).bind(login.as_str());
    Ok(query.fetch_optional(conn).await?.is_some())
}

pub(super) async fn intend(conn: &mut Conn, parts: &[Intended], now: Timestamp) -> Found<Vec<OutboxState>> {
    const INSERT: &str = "INSERT INTO outbox (request_id, inbox_id, part, intended_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (request_id) DO NOTHING";
    const SELECT: &str = "SELECT confirmed_id FROM outbox WHERE request_id = $1";
    let mut states = Vec::with_capacity(parts.len());
    for part in parts {
        let insert = sqlx::query(INSERT).bind(part.request_id.as_str()).bind(part.row.0).bind(part.part).bind(now.0);
        if insert.execute(&mut *conn).await?.rows_affected() > 0 {
            states.push(OutboxState::Fresh);
            continue;
        }
        let confirmed: Option<String> =
            sqlx::query_scalar(SELECT).bind(part.request_id.as_str()).fetch_one(&mut *conn).await?;
        states.push(confirmed.map_or(OutboxState::MaybeSent, OutboxState::Confirmed));
    }
    Ok(states)
}

/// Returns whether the outbox holds the request.
pub(super) async fn confirm(conn: &mut Conn, request: &str, id: &str) -> Found<bool> {
    const SQL: &str = "UPDATE outbox SET confirmed_id = $2 WHERE request_id = $1";
    Ok(sqlx::query(SQL).bind(request).bind(id).execute(conn).await?.rows_affected() > 0)
}

/// Returns how many rows are pending no more.
pub(super) async fn settle(conn: &mut Conn, settlements: &[Settlement], now: Timestamp) -> Found<i64> {
    const FORGET: &str = "DELETE FROM outbox WHERE inbox_id = $1";
    const DONE: &str = "UPDATE inbox SET state = 'done', payload = NULL, retry_at = NULL, settled_at = $2
        WHERE id = $1 AND state = 'pending'";
    const FAILED: &str = "UPDATE inbox SET state = 'failed', reason = $3, retry_at = NULL, settled_at = $2
        WHERE id = $1 AND state = 'pending'";
    let mut ended = 0;
    for settlement in settlements {
        for mapping in &settlement.mappings {
            insert_mapping(conn, mapping).await?;
        }
        sqlx::query(FORGET).bind(settlement.row.0).execute(&mut *conn).await?;
        let query = match &settlement.failure {
            None => sqlx::query(DONE).bind(settlement.row.0).bind(now.0),
            Some(reason) => sqlx::query(FAILED).bind(settlement.row.0).bind(now.0).bind(reason),
        };
        ended += i64::from(query.execute(&mut *conn).await?.rows_affected() > 0);
    }
    Ok(ended)
}

async fn insert_mapping(conn: &mut Conn, mapping: &Mapping) -> Found<()> {
    const SQL: &str = "INSERT INTO message (portal, item, part, event, sender, client_context, sent_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (item, portal, part) DO NOTHING";
    let query = sqlx::query(SQL).bind(mapping.portal.0).bind(mapping.item.as_str()).bind(mapping.part);
    let query = query.bind(mapping.event.as_str()).bind(&mapping.sender);
    let query = query.bind(mapping.client_context.as_ref().map(|context| context.as_str())).bind(mapping.at.0);
    query.execute(conn).await?;
    Ok(())
}

pub(super) async fn put_back(conn: &mut Conn, row: RowId, retry_at: Timestamp, reason: &str) -> Found<()> {
    const SQL: &str = "UPDATE inbox SET attempts = attempts + 1, retry_at = $2, reason = $3
        WHERE id = $1 AND state = 'pending'";
    sqlx::query(SQL).bind(row.0).bind(retry_at.0).bind(reason).execute(conn).await?;
    Ok(())
}

/// Removes one portion of what was accepted and done before a time. Ids grow with time, so the old rows come first.
pub(super) async fn prune(conn: &mut Conn, before: Timestamp) -> Found<u64> {
    const YOUNG: &str = "SELECT id FROM inbox WHERE accepted_at >= $1 ORDER BY id LIMIT 1";
    const ROWS: &str = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox
        WHERE id < $1 AND state = 'done' AND settled_at < $2 ORDER BY id LIMIT $3)";
    const TRANSACTIONS: &str = "DELETE FROM homeserver_txn WHERE accepted_at < $1";
    let young: Option<i64> = sqlx::query_scalar(YOUNG).bind(before.0).fetch_optional(&mut *conn).await?;
    let query = sqlx::query(ROWS).bind(young.unwrap_or(i64::MAX)).bind(before.0).bind(PORTION);
    let removed = query.execute(&mut *conn).await?.rows_affected();
    Ok(removed + sqlx::query(TRANSACTIONS).bind(before.0).execute(conn).await?.rows_affected())
}
