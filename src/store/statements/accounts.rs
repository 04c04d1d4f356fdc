//! Statements about logins, sessions, cursors and management rooms.

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::{Conn, rows};
use crate::domain::ids::LoginId;
use crate::domain::record::{Cursor, Login, LoginState};
use crate::store::error::StoreError;

type Found<T> = Result<T, StoreError>;

pub(in crate::store) async fn logins(conn: &mut Conn) -> Found<Vec<Login>> {
    const SQL: &str = "SELECT id, user_id, username, state, reason, created_at FROM login";
    sqlx::query_as(SQL).fetch_all(conn).await?.into_iter().map(rows::login).collect()
}

pub(in crate::store) async fn sealed_session(conn: &mut Conn, login: &LoginId) -> Found<Option<Vec<u8>>> {
    const SQL: &str = "SELECT sealed FROM login_session WHERE login = $1";
    Ok(sqlx::query_scalar(SQL).bind(login.as_str()).fetch_optional(conn).await?)
}

pub(in crate::store) async fn cursor(conn: &mut Conn, login: &LoginId) -> Found<Option<Cursor>> {
    const SQL: &str = "SELECT seq_id, snapshot_at_ms, newest_item_us FROM login_cursor WHERE login = $1";
    let row: Option<(i64, i64, i64)> = sqlx::query_as(SQL).bind(login.as_str()).fetch_optional(conn).await?;
    Ok(row.map(|(seq_id, snapshot_at_ms, newest_item_us)| Cursor { seq_id, snapshot_at_ms, newest_item_us }))
}

pub(in crate::store) async fn management_room(conn: &mut Conn, user: &UserId) -> Found<Option<OwnedRoomId>> {
    const SQL: &str = "SELECT room FROM management_room WHERE user_id = $1";
    let room: Option<String> = sqlx::query_scalar(SQL).bind(user.as_str()).fetch_optional(conn).await?;
    room.map(|room| rows::room_id("management_room", user.as_str(), room)).transpose()
}

pub(in crate::store) async fn user_of_management_room(conn: &mut Conn, room: &RoomId) -> Found<Option<OwnedUserId>> {
    const SQL: &str = "SELECT user_id FROM management_room WHERE room = $1";
    let user: Option<String> = sqlx::query_scalar(SQL).bind(room.as_str()).fetch_optional(conn).await?;
    user.map(|user| rows::user_id("management_room", "user_id", room.as_str(), user)).transpose()
}

pub(super) async fn save_login(conn: &mut Conn, login: &Login) -> Found<()> {
    const SQL: &str = "INSERT INTO login (id, user_id, username, state, reason, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, username = excluded.username,
            state = excluded.state, reason = excluded.reason, created_at = excluded.created_at";
    let query = sqlx::query(SQL).bind(login.id.as_str()).bind(login.user.as_str()).bind(&login.username);
    let query = query.bind(rows::login_state_text(login.state)).bind(login.reason.as_deref());
    query.bind(login.created_at.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn set_login_state(
    conn: &mut Conn,
    login: &LoginId,
    state: LoginState,
    reason: Option<&str>,
) -> Found<()> {
    const SQL: &str = "UPDATE login SET state = $2, reason = $3 WHERE id = $1";
    let query = sqlx::query(SQL).bind(login.as_str()).bind(rows::login_state_text(state)).bind(reason);
    query.execute(conn).await?;
    Ok(())
}

/// Session, cursor and places in threads go with the row.
pub(super) async fn remove_login(conn: &mut Conn, login: &LoginId) -> Found<()> {
    // Logged in again, it begins anew: what was imported once, or was about to be, may be imported again.
    const REQUESTS: &str = "DELETE FROM outbox WHERE inbox_id IN
        (SELECT id FROM inbox WHERE origin = 'history' AND dedup_key >= $1 AND dedup_key < $2)";
    const IMPORTED: &str = "DELETE FROM inbox WHERE origin = 'history' AND dedup_key >= $1 AND dedup_key < $2";
    sqlx::query("DELETE FROM login WHERE id = $1").bind(login.as_str()).execute(&mut *conn).await?;
    // A range, which the index of the keys knows; "i" is the letter after "h".
    let (from, to) = (format!("{login}/h"), format!("{login}/i"));
    for sql in [REQUESTS, IMPORTED] {
        sqlx::query(sql).bind(&from).bind(&to).execute(&mut *conn).await?;
    }
    Ok(())
}

pub(super) async fn save_session(conn: &mut Conn, login: &LoginId, sealed: &[u8]) -> Found<()> {
    const SQL: &str = "INSERT INTO login_session (login, sealed) VALUES ($1, $2)
        ON CONFLICT (login) DO UPDATE SET sealed = excluded.sealed";
    sqlx::query(SQL).bind(login.as_str()).bind(sealed).execute(conn).await?;
    Ok(())
}

pub(super) async fn set_management_room(conn: &mut Conn, user: &UserId, room: &RoomId) -> Found<()> {
    const FREE: &str = "DELETE FROM management_room WHERE room = $1 AND user_id <> $2";
    const SET: &str = "INSERT INTO management_room (user_id, room) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET room = excluded.room";
    sqlx::query(FREE).bind(room.as_str()).bind(user.as_str()).execute(&mut *conn).await?;
    sqlx::query(SET).bind(user.as_str()).bind(room.as_str()).execute(conn).await?;
    Ok(())
}

pub(super) async fn forget_management_room(conn: &mut Conn, room: &RoomId) -> Found<()> {
    const SQL: &str = "DELETE FROM management_room WHERE room = $1";
    sqlx::query(SQL).bind(room.as_str()).execute(conn).await?;
    Ok(())
}

/// A value stored once for the whole database. Returns what is stored: `value`, unless another one was there.
pub(super) async fn ensure_meta(conn: &mut Conn, name: &str, value: &[u8]) -> Found<Vec<u8>> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    sqlx::query(SQL).bind(name).bind(value).execute(&mut *conn).await?;
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = $1").bind(name).fetch_one(conn).await?)
}
