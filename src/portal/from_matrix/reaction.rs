//! A reaction in a portal becomes one on Instagram, where everybody has one per item: a new one replaces the old, which
//! is redacted here.

use std::sync::Arc;

use ruma::OwnedEventId;

use super::{RoomEvent, target_of};
use crate::bridge::Bridge;
use crate::domain::convert::emoji;
use crate::domain::ids::Timestamp;
use crate::domain::notice::Notice;
use crate::domain::record::{Effect, InboxRow, Portal, Reacted, Settlement, Standing};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::{
    certain_login,
    echo::{self, Deed},
    own_login, request,
};

/// Reacts as the sender's login.
pub(super) async fn handle(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    event: &RoomEvent,
    portal: &Portal,
) -> Result<Settlement, StepError> {
    let relation = &event.content["m.relates_to"];
    let (Some(target), Some(key)) = (relation["event_id"].as_str(), relation["key"].as_str()) else {
        return Ok(Settlement::nothing(row.id));
    };
    if let Some(answer) = request::answer_of(key)
        && let Some(login) = own_login(bridge, &event.sender, portal).await?
        && bridge.store.standing(&portal.key.thread, &login).await? == Standing::Request
    {
        request::answer(bridge, &login, portal, &answer).await?;
        return Ok(Settlement::nothing(row.id));
    }
    let Some(mapping) = target_of(bridge, portal, target, row.attempts).await? else {
        return Err(StepError::Refuse(Notice::new(
            "Your reaction was not bridged: the message it belongs to is not on Instagram.",
        )));
    };
    if !emoji::is_emoji(key) {
        return Err(StepError::Refuse(
            Notice::new("Your reaction was not bridged: Instagram takes only emoji.").with_hint("react with an emoji."),
        ));
    }
    let Some(login) = certain_login(bridge, &event.sender, portal).await? else {
        tracing::debug!(row = row.id.0, "reaction of somebody without a login");
        return Ok(Settlement::nothing(row.id));
    };
    let (item, who) = (mapping.item.clone(), login.as_remote_user());
    let earlier = bridge.store.reactions_of_item(portal.id, &item).await?.into_iter().find(|one| one.sender == who);
    let shown = Reacted {
        portal: portal.id,
        item,
        sender: who,
        event: event.event_id.clone(),
        emoji: emoji::for_instagram(key),
    };
    let context = request_id::client_context(&event.event_id, Timestamp(event.origin_server_ts), 0);
    let remote = bridge.remote(&login).await?;
    echo::note(bridge, &mapping, Deed::reacted(&shown.sender, Some(&shown.emoji)), Some(&context)).await?;
    let reacted = remote.react(super::target(portal, &mapping), Some(&shown.emoji), &context).await;
    reacted.map_err(|error| StepError::Remote { login, error })?;
    failpoint::hit("reaction-after-send");
    if let Some(earlier) = earlier.filter(|earlier| earlier.event != event.event_id) {
        replace(bridge, event, &earlier.event).await?;
    }
    Ok(Settlement { effects: vec![Effect::Reacted(shown)], ..Settlement::nothing(row.id) })
}

async fn replace(bridge: &Bridge, event: &RoomEvent, earlier: &OwnedEventId) -> Result<(), StepError> {
    let request = request_id::row_transaction(event.event_id.as_str(), "replace", 0);
    let gone = bridge.matrix.redact(&Intent::Bot, &event.room_id, earlier, &request, Some("replaced")).await;
    match gone {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}
