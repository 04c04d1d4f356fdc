//! A new item on Instagram becomes events in its portal.

use std::sync::Arc;

use ruma::{EventId, OwnedUserId};

use super::carry::NewPart;
use super::media::Carried;
use super::{Action, Heard, Outcome, Plan, Planned, chat};
use crate::bridge::Bridge;
use crate::domain::convert::to_matrix::{IncomingFacts, Media, Part, to_matrix};
use crate::domain::event::{Aim, Item, ItemContent, ReplyTo};
use crate::domain::ids::{LoginId, RemoteUserId, ThreadId, Timestamp};
use crate::domain::record::{InboxRow, Origin, Portal, Shows};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::{ephemeral, ghost, puppet, room};
use crate::runtime;

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
    // Into a room that fills with history the user is invited at its end: nothing in it is news.
    let portal = match row.origin {
        Origin::History => Some(room::ensure_quietly(bridge, login, thread, item.sender.as_ref()).await?),
        _ => room::ensure(bridge, login, thread, item.sender.as_ref()).await?,
    };
    let Some(portal) = portal else { return Ok(Plan::nothing(row)) };
    // The outbox first: a send leaves it in the commit that maps it.
    if is_being_sent(bridge, &portal, item).await?
        || !bridge.store.mapping_of_item(portal.id, &item.id).await?.is_empty()
    {
        return Ok(Plan::nothing(row));
    }
    let Some(room) = portal.room.clone() else { return Err(StepError::Later("room")) };
    let intent = match &item.sender {
        Some(sender) => Intent::As(speaker(bridge, row, &portal, login, sender).await?),
        None => Intent::Bot,
    };
    if let (Intent::As(user), false) = (&intent, row.origin == Origin::History) {
        ephemeral::typing_ended(bridge, &room, user);
    }
    let facts = facts(bridge, &portal, item).await?;
    let sender = item.sender.as_ref().map_or("", RemoteUserId::as_str);
    let digest = digest(bridge, item);
    let heard = Heard { bridge, row, login: login.clone(), portal: portal.clone() };
    // What was said earlier says nothing about now.
    let is_live = row.origin == Origin::Instagram { reconciled: false };
    let ruled = if item.vanishing && is_live { chat::ruled_by_message(&heard) } else { None };
    let mut plan = ruled.unwrap_or_else(|| Plan::nothing(row));
    let events = (0..).zip(to_matrix(item, &facts)).map(|(number, Part { kind, content, media, shows })| Planned {
        request: request_id::matrix_transaction(&portal.key, &item.id, "message", sender, number),
        intent: intent.clone(),
        sender: sender.to_owned(),
        portal: portal.id,
        room: room.clone(),
        action: Action::Send {
            kind,
            content,
            at: Some(item.at).filter(|at| at.0 > 0),
            media: carried(&heard, item, media.as_ref()),
        },
        outcome: Outcome::Part(part(bridge, item, number, &digest, shows, media.as_ref())),
    });
    plan.events.extend(events);
    Ok(plan)
}

/// Who says what a person said: their own account, else their ghost. In history it is always the ghost, since the user
/// comes into that room at its end.
pub(super) async fn speaker(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    portal: &Portal,
    login: &LoginId,
    sender: &RemoteUserId,
) -> Result<OwnedUserId, StepError> {
    if row.origin != Origin::History
        && let Some(user) = puppet::in_room(bridge, portal, sender).await?
    {
        return Ok(user);
    }
    room::ensure_member(bridge, portal, login, sender).await
}

/// The media of an event, and where they can be asked for again.
pub(super) fn carried(heard: &Heard<'_>, item: &Item, media: Option<&Media>) -> Option<Box<Carried>> {
    Some(Box::new(Carried {
        media: media?.clone(),
        login: heard.login.clone(),
        thread: heard.portal.key.thread.clone(),
        item: item.id.clone(),
    }))
}

/// What an event of an item is to the bridge.
pub(super) fn part(
    bridge: &Bridge,
    item: &Item,
    part: i64,
    digest: &str,
    shows: Shows,
    media: Option<&Media>,
) -> NewPart {
    let stays = i64::try_from(bridge.config.media.redact_after.get().as_millis()).unwrap_or(i64::MAX);
    let redact_at = media.filter(|media| media.fleeting).map(|_| Timestamp(runtime::now().0.saturating_add(stays)));
    NewPart {
        item: item.id.clone(),
        part,
        client_context: item.client_context.clone(),
        at: item.at,
        kind: item.kind.clone(),
        digest: Some(digest.to_owned()),
        shows,
        redact_at,
    }
}

