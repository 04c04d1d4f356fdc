//! Double puppeting: what a user does in the Instagram app is shown as done by their own Matrix account, where the admin
//! lets the bridge act as the users of the homeserver. Without that, or where it fails, their ghost stands for them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::bridge::Bridge;
use crate::domain::ids::{LoginId, RemoteUserId, RequestId};
use crate::domain::record::{Portal, Standing};
use crate::lane::StepError;
use crate::matrix::{HomeserverError, Intent, REQUEST_KEY};
use crate::portal::{from_matrix::RoomEvent, ghost};

/// Where users were found to be, or were brought in.
#[derive(Debug, Default)]
pub struct Puppets(Mutex<HashSet<(OwnedRoomId, OwnedUserId)>>);

/// The account that stands for an Instagram user in a portal: the owner of their login, in the room.
pub(super) async fn in_room(
    bridge: &Bridge,
    portal: &Portal,
    sender: &RemoteUserId,
) -> Result<Option<OwnedUserId>, StepError> {
    let (true, Some(room)) = (bridge.matrix.may_puppet(), &portal.room) else { return Ok(None) };
    let login = LoginId::new(sender.as_str());
    // In the direct chat of somebody else the sender is the other person, whose account does not belong there.
    if portal.key.receiver.as_ref().is_some_and(|receiver| *receiver != login) {
        return Ok(None);
    }
    let Some(user) = bridge.store.login(&login).await?.map(|login| login.user) else { return Ok(None) };
    if user.server_name() != bridge.config.domain() {
        return Ok(None);
    }
    // Nobody is brought into a group by what a stranger does.
    if portal.key.receiver.is_none()
        && bridge.store.standing(&portal.key.thread, &login).await? != Standing::Open
        && !bridge.store.logins_in_thread(&portal.key.thread).await?.contains(&login)
    {
        return Ok(None);
    }
    let place = (room.clone(), user.clone());
    if bridge.puppets.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&place) {
        return Ok(Some(user));
    }
    match join(bridge, room, &user).await {
        Ok(()) => {
            bridge.puppets.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
            Ok(Some(user))
        }
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, %user, "cannot act as this user; their ghost does it");
            Ok(None)
        }
    }
}

/// Brings the owner of a login into a room they were invited to, where the bridge may; a direct chat is listed as one.
pub(super) async fn enter(
    bridge: &Bridge,
    portal: &Portal,
    login: &LoginId,
    others: &[RemoteUserId],
) -> Result<(), StepError> {
    let (Some(user), Some(room)) = (in_room(bridge, portal, &login.as_remote_user()).await?, &portal.room) else {
        return Ok(());
    };
    let (Some(_), [other]) = (&portal.key.receiver, others) else { return Ok(()) };
    match bridge.matrix.list_as_direct(&user, &ghost::user_id(bridge, other), room).await {
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "not listed as a direct chat");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn join(bridge: &Bridge, room: &RoomId, user: &UserId) -> Result<(), HomeserverError> {
    let intent = Intent::As(user.to_owned());
    let refused = match bridge.matrix.join_as(&intent, room).await {
        Err(error @ HomeserverError::Forbidden(_)) => error,
        decided => return decided,
    };
    match bridge.matrix.invite(room, user).await {
        // They are there: what is forbidden is to act as them.
        Err(error) if !error.is_transient() => return Err(refused),
        invited => invited?,
    }
    bridge.matrix.join_as(&intent, room).await
}

/// Forgets where a user is, after the homeserver refused something: they may have left.
pub(super) fn doubt(bridge: &Bridge, room: &RoomId, user: &UserId) {
    let place = (room.to_owned(), user.to_owned());
    bridge.puppets.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
}

/// Whether an event of a user is one that the bridge has sent as them. Its mark alone proves nothing: clients copy the
/// whole content of what they forward.
pub(super) async fn has_sent(bridge: &Bridge, event: &RoomEvent) -> Result<bool, StepError> {
    let Some(request) = event.content[REQUEST_KEY].as_str().filter(|_| bridge.matrix.may_puppet()) else {
        return Ok(false);
    };
    // The outbox first: a send leaves it in the commit that maps it.
    Ok(bridge.store.event_of_request(&RequestId::new(request)).await?.is_some()
        || !bridge.store.mapping_of_event(&event.event_id).await?.is_empty()
        || bridge.store.reaction_of_event(&event.event_id).await?.is_some()
        || bridge.store.item_of_revision(&event.event_id).await?.is_some())
}

/// Shows that the user has marked a chat as unread in the app, or not any more.
pub(super) async fn mark_unread(
    bridge: &Bridge,
    portal: &Portal,
    login: &LoginId,
    unread: bool,
) -> Result<(), StepError> {
    let (Some(user), Some(room)) = (in_room(bridge, portal, &login.as_remote_user()).await?, &portal.room) else {
        return Ok(());
    };
    match bridge.matrix.set_marked_unread(&user, room, unread).await {
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "not marked as unread");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
