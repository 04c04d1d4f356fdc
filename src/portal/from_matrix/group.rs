//! What is done to a group's room is done to the group: its name, its picture, who is invited, who is removed. What
//! Instagram refuses is taken back in the room.

use std::sync::Arc;

use ruma::{OwnedMxcUri, UserId};

use super::{RoomEvent, quietly, sender};
use crate::bridge::Bridge;
use crate::domain::ids::{RemoteUserId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{LoginState, Portal};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::media::{self, Spooled};
use crate::network::ChatChange;
use crate::portal::{certain_login, echo, ghost, room};

/// Longest side of a group's picture.
const LONGEST_SIDE: u32 = 720;

/// Renames the group.
pub(super) async fn renamed(bridge: &Arc<Bridge>, event: &RoomEvent, portal: &Portal) -> Result<(), StepError> {
    let Some(title) = event.content["name"].as_str().map(str::trim).filter(|title| !title.is_empty()) else {
        return Ok(());
    };
    if portal.key.receiver.is_some() || portal.name.as_deref() == Some(title) {
        return Ok(());
    }
    if let Err(error) = change(bridge, event, portal, ChatChange::Title(title.to_owned())).await {
        if let (true, Some(room), Some(name)) = (is_refusal(&error), &portal.room, &portal.name) {
            let content = serde_json::json!({"name": name});
            bridge.matrix.set_state(&Intent::Bot, room, "m.room.name", "", &content, None).await?;
        }
        return Err(error);
    }
    // What Instagram then says about it is no news.
    let named = Portal { name: Some(title.to_owned()), ..portal.clone() };
    Ok(bridge.store.save_portal(portal, &named).await?)
}

/// Gives the group another picture, or none.
pub(super) async fn pictured(bridge: &Arc<Bridge>, event: &RoomEvent, portal: &Portal) -> Result<(), StepError> {
    if portal.key.receiver.is_some() {
        return Ok(());
    }
    let outcome = set_picture(bridge, event, portal).await;
    if let Err(error) = &outcome
        && is_refusal(error)
    {
        show_picture(bridge, portal).await?;
    }
    outcome
}

async fn set_picture(bridge: &Arc<Bridge>, event: &RoomEvent, portal: &Portal) -> Result<(), StepError> {
    let refused = |why: &str, hint: &str| {
        StepError::Refuse(Notice::new(format!("The group's picture stays: {why}.")).with_hint(hint))
    };
    let login = sender(bridge, event, portal).await?;
    let remote = bridge.remote(&login).await?;
    let thread = &portal.key.thread;
    let context = request_id::client_context(&event.event_id, Timestamp(event.origin_server_ts), 0);
    let Some(url) = event.content["url"].as_str() else {
        echo::note_picture(bridge, portal.id).await?;
        let removed = remote.remove_picture(thread, &context).await;
        return removed.map_err(|error| StepError::Remote { login, error });
    };
    let directory = bridge.media_directory();
    let limit = bridge.config.media.max_upload;
    let file = bridge.matrix.download_file(&OwnedMxcUri::from(url), limit, directory).await?;
    let jpeg = media::shrink(file.path(), LONGEST_SIDE).await;
    let jpeg = jpeg.ok_or_else(|| refused("it cannot be read", "save it as JPEG and upload it again."))?;
    let file = Spooled::write(directory, &jpeg).await.map_err(|_| StepError::Later("room for the picture"))?;
    echo::note_picture(bridge, portal.id).await?;
    let set = remote.set_picture(thread, file, &context).await;
    set.map_err(|error| StepError::Remote { login, error })
}

/// Shows the picture that the group has.
async fn show_picture(bridge: &Arc<Bridge>, portal: &Portal) -> Result<(), StepError> {
    let Some(login) = bridge.store.logins_in_thread(&portal.key.thread).await?.into_iter().next() else {
        return Ok(());
    };
    let shown = bridge.remote(&login).await?.thread(&portal.key.thread).await;
    let shown = shown.map_err(|error| StepError::Remote { login: login.clone(), error })?;
    ghost::set_room_picture(bridge, &login, portal, shown.image).await
}

/// Adds or removes the person behind a ghost.
pub(super) async fn member(bridge: &Arc<Bridge>, event: &RoomEvent, portal: &Portal) -> Result<(), StepError> {
    let Some(member) = ghost_of(bridge, event) else { return Ok(()) };
    let ghost = ghost::user_id(bridge, &member);
    let is_member = portal.members.contains(&member);
    let is_group = portal.key.receiver.is_none();
    match event.content["membership"].as_str() {
        Some("invite") if !is_member => {
            let outcome = match is_group {
                true => change(bridge, event, portal, ChatChange::Add(member)).await,
                false => Err(StepError::Refuse(
                    Notice::new("Nobody was added: on Instagram a chat of two stays one.")
                        .with_hint("make a group: send `create-group` to the bridge bot."),
                )),
            };
            if let Err(error) = &outcome
                && is_refusal(error)
            {
                quietly(bridge.matrix.kick(&event.room_id, &ghost, Some("not added on Instagram")).await)?;
            }
            outcome
        }
        Some("leave" | "ban") if is_member && is_group => {
            match change(bridge, event, portal, ChatChange::Remove(member.clone())).await {
                Err(error) if is_refusal(&error) => {
                    quietly(bridge.matrix.ensure_joined(&ghost, &event.room_id).await)?;
                    Err(error)
                }
                Err(error) => Err(error),
                Ok(()) => room::doubt_member(bridge, portal.id, member.as_str()).await,
            }
        }
        _ => Ok(()),
    }
}

/// Adds the account of somebody who uses the bridge, unless it is in the group. Who stays a guest there is relayed.
pub(super) async fn user_invited(
    bridge: &Arc<Bridge>,
    event: &RoomEvent,
    portal: &Portal,
    user: &UserId,
) -> Result<(), StepError> {
    let mut logins = bridge.store.logins_of_user(user).await?;
    if portal.key.receiver.is_some() || logins.is_empty() || !speaks(bridge, event, portal).await? {
        return Ok(());
    }
    if certain_login(bridge, user, portal).await?.is_some() {
        return Ok(());
    }
    logins.sort_by_key(|login| login.state != LoginState::Active);
    let Some(login) = logins.into_iter().next() else { return Ok(()) };
    change(bridge, event, portal, ChatChange::Add(login.id.as_remote_user())).await
}

/// Removes the accounts of somebody who uses the bridge. Whom Instagram keeps in the group is invited again.
pub(super) async fn user_removed(
    bridge: &Arc<Bridge>,
    event: &RoomEvent,
    portal: &Portal,
    user: &UserId,
) -> Result<(), StepError> {
    if portal.key.receiver.is_some() || !speaks(bridge, event, portal).await? {
        return Ok(());
    }
    let here = bridge.store.logins_in_thread(&portal.key.thread).await?;
    for login in bridge.store.logins_of_user(user).await?.into_iter().filter(|login| here.contains(&login.id)) {
        let removed = change(bridge, event, portal, ChatChange::Remove(login.id.as_remote_user())).await;
        if let Err(error) = &removed
            && is_refusal(error)
        {
            quietly(bridge.matrix.invite(&event.room_id, user).await)?;
        }
        removed?;
    }
    Ok(())
}

/// Whether what the sender does in the room is done on Instagram.
async fn speaks(bridge: &Bridge, event: &RoomEvent, portal: &Portal) -> Result<bool, StepError> {
    Ok(certain_login(bridge, &event.sender, portal).await?.is_some())
}

/// It will never work.
pub(super) fn is_refusal(error: &StepError) -> bool {
    match error {
        StepError::Refuse(_) | StepError::NoLogin => true,
        StepError::Remote { error, .. } => !error.is_transient(),
        _ => false,
    }
}

/// The Instagram user a member event is about, if it is about one.
pub(super) fn ghost_of(bridge: &Bridge, event: &RoomEvent) -> Option<RemoteUserId> {
    let user = UserId::parse(event.state_key.as_deref()?).ok()?;
    ghost::remote_user(bridge, &user)
}

async fn change(bridge: &Arc<Bridge>, event: &RoomEvent, portal: &Portal, change: ChatChange) -> Result<(), StepError> {
    let login = sender(bridge, event, portal).await?;
    let remote = bridge.remote(&login).await?;
    let outcome = remote.change(&portal.key.thread, &change).await;
    outcome.map_err(|error| StepError::Remote { login, error })
}
