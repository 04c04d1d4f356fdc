//! Statements about portals, ghosts, threads and the message map.

use ruma::{EventId, OwnedEventId, RoomId};

use super::{Conn, happenings, rows};
use crate::domain::ids::{ClientContext, ItemId, LoginId, PortalId, PortalKey, RemoteUserId, ThreadId, Timestamp};
use crate::domain::record::{Effect, Ghost, Mapping, OwnChange, Portal, Reacted, Standing};
use crate::store::error::StoreError;

type Found<T> = Result<T, StoreError>;

pub(in crate::store) async fn portal_of_key(conn: &mut Conn, key: &PortalKey) -> Found<Option<Portal>> {
    const SQL: &str = "SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal
        WHERE thread = $1 AND receiver = $2";
    let query = sqlx::query_as(SQL).bind(key.thread.as_str()).bind(rows::receiver_text(key));
    query.fetch_optional(conn).await?.map(rows::portal).transpose()
}

pub(in crate::store) async fn portal_of_id(conn: &mut Conn, id: PortalId) -> Found<Option<Portal>> {
    const SQL: &str = "SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal WHERE id = $1";
    sqlx::query_as(SQL).bind(id.0).fetch_optional(conn).await?.map(rows::portal).transpose()
}

pub(in crate::store) async fn portal_of_room(conn: &mut Conn, room: &RoomId) -> Found<Option<Portal>> {
    const SQL: &str = "SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal WHERE room = $1";
    sqlx::query_as(SQL).bind(room.as_str()).fetch_optional(conn).await?.map(rows::portal).transpose()
}

pub(in crate::store) async fn portals_of_thread(conn: &mut Conn, thread: &ThreadId) -> Found<Vec<Portal>> {
    const SQL: &str = "SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal
        WHERE thread = $1 ORDER BY id";
    sqlx::query_as(SQL).bind(thread.as_str()).fetch_all(conn).await?.into_iter().map(rows::portal).collect()
}

pub(in crate::store) async fn portals_of_login(conn: &mut Conn, login: &LoginId) -> Found<Vec<Portal>> {
    const SQL: &str = "SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal
        WHERE receiver = $1
           OR (receiver = '' AND thread IN (SELECT thread FROM login_thread WHERE login = $1))
        ORDER BY id";
    sqlx::query_as(SQL).bind(login.as_str()).fetch_all(conn).await?.into_iter().map(rows::portal).collect()
}

/// Where a ghost bears another name than elsewhere: the own direct chats of a login, and chats with nicknames.
pub(in crate::store) async fn portals_naming(conn: &mut Conn, user: &RemoteUserId) -> Found<Vec<Portal>> {
    // Each half has an index; few chats have nicknames.
    const SQL: &str = "SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal
            WHERE receiver = $1
        UNION SELECT id, thread, receiver, room, name, avatar_id, members, relay, nicknames, rules FROM portal
            WHERE nicknames <> '{}' AND nicknames LIKE $2 ORDER BY id";
    let nickname = format!("%\"{user}\":%");
    let found = sqlx::query_as(SQL).bind(user.as_str()).bind(nickname).fetch_all(conn).await?;
    found.into_iter().map(rows::portal).collect()
}

pub(in crate::store) async fn logins_in_thread(conn: &mut Conn, thread: &ThreadId) -> Found<Vec<LoginId>> {
    const SQL: &str = "SELECT login FROM login_thread WHERE thread = $1 ORDER BY login";
    let logins: Vec<String> = sqlx::query_scalar(SQL).bind(thread.as_str()).fetch_all(conn).await?;
    Ok(logins.into_iter().map(LoginId::new).collect())
}

/// The logins for which a thread is no ordinary chat.
pub(in crate::store) async fn standings(conn: &mut Conn, thread: &ThreadId) -> Found<Vec<(LoginId, Standing)>> {
    const SQL: &str = "SELECT login, standing FROM request WHERE thread = $1 ORDER BY login";
    let found: Vec<(String, String)> = sqlx::query_as(SQL).bind(thread.as_str()).fetch_all(conn).await?;
    found.into_iter().map(|row| rows::standing(thread, row)).collect()
}

