//! Rows as both databases return them, and the records they stand for. A value that makes no sense is an error that
//! names it.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId};

use super::error::StoreError;
use crate::domain::ids::{
    ClientContext, ItemId, LaneKey, LoginId, PortalId, PortalKey, RemoteUserId, RowId, ThreadId, Timestamp,
};
use crate::domain::record::{
    Ghost, History, HistoryKind, InboxRow, Login, LoginState, Mapping, Origin, OwnChange, Portal, Reacted, Rules,
    Shows, Standing,
};

/// id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules
pub(super) type PortalRow =
    (i64, String, String, Option<String>, Option<String>, Option<String>, String, Option<String>, String, String);
/// id, username, full_name, avatar_id, avatar, displayname, fetched_at
pub(super) type GhostRow = (String, String, String, Option<String>, Option<String>, String, i64);
/// id, user_id, username, state, reason, created_at
pub(super) type LoginRow = (String, String, String, String, Option<String>, i64);
/// portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows
pub(super) type MessageRow =
    (i64, String, i64, String, String, Option<String>, i64, Option<String>, Option<String>, i64, Option<i64>, String);
/// portal, item, sender, event, emoji
pub(super) type ReactionRow = (i64, String, String, String, String);
/// portal, item, what, context, noted_at
pub(super) type OwnChangeRow = (i64, String, String, String, i64);
/// id, lane, origin, dedup_key, payload, attempts, accepted_at, retry_at
pub(super) type PendingRow = (i64, String, String, String, Option<String>, i64, i64, Option<i64>);

pub(super) fn portal(row: PortalRow) -> Result<Portal, StoreError> {
    let (id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules) = row;
    let members: Vec<RemoteUserId> =
        serde_json::from_str(&members).map_err(|_| StoreError::corrupt("portal", "members", &id))?;
    let room = room.map(OwnedRoomId::try_from).transpose();
    Ok(Portal {
        id: PortalId(id),
        key: PortalKey {
            thread: ThreadId::new(thread),
            receiver: (!receiver.is_empty()).then(|| LoginId::new(receiver)),
        },
        room: room.map_err(|_| StoreError::corrupt("portal", "room", &id))?,
        name,
        avatar_id,
        members,
        relay: relay.map(LoginId::new),
        nicknames: serde_json::from_str::<BTreeMap<String, String>>(&nicknames)
            .map_err(|_| StoreError::corrupt("portal", "nicknames", &id))?
            .into_iter()
            .map(|(id, name)| (RemoteUserId::new(id), name))
            .collect(),
        rules: Rules {
            vanish_mode: rules.split(' ').any(|rule| rule == VANISH_MODE),
            approval_required: rules.split(' ').any(|rule| rule == APPROVAL_REQUIRED),
            vanish_mode_by_message: rules.split(' ').any(|rule| rule == VANISH_MODE_BY_MESSAGE),
        },
    })
}

pub(super) fn own_change(row: OwnChangeRow) -> OwnChange {
    let (portal, item, what, context, noted_at) = row;
    OwnChange {
        portal: PortalId(portal),
        item: ItemId::new(item),
        what,
        context: (!context.is_empty()).then(|| ClientContext::new(context)),
        at: Timestamp(noted_at),
    }
}

pub(super) fn ghost(row: GhostRow) -> Ghost {
    let (id, username, full_name, avatar_id, avatar, displayname, fetched_at) = row;
    Ghost {
        id: RemoteUserId::new(id),
        username,
        full_name,
        avatar_id,
        avatar: avatar.map(OwnedMxcUri::from),
        displayname,
        fetched_at: Timestamp(fetched_at),
    }
}

pub(super) fn login(row: LoginRow) -> Result<Login, StoreError> {
    let (id, user, username, state, reason, created_at) = row;
    Ok(Login {
        user: user_id("login", "user_id", &id, user)?,
        state: login_state(&state).ok_or_else(|| StoreError::corrupt("login", "state", &id))?,
        id: LoginId::new(id),
        username,
        reason,
        created_at: Timestamp(created_at),
    })
}

pub(super) fn mapping(row: MessageRow) -> Result<Mapping, StoreError> {
    let (portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows) = row;
    let event = OwnedEventId::try_from(event).map_err(|_| StoreError::corrupt("message", "event", &item))?;
    Ok(Mapping {
        portal: PortalId(portal),
        item: ItemId::new(item),
        part,
        sender,
        client_context: client_context.map(ClientContext::new),
        at: Timestamp(sent_at),
        kind,
        digest,
        shows: shows_of(&shows).ok_or_else(|| StoreError::corrupt("message", "shows", &event))?,
        event,
        unsent: unsent != 0,
        redact_at: redact_at.map(Timestamp),
    })
}

pub(super) fn reaction(row: ReactionRow) -> Result<Reacted, StoreError> {
    let (portal, item, sender, event, emoji) = row;
    let event = OwnedEventId::try_from(event).map_err(|_| StoreError::corrupt("reaction", "event", &item))?;
    Ok(Reacted { portal: PortalId(portal), item: ItemId::new(item), sender: RemoteUserId::new(sender), event, emoji })
}

