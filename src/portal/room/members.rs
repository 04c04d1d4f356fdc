//! Who is in the room of a portal, and with which powers: the owners of logins, and ghosts.

use std::sync::Arc;

use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::json;

use super::names::name_here;
use crate::bridge::Bridge;
use crate::domain::event::RemoteUser;
use crate::domain::ids::{LoginId, PortalId, RemoteUserId};
use crate::domain::record::Portal;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::{ghost, puppet};

/// The power of a ghost whose user is an admin on Instagram.
const ADMIN_POWER: i64 = 50;

/// Invites the owner of a login that was not yet seen in this thread.
pub(in crate::portal) async fn ensure_user(bridge: &Bridge, portal: &Portal, login: &LoginId) -> Result<(), StepError> {
    if bridge.store.logins_in_thread(&portal.key.thread).await?.contains(login) {
        return Ok(());
    }
    if let Some(room) = &portal.room {
        invite_quietly(bridge, room, &owner(bridge, login).await?, portal.key.receiver.is_some()).await?;
        let mut others = portal.members.clone();
        others.retain(|member| *member != login.as_remote_user());
        puppet::enter(bridge, portal, login, &others).await?;
    }
    Ok(bridge.store.note_login_in_thread(&portal.key.thread, login).await?)
}

/// A login is in a group no more, for this reason. Where others go on in the room, its owner has no business there any
/// longer.
pub(in crate::portal) async fn without_login(
    bridge: &Bridge,
    portal: &Portal,
    login: &LoginId,
    user: &UserId,
    reason: &str,
) -> Result<(), StepError> {
    bridge.store.forget_login_in_thread(&portal.key.thread, login).await?;
    if portal.relay.as_ref() == Some(login) {
        bridge.store.save_portal(portal, &Portal { relay: None, ..portal.clone() }).await?;
    }
    let left = bridge.store.logins_in_thread(&portal.key.thread).await?;
    let own = bridge.store.logins_of_user(user).await?;
    let Some(room) = portal.room.as_ref().filter(|_| !left.is_empty()) else { return Ok(()) };
    if own.iter().any(|own| left.contains(&own.id)) {
        return Ok(());
    }
    match bridge.matrix.kick(room, user, Some(reason)).await {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The ghost of a sender, in the room. In a direct chat the user's own ghost says by its name in this room that it
/// shows what was written in the Instagram app.
pub async fn ensure_member(
    bridge: &Arc<Bridge>,
    portal: &Portal,
    login: &LoginId,
    sender: &RemoteUserId,
) -> Result<OwnedUserId, StepError> {
    let user = ghost::user_id(bridge, sender);
    if portal.members.contains(sender) {
        return Ok(user);
    }
    let Some(room) = &portal.room else { return Err(StepError::Later("room")) };
    let shown = ghost::look_up(bridge, login, sender).await?;
    ghost::ensure(bridge, login, &shown).await?;
    bridge.matrix.ensure_joined(&user, room).await?;
    let own = portal.key.receiver.as_ref().is_some_and(|receiver| receiver.as_remote_user() == *sender);
    if own || portal.nicknames.contains_key(sender) {
        name_here(bridge, portal, sender).await?;
    }
    let mut joined = portal.clone();
    joined.members.push(sender.clone());
    bridge.store.save_portal(portal, &joined).await?;
    Ok(user)
}

/// Forgets that a ghost is in the room, after the homeserver refused it: the next try joins it again.
pub async fn doubt_member(bridge: &Bridge, portal: PortalId, sender: &str) -> Result<(), StepError> {
    if let Some(portal) = bridge.store.portal_by_id(portal).await? {
        let mut without = portal.clone();
        without.members.retain(|member| member.as_str() != sender);
        bridge.store.save_portal(&portal, &without).await?;
    }
    Ok(())
}

pub(super) async fn update_members(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    users: &[RemoteUser],
    room: &RoomId,
    portal: &mut Portal,
) -> Result<(), StepError> {
    for user in users.iter().filter(|user| !portal.members.contains(&user.id)).cloned().collect::<Vec<_>>() {
        ghost::ensure(bridge, login, &user).await?;
        bridge.matrix.ensure_joined(&ghost::user_id(bridge, &user.id), room).await?;
        if portal.nicknames.contains_key(&user.id) {
            name_here(bridge, portal, &user.id).await?;
        }
        portal.members.push(user.id);
    }
    let logins = bridge.store.logins_in_thread(&portal.key.thread).await?;
    let stays = |member: &RemoteUserId| {
        // The account itself is not listed, and may not be noted as in the chat yet.
        *member == login.as_remote_user()
            || users.iter().any(|user| user.id == *member)
            || logins.iter().any(|login| login.as_remote_user() == *member)
    };
    for gone in portal.members.iter().filter(|member| !stays(member)) {
        let left = bridge.matrix.leave(&Intent::As(ghost::user_id(bridge, gone)), room).await;
        if let Err(error) = left
            && error.is_transient()
        {
            return Err(error.into());
        }
    }
    portal.members.retain(|member| stays(member));
    portal.members.sort();
    Ok(())
}

/// Gives or takes the powers of a moderator: to ghosts, and to the owners of logins. Nothing is sent when nothing
/// changes.
pub(in crate::portal) async fn set_admins(
    bridge: &Bridge,
    portal: &Portal,
    admins: &[(RemoteUserId, bool)],
) -> Result<(), StepError> {
    let Some(room) = &portal.room else { return Ok(()) };
    if admins.is_empty() {
        return Ok(());
    }
    let Some(mut levels) = bridge.matrix.state(room, "m.room.power_levels", "").await? else { return Ok(()) };
    let before = levels.clone();
    let Some(users) = levels.as_object_mut().map(|levels| levels.entry("users").or_insert_with(|| json!({}))) else {
        return Ok(());
    };
    let Some(users) = users.as_object_mut() else { return Ok(()) };
    for (admin, granted) in admins {
        let login = bridge.store.login(&LoginId::new(admin.as_str())).await?;
        for user in login.map(|login| login.user).into_iter().chain([ghost::user_id(bridge, admin)]) {
            match granted {
                true => drop(users.insert(user.to_string(), json!(ADMIN_POWER))),
                false => drop(users.remove(user.as_str())),
            }
        }
    }
    if levels != before {
        bridge.matrix.set_state(&Intent::Bot, room, "m.room.power_levels", "", &levels, None).await?;
    }
    Ok(())
}

/// Invites; someone who is in the room already is no error.
pub(super) async fn invite_quietly(
    bridge: &Bridge,
    room: &RoomId,
    user: &OwnedUserId,
    is_direct: bool,
) -> Result<(), StepError> {
    let invited = match is_direct {
        // Only an invitation that is sent as an event can say that the chat is a direct one.
        true => {
            let member = json!({"membership": "invite", "is_direct": true});
            bridge.matrix.set_state(&Intent::Bot, room, "m.room.member", user.as_str(), &member, None).await.map(drop)
        }
        false => bridge.matrix.invite(room, user).await,
    };
    match invited {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}

pub(super) async fn owner(bridge: &Bridge, login: &LoginId) -> Result<OwnedUserId, StepError> {
    Ok(bridge.known_login(login).await?.user)
}
