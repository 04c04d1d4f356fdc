//! A reaction on Instagram becomes one in the portal. Everybody has one per item: a new one replaces the old.

use serde_json::json;

use super::{Action, Heard, Outcome, PATIENCE, Plan, Planned, message};
use crate::domain::convert::emoji;
use crate::domain::event::ItemReaction;
use crate::domain::ids::{ClientContext, ItemId, LoginId, RemoteUserId, Timestamp};
use crate::domain::record::{Effect, Reacted};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::echo::Deed;

/// Shows, replaces or removes one person's reaction. What the room shows already is no news: two logins of one group
/// hear of the same reaction.
pub(super) async fn changed(
    heard: &Heard<'_>,
    item: &ItemId,
    sender: &RemoteUserId,
    (emoji, context): (Option<&str>, Option<&ClientContext>),
    at: Timestamp,
) -> Result<Plan, StepError> {
    let store = &heard.bridge.store;
    let mut plan = Plan::nothing(heard.row);
    let echoes = heard.echoes_of(item).await?;
    if echoes.contain(&Deed::reacted(sender, emoji), context, heard.row.accepted_at) {
        return Ok(plan);
    }
    let mappings = heard.mapping_of(item).await?;
    if mappings.is_empty() && heard.row.attempts < PATIENCE {
        // Another login of a group may hear of it before the one that sent the message.
        return Err(StepError::Later("the message it reacts to"));
    }
    let known = store.reactions_of_item(heard.portal.id, item).await?.into_iter().find(|one| one.sender == *sender);
    if let (Some(known), Some(emoji)) = (&known, emoji)
        && emoji::is_same(&known.emoji, emoji)
    {
        return Ok(plan);
    }
    if let Some(known) = &known {
        remove(heard, known, &mut plan).await?;
    }
    let target = mappings.iter().find(|mapping| !mapping.unsent);
    if let (Some(emoji), Some(target)) = (emoji, target) {
        show(heard, &target.event, item, sender, emoji, at, &mut plan).await?;
    }
    Ok(plan)
}

/// Brings a message's reactions in step with a whole list of them.
pub(super) async fn replaced(
    heard: &Heard<'_>,
    item: &ItemId,
    reactions: &[ItemReaction],
    plan: &mut Plan,
) -> Result<(), StepError> {
    let store = &heard.bridge.store;
    let mappings = store.mapping_of_item(heard.portal.id, item).await?;
    let Some(target) = mappings.iter().find(|mapping| !mapping.unsent) else { return Ok(()) };
    let known = store.reactions_of_item(heard.portal.id, item).await?;
    let echoes = heard.echoes_of(item).await?;
    let heard_at = heard.row.accepted_at;
    let is_echo = |one: &ItemReaction| {
        echoes.contain(&Deed::reacted(&one.sender, Some(&one.emoji)), one.context.as_ref(), heard_at)
    };
    // The list may be older than what was done from here since.
    let stays = |known: &Reacted| match reactions.iter().find(|one| one.sender == known.sender) {
        Some(one) => emoji::is_same(&one.emoji, &known.emoji) || is_echo(one),
        None => echoes.have_fresh_reaction(&known.sender, heard_at),
    };
    for gone in known.iter().filter(|one| !stays(one)) {
        remove(heard, gone, plan).await?;
    }
    for one in reactions.iter().filter(|one| !is_echo(one)) {
        if !known.iter().any(|known| known.sender == one.sender && emoji::is_same(&known.emoji, &one.emoji)) {
            show(heard, &target.event, item, &one.sender, &one.emoji, one.at, plan).await?;
        }
    }
    Ok(())
}

async fn show(
    heard: &Heard<'_>,
    target: &ruma::EventId,
    item: &ItemId,
    sender: &RemoteUserId,
    emoji: &str,
    at: Timestamp,
    plan: &mut Plan,
) -> Result<(), StepError> {
    let Some(room) = heard.portal.room.clone() else { return Ok(()) };
    let user = message::speaker(heard.bridge, heard.row, &heard.portal, &heard.login, sender).await?;
    let key = emoji::shown(emoji);
    let request = request_id::row_transaction(&heard.row.dedup_key, "react", plan.events.len());
    plan.events.push(Planned {
        request,
        intent: Intent::As(user),
        sender: sender.as_str().to_owned(),
        portal: heard.portal.id,
        room,
        action: Action::Send {
            kind: "m.reaction",
            content: json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}}),
            at: Some(at).filter(|at| at.0 > 0),
            media: None,
        },
        outcome: Outcome::Reaction { item: item.clone(), sender: sender.clone(), emoji: emoji.to_owned() },
    });
    Ok(())
}

async fn remove(heard: &Heard<'_>, known: &Reacted, plan: &mut Plan) -> Result<(), StepError> {
    let planned = redaction(heard, &known.sender, known.event.clone(), plan.events.len()).await?;
    plan.events.extend(planned);
    let Reacted { portal, item, sender, .. } = known.clone();
    plan.effects.push(Effect::Unreacted { portal, item, sender });
    Ok(())
}

/// The redaction of an event that stands for something this person did. What a user of the bridge did may stand under
/// their Matrix account or under their ghost: the bot may remove either.
pub(super) async fn redaction(
    heard: &Heard<'_>,
    sender: &RemoteUserId,
    event: ruma::OwnedEventId,
    part: usize,
) -> Result<Option<Planned>, StepError> {
    let Some(room) = heard.portal.room.clone() else { return Ok(None) };
    let is_login = heard.bridge.store.login(&LoginId::new(sender.as_str())).await?.is_some();
    let is_member = heard.portal.members.contains(sender);
    let intent = if is_login || !is_member {
        Intent::Bot
    } else {
        Intent::As(crate::portal::ghost::user_id(heard.bridge, sender))
    };
    Ok(Some(Planned {
        request: request_id::row_transaction(&heard.row.dedup_key, "redact", part),
        intent,
        sender: sender.as_str().to_owned(),
        portal: heard.portal.id,
        room,
        action: Action::Redact(event),
        outcome: Outcome::Nothing,
    }))
}
