//! Invitations of the bridge bot.

use std::sync::Arc;

use super::RoomEvent;
use crate::bridge::Bridge;
use crate::command;
use crate::config::Permission;
use crate::lane::StepError;
use crate::matrix::Intent;

/// Joins where a user who may use the bridge invites the bot, and says hello there.
pub(super) async fn handle(bridge: &Arc<Bridge>, event: &RoomEvent) -> Result<(), StepError> {
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

fn quietly(outcome: Result<(), crate::matrix::HomeserverError>) -> Result<(), StepError> {
    match outcome {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}
