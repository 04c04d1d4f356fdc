//! State events of rooms, by type and key.

use http::Method;
use ruma::{OwnedEventId, RoomId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    client::{Client, Intent, push_segment},
    error::HomeserverError,
    message::{push_time, to_json},
};
use crate::domain::ids::Timestamp;

#[derive(Deserialize)]
struct Sent {
    event_id: OwnedEventId,
}

impl Client {
    /// Sets a state event. Repeating it with the same content changes nothing.
    pub async fn set_state(
        &self,
        intent: &Intent,
        room: &RoomId,
        event_type: &str,
        key: &str,
        content: &Value,
        at: Option<Timestamp>,
    ) -> Result<OwnedEventId, HomeserverError> {
        let mut url = self.state_address(room, event_type, key);
        push_time(&mut url, at);
        let sent: Sent = self.call_json(Method::PUT, url, self.user_of(intent), to_json(content)?).await?;
        Ok(sent.event_id)
    }

    /// Fetches the content of a state event as the bot; none if it was never set.
    pub async fn state(&self, room: &RoomId, event_type: &str, key: &str) -> Result<Option<Value>, HomeserverError> {
        let url = self.state_address(room, event_type, key);
        match self.call_json(Method::GET, url, self.bot(), Vec::new()).await {
            Ok(content) => Ok(Some(content)),
            Err(HomeserverError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn state_address(&self, room: &RoomId, event_type: &str, key: &str) -> String {
        let mut url = self.room_address(room);
        url.push_str("/state");
        push_segment(&mut url, event_type);
        push_segment(&mut url, key);
        url
    }
}
