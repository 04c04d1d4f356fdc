//! The half of a session that listens: one task owns it, and hands on batches for the inbox.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use instagram::client::realtime as client;
use instagram::realtime::{AckToken, CloseReason, Event, RealtimeOptions, Typing};
use instagram::session::Session;

use super::decode::{self, Heard, Place};
use super::error::SessionEnd;
use super::remote::Remote;
use super::{Network, random};
use crate::domain::ids::{RemoteUserId, ThreadId, Timestamp};
use crate::domain::record::{Cursor, NewRow};
use crate::runtime;

/// Publishes that are taken together, so that they share a commit.
const GATHER: usize = 64;

/// Listens on one connection.
pub struct Events {
    remote: Remote,
    events: client::Events,
    handle: client::Handle,
    cursor: Cursor,
    /// What was said before is history.
    since: Timestamp,
    /// An event that ended a gathering and is still to be handed on.
    put_aside: Option<Event>,
}

/// Rows to be stored before they are confirmed.
#[derive(Debug)]
pub struct Batch {
    /// For the inbox, in order.
    pub rows: Vec<NewRow>,
    /// Where to resume once the rows are stored.
    pub cursor: Cursor,
    /// Something in it could not be read at all: what it said has to be asked for.
    pub has_gap: bool,
    acks: Vec<AckToken>,
}

/// Somebody types, or stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypingNotice {
    /// Where.
    pub thread: ThreadId,
    /// Who.
    pub user: RemoteUserId,
    /// False: stopped.
    pub active: bool,
    /// How long it is to be shown.
    pub lasting: Duration,
}

impl TypingNotice {
    /// None when it is over already.
    fn from_realtime(typing: &Typing) -> Option<Self> {
        let ttl_ms = typing.ttl_ms.unwrap_or(12_000).clamp(0, 60_000);
        let left = match typing.timestamp_us {
            Some(at) => (at / 1000).saturating_add(ttl_ms).saturating_sub(runtime::now().0).min(ttl_ms),
            None => ttl_ms,
        };
        let lasting = Duration::from_millis(u64::try_from(left).ok().filter(|left| *left > 0 || !typing.active)?);
        Some(Self {
            thread: ThreadId::new(&typing.thread_id),
            user: RemoteUserId::new(&typing.user_id),
            active: typing.active,
            lasting,
        })
    }
}

/// What a session has to react to.
#[derive(Debug)]
pub enum SessionEvent {
    /// Subscribed: from here on every message comes.
    Subscribed,
    /// Something to store.
    Batch(Batch),
    /// Somebody types, or stopped.
    Typing(TypingNotice),
    /// The cursor is of no use any more: reconcile over HTTP.
    CursorRefused(String),
    /// The connection is over.
    Ended(SessionEnd),
}

impl Network {
    /// Connects and asks for everything after `cursor`; what was said before `since` is history. The future drives the
    /// connection and has to be spawned.
    ///
    /// # Errors
    /// When the connection cannot be made; nothing has been lost.
    pub async fn open(
        &self,
        remote: &Remote,
        cursor: Cursor,
        since: Timestamp,
    ) -> Result<(Events, impl Future<Output = ()> + Send + 'static), SessionEnd> {
        let session = remote.session().snapshot();
        let instagram = &self.shared.config.instagram;
        let options = RealtimeOptions {
            ping_every: instagram.ping_interval(),
            pong_timeout: instagram.ping_timeout(),
            ..identity(&session)
        };
        let connect = self.connect_options(remote.login().as_str());
        let (handle, events, driver) =
            client::connect(&connect, options).await.map_err(|error| SessionEnd::Transport(error.to_string()))?;
        handle.subscribe(cursor.seq_id, cursor.snapshot_at_ms);
        Ok((Events { remote: remote.clone(), events, handle, cursor, since, put_aside: None }, driver))
    }
}

/// Who we are on the realtime connection.
fn identity(session: &Session) -> RealtimeOptions {
    let device = &session.device;
    let user_agent = device.user_agent();
    RealtimeOptions {
        bearer: session.authorization.clone(),
        locale: device.locale.clone(),
        timezone_offset: device.timezone_offset,
        client_mqtt_session_id: runtime::now().0 & 0xffff_ffff,
        client_subscription_id: uuid::Builder::from_random_bytes(random()).into_uuid().to_string(),
        ..RealtimeOptions::new(session.user_id, &session.sessionid, &device.phone_id, &user_agent, &device.app.version)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.remote.set_connection(None);
        self.handle.close();
    }
}