pub(in crate::store) async fn ghost(conn: &mut Conn, id: &RemoteUserId) -> Found<Option<Ghost>> {
    const SQL: &str = "SELECT id, username, full_name, avatar_id, avatar, displayname, fetched_at FROM ghost
        WHERE id = $1";
    Ok(sqlx::query_as(SQL).bind(id.as_str()).fetch_optional(conn).await?.map(rows::ghost))
}

pub(in crate::store) async fn mapping_of_item(conn: &mut Conn, portal: PortalId, item: &ItemId) -> Found<Vec<Mapping>> {
    const SQL: &str =
        "SELECT portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows
        FROM message
        WHERE item = $1 AND portal = $2 ORDER BY part";
    let query = sqlx::query_as(SQL).bind(item.as_str()).bind(portal.0);
    query.fetch_all(conn).await?.into_iter().map(rows::mapping).collect()
}

pub(in crate::store) async fn mapping_of_event(conn: &mut Conn, event: &EventId) -> Found<Vec<Mapping>> {
    const SQL: &str =
        "SELECT portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows
        FROM message
        WHERE event = $1 ORDER BY part, item";
    sqlx::query_as(SQL).bind(event.as_str()).fetch_all(conn).await?.into_iter().map(rows::mapping).collect()
}

pub(in crate::store) async fn mapping_of_context(
    conn: &mut Conn,
    portal: PortalId,
    context: &ClientContext,
) -> Found<Option<Mapping>> {
    const SQL: &str =
        "SELECT portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows
        FROM message
        WHERE client_context = $1 AND portal = $2 ORDER BY item, part LIMIT 1";
    let query = sqlx::query_as(SQL).bind(context.as_str()).bind(portal.0);
    query.fetch_optional(conn).await?.map(rows::mapping).transpose()
}

/// The last message of a portal that is not younger than a time, not from a sender and not taken back; of several parts
/// the last one.
pub(in crate::store) async fn last_mapping(
    conn: &mut Conn,
    portal: PortalId,
    not_after: Timestamp,
    not_from: &str,
) -> Found<Option<Mapping>> {
    const SQL: &str =
        "SELECT portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows
        FROM message WHERE portal = $1 AND sent_at <= $2 AND sender <> $3 AND unsent = 0
        ORDER BY sent_at DESC, item DESC, part DESC LIMIT 1";
    let query = sqlx::query_as(SQL).bind(portal.0).bind(not_after.0).bind(not_from);
    query.fetch_optional(conn).await?.map(rows::mapping).transpose()
}

/// The events that are due to be redacted.
pub(in crate::store) async fn due_redactions(conn: &mut Conn, now: Timestamp) -> Found<Vec<Mapping>> {
    const SQL: &str =
        "SELECT portal, item, part, event, sender, client_context, sent_at, kind, digest, unsent, redact_at, shows
        FROM message WHERE redact_at IS NOT NULL AND redact_at <= $1 AND unsent = 0 ORDER BY redact_at LIMIT 100";
    sqlx::query_as(SQL).bind(now.0).fetch_all(conn).await?.into_iter().map(rows::mapping).collect()
}

pub(in crate::store) async fn reactions_of_item(
    conn: &mut Conn,
    portal: PortalId,
    item: &ItemId,
) -> Found<Vec<Reacted>> {
    const SQL: &str = "SELECT portal, item, sender, event, emoji FROM reaction
        WHERE item = $1 AND portal = $2 ORDER BY sender";
    let query = sqlx::query_as(SQL).bind(item.as_str()).bind(portal.0);
    query.fetch_all(conn).await?.into_iter().map(rows::reaction).collect()
}

