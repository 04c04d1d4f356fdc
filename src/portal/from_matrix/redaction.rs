//! A redaction in a portal takes back what the event stands for: every item of a message, or a reaction.

use std::sync::Arc;

use ruma::OwnedEventId;

use super::{RoomEvent, Speaker};
use crate::bridge::Bridge;
use crate::domain::ids::Timestamp;
use crate::domain::notice::Notice;
use crate::domain::record::{Effect, InboxRow, Mapping, Portal, Reacted, Settlement};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::echo::{self, Deed};
use crate::portal::{LONG_PATIENCE, certain_login};

/// Takes back messages and reactions of the sender's login. What belongs to others stays on Instagram: that is said
/// where it was a message, and goes without saying for reactions.
pub(super) async fn handle(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    event: &RoomEvent,
    portal: &Portal,
) -> Result<Settlement, StepError> {
    let nothing = Settlement::nothing(row.id);
    let Some(target) = event.redacts() else { return Ok(nothing) };
    let Ok(target) = OwnedEventId::try_from(target) else { return Ok(nothing) };
    // Asked first: what is settled in between is in the map.
    let is_waiting = bridge.store.is_waiting(target.as_str()).await?;
    if let Some(reacted) = bridge.store.reaction_of_event(&target).await? {
        return unreact(bridge, row, event, portal, &reacted).await;
    }
    let items: Vec<Mapping> =
        bridge.store.mapping_of_event(&target).await?.into_iter().filter(|mapping| !mapping.unsent).collect();
    if items.is_empty() {
        // Its own lane sees that it was redacted, unless it is being sent at this moment.
        let may_be_sent = is_waiting && row.attempts < LONG_PATIENCE;
        return if may_be_sent { Err(StepError::Later("what it takes back")) } else { Ok(nothing) };
    }
    let Some(Speaker { login, .. }) = super::owner(bridge, event, portal, &target, &items).await? else {
        return Err(StepError::Refuse(Notice::new(
            "The message was removed here only: Instagram lets you unsend nothing but your own messages.",
        )));
    };
    let remote = bridge.remote(&login).await?;
    let mut effects = Vec::new();
    for mapping in items {
        echo::note(bridge, &mapping, Deed::unsent(), None).await?;
        let unsent = Effect::Unsent { portal: portal.id, item: mapping.item.clone() };
        let outcome = remote.unsend(&portal.key.thread, &mapping.item).await;
        outcome.map_err(|error| StepError::Remote { login: login.clone(), error })?;
        failpoint::hit("unsend-after-send");
        effects.push(unsent);
        // Instagram takes back the whole: its other parts go here too, and the edits, which say what it said as well.
        let siblings = bridge.store.mapping_of_item(portal.id, &mapping.item).await?.into_iter();
        let siblings = siblings.map(|sibling| sibling.event).filter(|sibling| *sibling != target);
        let revisions = bridge.store.revisions_of_item(portal.id, &mapping.item).await?;
        for (number, sibling) in (0..).zip(siblings.chain(revisions)) {
            let request = request_id::row_transaction(event.event_id.as_str(), "sibling", number);
            let gone = bridge.matrix.redact(&Intent::Bot, &event.room_id, &sibling, &request, None).await;
            if let Err(error) = gone
                && error.is_transient()
            {
                return Err(error.into());
            }
        }
    }
    Ok(Settlement { effects, ..nothing })
}

async fn unreact(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    event: &RoomEvent,
    portal: &Portal,
    reacted: &Reacted,
) -> Result<Settlement, StepError> {
    let nothing = Settlement::nothing(row.id);
    let login = certain_login(bridge, &event.sender, portal).await?;
    let Some(login) = login.filter(|login| reacted.sender == login.as_remote_user()) else { return Ok(nothing) };
    let Some(mapping) = bridge.store.mapping_of_item(portal.id, &reacted.item).await?.into_iter().next() else {
        return Ok(nothing);
    };
    let Reacted { portal: id, item, sender, .. } = reacted.clone();
    let gone = Effect::Unreacted { portal: id, item, sender };
    let context = request_id::client_context(&event.event_id, Timestamp(event.origin_server_ts), 0);
    let remote = bridge.remote(&login).await?;
    echo::note(bridge, &mapping, Deed::reacted(&reacted.sender, None), Some(&context)).await?;
    let outcome = remote.react(super::target(portal, &mapping), None, &context).await;
    outcome.map_err(|error| StepError::Remote { login, error })?;
    Ok(Settlement { effects: vec![gone], ..nothing })
}
