//! Rows from Matrix: messages of portals become plans that share their commits; everything else is handled singly.

mod membership;
mod message;

use std::sync::Arc;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;

use crate::bridge::Bridge;
use crate::command;
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Settlement};
use crate::lane::{StepError, Stop};
use crate::runtime;

/// An event of a room, as far as it matters here.
#[derive(Deserialize, Debug)]
pub struct RoomEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Where.
    pub room_id: OwnedRoomId,
    /// Whose.
    pub sender: OwnedUserId,
    /// `m.room.message` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Milliseconds.
    #[serde(default)]
    pub origin_server_ts: i64,
    /// Of state events.
    pub state_key: Option<String>,
    /// What it says.
    #[serde(default)]
    pub content: Value,
}

/// Handles rows in order.
pub(super) async fn handle(bridge: &Arc<Bridge>, rows: &[InboxRow]) -> Result<(), Stop> {
    let mut plans: Vec<message::Plan> = Vec::new();
    for row in rows {
        match step(bridge, row, &plans).await {
            Ok(Step::Planned(plan)) => plans.push(*plan),
            Ok(Step::AfterEarlier) => break,
            Ok(Step::Done) => {
                let done = Settlement { row: row.id, mappings: Vec::new(), failure: None };
                let settled = bridge.store.settle(vec![done], runtime::now()).await;
                settled.map_err(|error| Stop { row: row.clone(), error: error.into() })?;
            }
            Err(error) => {
                message::carry_out(bridge, plans).await?;
                return Err(Stop { row: row.clone(), error });
            }
        }
    }
    message::carry_out(bridge, plans).await
}

/// What a row asks for.
enum Step {
    /// Sends that join the batch.
    Planned(Box<message::Plan>),
    /// It has to see what the batch does.
    AfterEarlier,
    /// Nothing is left to do.
    Done,
}

async fn step(bridge: &Arc<Bridge>, row: &InboxRow, earlier: &[message::Plan]) -> Result<Step, StepError> {
    let Ok(event) = serde_json::from_str::<RoomEvent>(&row.payload) else {
        tracing::warn!(row = row.id.0, "event of an unexpected shape");
        return Err(StepError::Refuse(Notice::new("An event could not be read and was not bridged.")));
    };
    if event.kind == "m.room.message"
        && !command::is_command(bridge, &event)
        && let Some(portal) = bridge.store.portal_of_room(&event.room_id).await?
    {
        return message::prepare(bridge, row, &event, portal, earlier).await;
    }
    if !earlier.is_empty() {
        return Ok(Step::AfterEarlier);
    }
    match event.kind.as_str() {
        "m.room.member" => membership::handle(bridge, &event).await?,
        "m.room.message" => command::handle(bridge, &event).await?,
        "m.room.encrypted" => return refuse_encrypted(bridge, &event).await,
        "m.sticker" if bridge.store.portal_of_room(&event.room_id).await?.is_some() => {
            return Err(StepError::Refuse(Notice::new(
                "Your sticker was not sent: this bridge cannot send stickers yet.",
            )));
        }
        _ => {}
    }
    Ok(Step::Done)
}

async fn refuse_encrypted(bridge: &Bridge, event: &RoomEvent) -> Result<Step, StepError> {
    let ours = bridge.store.portal_of_room(&event.room_id).await?.is_some()
        || bridge.store.user_of_management_room(&event.room_id).await?.is_some();
    if !ours {
        return Ok(Step::Done);
    }
    Err(StepError::Refuse(
        Notice::new("Your message was not read: this bridge does not support encrypted rooms yet.").with_hint(
            "use an unencrypted room; for commands, start a new chat with the bridge bot without encryption.",
        ),
    ))
}