pub(in crate::store) async fn read_position(
    conn: &mut Conn,
    portal: PortalId,
    user: &RemoteUserId,
) -> Found<Option<Timestamp>> {
    const SQL: &str = "SELECT read_at FROM read_position WHERE portal = $1 AND user_id = $2";
    let at: Option<i64> = sqlx::query_scalar(SQL).bind(portal.0).bind(user.as_str()).fetch_optional(conn).await?;
    Ok(at.map(Timestamp))
}

pub(in crate::store) async fn reaction_of_event(conn: &mut Conn, event: &EventId) -> Found<Option<Reacted>> {
    const SQL: &str = "SELECT portal, item, sender, event, emoji FROM reaction WHERE event = $1";
    sqlx::query_as(SQL).bind(event.as_str()).fetch_optional(conn).await?.map(rows::reaction).transpose()
}

/// Less than is known changes nothing.
pub(super) async fn advance_read(conn: &mut Conn, portal: PortalId, user: &RemoteUserId, at: Timestamp) -> Found<()> {
    const SQL: &str = "INSERT INTO read_position (portal, user_id, read_at)
        SELECT id, $2, $3 FROM portal WHERE id = $1
        ON CONFLICT (portal, user_id) DO UPDATE SET read_at = excluded.read_at
        WHERE read_position.read_at < excluded.read_at";
    sqlx::query(SQL).bind(portal.0).bind(user.as_str()).bind(at.0).execute(conn).await?;
    Ok(())
}

pub(in crate::store) async fn own_changes(conn: &mut Conn, portal: PortalId, item: &ItemId) -> Found<Vec<OwnChange>> {
    const SQL: &str = "SELECT portal, item, what, context, noted_at FROM own_change
        WHERE item = $1 AND portal = $2 ORDER BY noted_at";
    let query = sqlx::query_as(SQL).bind(item.as_str()).bind(portal.0);
    Ok(query.fetch_all(conn).await?.into_iter().map(rows::own_change).collect())
}

/// The item that an event is a further one of, and its portal.
pub(in crate::store) async fn item_of_revision(conn: &mut Conn, event: &EventId) -> Found<Option<(PortalId, ItemId)>> {
    const SQL: &str = "SELECT portal, item FROM revision WHERE event = $1";
    let found: Option<(i64, String)> = sqlx::query_as(SQL).bind(event.as_str()).fetch_optional(conn).await?;
    Ok(found.map(|(portal, item)| (PortalId(portal), ItemId::new(item))))
}

pub(in crate::store) async fn revisions_of_item(
    conn: &mut Conn,
    portal: PortalId,
    item: &ItemId,
) -> Found<Vec<OwnedEventId>> {
    const SQL: &str = "SELECT event FROM revision WHERE item = $1 AND portal = $2 ORDER BY event";
    let events: Vec<String> = sqlx::query_scalar(SQL).bind(item.as_str()).bind(portal.0).fetch_all(conn).await?;
    let read = |event| OwnedEventId::try_from(event).map_err(|_| StoreError::corrupt("revision", "event", item));
    events.into_iter().map(read).collect()
}

/// A part gets another event; the earlier one is remembered beside it. A part that is not there stays so.
async fn succeed(conn: &mut Conn, mapping: &Mapping) -> Found<()> {
    const KEEP: &str = "INSERT INTO revision (event, portal, item)
        SELECT event, portal, item FROM message WHERE item = $1 AND portal = $2 AND part = $3 AND event <> $4
        ON CONFLICT (event) DO NOTHING";
    const PUT: &str = "UPDATE message SET event = $4, kind = $5, digest = $6, redact_at = $7, shows = $8
        WHERE item = $1 AND portal = $2 AND part = $3";
    let Mapping { portal, item, part, event, kind, digest, shows, redact_at, .. } = mapping;
    let query = sqlx::query(KEEP).bind(item.as_str()).bind(portal.0).bind(part).bind(event.as_str());
    query.execute(&mut *conn).await?;
    let query = sqlx::query(PUT).bind(item.as_str()).bind(portal.0).bind(part).bind(event.as_str());
    let query = query.bind(kind.as_deref()).bind(digest.as_deref()).bind(redact_at.map(|at| at.0));
    query.bind(rows::shows_text(*shows)).execute(conn).await?;
    Ok(())
}

