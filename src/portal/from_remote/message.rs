//! A new item on Instagram becomes events in its portal.

use std::sync::Arc;

use ruma::OwnedUserId;

use super::{Plan, Planned, request};
use crate::bridge::Bridge;
use crate::domain::convert::to_matrix::{IncomingFacts, to_matrix};
use crate::domain::event::{Item, ItemContent, ReplyTo};
use crate::domain::ids::{LoginId, RemoteUserId, ThreadId};
use crate::domain::record::{InboxRow, Portal};
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::{ghost, room};

/// Loads the facts, makes sure that room and sender exist, and converts.
pub(super) async fn prepare(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    login: &LoginId,
    thread: &ThreadId,
    item: &Item,
) -> Result<Plan, StepError> {
    if matches!(item.content, ItemContent::Admin(None)) {
        return Ok(Plan::nothing(row));
    }
    let portal = room::ensure(bridge, login, thread, item.sender.as_ref()).await?;
    // The outbox first: a send leaves it in the commit that maps it.
    if is_being_sent(bridge, &portal, item).await?
        || !bridge.store.mapping_of_item(portal.id, &item.id).await?.is_empty()
    {
        return Ok(Plan::nothing(row));
    }
    let Some(room) = portal.room.clone() else { return Err(StepError::Later("room")) };
    let intent = match &item.sender {
        Some(sender) => Intent::As(room::ensure_member(bridge, &portal, login, sender).await?),
        None => Intent::Bot,
    };
    let facts = facts(bridge, &portal, item).await?;
    let sender = item.sender.as_ref().map_or("", RemoteUserId::as_str);
    let events = (0..)
        .zip(to_matrix(item, &facts))
        .map(|(part, content)| {
            let request = request(&portal, &item.id, sender, part);
            Planned {
                content,
                request,
                intent: intent.clone(),
                room: room.clone(),
                at: Some(item.at).filter(|at| at.0 > 0),
                portal: portal.id,
                item: item.id.clone(),
                sender: sender.to_owned(),
                client_context: item.client_context.clone(),
            }
        })
        .collect();
    Ok(Plan { row: row.clone(), events })
}

/// Whether the item is what a user is sending into this very room: another login in the group heard it before the send
/// was settled. (What a login hears of its own sends never comes this far.)
async fn is_being_sent(bridge: &Bridge, portal: &Portal, item: &Item) -> Result<bool, StepError> {
    let (Some(sender), Some(context)) = (&item.sender, &item.client_context) else { return Ok(false) };
    let sender = LoginId::new(sender.as_str());
    let same_room = portal.key.receiver.as_ref().is_none_or(|receiver| *receiver == sender);
    if !same_room || bridge.store.login(&sender).await?.is_none() {
        return Ok(false);
    }
    Ok(bridge.store.event_of_request(&context.clone().into()).await?.is_some())
}

async fn facts(bridge: &Bridge, portal: &Portal, item: &Item) -> Result<IncomingFacts, StepError> {
    let reply_to = match &item.reply_to {
        Some(reply) => reply_target(bridge, portal, reply).await?,
        None => None,
    };
    let mut mentions = Vec::new();
    if let ItemContent::Text { mentions: users, .. } = &item.content {
        for user in users {
            mentions.push(matrix_user(bridge, user).await?);
        }
    }
    Ok(IncomingFacts { reply_to, mentions, thread_link: room::link(&portal.key.thread) })
}

/// The event of the quoted item: from the message map, or, when our own send is not settled yet, from the outbox.
async fn reply_target(
    bridge: &Bridge,
    portal: &Portal,
    reply: &ReplyTo,
) -> Result<Option<ruma::OwnedEventId>, StepError> {
    if let Some(mapping) = bridge.store.mapping_of_item(portal.id, &reply.item).await?.into_iter().next() {
        return Ok(Some(mapping.event));
    }
    let Some(context) = &reply.client_context else { return Ok(None) };
    if let Some(mapping) = bridge.store.mapping_of_context(portal.id, context).await? {
        return Ok(Some(mapping.event));
    }
    let event = bridge.store.event_of_request(&context.clone().into()).await?;
    Ok(event.and_then(|event| event.try_into().ok()))
}

/// The user themselves if they use the bridge, else their ghost.
async fn matrix_user(bridge: &Bridge, user: &RemoteUserId) -> Result<OwnedUserId, StepError> {
    let login = bridge.store.login(&LoginId::new(user.as_str())).await?;
    Ok(login.map_or_else(|| ghost::user_id(bridge, user), |login| login.user))
}
