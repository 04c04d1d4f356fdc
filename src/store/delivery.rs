//! The verbs of delivery: accept, read, intend, confirm, settle, put back, prune. Here is what durability rests on.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use data_encoding::BASE64;

use super::error::StoreError;
use super::write::{Acceptance, Answer, CursorRule, Source, Write};
use super::{Readers, Store, postgres, read, sqlite};
use crate::domain::ids::{LaneKey, LoginId, RequestId, RowId, Timestamp};
use crate::domain::record::{Cursor, InboxRow, Intended, Mapping, NewRow, OutboxState, Settlement};

/// What a payload's seal is for.
pub(super) const PAYLOAD: &str = "inbox payload";

/// How long the keys of done rows and transactions are kept.
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What accepting did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Accepted {
    /// The lanes of the rows given, each once, whether the rows are new or known: to be woken.
    pub lanes: Vec<LaneKey>,
    /// How many of the rows are new.
    pub new: usize,
}

/// The head of a lane.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    /// Oldest first, without those that wait and what stands behind them.
    pub rows: Vec<InboxRow>,
    /// When the first row that waits may be tried again.
    pub retry_at: Option<Timestamp>,
}

/// Rows that can never work.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ParkedRows {
    /// How many there are.
    pub count: i64,
    /// How many for each reason, most frequent first.
    pub reasons: Vec<(String, i64)>,
}

impl Store {
    /// Accepts a homeserver transaction: its id and its rows in one commit. A repeated id changes nothing.
    pub async fn accept_transaction(
        &self,
        txn_id: &str,
        rows: Vec<NewRow>,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.accept(Source::Transaction { id: txn_id.to_owned() }, rows, now).await
    }

    /// Accepts what a session received: the rows and the cursor that comes after them in one commit. The cursor only
    /// grows. A row with an echo confirms the send it echoes; it is left out if it does, or if its item is bridged
    /// already.
    pub async fn accept_batch(
        &self,
        login: &LoginId,
        rows: Vec<NewRow>,
        cursor: &Cursor,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let source = Source::Session { login: login.clone(), cursor: *cursor, rule: CursorRule::OnlyGrows };
        self.accept(source, rows, now).await
    }

    /// As [`Store::accept_batch`]; something else came that could not be read. That is remembered, see [`Store::gap`].
    pub async fn accept_batch_with_gap(
        &self,
        login: &LoginId,
        rows: Vec<NewRow>,
        cursor: &Cursor,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.accept(Source::SessionWithGap { login: login.clone(), cursor: *cursor }, rows, now).await
    }

    /// The newest item, in microseconds, from before something came that could not be read and was not asked for yet.
    pub async fn gap(&self, login: &LoginId) -> Result<Option<i64>, StoreError> {
        read!(self, delivery::gap(login))
    }

    /// What could not be read was asked for.
    pub async fn close_gap(&self, login: &LoginId) -> Result<(), StoreError> {
        self.done(Write::CloseGap(login.clone())).await
    }

    /// As [`Store::accept_batch`], for what was found over HTTP after the stored cursor was refused: the new cursor
    /// replaces it, even if it is lower, and no gap is left.
    pub async fn accept_reconciled(
        &self,
        login: &LoginId,
        rows: Vec<NewRow>,
        cursor: &Cursor,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let source = Source::Session { login: login.clone(), cursor: *cursor, rule: CursorRule::Replace };
        self.accept(source, rows, now).await
    }

    /// Payloads hold message texts, and now and then a pasted session: they rest sealed.
    fn seal(&self, row: &mut NewRow) -> Result<(), StoreError> {
        row.payload = BASE64.encode(&self.key.seal(PAYLOAD, &row.dedup_key, row.payload.as_bytes())?);
        Ok(())
    }

