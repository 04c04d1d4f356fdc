//! Statements about the inbox, the outbox and the message map.
//!
//! Those that write take what all writes of a group have to say at once, as one JSON parameter: a statement costs more
//! than the rows in it.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Conn, facts, rows};
use crate::domain::ids::{LaneKey, LoginId, RequestId, RowId, Timestamp};
use crate::domain::record::{Cursor, InboxRow, Intended, Mapping, NewRow, OutboxState, Settlement};
use crate::store::delivery::Accepted;
use crate::store::error::StoreError;
use crate::store::json::{json_keys, json_rows};
use crate::store::write::{Acceptance, CursorRule, Source};

type Found<T> = Result<T, StoreError>;

/// Rows one portion of pruning removes.
const PORTION: i64 = 2_000;

pub(in crate::store) async fn is_waiting(conn: &mut Conn, dedup_key: &str) -> Found<bool> {
    const SQL: &str = "SELECT id FROM inbox WHERE dedup_key = $1 AND state = 'pending'";
    let found: Option<i64> = sqlx::query_scalar(SQL).bind(dedup_key).fetch_optional(conn).await?;
    Ok(found.is_some())
}

pub(in crate::store) async fn is_sending(conn: &mut Conn, lane: &LaneKey) -> Found<bool> {
    const SQL: &str = "SELECT inbox.id FROM inbox JOIN outbox ON outbox.inbox_id = inbox.id
        WHERE inbox.lane = $1 AND inbox.state = 'pending' LIMIT 1";
    let found: Option<i64> = sqlx::query_scalar(SQL).bind(lane.as_str()).fetch_optional(conn).await?;
    Ok(found.is_some())
}

pub(in crate::store) async fn is_unsettled(conn: &mut Conn, id: &str) -> Found<bool> {
    // Settling forgets the requests of a row: there are only as many as are on their way.
    const SQL: &str = "SELECT inbox_id FROM outbox WHERE confirmed_id = $1 LIMIT 1";
    let found: Option<i64> = sqlx::query_scalar(SQL).bind(id).fetch_optional(conn).await?;
    Ok(found.is_some())
}

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

/// How many rows are pending, those of history left out: their ids are below zero.
pub(super) async fn pending_count(conn: &mut Conn) -> Found<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM inbox WHERE state = 'pending' AND id > 0";
    Ok(sqlx::query_scalar(SQL).fetch_one(conn).await?)
}

pub(in crate::store) async fn gap(conn: &mut Conn, login: &LoginId) -> Found<Option<i64>> {
    const SQL: &str = "SELECT gap_since_us FROM login_cursor WHERE login = $1";
    let found: Option<Option<i64>> = sqlx::query_scalar(SQL).bind(login.as_str()).fetch_optional(conn).await?;
    Ok(found.flatten())
}

