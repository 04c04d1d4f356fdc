//! An item was edited, completed or taken back.

use super::{Action, Heard, Outcome, Plan, Planned, message, reaction};
use crate::domain::convert::to_matrix::{correction, replacement, to_matrix};
use crate::domain::event::{Item, ItemContent};
use crate::domain::ids::{ItemId, RemoteUserId};
use crate::domain::record::{Effect, Mapping, Shows};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::portal::echo::Deed;

/// Compares the whole new state of an item with what the room shows, and brings the room in step.
///
/// What the room shows is never taken away because Instagram does not hand it out any more: stories expire, photos are
/// seen once, and a post may be visible to one member of a group only. An item that was never bridged is none of it.
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
    if known.is_some_and(|known| *known != digest) && !is_echo && !item.content.is_withheld() {
        edit(heard, item, &shown, &digest, &mut plan).await?;
    }
    if let Some(reactions) = &item.reactions {
        reaction::replaced(heard, &item.id, reactions, &mut plan).await?;
    }
    Ok(plan)
}

/// Brings the events of an item in step with it part by part: words are edited, files that were not there before are new
/// events, and of a text that has become shorter the rest is redacted.
async fn edit(
    heard: &Heard<'_>,
    item: &Item,
    shown: &[Mapping],
    digest: &str,
    plan: &mut Plan,
) -> Result<(), StepError> {
    let facts = message::facts(heard.bridge, &heard.portal, item).await?;
    let parts = to_matrix(item, &facts);
    let is_file = |shows: Shows| shows == Shows::File;
    if shown.iter().any(|mapping| is_file(mapping.shows)) && !parts.iter().any(|part| is_file(part.shows)) {
        return Ok(());
    }
    let Some(room) = heard.portal.room.clone() else { return Ok(()) };
    let (author, may_edit) = message::editor(heard, item, &shown[0].event).await?;
    let may_edit = may_edit && others_of(heard, &shown[0]).await?.is_empty();
    let sender = item.sender.as_ref().map_or("", RemoteUserId::as_str);
    for (part, new) in (0_i64..).zip(&parts) {
        let before = shown.iter().find(|mapping| mapping.part == part);
        let as_part = || message::part(heard.bridge, item, part, digest, new.shows, new.media.as_ref());
        let (content, outcome) = match (step(before.map(|mapping| mapping.shows), new.shows), before) {
            (Step::Leave, _) => continue,
            (Step::Add, _) | (_, None) => (new.content.clone(), Outcome::Part(as_part())),
            (Step::Succeed, Some(_)) => (new.content.clone(), Outcome::Successor(as_part())),
            // Only its author may edit an event: what was edited in the app then follows as an answer to it.
            (Step::Edit, Some(before)) if !may_edit => {
                (correction(&new.content, &before.event), Outcome::Revision(item.id.clone()))
            }
            (Step::Edit, Some(before)) => {
                let (kind, digest) = (Some(item.kind.clone()), Some(digest.to_owned()));
                plan.effects.push(Effect::Succeeded(Mapping { kind, digest, shows: new.shows, ..before.clone() }));
                (replacement(&new.content, &before.event), Outcome::Revision(item.id.clone()))
            }
        };
        // The picture of a link does not change with the words around it.
        let media = new.media.as_ref().filter(|_| !matches!(outcome, Outcome::Revision(_)));
        plan.events.push(Planned {
            request: request_id::row_transaction(&heard.row.dedup_key, "edit", plan.events.len()),
            intent: author.clone(),
            sender: sender.to_owned(),
            portal: heard.portal.id,
            room: room.clone(),
            action: Action::Send { kind: new.kind, content, at: None, media: message::carried(heard, item, media) },
            outcome,
        });
    }
    if matches!(item.content, ItemContent::Text { .. }) {
        let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        for surplus in shown.iter().filter(|mapping| mapping.part >= count && mapping.shows == Shows::Words) {
            let who = RemoteUserId::new(&surplus.sender);
            plan.events.extend(reaction::redaction(heard, &who, surplus.event.clone(), plan.events.len()).await?);
        }
    }
    let (portal, item, digest) = (heard.portal.id, item.id.clone(), digest.to_owned());
    plan.effects.push(Effect::Edited { portal, item, digest });
    Ok(())
}
/// What becomes of one part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// What is there stays.
    Leave,
    /// It is new.
    Add,
    /// A new event takes the place of the one before.
    Succeed,
    /// The event says something else.
    Edit,
}

/// Files stay, and a line about what cannot be shown takes the place of nothing but such a line.
fn step(before: Option<Shows>, now: Shows) -> Step {
    match (before, now) {
        (None, _) => Step::Add,
        (Some(Shows::File), _) | (Some(Shows::Words), Shows::StandIn) => Step::Leave,
        (Some(Shows::Words | Shows::StandIn), Shows::File) => Step::Succeed,
        (Some(Shows::Words | Shows::StandIn), Shows::Words) | (Some(Shows::StandIn), Shows::StandIn) => Step::Edit,
    }
}

/// The other items that the same event stands for.
async fn others_of(heard: &Heard<'_>, mapping: &Mapping) -> Result<Vec<Mapping>, StepError> {
    let mut items = heard.bridge.store.mapping_of_event(&mapping.event).await?;
    items.retain(|other| other.item != mapping.item);
    Ok(items)
}

/// Redacts every part of an item that was taken back, its edits, which say what it said as well, and the reactions to it.
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
    if let Some(first) = parts.first() {
        let who = RemoteUserId::new(&first.sender);
        for event in store.revisions_of_item(heard.portal.id, item).await? {
            plan.events.extend(reaction::redaction(heard, &who, event, plan.events.len()).await?);
        }
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