    /// The payload of a stored row. One that does not open any more is empty, which its lane parks.
    fn opened(&self, mut row: InboxRow) -> InboxRow {
        let sealed = BASE64.decode(row.payload.as_bytes()).unwrap_or_default();
        let plain = self.key.open(PAYLOAD, &row.dedup_key, &sealed).unwrap_or_default();
        row.payload = String::from_utf8(plain).unwrap_or_default();
        row
    }

    async fn accept(&self, source: Source, rows: Vec<NewRow>, now: Timestamp) -> Result<Accepted, StoreError> {
        self.accepted(Write::Accept(self.acceptance(source, rows, now)?)).await
    }

    /// Rows as they rest.
    pub(super) fn acceptance(
        &self,
        source: Source,
        mut rows: Vec<NewRow>,
        now: Timestamp,
    ) -> Result<Acceptance, StoreError> {
        for row in &mut rows {
            without_nul(row);
            self.seal(row)?;
        }
        Ok(Acceptance { source, rows, now })
    }

    /// Queues a write that accepts rows.
    pub(super) async fn accepted(&self, write: Write) -> Result<Accepted, StoreError> {
        match self.write(write).await? {
            Answer::Accepted(accepted) => Ok(accepted),
            _ => Err(Answer::unexpected()),
        }
    }

    /// The homeserver transaction that was accepted last.
    pub async fn last_transaction(&self) -> Result<Option<String>, StoreError> {
        read!(self, delivery::last_transaction())
    }

    /// Whether the row of a key is not settled yet.
    pub async fn is_waiting(&self, dedup_key: &str) -> Result<bool, StoreError> {
        read!(self, delivery::is_waiting(dedup_key))
    }

    /// Whether requests were written down for rows of a lane that are not settled yet.
    pub async fn is_sending(&self, lane: &LaneKey) -> Result<bool, StoreError> {
        read!(self, delivery::is_sending(lane))
    }

    /// Whether something is the result of a request whose row is not settled yet.
    pub async fn is_unsettled(&self, id: &str) -> Result<bool, StoreError> {
        read!(self, delivery::is_unsettled(id))
    }

    /// The lanes that have pending rows.
    pub async fn pending_lanes(&self) -> Result<Vec<LaneKey>, StoreError> {
        read!(self, delivery::pending_lanes())
    }

    /// The oldest pending rows of a lane, up to `limit` and up to the first that waits for its next attempt.
    pub async fn ready_rows(&self, lane: &LaneKey, limit: i64, now: Timestamp) -> Result<Ready, StoreError> {
        let mut pending: Vec<(InboxRow, Option<Timestamp>)> = read!(self, delivery::pending_rows(lane, limit))?;
        let is_full = i64::try_from(pending.len()).is_ok_and(|count| count == limit);
        let mut ready = ready(lane, pending, now);
        if ready.0.is_empty() && ready.1.is_some() && is_full && lane.is_incoming() {
            // What others have heard may stand behind all that waits.
            pending = read!(self, delivery::pending_rows(lane, limit.saturating_mul(64)))?;
            ready = self::ready(lane, pending, now);
            ready.0.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        let (rows, retry_at) = ready;
        Ok(Ready { rows: rows.into_iter().map(|row| self.opened(row)).collect(), retry_at })
    }

    /// Writes requests down before they are sent, and says of each, in the order given, what is known of it.
    pub async fn intend(&self, parts: Vec<Intended>, now: Timestamp) -> Result<Vec<OutboxState>, StoreError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        match self.write(Write::Intend { parts, now }).await? {
            Answer::States(states) => Ok(states),
            _ => Err(Answer::unexpected()),
        }
    }

    /// Records that a request was carried out, and what the other side calls the result.
    pub async fn confirm(&self, request: &RequestId, id: &str) -> Result<(), StoreError> {
        self.done(Write::Confirm { request: request.clone(), id: id.to_owned() }).await
    }

    /// Writes a part of the message map before its row ends.
    pub async fn map(&self, mappings: Vec<Mapping>) -> Result<(), StoreError> {
        self.done(Write::Map(mappings)).await
    }