/// Remembers from where on something may be missing. Before the cursors move: what they say of a gap is theirs.
async fn note_gaps(conn: &mut Conn, given: &[&Acceptance]) -> Found<()> {
    const SQL: &str = "UPDATE login_cursor SET gap_since_us = COALESCE(gap_since_us, newest_item_us) WHERE login = $1";
    for acceptance in given {
        if let Source::SessionWithGap { login, .. } = &acceptance.source {
            sqlx::query(SQL).bind(login.as_str()).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

pub(super) async fn close_gap(conn: &mut Conn, login: &LoginId) -> Found<()> {
    const SQL: &str = "UPDATE login_cursor SET gap_since_us = NULL WHERE login = $1";
    sqlx::query(SQL).bind(login.as_str()).execute(conn).await?;
    Ok(())
}

pub(in crate::store) async fn dedup_key_of_request(conn: &mut Conn, request: &RequestId) -> Found<Option<String>> {
    const SQL: &str = "SELECT inbox.dedup_key FROM outbox JOIN inbox ON inbox.id = outbox.inbox_id
        WHERE outbox.request_id = $1";
    Ok(sqlx::query_scalar(SQL).bind(request.as_str()).fetch_optional(conn).await?)
}

/// Accepts the rows of each acceptance together with its transaction id or its cursor. Returns what each did, and how
/// many rows became pending.
pub(super) async fn accept(conn: &mut Conn, given: &[&Acceptance]) -> Found<(Vec<Accepted>, i64)> {
    note_transactions(conn, given).await?;
    let known = known_echoes(conn, given).await?;
    let mut wanted = Vec::new();
    for acceptance in given {
        let unknown = acceptance.rows.iter().filter(|row| !is_known(row, acceptance, &known));
        wanted.extend(unknown.map(|row| (row, acceptance.now)));
    }
    let inserted = insert_rows(conn, &wanted).await?;
    let count = i64::try_from(inserted.len()).unwrap_or(i64::MAX);
    // Rows and cursor share this transaction: a cursor ahead of its rows would lose them.
    note_gaps(conn, given).await?;
    save_cursors(conn, given).await?;

    let mut accepted = Vec::with_capacity(given.len());
    for acceptance in given {
        // The lanes of known rows too: whoever brought them first may have gone before it could wake them.
        let mut seen = HashSet::new();
        let rows = acceptance.rows.iter().filter(|row| !is_known(row, acceptance, &known));
        let lanes = rows.map(|row| &row.lane).filter(|lane| seen.insert(*lane)).cloned().collect();
        let new = acceptance.rows.iter().filter(|row| inserted.contains(&row.dedup_key)).count();
        accepted.push(Accepted { lanes, new });
    }
    Ok((accepted, count))
}

/// Remembers the ids of the homeserver's transactions. They decide nothing: Synapse counts anew after a restart, so
/// that a known id may carry new events. What makes a repetition harmless is the key of each row.
async fn note_transactions(conn: &mut Conn, given: &[&Acceptance]) -> Found<()> {
    const SQL: &str = "INSERT INTO homeserver_txn (id, accepted_at) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET accepted_at = EXCLUDED.accepted_at";
    for acceptance in given {
        if let Source::Transaction { id } = &acceptance.source {
            sqlx::query(SQL).bind(id).bind(acceptance.now.0).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

/// The id of the transaction that was accepted last; of several at the same time, the highest number.
pub(in crate::store) async fn last_transaction(conn: &mut Conn) -> Found<Option<String>> {
    const SQL: &str = "SELECT id FROM homeserver_txn ORDER BY accepted_at DESC, LENGTH(id) DESC, id DESC LIMIT 1";
    Ok(sqlx::query_scalar(SQL).fetch_optional(conn).await?)
}

/// Which echoes need no row.
struct KnownEchoes {
    /// The send is in the outbox, and confirmed by now.
    contexts: HashSet<String>,
    /// Login and item: the item is in a portal of this login already.
    items: HashSet<(String, String)>,
}

fn is_known(row: &NewRow, acceptance: &Acceptance, known: &KnownEchoes) -> bool {
    let (Some(echo), Some(login)) = (&row.echo, acceptance.source.login()) else { return false };
    known.contexts.contains(echo.client_context.as_str())
        || known.items.contains(&(login.as_str().to_owned(), echo.item.as_str().to_owned()))
}

async fn known_echoes(conn: &mut Conn, given: &[&Acceptance]) -> Found<KnownEchoes> {
    #[derive(Serialize)]
    struct Row<'a> {
        login: &'a LoginId,
        item: &'a str,
    }
    // In another login's portal the same item is another event.
    const BRIDGED: &str = "SELECT given.login, given.item
        FROM (SELECT value ->> 'login' AS login, value ->> 'item' AS item FROM json_each(CAST($1 AS jsontext))) AS given
        JOIN message ON message.item = given.item
        JOIN portal ON portal.id = message.portal AND portal.receiver IN ('', given.login)";
    let mut echoes = Vec::new();
    for acceptance in given {
        if let Some(login) = acceptance.source.login() {
            echoes.extend(acceptance.rows.iter().filter_map(|row| Some((login, row.echo.as_ref()?))));
        }
    }
    let confirmations: Vec<_> =
        echoes.iter().map(|(_, echo)| (echo.client_context.as_str(), echo.item.as_str())).collect();
    let contexts = confirm(conn, &confirmations).await?;
    echoes.retain(|(_, echo)| !contexts.contains(echo.client_context.as_str()));
    let others = json_rows(echoes.iter().map(|(login, echo)| Row { login, item: echo.item.as_str() }));
    let items = match others {
        Some(others) => sqlx::query_as(BRIDGED).bind(others).fetch_all(conn).await?.into_iter().collect(),
        None => HashSet::new(),
    };
    Ok(KnownEchoes { contexts, items })
}

/// Returns the keys of the rows that were not there before.
async fn insert_rows(conn: &mut Conn, wanted: &[(&NewRow, Timestamp)]) -> Found<HashSet<String>> {
    #[derive(Serialize)]
    struct Row<'a> {
        lane: &'a LaneKey,
        origin: &'static str,
        key: &'a str,
        payload: &'a str,
        at: Timestamp,
    }
    // Ids are given out in the order of arrival; lanes rely on it.
    const SQL: &str = "WITH given AS MATERIALIZED
            (SELECT CAST(key AS BIGINT) AS position, value FROM json_each(CAST($1 AS jsontext)))
        INSERT INTO inbox (lane, origin, dedup_key, payload, state, attempts, accepted_at)
        SELECT value ->> 'lane', value ->> 'origin', value ->> 'key', value ->> 'payload', 'pending', 0,
            CAST(value ->> 'at' AS BIGINT)
        FROM given WHERE true ORDER BY position
        ON CONFLICT (dedup_key) DO NOTHING RETURNING dedup_key";
    let wanted = json_rows(wanted.iter().map(|(row, at)| Row {
        lane: &row.lane,
        origin: rows::origin_text(row.origin),
        key: &row.dedup_key,
        payload: &row.payload,
        at: *at,
    }));
    let Some(wanted) = wanted else { return Ok(HashSet::new()) };
    let inserted: Vec<String> = sqlx::query_scalar(SQL).bind(wanted).fetch_all(conn).await?;
    Ok(inserted.into_iter().collect())
}

async fn save_cursors(conn: &mut Conn, given: &[&Acceptance]) -> Found<()> {
    #[derive(Serialize)]
    struct Row<'a> {
        login: &'a LoginId,
        seq: i64,
        snapshot: i64,
        newest: i64,
    }
    const GROW: &str = "INSERT INTO login_cursor (login, seq_id, snapshot_at_ms, newest_item_us)
        SELECT value ->> 'login', CAST(value ->> 'seq' AS BIGINT), CAST(value ->> 'snapshot' AS BIGINT),
            CAST(value ->> 'newest' AS BIGINT)
        FROM json_each(CAST($1 AS jsontext)) WHERE true
        ON CONFLICT (login) DO UPDATE SET seq_id = excluded.seq_id, snapshot_at_ms = excluded.snapshot_at_ms,
            newest_item_us = CASE WHEN excluded.newest_item_us > login_cursor.newest_item_us
                THEN excluded.newest_item_us ELSE login_cursor.newest_item_us END
        WHERE login_cursor.seq_id < excluded.seq_id";
    const REPLACE: &str = "INSERT INTO login_cursor (login, seq_id, snapshot_at_ms, newest_item_us)
        SELECT value ->> 'login', CAST(value ->> 'seq' AS BIGINT), CAST(value ->> 'snapshot' AS BIGINT),
            CAST(value ->> 'newest' AS BIGINT)
        FROM json_each(CAST($1 AS jsontext)) WHERE true
        ON CONFLICT (login) DO UPDATE SET seq_id = excluded.seq_id, snapshot_at_ms = excluded.snapshot_at_ms,
            newest_item_us = excluded.newest_item_us, gap_since_us = NULL";
    // A statement may touch a login once: the group's cursors of one login become one.
    let mut last: HashMap<&LoginId, (Cursor, CursorRule)> = HashMap::new();
    for acceptance in given {
        let Some((login, cursor, rule)) = acceptance.source.cursor() else { continue };
        match (last.get_mut(login), rule) {
            (Some((known, _)), CursorRule::OnlyGrows) if known.seq_id >= cursor.seq_id => {}
            (Some((known, _)), CursorRule::OnlyGrows) => {
                *known = Cursor { newest_item_us: known.newest_item_us.max(cursor.newest_item_us), ..*cursor };
            }
            _ => drop(last.insert(login, (*cursor, rule))),
        }
    }
    for (wanted, sql) in [(CursorRule::OnlyGrows, GROW), (CursorRule::Replace, REPLACE)] {
        let cursors = last.iter().filter(|(_, (_, rule))| *rule == wanted);
        let cursors = json_rows(cursors.map(|(login, (cursor, _))| Row {
            login,
            seq: cursor.seq_id,
            snapshot: cursor.snapshot_at_ms,
            newest: cursor.newest_item_us,
        }));
        if let Some(cursors) = cursors {
            sqlx::query(sql).bind(cursors).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

/// Writes requests down, and says of each, in the order given, what is known of it.
pub(super) async fn intend(conn: &mut Conn, parts: &[(&Intended, Timestamp)]) -> Found<Vec<OutboxState>> {
    #[derive(Serialize)]
    struct Row<'a> {
        request: &'a RequestId,
        inbox: i64,
        part: i64,
        at: Timestamp,
    }
    const INSERT: &str = "INSERT INTO outbox (request_id, inbox_id, part, intended_at)
        SELECT value ->> 'request', CAST(value ->> 'inbox' AS BIGINT), CAST(value ->> 'part' AS BIGINT),
            CAST(value ->> 'at' AS BIGINT)
        FROM json_each(CAST($1 AS jsontext)) WHERE true
        ON CONFLICT (request_id) DO NOTHING RETURNING request_id";
    const SELECT: &str = "SELECT request_id, confirmed_id FROM outbox
        WHERE request_id IN (SELECT key FROM json_each(CAST($1 AS jsontext)))";
    let given =
        parts.iter().map(|(part, at)| Row { request: &part.request_id, inbox: part.row.0, part: part.part, at: *at });
    let Some(given) = json_rows(given) else { return Ok(Vec::new()) };
    let inserted: Vec<String> = sqlx::query_scalar(INSERT).bind(given).fetch_all(&mut *conn).await?;
    let mut fresh: HashSet<String> = inserted.into_iter().collect();
    let mut states = Vec::with_capacity(parts.len());
    for (part, _) in parts {
        states.push(if fresh.remove(part.request_id.as_str()) { OutboxState::Fresh } else { OutboxState::MaybeSent });
    }

    let old = parts.iter().zip(&states).filter(|(_, state)| **state == OutboxState::MaybeSent);
    let old = json_keys(old.map(|((part, _), _)| part.request_id.as_str()));
    let Some(old) = old else { return Ok(states) };
    let found: Vec<(String, Option<String>)> = sqlx::query_as(SELECT).bind(old).fetch_all(conn).await?;
    let confirmed: HashMap<String, String> =
        found.into_iter().filter_map(|(request, id)| Some((request, id?))).collect();
    for ((part, _), state) in parts.iter().zip(&mut states) {
        if let (OutboxState::MaybeSent, Some(id)) = (&*state, confirmed.get(part.request_id.as_str())) {
            *state = OutboxState::Confirmed(id.clone());
        }
    }
    Ok(states)
}

/// Records results of requests. Returns the requests that the outbox holds.
pub(super) async fn confirm(conn: &mut Conn, results: &[(&str, &str)]) -> Found<HashSet<String>> {
    #[derive(Serialize)]
    struct Row<'a> {
        request: &'a str,
        id: &'a str,
    }
    const SQL: &str = "UPDATE outbox SET confirmed_id = given.id
        FROM (SELECT value ->> 'request' AS request, value ->> 'id' AS id
            FROM json_each(CAST($1 AS jsontext))) AS given
        WHERE outbox.request_id = given.request RETURNING outbox.request_id";
    let results = json_rows(results.iter().map(|(request, id)| Row { request, id }));
    let Some(results) = results else { return Ok(HashSet::new()) };
    let confirmed: Vec<String> = sqlx::query_scalar(SQL).bind(results).fetch_all(conn).await?;
    Ok(confirmed.into_iter().collect())
}

/// Ends rows. Returns how many are pending no more.
pub(super) async fn settle(conn: &mut Conn, settlements: &[(&Settlement, Timestamp)]) -> Found<i64> {
    #[derive(Serialize)]
    struct Row<'a> {
        id: i64,
        at: Timestamp,
        reason: &'a str,
    }
    const FORGET: &str = "DELETE FROM outbox
        WHERE inbox_id IN (SELECT CAST(key AS BIGINT) FROM json_each(CAST($1 AS jsontext)))";
    const DONE: &str = "UPDATE inbox SET state = 'done', payload = NULL, retry_at = NULL, settled_at = $2
        WHERE id IN (SELECT CAST(key AS BIGINT) FROM json_each(CAST($1 AS jsontext))) AND state = 'pending' RETURNING id";
    const FAILED: &str = "UPDATE inbox SET state = 'failed', reason = given.reason, retry_at = NULL,
            settled_at = given.settled_at
        FROM (SELECT CAST(value ->> 'id' AS BIGINT) AS id, CAST(value ->> 'at' AS BIGINT) AS settled_at,
            value ->> 'reason' AS reason FROM json_each(CAST($1 AS jsontext))) AS given
        WHERE inbox.id = given.id AND inbox.state = 'pending' RETURNING inbox.id";
    map(conn, settlements.iter().flat_map(|(settlement, _)| &settlement.mappings)).await?;
    for effect in settlements.iter().flat_map(|(settlement, _)| &settlement.effects) {
        facts::apply_effect(conn, effect).await?;
    }
    let ids = json_keys(settlements.iter().map(|(settlement, _)| settlement.row.0));
    let Some(ids) = ids else { return Ok(0) };
    sqlx::query(FORGET).bind(ids).execute(&mut *conn).await?;

    let mut ended: Vec<i64> = Vec::new();
    let done: Vec<_> = settlements.iter().filter(|(settlement, _)| settlement.failure.is_none()).collect();
    let at = done.iter().map(|(_, at)| at.0).max();
    let ids = json_keys(done.iter().map(|(settlement, _)| settlement.row.0));
    if let Some(ids) = ids {
        ended.extend(sqlx::query_scalar::<_, i64>(DONE).bind(ids).bind(at).fetch_all(&mut *conn).await?);
    }
    let failed = json_rows(settlements.iter().filter_map(|(settlement, at)| {
        Some(Row { id: settlement.row.0, at: *at, reason: settlement.failure.as_deref()? })
    }));
    if let Some(failed) = failed {
        ended.extend(sqlx::query_scalar::<_, i64>(FAILED).bind(failed).fetch_all(conn).await?);
    }
    // Rows of history were never counted.
    Ok(i64::try_from(ended.iter().filter(|id| **id > 0).count()).unwrap_or(i64::MAX))
}

/// Adds to the message map. Leaves out what belongs to a portal that was removed meanwhile.
pub(super) async fn map(conn: &mut Conn, mappings: impl IntoIterator<Item = &Mapping>) -> Found<()> {
    #[derive(Serialize)]
    struct Row<'a> {
        portal: i64,
        item: &'a str,
        part: i64,
        event: &'a str,
        sender: &'a str,
        context: Option<&'a str>,
        at: Timestamp,
        kind: Option<&'a str>,
        digest: Option<&'a str>,
        redact: Option<Timestamp>,
        shows: &'static str,
    }
    const SQL: &str = "INSERT INTO message (portal, item, part, event, sender, client_context, sent_at, kind, digest,
            redact_at, shows)
        SELECT portal.id, given.value ->> 'item', CAST(given.value ->> 'part' AS BIGINT), given.value ->> 'event',
            given.value ->> 'sender', given.value ->> 'context', CAST(given.value ->> 'at' AS BIGINT),
            given.value ->> 'kind', given.value ->> 'digest', CAST(given.value ->> 'redact' AS BIGINT),
            given.value ->> 'shows'
        FROM json_each(CAST($1 AS jsontext)) AS given
        JOIN portal ON portal.id = CAST(given.value ->> 'portal' AS BIGINT) WHERE true
        ON CONFLICT (item, portal, part) DO NOTHING";
    let mappings = json_rows(mappings.into_iter().map(|mapping| Row {
        portal: mapping.portal.0,
        item: mapping.item.as_str(),
        part: mapping.part,
        event: mapping.event.as_str(),
        sender: &mapping.sender,
        context: mapping.client_context.as_ref().map(|context| context.as_str()),
        at: mapping.at,
        kind: mapping.kind.as_deref(),
        digest: mapping.digest.as_deref(),
        redact: mapping.redact_at,
        shows: rows::shows_text(mapping.shows),
    }));
    if let Some(mappings) = mappings {
        sqlx::query(SQL).bind(mappings).execute(conn).await?;
    }
    Ok(())
}

pub(super) async fn put_back(conn: &mut Conn, row: RowId, retry_at: Timestamp, reason: &str) -> Found<()> {
    const SQL: &str = "UPDATE inbox SET attempts = attempts + 1, retry_at = $2, reason = $3
        WHERE id = $1 AND state = 'pending'";
    sqlx::query(SQL).bind(row.0).bind(retry_at.0).bind(reason).execute(conn).await?;
    Ok(())
}

pub(super) async fn rest(conn: &mut Conn, row: RowId, until: Timestamp) -> Found<()> {
    const SQL: &str = "UPDATE inbox SET retry_at = $2 WHERE id = $1 AND state = 'pending'";
    sqlx::query(SQL).bind(row.0).bind(until.0).execute(conn).await?;
    Ok(())
}

/// Removes one portion of what was accepted and done before a time. Ids grow with time, so the old rows come first.
pub(super) async fn prune(conn: &mut Conn, before: Timestamp) -> Found<u64> {
    const YOUNG: &str = "SELECT id FROM inbox WHERE accepted_at >= $1 AND id > 0 ORDER BY id LIMIT 1";
    const ROWS: &str = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox
        WHERE id < $1 AND state = 'done' AND settled_at < $2 ORDER BY id LIMIT $3)";
    const TRANSACTIONS: &str = "DELETE FROM homeserver_txn WHERE accepted_at < $1";
    const OWN_CHANGES: &str = "DELETE FROM own_change WHERE noted_at < $1";
    const HAPPENINGS: &str = "DELETE FROM happening WHERE noted_at < $1";
    let young: Option<i64> = sqlx::query_scalar(YOUNG).bind(before.0).fetch_optional(&mut *conn).await?;
    let query = sqlx::query(ROWS).bind(young.unwrap_or(i64::MAX)).bind(before.0).bind(PORTION);
    let removed = query.execute(&mut *conn).await?.rows_affected();
    sqlx::query(OWN_CHANGES).bind(before.0).execute(&mut *conn).await?;
    sqlx::query(HAPPENINGS).bind(before.0).execute(&mut *conn).await?;
    Ok(removed + sqlx::query(TRANSACTIONS).bind(before.0).execute(conn).await?.rows_affected())
}