/// Tells whether an item says the same as before, without keeping what it says.
pub(super) fn digest(bridge: &Bridge, item: &Item) -> String {
    request_id::digest_of_content(bridge.config.secret_key(), &item.content.words())
}

/// Likewise, with the reactions it has.
pub(super) fn digest_with_reactions(bridge: &Bridge, item: &Item) -> String {
    let mut words = item.content.words();
    words.extend(item.reactions.iter().flatten().map(|one| format!("{} {}", one.sender, one.emoji)));
    request_id::digest_of_content(bridge.config.secret_key(), &words)
}

/// Who changes an event that shows an item, and whether they may: only its author can, and what a user has written in
/// Matrix is their own.
pub(super) async fn editor(heard: &Heard<'_>, item: &Item, event: &EventId) -> Result<(Intent, bool), StepError> {
    let Some(sender) = &item.sender else { return Ok((Intent::Bot, true)) };
    let (bridge, portal) = (heard.bridge, &heard.portal);
    if let (Some(_), Some(room)) = (bridge.store.login(&LoginId::new(sender.as_str())).await?, &portal.room)
        && let Some(author) = bridge.matrix.author(room, event).await?
        && !bridge.matrix.is_ours(&author)
    {
        if puppet::in_room(bridge, portal, sender).await?.as_ref() == Some(&author) {
            return Ok((Intent::As(author), true));
        }
        return Ok((Intent::As(room::ensure_member(bridge, portal, &heard.login, sender).await?), false));
    }
    Ok((Intent::As(room::ensure_member(bridge, portal, &heard.login, sender).await?), true))
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

pub(super) async fn facts(bridge: &Bridge, portal: &Portal, item: &Item) -> Result<IncomingFacts, StepError> {
    let reply_to = match &item.reply_to {
        Some(reply) => reply_target(bridge, portal, reply).await?,
        None => None,
    };
    let mentioned = match &item.content {
        ItemContent::Text { mentions, .. } => mentions.as_slice(),
        ItemContent::Rich(rich) => &rich.mentions,
        _ => &[],
    };
    let mut mentions = Vec::new();
    for user in mentioned {
        mentions.push(matrix_user(bridge, user).await?);
    }
    if mentioned.is_empty() && !item.mentioned_names.is_empty() {
        // Their ids are of another numbering; who is meant is told by the name.
        let logins = bridge.store.logins_in_thread(&portal.key.thread).await?;
        let logins = logins.iter().chain(&portal.key.receiver).map(LoginId::as_remote_user);
        for user in portal.members.iter().cloned().chain(logins) {
            let name = username(bridge, &user).await?;
            let user = matrix_user(bridge, &user).await?;
            if name.is_some_and(|name| item.mentioned_names.contains(&name)) && !mentions.contains(&user) {
                mentions.push(user);
            }
        }
    }
    let aimed_at = match &item.content {
        ItemContent::Rich(rich) => match rich.aim.as_ref().and_then(Aim::user) {
            Some(user) => name_of(bridge, portal, user).await?,
            None => None,
        },
        _ => None,
    };
    let fleeting = bridge.config.media.disappearing;
    Ok(IncomingFacts { reply_to, mentions, thread_link: room::link(&portal.key.thread), fleeting, aimed_at })
}

/// What a user is called in this room. In a direct chat the one who reads it is "you".
async fn name_of(bridge: &Bridge, portal: &Portal, user: &RemoteUserId) -> Result<Option<String>, StepError> {
    if portal.key.receiver.as_ref().is_some_and(|login| login.as_remote_user() == *user) {
        return Ok(Some("you".to_owned()));
    }
    Ok(username(bridge, user).await?.map(|name| format!("@{name}")))
}

async fn username(bridge: &Bridge, user: &RemoteUserId) -> Result<Option<String>, StepError> {
    let login = bridge.store.login(&LoginId::new(user.as_str())).await?.map(|login| login.username);
    let name = match login {
        Some(name) => Some(name),
        None => bridge.store.ghost(user).await?.map(|ghost| ghost.username),
    };
    Ok(name.filter(|name| !name.is_empty()))
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