    /// Ends rows, all in one commit: writes the message map, forgets their requests, and marks them done (their
    /// payload is erased) or failed (it is kept). Rows that ended before are left as they are.
    pub async fn settle(&self, settlements: Vec<Settlement>, now: Timestamp) -> Result<(), StoreError> {
        if settlements.is_empty() {
            return Ok(());
        }
        self.done(Write::Settle { settlements, now }).await
    }

    /// Leaves a row alone until a time, without counting that as a try.
    pub async fn rest(&self, row: RowId, until: Timestamp) -> Result<(), StoreError> {
        self.done(Write::Rest { row, until }).await
    }

    /// Leaves a row at the head of its lane and counts the attempt. The lane waits until `retry_at`.
    pub async fn put_back(&self, row: RowId, retry_at: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.done(Write::PutBack { row, retry_at, reason: reason.to_owned() }).await
    }

    /// How many rows are pending, those of history left out: there may be any number of them. Costs nothing.
    pub fn inbox_depth(&self) -> i64 {
        self.shared.depth.load(Ordering::Relaxed)
    }

    /// The inbox row that a request was made for, by its dedup key.
    pub async fn event_of_request(&self, request: &RequestId) -> Result<Option<String>, StoreError> {
        read!(self, delivery::dedup_key_of_request(request))
    }

    /// Forgets the keys of rows and transactions that were accepted more than a week ago and are done, and what was
    /// done from here as long ago. Returns how many keys.
    pub async fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = Timestamp(now.0 - KEPT_MS);
        let mut total = 0;
        loop {
            // In portions, so that lanes can write in between.
            match self.write(Write::Prune { before }).await? {
                Answer::Removed(0) => return Ok(total),
                Answer::Removed(removed) => total += removed,
                _ => return Err(Answer::unexpected()),
            }
        }
    }

    /// Queues a write that has nothing to say but that it is done.
    pub(super) async fn done(&self, write: Write) -> Result<(), StoreError> {
        self.write(write).await.map(|_| ())
    }
}

/// The rows that may be handled now, and when the first of the others may. Order is kept per source: behind a row that
/// waits, everything of the same source waits. The source of what came from Instagram is the login that heard it.
fn ready(
    lane: &LaneKey,
    pending: Vec<(InboxRow, Option<Timestamp>)>,
    now: Timestamp,
) -> (Vec<InboxRow>, Option<Timestamp>) {
    fn source<'a>(lane: &LaneKey, row: &'a InboxRow) -> &'a str {
        if lane.is_incoming() { row.dedup_key.split('/').next().unwrap_or_default() } else { "" }
    }
    let mut blocked: HashSet<String> = HashSet::new();
    let (mut rows, mut first) = (Vec::new(), None::<Timestamp>);
    for (row, retry_at) in pending {
        let source = source(lane, &row);
        if blocked.contains(source) {
            continue;
        }
        match retry_at.filter(|at| *at > now) {
            Some(at) => {
                first = Some(first.map_or(at, |known| known.min(at)));
                blocked.insert(source.to_owned());
            }
            None => rows.push(row),
        }
    }
    (rows, first)
}

/// PostgreSQL stores no NUL. A row must not be refused for one: the other side would deliver it for ever. (The payload
/// is sealed and cannot hold one.)
fn without_nul(row: &mut NewRow) {
    fn clean(text: &str) -> Option<String> {
        text.contains('\0').then(|| text.replace('\0', "\u{fffd}"))
    }
    if let Some(lane) = clean(row.lane.as_str()) {
        row.lane = LaneKey::new(lane);
    }
    if let Some(key) = clean(&row.dedup_key) {
        row.dedup_key = key;
    }
    // No send of ours has such a name.
    row.echo.take_if(|echo| echo.client_context.as_str().contains('\0') || echo.item.as_str().contains('\0'));
}
