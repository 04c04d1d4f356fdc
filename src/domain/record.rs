//! What the bridge remembers: the values that the store keeps and hands out.

use std::collections::BTreeMap;
use std::fmt;

use ruma::{OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId};

use super::ids::{
    ClientContext, ItemId, LaneKey, LoginId, PortalId, PortalKey, RemoteUserId, RequestId, RowId, ThreadId, Timestamp,
};

/// Where a session resumes. Only the Instagram adapter gives the numbers a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Iris sequence id of the last envelope that is in the inbox.
    pub seq_id: i64,
    /// Milliseconds; sent back to Instagram together with `seq_id`.
    pub snapshot_at_ms: i64,
    /// Microseconds, Instagram's clock: the newest item seen. Bounds what a reconciliation has to fetch.
    pub newest_item_us: i64,
}

/// History that is being fetched for a login from one thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// From where.
    pub thread: ThreadId,
    /// For whom.
    pub login: LoginId,
    /// Why.
    pub kind: HistoryKind,
    /// How many items.
    pub wanted: i64,
    /// How many are here.
    pub fetched: i64,
    /// Where the next page begins; none for the newest.
    pub cursor: Option<String>,
    /// Microseconds, Instagram's clock: what is newer is heard, and is no history. None where there is no such limit.
    pub until_us: Option<i64>,
}

/// Why history is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HistoryKind {
    /// The login is new: what comes meanwhile waits, so that the order is kept.
    First,
    /// Somebody asked for more; it comes after what is there already.
    More,
}

/// A row to be put into the inbox.
#[derive(Clone)]
pub struct NewRow {
    /// The queue it joins.
    pub lane: LaneKey,
    /// Which side it came from.
    pub origin: Origin,
    /// The same event delivered again carries the same key and changes nothing.
    pub dedup_key: String,
    /// As received.
    pub payload: String,
    /// Set on an own item that carries a client context: if we sent it, it confirms the send and needs no row.
    pub echo: Option<Echo>,
}

/// An own send coming back.
#[derive(Clone, Debug)]
pub struct Echo {
    /// What the send was called.
    pub client_context: ClientContext,
    /// What Instagram called it.
    pub item: ItemId,
}

/// Which side an inbox row came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A homeserver transaction.
    Matrix,
    /// The realtime connection, or a reconciliation over HTTP.
    Instagram {
        /// True when the row was found over HTTP after a gap.
        reconciled: bool,
    },
    /// Fetched because somebody wants to see what was said before.
    History,
}

/// A pending row of the inbox.
#[derive(Clone)]
pub struct InboxRow {
    /// Order of arrival.
    pub id: RowId,
    /// Its queue.
    pub lane: LaneKey,
    /// Which side it came from.
    pub origin: Origin,
    /// See [`NewRow::dedup_key`].
    pub dedup_key: String,
    /// As received.
    pub payload: String,
    /// How often it was tried and put back.
    pub attempts: i64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

// Payloads hold what people say: `Debug` shows how long they are.

impl fmt::Debug for NewRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, origin, dedup_key, payload, .. } = self;
        write!(f, "NewRow({lane}, {origin:?}, {dedup_key}, {} bytes)", payload.len())
    }
}

impl fmt::Debug for InboxRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, lane, dedup_key, payload, attempts, .. } = self;
        write!(f, "InboxRow({id:?}, {lane}, {dedup_key}, {} bytes, {attempts} attempts)", payload.len())
    }
}

/// A request that is about to be sent for a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intended {
    /// The row it is for.
    pub row: RowId,
    /// Position among the row's requests, from 0.
    pub part: i64,
    /// Computed from what came in.
    pub request_id: RequestId,
}

/// What is known of an intended request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutboxState {
    /// Written down just now: certainly not sent.
    Fresh,
    /// Written down earlier: may have been sent.
    MaybeSent,
    /// Sent, and this is what the other side calls it.
    Confirmed(String),
}