impl Events {
    /// The next thing to react to. Safe to cancel.
    pub async fn next(&mut self) -> SessionEvent {
        loop {
            let event = match self.put_aside.take() {
                Some(event) => Some(event),
                None => self.events.next().await,
            };
            let Some(event) = event else {
                return SessionEvent::Ended(SessionEnd::Transport("the connection was closed".into()));
            };
            self.remote.note_inbound();
            match event {
                Event::Sync { .. } => return SessionEvent::Batch(self.gather(event)),
                Event::Subscribed { .. } => {
                    self.remote.set_connection(Some(self.handle.clone()));
                    return SessionEvent::Subscribed;
                }
                Event::CursorRefused { message, .. } => {
                    return SessionEvent::CursorRefused(message.unwrap_or_default());
                }
                Event::Closed { reason } => return SessionEvent::Ended(Self::ended(&reason)),
                Event::Malformed { topic, reason } => {
                    self.remote.note_malformed();
                    tracing::warn!(?topic, %reason, "payload could not be read");
                }
                Event::UnknownTopic { topic, size } => {
                    self.remote.note_unknown();
                    tracing::debug!(%topic, size, "unknown topic");
                }
                Event::Typing(typing) => {
                    if let Some(notice) = TypingNotice::from_realtime(&typing) {
                        return SessionEvent::Typing(notice);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes what has arrived already, up to a bound.
    fn gather(&mut self, first: Event) -> Batch {
        let mut batch = Batch { rows: Vec::new(), cursor: self.cursor, has_gap: false, acks: Vec::new() };
        let mut next = Some(first);
        while let Some(event) = next.take() {
            match event {
                Event::Sync { ack, payload } => {
                    self.read(&payload, &mut batch);
                    batch.acks.push(ack);
                    if batch.acks.len() < GATHER {
                        next = self.events.next().now_or_never().flatten();
                    }
                }
                other => self.put_aside = Some(other),
            }
        }
        self.cursor = batch.cursor;
        batch
    }

    fn read(&self, payload: &[u8], batch: &mut Batch) {
        let envelopes = match instagram::sync::decode(payload) {
            Ok(envelopes) => envelopes,
            Err(error) => {
                self.remote.note_malformed();
                batch.has_gap = true;
                tracing::warn!(%error, size = payload.len(), "message sync could not be read");
                return;
            }
        };
        for envelope in envelopes {
            let seq_id = envelope.seq_id;
            let cause = envelope.mutation_token.as_deref();
            for (index, patch) in envelope.patches.into_iter().enumerate() {
                let brought_along = decode::rows_of_thread(self.remote.login(), &patch, self.since);
                match decode::row(self.remote.login(), Place { seq_id, index, cause }, patch) {
                    Heard::Row { row, at_us } => self.take(row, at_us, batch),
                    Heard::Ignored => {}
                    Heard::Unknown => self.remote.note_unknown(),
                }
                for (row, at_us) in brought_along {
                    self.take(row, at_us, batch);
                }
            }
            if let Some(seq_id) = seq_id.filter(|seq_id| *seq_id > batch.cursor.seq_id) {
                batch.cursor.seq_id = seq_id;
                batch.cursor.snapshot_at_ms = runtime::now().0;
            }
        }
    }

    fn take(&self, row: NewRow, at_us: i64, batch: &mut Batch) {
        if let Some(echo) = &row.echo {
            self.handle.confirm(echo.client_context.as_str(), echo.item.as_str());
        }
        // A time in the future must not hide from a reconciliation what comes before it.
        let at_us = at_us.min(runtime::now().0.saturating_mul(1000));
        batch.cursor.newest_item_us = batch.cursor.newest_item_us.max(at_us);
        batch.rows.push(row);
    }

    /// Tells the broker that a batch is stored. Only then: the unconfirmed window is our brake.
    pub fn confirm(&self, batch: Batch) {
        self.remote.note_received();
        for ack in batch.acks {
            self.handle.acknowledge(ack);
        }
    }

    /// Listens from elsewhere, after a reconciliation.
    pub fn resume_from(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.handle.subscribe(cursor.seq_id, cursor.snapshot_at_ms);
    }

    fn ended(reason: &CloseReason) -> SessionEnd {
        if reason.suggests_logout() { SessionEnd::Doubtful } else { SessionEnd::Transport(reason.to_string()) }
    }
}
