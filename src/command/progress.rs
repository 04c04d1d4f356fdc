//! What is said of long work: one line in the management room that changes while it goes on.

use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::json;

use super::{management_room, notice_content};
use crate::bridge::Bridge;
use crate::domain::ids::LoginId;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::runtime;

/// A line in a management room that changes while something goes on.
pub struct Progress {
    room: OwnedRoomId,
    event: OwnedEventId,
    updates: u32,
}

impl Progress {
    /// Says the first thing. None if it could not be said, which is logged.
    pub async fn begin(bridge: &Bridge, login: &LoginId, text: &str) -> Option<Self> {
        let told = async {
            let Some(known) = bridge.store.login(login).await? else { return Ok(None) };
            let room = management_room(bridge, &known.user).await?;
            let request = request_id::notice_transaction(login.as_str(), &format!("{} {text}", runtime::now().0));
            let content = notice_content(text);
            let event = bridge.matrix.send(&Intent::Bot, &room, "m.room.message", &content, &request, None).await?;
            Ok::<_, StepError>(Some(Self { room, event, updates: 0 }))
        };
        told.await.unwrap_or_else(|error| {
            tracing::warn!(%login, %error, "owner could not be told");
            None
        })
    }

    /// Says another thing in its place.
    pub async fn update(&mut self, bridge: &Bridge, text: &str) {
        self.updates += 1;
        let request = request_id::notice_transaction(self.event.as_str(), &self.updates.to_string());
        let mut content = notice_content(&format!("* {text}"));
        content["m.new_content"] = notice_content(text);
        content["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": self.event});
        let sent = bridge.matrix.send(&Intent::Bot, &self.room, "m.room.message", &content, &request, None).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "progress not shown");
        }
    }
}