/// One line of the message map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The room it is in.
    pub portal: PortalId,
    /// Instagram's name of it.
    pub item: ItemId,
    /// Position among the events of one item.
    pub part: i64,
    /// Matrix's name of it.
    pub event: OwnedEventId,
    /// Who wrote it: an Instagram user id, or a Matrix user id for relayed messages.
    pub sender: String,
    /// The sender's client context, which replies on Instagram must name.
    pub client_context: Option<ClientContext>,
    /// Original time.
    pub at: Timestamp,
    /// Instagram's item type, which reactions must name.
    pub kind: Option<String>,
    /// What was bridged, see [`super::request_id::digest_of_content`]; tells an edit from a repetition.
    pub digest: Option<String>,
    /// What the event shows of it.
    pub shows: Shows,
    /// Taken back, or about to be.
    pub unsent: bool,
    /// When the event is to be redacted, because what it shows disappears.
    pub redact_at: Option<Timestamp>,
}

/// What an event shows of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shows {
    /// Words: of the item itself, or about it.
    #[default]
    Words,
    /// A file. What Instagram says later does not make it disappear.
    File,
    /// A line in the place of something that cannot be shown, as long as it cannot.
    StandIn,
}

/// One person's reaction to an item, and the event that shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reacted {
    /// The room it is in.
    pub portal: PortalId,
    /// The item reacted to.
    pub item: ItemId,
    /// Who reacted: there is one reaction of a person to an item.
    pub sender: RemoteUserId,
    /// The event.
    pub event: OwnedEventId,
    /// With what.
    pub emoji: String,
}

/// Something done to an item from here, written down before it is sent: when it comes back it is no news.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnChange {
    /// The room it was done in.
    pub portal: PortalId,
    /// The item it was done to.
    pub item: ItemId,
    /// What, so that equal changes read equal; see `portal/echo.rs`.
    pub what: String,
    /// What the request was called, if it had a name.
    pub context: Option<ClientContext>,
    /// When.
    pub at: Timestamp,
}

/// What settling a row changes besides the message map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A reaction is shown; it replaces the earlier one of that person.
    Reacted(Reacted),
    /// A reaction is gone.
    Unreacted {
        /// Where.
        portal: PortalId,
        /// From what.
        item: ItemId,
        /// Whose.
        sender: RemoteUserId,
    },
    /// An item now says something else.
    Edited {
        /// Where.
        portal: PortalId,
        /// Which.
        item: ItemId,
        /// See [`Mapping::digest`].
        digest: String,
    },
    /// An item has a further event: an edit of one, or a correction.
    Revised {
        /// Where.
        portal: PortalId,
        /// Which.
        item: ItemId,
        /// The further event.
        event: OwnedEventId,
    },
    /// A part of an item has another event than before; the earlier one becomes a further event.
    Succeeded(Mapping),
    /// An item is taken back, or about to be.
    Unsent {
        /// Where.
        portal: PortalId,
        /// Which.
        item: ItemId,
    },
    /// A login has heard of a change in a room that several may share.
    Heard {
        /// Where.
        portal: PortalId,
        /// Which.
        login: LoginId,
        /// What, so that the same change reads the same whoever hears of it.
        what: String,
        /// When.
        at: Timestamp,
    },
    /// A login was told how everything is by now.
    HeardAll {
        /// Where.
        portal: PortalId,
        /// Which.
        login: LoginId,
    },
    /// A room was told of the chat's rules.
    Ruled {
        /// Which.
        portal: PortalId,
        /// What holds now.
        rules: Rules,
    },
}

/// How a row ended.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The row.
    pub row: RowId,
    /// What it became on the other side; may be empty.
    pub mappings: Vec<Mapping>,
    /// What else changes.
    pub effects: Vec<Effect>,
    /// `Some` parks the row as failed with this reason (no message text in it) and keeps its payload.
    pub failure: Option<String>,
}

impl Settlement {
    /// The row is done, and nothing came of it.
    pub fn nothing(row: RowId) -> Self {
        Self { row, mappings: Vec::new(), effects: Vec::new(), failure: None }
    }