pub(super) fn pending(row: PendingRow) -> Result<(InboxRow, Option<Timestamp>), StoreError> {
    let (id, lane, origin, dedup_key, payload, attempts, accepted_at, retry_at) = row;
    let row = InboxRow {
        id: RowId(id),
        lane: LaneKey::new(lane),
        origin: origin_of(&origin).ok_or_else(|| StoreError::corrupt("inbox", "origin", &id))?,
        dedup_key,
        payload: payload.ok_or_else(|| StoreError::corrupt("inbox", "payload", &id))?,
        attempts,
        accepted_at: Timestamp(accepted_at),
    };
    Ok((row, retry_at.map(Timestamp)))
}

pub(super) fn room_id(table: &'static str, key: &str, room: String) -> Result<OwnedRoomId, StoreError> {
    OwnedRoomId::try_from(room).map_err(|_| StoreError::corrupt(table, "room", &key))
}

pub(super) fn user_id(
    table: &'static str,
    column: &'static str,
    key: &str,
    user: String,
) -> Result<OwnedUserId, StoreError> {
    OwnedUserId::try_from(user).map_err(|_| StoreError::corrupt(table, column, &key))
}

pub(super) fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Matrix => "matrix",
        Origin::Instagram { reconciled: false } => "instagram",
        Origin::Instagram { reconciled: true } => "reconciled",
        Origin::History => "history",
    }
}

fn origin_of(text: &str) -> Option<Origin> {
    match text {
        "matrix" => Some(Origin::Matrix),
        "instagram" => Some(Origin::Instagram { reconciled: false }),
        "reconciled" => Some(Origin::Instagram { reconciled: true }),
        "history" => Some(Origin::History),
        _ => None,
    }
}

pub(super) fn login_state_text(state: LoginState) -> &'static str {
    match state {
        LoginState::Active => "active",
        LoginState::LoggedOut => "logged_out",
        LoginState::ActionRequired => "action_required",
    }
}

fn login_state(text: &str) -> Option<LoginState> {
    match text {
        "active" => Some(LoginState::Active),
        "logged_out" => Some(LoginState::LoggedOut),
        "action_required" => Some(LoginState::ActionRequired),
        _ => None,
    }
}

pub(super) fn nicknames_text(nicknames: &BTreeMap<RemoteUserId, String>) -> String {
    let plain: BTreeMap<&str, &String> = nicknames.iter().map(|(id, name)| (id.as_str(), name)).collect();
    serde_json::to_string(&plain).expect("strings always serialise")
}

/// Words of the `rules` column, separated by spaces.
const VANISH_MODE: &str = "vanish_mode";
const APPROVAL_REQUIRED: &str = "approval_required";
const VANISH_MODE_BY_MESSAGE: &str = "vanish_mode_by_message";

pub(super) fn rules_text(rules: Rules) -> String {
    let words = [
        (rules.vanish_mode, VANISH_MODE),
        (rules.approval_required, APPROVAL_REQUIRED),
        (rules.vanish_mode_by_message, VANISH_MODE_BY_MESSAGE),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    words.join(" ")
}

pub(super) fn shows_text(shows: Shows) -> &'static str {
    match shows {
        Shows::Words => "words",
        Shows::File => "file",
        Shows::StandIn => "stand_in",
    }
}

fn shows_of(text: &str) -> Option<Shows> {
    match text {
        "words" => Some(Shows::Words),
        "file" => Some(Shows::File),
        "stand_in" => Some(Shows::StandIn),
        _ => None,
    }
}

/// None for an ordinary chat, which has no row.
pub(super) fn standing_text(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Open => None,
        Standing::Request => Some("request"),
        Standing::Declined => Some("declined"),
    }
}

pub(super) fn standing(thread: &ThreadId, row: (String, String)) -> Result<(LoginId, Standing), StoreError> {
    let standing = match row.1.as_str() {
        "request" => Standing::Request,
        "declined" => Standing::Declined,
        _ => return Err(StoreError::corrupt("request", "standing", thread)),
    };
    Ok((LoginId::new(row.0), standing))
}

/// thread, login, kind, wanted, fetched, cursor, until_us
pub(super) type HistoryRow = (String, String, String, i64, i64, Option<String>, Option<i64>);

pub(super) fn history(row: HistoryRow) -> Result<History, StoreError> {
    let (thread, login, kind, wanted, fetched, cursor, until_us) = row;
    let kind = match kind.as_str() {
        "first" => HistoryKind::First,
        "more" => HistoryKind::More,
        _ => return Err(StoreError::corrupt("history", "kind", &thread)),
    };
    let (thread, login) = (ThreadId::new(thread), LoginId::new(login));
    Ok(History { thread, login, kind, wanted, fetched, cursor, until_us })
}

pub(super) fn history_kind_text(kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::First => "first",
        HistoryKind::More => "more",
    }
}

/// The text of a portal's receiver column.
pub(super) fn receiver_text(key: &PortalKey) -> &str {
    key.receiver.as_ref().map_or("", LoginId::as_str)
}

/// The text of a portal's members column.
pub(super) fn members_text(members: &[RemoteUserId]) -> String {
    serde_json::to_string(members).expect("a list of strings is JSON")
}
