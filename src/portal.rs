//! Portals: what happens to the rows of a lane, in both directions.

mod echo;
pub mod ephemeral;
pub mod fleeting;
pub mod from_matrix;
mod from_remote;
pub mod ghost;
pub mod notify;
pub mod puppet;
pub mod request;
pub mod room;
mod settling;

use std::sync::Arc;

use ruma::UserId;

use crate::bridge::Bridge;
use crate::config::Permission;
use crate::domain::ids::{LaneKey, LoginId};
use crate::domain::record::{InboxRow, LoginState, Portal};
use crate::lane::{StepError, Stop};
use crate::network::RemoteError;
use crate::store::StoreError;

/// How often a row looks for the message it refers to, which may only not be settled yet.
const PATIENCE: i64 = 5;
/// How often it does while that message is known to be on its way: about a minute.
const LONG_PATIENCE: i64 = 30;

/// Handles rows of one lane, in order. On an error the rows before the one named are settled.
pub async fn handle(bridge: &Arc<Bridge>, lane: &LaneKey, rows: &[InboxRow]) -> Result<(), Stop> {
    if lane.is_incoming() { from_remote::handle(bridge, rows).await } else { from_matrix::handle(bridge, rows).await }
}

/// The login with which a Matrix user is in a portal's thread.
pub(crate) async fn own_login(bridge: &Bridge, user: &UserId, portal: &Portal) -> Result<Option<LoginId>, StoreError> {
    let mut own = bridge.store.logins_of_user(user).await?;
    if own.is_empty() || bridge.config.permission(user) < Permission::User {
        return Ok(None);
    }
    // Of several in one chat, one that works speaks.
    own.sort_by_key(|login| login.state != LoginState::Active);
    let in_thread = match &portal.key.receiver {
        Some(receiver) => vec![receiver.clone()],
        None => bridge.store.logins_in_thread(&portal.key.thread).await?,
    };
    Ok(own.into_iter().map(|login| login.id).find(|login| in_thread.contains(login)))
}

/// As [`own_login`]; where nothing was heard of a group yet, Instagram is asked whether the user is in it.
pub(crate) async fn certain_login(
    bridge: &Bridge,
    user: &UserId,
    portal: &Portal,
) -> Result<Option<LoginId>, StepError> {
    let known = own_login(bridge, user, portal).await?;
    if known.is_some() || portal.key.receiver.is_some() || bridge.config.permission(user) < Permission::User {
        return Ok(known);
    }
    for login in bridge.store.logins_of_user(user).await? {
        let remote = match bridge.remote(&login.id).await {
            Ok(remote) => remote,
            // Whether a login that has ended was in the group, nobody can say; another of the user's may be.
            Err(StepError::Remote { error: RemoteError::LoggedOut, .. }) => continue,
            Err(error) => return Err(error),
        };
        match remote.thread(&portal.key.thread).await {
            Ok(_) => {
                bridge.store.note_login_in_thread(&portal.key.thread, &login.id).await?;
                return Ok(Some(login.id));
            }
            Err(error) if error.is_transient() => return Err(StepError::Remote { login: login.id, error }),
            Err(_) => {}
        }
    }
    Ok(None)
}
