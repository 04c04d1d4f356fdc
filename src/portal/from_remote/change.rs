//! An item was edited, completed or taken back.

use super::{Action, Heard, Outcome, Plan, Planned, message, reaction};
use crate::domain::convert::to_matrix::{Media, Part, correction, replacement, to_matrix};
use crate::domain::event::{AttachmentKind, Item};
use crate::domain::ids::{ItemId, RemoteUserId};
use crate::domain::record::{Effect, Mapping};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::portal::echo::Deed;

/// Compares the whole new state of an item with what the room shows, and brings the room in step.
///
/// An item that was never bridged (heard of only now, or a placeholder that has become real) is bridged as new.
pub(super) async fn changed(heard: &Heard<'_>, item: &Item) -> Result<Plan, StepError> {
    let shown = heard.mapping_of(&item.id).await?;
    if shown.is_empty() {
        // Old items change their reactions too: only what came after the room was made is news.
        return Ok(Plan::nothing(heard.row));
    }
    let mut plan = Plan::nothing(heard.row);
    if shown.iter().any(|mapping| mapping.unsent) {
        return Ok(plan);
    }
    let digest = message::digest(heard.bridge, item);
    let known = shown.iter().find_map(|mapping| mapping.digest.as_ref());
    let echoes = heard.echoes_of(&item.id).await?;
    let is_echo = echoes.contain(&Deed::edited(&digest), None, heard.row.accepted_at);
    if known.is_some_and(|known| *known != digest) && !is_echo {
        edit(heard, item, &shown, &digest, &mut plan).await?;
    }
    if let Some(reactions) = &item.reactions {
        reaction::replaced(heard, &item.id, reactions, &mut plan).await?;
    }
    Ok(plan)
}

/// Replaces the events of an item part by part; more parts than before are new events, fewer are redactions.
async fn edit(
    heard: &Heard<'_>,
    item: &Item,
    shown: &[Mapping],
    digest: &str,
    plan: &mut Plan,
) -> Result<(), StepError> {
    let facts = message::facts(heard.bridge, &heard.portal, item).await?;
    let parts = to_matrix(item, &facts);
    let (author, may_edit) = message::editor(heard, item, &shown[0].event).await?;
    let may_edit = may_edit && others_of(heard, &shown[0]).await?.is_empty();
    let Some(room) = heard.portal.room.clone() else { return Ok(()) };
    let sender = item.sender.as_ref().map_or("", RemoteUserId::as_str);
    // Events that take the place of others of another kind come after those.
    let shown_kind = shown[0].kind.as_deref().unwrap_or_default();
    let moved = if item.kind == shown_kind { 0 } else { shown.iter().map(|one| one.part + 1).max().unwrap_or(0) };
    for (part, Part { kind, content, media }) in (0_i64..).zip(&parts) {
        let before = shown.iter().find(|mapping| mapping.part == part);
        let (content, outcome) = match before {
            // Only its author may edit an event: what was edited in the app then follows as an answer to it.
            Some(before) if !may_edit => (correction(content, &before.event), Outcome::Nothing),
            // Media do not change; what has come in place of a placeholder is a new event.
            Some(_) if is_file(media.as_ref()) && item.kind == shown_kind => continue,
            Some(before) if !is_file(media.as_ref()) => (replacement(content, &before.event), Outcome::Nothing),
            _ => (
                content.clone(),
                message::part(heard.bridge, item, part + moved, Some(digest.to_owned()), media.as_ref()),
            ),
        };
        plan.events.push(Planned {
            request: request_id::row_transaction(&heard.row.dedup_key, "edit", plan.events.len()),
            intent: author.clone(),
            sender: sender.to_owned(),
            portal: heard.portal.id,
            room: room.clone(),
            action: Action::Send {
                kind,
                content,
                at: None,
                media: message::carried(
                    heard,
                    item,
                    part,
                    media.as_ref().filter(|_| before.is_none() || is_file(media.as_ref())),
                ),
            },
            outcome,
        });
    }
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    for surplus in shown.iter().filter(|mapping| mapping.part >= count && !parts.is_empty() && moved == 0) {
        let who = RemoteUserId::new(&surplus.sender);
        plan.events.extend(reaction::redaction(heard, &who, surplus.event.clone(), plan.events.len()).await?);
    }
    let (portal, item, digest) = (heard.portal.id, item.id.clone(), digest.to_owned());
    plan.effects.push(Effect::Edited { portal, item, digest });
    Ok(())
}

/// The picture of a link is no file: its text can be edited.
fn is_file(media: Option<&Media>) -> bool {
    media.is_some_and(|media| media.attachment.kind != AttachmentKind::Preview)
}

/// The other items that the same event stands for.
async fn others_of(heard: &Heard<'_>, mapping: &Mapping) -> Result<Vec<Mapping>, StepError> {
    let mut items = heard.bridge.store.mapping_of_event(&mapping.event).await?;
    items.retain(|other| other.item != mapping.item);
    Ok(items)
}

/// Redacts every part of an item that was taken back, and the reactions to it.
pub(super) async fn removed(heard: &Heard<'_>, item: &ItemId) -> Result<Plan, StepError> {
    let store = &heard.bridge.store;
    let mut plan = Plan::nothing(heard.row);
    let parts = heard.mapping_of(item).await?;
    let echoes = heard.echoes_of(item).await?;
    let is_echo = echoes.contain(&Deed::unsent(), None, heard.row.accepted_at);
    if is_echo || parts.iter().any(|mapping| mapping.unsent) {
        return Ok(plan);
    }
    for mapping in &parts {
        // A message of Matrix that became several is there as long as one of them is.
        if others_of(heard, mapping).await?.iter().any(|other| !other.unsent) {
            continue;
        }
        let who = RemoteUserId::new(&mapping.sender);
        plan.events.extend(reaction::redaction(heard, &who, mapping.event.clone(), plan.events.len()).await?);
    }
    for one in store.reactions_of_item(heard.portal.id, item).await? {
        plan.events.extend(reaction::redaction(heard, &one.sender, one.event, plan.events.len()).await?);
        plan.effects.push(Effect::Unreacted { portal: one.portal, item: one.item, sender: one.sender });
    }
    if !parts.is_empty() {
        plan.effects.push(Effect::Unsent { portal: heard.portal.id, item: item.clone() });
    }
    Ok(plan)
}