/// The same again is only newer. What belongs to a portal that was removed is left out.
pub(super) async fn note_own_change(conn: &mut Conn, change: &OwnChange) -> Found<()> {
    const SQL: &str = "INSERT INTO own_change (item, portal, what, context, noted_at)
        SELECT $1, id, $3, $4, $5 FROM portal WHERE id = $2
        ON CONFLICT (item, portal, what, context) DO UPDATE SET noted_at = excluded.noted_at";
    let OwnChange { portal, item, what, context, at } = change;
    let context = context.as_ref().map_or("", |context| context.as_str());
    let query = sqlx::query(SQL).bind(item.as_str()).bind(portal.0).bind(what).bind(context);
    query.bind(at.0).execute(conn).await?;
    Ok(())
}

/// Applies what settling changes besides the message map. What belongs to a portal that was removed is left out.
pub(super) async fn apply_effect(conn: &mut Conn, effect: &Effect) -> Found<()> {
    const REACTED: &str = "INSERT INTO reaction (item, portal, sender, event, emoji)
        SELECT $1, id, $3, $4, $5 FROM portal WHERE id = $2
        ON CONFLICT (item, portal, sender) DO UPDATE SET event = excluded.event, emoji = excluded.emoji";
    const UNREACTED: &str = "DELETE FROM reaction WHERE item = $1 AND portal = $2 AND sender = $3";
    const EDITED: &str = "UPDATE message SET digest = $3 WHERE item = $1 AND portal = $2";
    const REVISED: &str = "INSERT INTO revision (event, portal, item)
        SELECT $3, id, $1 FROM portal WHERE id = $2 ON CONFLICT (event) DO NOTHING";
    const UNSENT: &str = "UPDATE message SET unsent = 1, redact_at = NULL WHERE item = $1 AND portal = $2";
    const RULED: &str = "UPDATE portal SET rules = $2 WHERE id = $1";
    match effect {
        Effect::Reacted(Reacted { portal, item, sender, event, emoji }) => {
            let query = sqlx::query(REACTED).bind(item.as_str()).bind(portal.0).bind(sender.as_str());
            query.bind(event.as_str()).bind(emoji).execute(conn).await?;
        }
        Effect::Unreacted { portal, item, sender } => {
            sqlx::query(UNREACTED).bind(item.as_str()).bind(portal.0).bind(sender.as_str()).execute(conn).await?;
        }
        Effect::Edited { portal, item, digest } => {
            sqlx::query(EDITED).bind(item.as_str()).bind(portal.0).bind(digest).execute(conn).await?;
        }
        Effect::Revised { portal, item, event } => {
            sqlx::query(REVISED).bind(item.as_str()).bind(portal.0).bind(event.as_str()).execute(conn).await?;
        }
        Effect::Succeeded(mapping) => succeed(conn, mapping).await?,
        Effect::Unsent { portal, item } => {
            sqlx::query(UNSENT).bind(item.as_str()).bind(portal.0).execute(conn).await?;
        }
        Effect::Heard { portal, login, what, at } => happenings::note(conn, *portal, login, what, *at).await?,
        Effect::HeardAll { portal, login } => happenings::catch_up(conn, *portal, login).await?,
        Effect::Ruled { portal, rules } => {
            sqlx::query(RULED).bind(portal.0).bind(rows::rules_text(*rules)).execute(conn).await?;
        }
    }
    Ok(())
}

