//! Words of the bridge about a row: said where the sender sees them, once.

use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::json;

use crate::bridge::Bridge;
use crate::domain::notice::Notice;
use crate::domain::record::InboxRow;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::network;

/// Tells the people concerned what became of a row. Repeating it says it once.
///
/// # Errors
/// When it may work later. What will never work is logged and does not hold up the lane.
pub async fn about_row(bridge: &Bridge, row: &InboxRow, notice: &Notice) -> Result<(), StepError> {
    match tell(bridge, row, notice).await {
        Err(StepError::Homeserver(error)) if !error.is_transient() => {
            tracing::warn!(row = row.id.0, %error, "notice could not be sent");
            Ok(())
        }
        outcome => outcome,
    }
}

async fn tell(bridge: &Bridge, row: &InboxRow, notice: &Notice) -> Result<(), StepError> {
    let Some(room) = room_of(bridge, row).await? else { return Ok(()) };
    let request = request_id::notice_transaction(&row.dedup_key, "refused");
    let mut content = json!({"msgtype": "m.notice", "body": notice.to_string(), "m.mentions": {}});
    if !row.lane.is_incoming()
        && let Some(event) = event_id(&row.payload)
    {
        content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
    }
    bridge.matrix.send(&Intent::Bot, &room, "m.room.message", &content, &request, None).await?;
    Ok(())
}

async fn room_of(bridge: &Bridge, row: &InboxRow) -> Result<Option<OwnedRoomId>, StepError> {
    #[derive(Deserialize)]
    struct InRoom {
        room_id: OwnedRoomId,
    }
    if !row.lane.is_incoming() {
        return Ok(serde_json::from_str::<InRoom>(&row.payload).ok().map(|event| event.room_id));
    }
    let Some((login, event)) = network::decode(&row.payload) else { return Ok(None) };
    let portals = bridge.store.portals_of_thread(&event.thread).await?;
    if let Some(room) = portals.into_iter().find_map(|portal| portal.room) {
        return Ok(Some(room));
    }
    let Some(login) = bridge.store.login(&login).await? else { return Ok(None) };
    Ok(bridge.store.management_room(&login.user).await?)
}

fn event_id(payload: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        event_id: String,
    }
    serde_json::from_str::<Event>(payload).ok().map(|event| event.event_id)
}