    /// The row can never work, for this reason (no message text in it).
    pub fn failed(row: RowId, reason: String) -> Self {
        Self { failure: Some(reason), ..Self::nothing(row) }
    }
}

/// A room that stands for a thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Portal {
    /// Database key.
    pub id: PortalId,
    /// The thread, and the login of a direct chat.
    pub key: PortalKey,
    /// None until the room exists.
    pub room: Option<OwnedRoomId>,
    /// Title of a group as last set on the room.
    pub name: Option<String>,
    /// Instagram's id of the picture last set on the room.
    pub avatar_id: Option<String>,
    /// The other members as last seen, sorted.
    pub members: Vec<RemoteUserId>,
    /// The login that speaks for Matrix users who have none in this thread.
    pub relay: Option<LoginId>,
    /// What ghosts are called in this room, where that is another name than elsewhere.
    pub nicknames: BTreeMap<RemoteUserId, String>,
    /// What its room was told of the chat's rules.
    pub rules: Rules,
}

/// Rules of a chat.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// What is written disappears once it is read.
    pub vanish_mode: bool,
    /// New members have to be let in by an admin.
    pub approval_required: bool,
    /// That vanish mode is on was told because of a message that vanishes, and not by the chat: once is enough until the
    /// chat itself says it.
    pub vanish_mode_by_message: bool,
}

impl Portal {
    /// This portal, with what has changed between two other versions of it. Several lanes work on one portal; none of them
    /// undoes what another has done meanwhile.
    #[must_use]
    pub fn merged(mut self, before: &Self, after: &Self) -> Self {
        fn take<T: Clone + PartialEq>(own: &mut T, before: &T, after: &T) {
            if before != after {
                own.clone_from(after);
            }
        }
        take(&mut self.room, &before.room, &after.room);
        take(&mut self.name, &before.name, &after.name);
        take(&mut self.avatar_id, &before.avatar_id, &after.avatar_id);
        take(&mut self.relay, &before.relay, &after.relay);
        take(&mut self.nicknames, &before.nicknames, &after.nicknames);
        take(&mut self.rules, &before.rules, &after.rules);
        self.members.retain(|member| after.members.contains(member) || !before.members.contains(member));
        let come =
            after.members.iter().filter(|member| !before.members.contains(member) && !self.members.contains(member));
        let come: Vec<_> = come.cloned().collect();
        self.members.extend(come);
        self.members.sort();
        self
    }
}

/// What a chat is to a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Standing {
    /// An ordinary chat.
    #[default]
    Open,
    /// A message request that waits for its answer.
    Request,
    /// A message request that was declined: it stays away.
    Declined,
}

/// A Matrix user of ours standing for an Instagram user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ghost {
    /// The Instagram user.
    pub id: RemoteUserId,
    /// Handle without `@`; empty when unknown.
    pub username: String,
    /// Display name on Instagram; may be empty.
    pub full_name: String,
    /// Instagram's id of the profile picture last set.
    pub avatar_id: Option<String>,
    /// Where that picture is on the homeserver.
    pub avatar: Option<OwnedMxcUri>,
    /// Display name last set on the homeserver; empty until then.
    pub displayname: String,
    /// When the profile was last fetched from Instagram.
    pub fetched_at: Timestamp,
}

/// One Instagram account attached to one Matrix user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The account.
    pub id: LoginId,
    /// Whose it is.
    pub user: OwnedUserId,
    /// Handle without `@`.
    pub username: String,
    /// Durable state; the live connection is not recorded.
    pub state: LoginState,
    /// Why, in words for the user, when the state is not `Active`.
    pub reason: Option<String>,
    /// Nothing older than this is bridged unless asked for.
    pub created_at: Timestamp,
}

/// Whether a login may connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginState {
    /// Connects whenever the bridge runs.
    Active,
    /// Instagram ended the session; a new login is needed.
    LoggedOut,
    /// Instagram asks for something only the user can do in the app (challenge, consent, checkpoint).
    ActionRequired,
}
