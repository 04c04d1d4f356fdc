//! An edit in a portal changes the text of the item, as long as Instagram lets it.

use std::sync::Arc;
use std::time::Duration;

use super::message::{self, Said};
use super::{RoomEvent, Speaker};
use crate::bridge::Bridge;
use crate::domain::convert::to_remote::{MessageContent, OutgoingPart};
use crate::domain::notice::Notice;
use crate::domain::record::{Effect, InboxRow, Mapping, Portal, Settlement, Shows};
use crate::failpoint;
use crate::lane::StepError;
use crate::portal::echo::{self, Deed};

/// How long after sending Instagram takes edits (docs/protocol.md).
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Edits every item of a message whose text has changed.
pub(super) async fn handle(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    event: &RoomEvent,
    portal: &Portal,
) -> Result<Settlement, StepError> {
    let relation = &event.content["m.relates_to"];
    let (Some(target), Some(content)) =
        (relation["event_id"].as_str(), MessageContent::from_value(&event.content["m.new_content"]))
    else {
        return Ok(Settlement::nothing(row.id));
    };
    let items = super::items_of(bridge, portal, target, row.attempts).await?;
    let Some(first) = items.first() else {
        return Err(refused("the message was never on Instagram", "send the correction as a new message."));
    };
    let Some(Speaker { login, relayed }) = super::owner(bridge, event, portal, &first.event, &items).await? else {
        return Err(refused("it is not a message of yours", "only its author can edit a message on Instagram."));
    };
    let age = event.origin_server_ts.saturating_sub(first.at.0).max(0).unsigned_abs();
    if Duration::from_millis(age) > LIMIT {
        return Err(refused(
            "Instagram takes edits in the first 15 minutes only, and still shows the earlier text",
            "send the correction as a new message.",
        ));
    }
    let said = Said { thread: &portal.key.thread, content: &content, reply_to: None, link: None };
    let relayed = relayed.then_some(event);
    let parts = message::parts(bridge, "m.room.message", said, &login, relayed).await?;
    let texts: Vec<_> = parts
        .into_iter()
        .filter_map(|part| match part {
            OutgoingPart::Text(text) => Some(text),
            OutgoingPart::File(_) => None,
        })
        .collect();
    // A link to a file is a text too, and says nothing of what the user has written.
    let is_text = |item: &Mapping| item.kind.as_deref().unwrap_or("text") == "text" && item.shows == Shows::Words;
    let items: Vec<_> = items.into_iter().filter(is_text).collect();
    if texts.len() != items.len() {
        return Err(refused(
            "on Instagram it would need another number of messages than before",
            "send the correction as a new message.",
        ));
    }
    let remote = bridge.remote(&login).await?;
    let mut effects = Vec::new();
    for (item, part) in items.iter().zip(texts) {
        let digest = message::digest(bridge, &part.text);
        if item.digest.as_ref() == Some(&digest) {
            continue;
        }
        echo::note(bridge, item, Deed::edited(&digest), None).await?;
        let edited = Effect::Edited { portal: portal.id, item: item.item.clone(), digest };
        let outcome = remote.edit(super::target(portal, item), &part.text).await;
        outcome.map_err(|error| StepError::Remote { login: login.clone(), error })?;
        failpoint::hit("edit-after-send");
        effects.push(edited);
        effects.push(Effect::Revised { portal: portal.id, item: item.item.clone(), event: event.event_id.clone() });
    }
    Ok(Settlement { effects, ..Settlement::nothing(row.id) })
}

fn refused(why: &str, hint: &str) -> StepError {
    StepError::Refuse(Notice::new(format!("Your edit was not bridged: {why}.")).with_hint(hint))
}
