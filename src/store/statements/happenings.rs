//! Statements about what happened in rooms that several logins may share, and how far each login has heard of it.
//!
//! All hear the same in the same order, each at its own time: what stands behind a login's position was handled when
//! another heard of it.

use super::Conn;
use crate::domain::ids::{LoginId, PortalId, Timestamp};
use crate::store::error::StoreError;

type Found<T> = Result<T, StoreError>;

/// Where another login was the first to hear of what this one hears of now. What happened before the login was made does
/// not come to it.
pub(in crate::store) async fn heard_at(
    conn: &mut Conn,
    portal: PortalId,
    login: &LoginId,
    what: &str,
) -> Found<Option<i64>> {
    const SQL: &str = "SELECT MIN(happening.position) FROM happening JOIN login ON login.id = $2
        WHERE happening.portal = $1 AND happening.what = $3 AND happening.login <> $2
          AND happening.noted_at >= login.created_at
          AND happening.position > COALESCE(
            (SELECT heard.position FROM happening_heard AS heard WHERE heard.portal = $1 AND heard.login = $2), 0)";
    let query = sqlx::query_scalar(SQL).bind(portal.0).bind(login.as_str()).bind(what);
    Ok(query.fetch_one(conn).await?)
}

/// Moves the login to what it has heard of. What nobody had heard of so far is added at the end; a login that is behind
/// stays there, since what it has yet to hear is known all the same.
pub(super) async fn note(conn: &mut Conn, portal: PortalId, login: &LoginId, what: &str, at: Timestamp) -> Found<()> {
    const ADD: &str = "INSERT INTO happening (portal, position, what, noted_at, login)
        SELECT id, $2, $3, $4, $5 FROM portal WHERE id = $1";
    if let Some(position) = heard_at(conn, portal, login, what).await? {
        return move_to(conn, portal, login, position).await;
    }
    let is_behind = is_behind(conn, portal, login).await?;
    let next = last(conn, portal).await? + 1;
    let added = sqlx::query(ADD).bind(portal.0).bind(next).bind(what).bind(at.0).bind(login.as_str());
    added.execute(&mut *conn).await?;
    if is_behind { Ok(()) } else { move_to(conn, portal, login, next).await }
}

/// Whether others have heard of something that the login may have yet to hear of.
async fn is_behind(conn: &mut Conn, portal: PortalId, login: &LoginId) -> Found<bool> {
    const SQL: &str = "SELECT happening.position FROM happening JOIN login ON login.id = $2
        WHERE happening.portal = $1 AND happening.login <> $2 AND happening.noted_at >= login.created_at
          AND happening.position > COALESCE(
            (SELECT heard.position FROM happening_heard AS heard WHERE heard.portal = $1 AND heard.login = $2), 0)
        LIMIT 1";
    let found: Option<i64> = sqlx::query_scalar(SQL).bind(portal.0).bind(login.as_str()).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Moves the login to the end.
pub(super) async fn catch_up(conn: &mut Conn, portal: PortalId, login: &LoginId) -> Found<()> {
    let position = last(conn, portal).await?;
    move_to(conn, portal, login, position).await
}

/// The last position that was given out; entries are pruned, numbers do not come back.
async fn last(conn: &mut Conn, portal: PortalId) -> Found<i64> {
    const SQL: &str = "SELECT COALESCE(MAX(position), 0) FROM (
            SELECT position FROM happening WHERE portal = $1
            UNION ALL SELECT position FROM happening_heard WHERE portal = $1) AS known";
    Ok(sqlx::query_scalar(SQL).bind(portal.0).fetch_one(conn).await?)
}

async fn move_to(conn: &mut Conn, portal: PortalId, login: &LoginId, position: i64) -> Found<()> {
    const SQL: &str = "INSERT INTO happening_heard (portal, login, position)
        SELECT portal.id, login.id, $3 FROM portal JOIN login ON login.id = $2 WHERE portal.id = $1
        ON CONFLICT (portal, login) DO UPDATE SET position = excluded.position";
    sqlx::query(SQL).bind(portal.0).bind(login.as_str()).bind(position).execute(conn).await?;
    Ok(())
}
