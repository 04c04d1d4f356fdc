//! Invitations of the bridge bot, and users that leave.

use std::sync::Arc;

use ruma::UserId;

use super::{RoomEvent, group, quietly};
use crate::bridge::Bridge;
use crate::command;
use crate::config::Permission;
use crate::domain::record::Portal;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::puppet;

/// A member event outside of chats.
pub(super) async fn handle(bridge: &Arc<Bridge>, event: &RoomEvent) -> Result<(), StepError> {
    match event.content["membership"].as_str() {
        Some("leave") => left(bridge, event).await,
        _ => invited(bridge, event).await,
    }
}

/// A management room without its user, or without the bot, is none: what the bot has to say needs another.
async fn left(bridge: &Bridge, event: &RoomEvent) -> Result<(), StepError> {
    let Some(owner) = bridge.store.user_of_management_room(&event.room_id).await? else { return Ok(()) };
    if ![owner.as_str(), bridge.bot().as_str()].contains(&event.state_key.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    bridge.store.forget_management_room(&event.room_id).await?;
    quietly(bridge.matrix.leave(&Intent::Bot, &event.room_id).await)
}

/// Joins where a user who may use the bridge invites the bot, and says hello there.
async fn invited(bridge: &Arc<Bridge>, event: &RoomEvent) -> Result<(), StepError> {
    let invited = event.content["membership"] == "invite" && event.state_key.as_deref() == Some(bridge.bot().as_str());
    if !invited || event.sender == *bridge.bot() {
        return Ok(());
    }
    // The very first invitation may come before the start has registered the bot.
    bridge.matrix.ensure_registered(bridge.bot()).await?;
    if bridge.config.permission(&event.sender) < Permission::User {
        tracing::info!(user = %event.sender, "invitation declined: no permission");
        return quietly(bridge.matrix.leave(&Intent::Bot, &event.room_id).await);
    }
    match bridge.matrix.join_as(&Intent::Bot, &event.room_id).await {
        Ok(()) => {}
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => {
            tracing::info!(%error, "invitation could not be accepted");
            return Ok(());
        }
    }
    if bridge.store.portal_of_room(&event.room_id).await?.is_none() {
        bridge.store.set_management_room(&event.sender, &event.room_id).await?;
        command::welcome(bridge, event).await?;
    }
    Ok(())
}

/// Somebody with a login was invited to the room of a chat, left it, or was removed from it. In a group their account is
/// added or removed likewise. A chat goes on without its user: its next message invites them again, so that nothing is
/// said where nobody hears it.
pub(super) async fn in_portal(bridge: &Arc<Bridge>, event: &RoomEvent, portal: &Portal) -> Result<(), StepError> {
    let Some(user) = event.state_key.as_deref().and_then(|user| UserId::parse(user).ok()) else { return Ok(()) };
    let removed = match event.content["membership"].as_str() {
        Some("invite") => return group::user_invited(bridge, event, portal, &user).await,
        Some("leave" | "ban") if event.sender != user => group::user_removed(bridge, event, portal, &user).await,
        Some("leave") => Ok(()),
        _ => return Ok(()),
    };
    if let Err(error) = &removed
        && !group::is_refusal(error)
    {
        return removed;
    }
    for login in bridge.store.logins_of_user(&user).await? {
        tracing::info!(room = %event.room_id, login = %login.id, "left the room of a chat; its next message invites again");
        bridge.store.forget_login_in_thread(&portal.key.thread, &login.id).await?;
    }
    puppet::doubt(bridge, &event.room_id, &user);
    removed
}