pub(super) async fn ensure_portal(conn: &mut Conn, key: &PortalKey) -> Found<Portal> {
    const SQL: &str = "INSERT INTO portal (thread, receiver, members) VALUES ($1, $2, '[]')
        ON CONFLICT (thread, receiver) DO NOTHING";
    let query = sqlx::query(SQL).bind(key.thread.as_str()).bind(rows::receiver_text(key));
    query.execute(&mut *conn).await?;
    portal_of_key(conn, key).await?.ok_or_else(|| StoreError::corrupt("portal", "thread", &key.thread))
}

/// Returns whether the portal is still there.
/// Returns the portal as it is then; none if it was removed.
pub(super) async fn save_portal(conn: &mut Conn, before: &Portal, after: &Portal) -> Found<Option<Portal>> {
    const SQL: &str =
        "UPDATE portal SET room = $2, name = $3, avatar_id = $4, members = $5, relay = $6, nicknames = $7,
            rules = $8
        WHERE id = $1";
    let Some(portal) = portal_of_id(conn, after.id).await? else { return Ok(None) };
    let portal = portal.merged(before, after);
    let query = sqlx::query(SQL).bind(portal.id.0).bind(portal.room.as_ref().map(|room| room.as_str()));
    let query = query.bind(portal.name.as_deref()).bind(portal.avatar_id.as_deref());
    let query = query.bind(rows::members_text(&portal.members)).bind(portal.relay.as_ref().map(|relay| relay.as_str()));
    let query = query.bind(rows::nicknames_text(&portal.nicknames)).bind(rows::rules_text(portal.rules));
    query.execute(conn).await?;
    Ok(Some(portal))
}

pub(super) async fn remove_portal(conn: &mut Conn, id: PortalId) -> Found<()> {
    sqlx::query("DELETE FROM portal WHERE id = $1").bind(id.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn note_login(conn: &mut Conn, thread: &ThreadId, login: &LoginId) -> Found<()> {
    const SQL: &str = "INSERT INTO login_thread (thread, login) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    sqlx::query(SQL).bind(thread.as_str()).bind(login.as_str()).execute(conn).await?;
    Ok(())
}

pub(super) async fn forget_login(conn: &mut Conn, thread: &ThreadId, login: &LoginId) -> Found<()> {
    const SQL: &str = "DELETE FROM login_thread WHERE thread = $1 AND login = $2";
    sqlx::query(SQL).bind(thread.as_str()).bind(login.as_str()).execute(conn).await?;
    Ok(())
}

pub(super) async fn set_standing(conn: &mut Conn, thread: &ThreadId, login: &LoginId, standing: Standing) -> Found<()> {
    const FORGET: &str = "DELETE FROM request WHERE thread = $1 AND login = $2";
    const SET: &str = "INSERT INTO request (thread, login, standing) VALUES ($1, $2, $3)
        ON CONFLICT (thread, login) DO UPDATE SET standing = excluded.standing";
    let query = match rows::standing_text(standing) {
        Some(text) => sqlx::query(SET).bind(thread.as_str()).bind(login.as_str()).bind(text),
        None => sqlx::query(FORGET).bind(thread.as_str()).bind(login.as_str()),
    };
    query.execute(conn).await?;
    Ok(())
}

pub(super) async fn save_ghost(conn: &mut Conn, ghost: &Ghost) -> Found<()> {
    const SQL: &str = "INSERT INTO ghost (id, username, full_name, avatar_id, avatar, displayname, fetched_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET username = excluded.username, full_name = excluded.full_name,
            avatar_id = excluded.avatar_id, avatar = excluded.avatar, displayname = excluded.displayname,
            fetched_at = excluded.fetched_at";
    let query = sqlx::query(SQL).bind(ghost.id.as_str()).bind(&ghost.username).bind(&ghost.full_name);
    let query = query.bind(ghost.avatar_id.as_deref()).bind(ghost.avatar.as_ref().map(|avatar| avatar.as_str()));
    query.bind(&ghost.displayname).bind(ghost.fetched_at.0).execute(conn).await?;
    Ok(())
}
