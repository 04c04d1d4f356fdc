//! Ghosts: registered once, named after the Instagram user, with their picture.

use std::sync::Arc;

use ruma::{OwnedMxcUri, OwnedUserId, UserId};
use tokio::sync::Semaphore;

use super::room;
use crate::bridge::Bridge;
use crate::domain::event::{Picture, RemoteThread, RemoteUser};
use crate::domain::ids::{LoginId, RemoteUserId, Timestamp};
use crate::domain::record::{Ghost, Portal};
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::network::Remote;
use crate::runtime;

/// Profile pictures larger than this are not taken.
const PICTURE_LIMIT: u64 = 5 << 20;
/// Profile pictures copied at once: a new login has hundreds.
static PICTURES: Semaphore = Semaphore::const_new(2);

/// The Matrix user that stands for an Instagram user.
///
/// Instagram ids are digits; anything else is written as hex, so that no id makes an invalid user id.
pub fn user_id(bridge: &Bridge, id: &RemoteUserId) -> OwnedUserId {
    let plain = id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()) && !id.as_str().is_empty();
    let local = if plain {
        id.as_str().to_ascii_lowercase()
    } else {
        format!("x_{}", data_encoding::HEXLOWER.encode(id.as_str().as_bytes()))
    };
    let text = format!("@{}{local}:{}", bridge.config.ghost_prefix(), bridge.config.domain());
    UserId::parse(text).expect("prefix, digits and a checked server name make a user id")
}

/// The Instagram user a Matrix user stands for.
pub fn remote_user(bridge: &Bridge, user: &UserId) -> Option<RemoteUserId> {
    if user.server_name() != bridge.config.domain() {
        return None;
    }
    let id = user.localpart().strip_prefix(bridge.config.ghost_prefix())?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| RemoteUserId::new(id))
}

/// The full name, else the handle.
pub fn short_name(user: &RemoteUser) -> &str {
    if user.full_name.trim().is_empty() { &user.username } else { user.full_name.trim() }
}

/// What is known of a user, asked from Instagram when nothing is. A user that cannot be looked up has to do with
/// their id for a name.
pub async fn look_up(bridge: &Bridge, login: &LoginId, id: &RemoteUserId) -> Result<RemoteUser, StepError> {
    if let Some(ghost) = bridge.store.ghost(id).await? {
        let Ghost { id, username, full_name, .. } = ghost;
        return Ok(RemoteUser { id, username, full_name, picture: None });
    }
    let remote = bridge.remote(login).await?;
    match remote.user(id).await {
        Ok(user) => Ok(user),
        Err(error) if error.is_transient() && !error.is_nonsense() => {
            Err(StepError::Remote { login: login.clone(), error })
        }
        Err(_) => {
            Ok(RemoteUser { id: id.clone(), username: id.as_str().to_owned(), full_name: String::new(), picture: None })
        }
    }
}

/// Registers and names the ghost, where that is still to be done. Its picture follows in the background.
pub async fn ensure(bridge: &Arc<Bridge>, login: &LoginId, user: &RemoteUser) -> Result<(), StepError> {
    let known = bridge.store.ghost(&user.id).await?;
    let displayname = bridge.config.displayname(short_name(user), &user.username);
    let is_other = |ghost: &Ghost| ghost.displayname != displayname || ghost.username != user.username;
    if known.as_ref().is_none_or(is_other) {
        let matrix_user = user_id(bridge, &user.id);
        bridge.matrix.ensure_registered(&matrix_user).await?;
        bridge.matrix.set_displayname(&matrix_user, &displayname).await?;
        let earlier = known.clone();
        bridge
            .store
            .save_ghost(&Ghost {
                id: user.id.clone(),
                username: user.username.clone(),
                full_name: user.full_name.clone(),
                avatar_id: earlier.as_ref().and_then(|ghost| ghost.avatar_id.clone()),
                avatar: earlier.and_then(|ghost| ghost.avatar),
                displayname,
                fetched_at: runtime::now(),
            })
            .await?;
        if known.is_some() {
            room::name_again(bridge, &user.id).await?;
        }
    }
    if let Some(picture) = &user.picture
        && known.and_then(|ghost| ghost.avatar_id).as_ref() != Some(&picture.id)
        && let Ok(remote) = bridge.remote(login).await
    {
        let (task, id, picture) = (Arc::clone(bridge), user.id.clone(), picture.clone());
        bridge.tasks.spawn("picture", async move {
            if let Err(error) = set_picture(&task, &remote, &id, &picture).await {
                tracing::warn!(%error, "profile picture not set");
            }
        });
    }
    Ok(())
}

async fn set_picture(bridge: &Bridge, remote: &Remote, id: &RemoteUserId, picture: &Picture) -> Result<(), StepError> {
    let _permit = PICTURES.acquire().await;
    // Somebody who is in twenty chats has one picture.
    if bridge.store.ghost(id).await?.is_some_and(|ghost| ghost.avatar_id.as_ref() == Some(&picture.id)) {
        return Ok(());
    }
    let url = copy(bridge, remote, picture).await?;
    bridge.matrix.set_avatar(&user_id(bridge, id), &url).await?;
    if let Some(mut ghost) = bridge.store.ghost(id).await? {
        ghost.avatar_id = Some(picture.id.clone());
        ghost.avatar = Some(url);
        ghost.fetched_at = Timestamp(runtime::now().0);
        bridge.store.save_ghost(&ghost).await?;
    }
    room::name_again(bridge, id).await
}

/// Copies a picture to the homeserver.
async fn copy(bridge: &Bridge, remote: &Remote, picture: &Picture) -> Result<OwnedMxcUri, StepError> {
    let downloaded = remote.download(&picture.url, PICTURE_LIMIT).await;
    let (bytes, content_type) =
        downloaded.map_err(|error| StepError::Remote { login: remote.login().clone(), error })?;
    Ok(bridge.matrix.upload(bytes, &content_type, None).await?)
}

/// Sets the picture of a new group's room in the background.
pub(super) fn refresh_pictures(bridge: &Arc<Bridge>, login: &LoginId, thread: &RemoteThread, portal: &Portal) {
    let Some(image) = thread.image.clone() else { return };
    let (task, login, portal) = (Arc::clone(bridge), login.clone(), portal.clone());
    bridge.tasks.spawn("picture", async move {
        if let Err(error) = set_room_picture(&task, &login, &portal, Some(image)).await {
            tracing::warn!(%error, "group picture not set");
        }
    });
}

/// Gives the room of a group its picture, or takes it away.
pub(super) async fn set_room_picture(
    bridge: &Bridge,
    login: &LoginId,
    portal: &Portal,
    image: Option<Picture>,
) -> Result<(), StepError> {
    let Some(room) = &portal.room else { return Ok(()) };
    let content = match &image {
        Some(image) => room::avatar_content(&copy(bridge, &bridge.remote(login).await?, image).await?),
        None => serde_json::json!({}),
    };
    bridge.matrix.set_state(&Intent::Bot, room, "m.room.avatar", "", &content, None).await?;
    let avatar_id = image.map(|image| image.id);
    Ok(bridge.store.save_portal(portal, &Portal { avatar_id, ..portal.clone() }).await?)
}
