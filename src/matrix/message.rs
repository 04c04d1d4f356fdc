//! Events in rooms: sending them with our transaction id, finding out what was sent, redacting.
//!
//! Synapse remembers an appservice's transaction ids for no more than an hour, in memory. So every event also carries
//! its request id in its content, and [`Client::find_sent`] looks it up before an uncertain send is repeated.

use std::collections::HashMap;

use http::Method;
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use super::{
    client::{Client, Intent, push_query, push_segment},
    error::HomeserverError,
};
use crate::domain::ids::{RequestId, Timestamp};

/// The key in the content of our events that holds the request id.
pub const REQUEST_KEY: &str = "dev.puppetgram.request";

/// How far back [`Client::find_sent`] looks at least and at most: pages of a hundred events.
const PAGES: std::ops::Range<usize> = 3..200;

#[derive(Deserialize)]
struct Fetched {
    sender: OwnedUserId,
    #[serde(default)]
    origin_server_ts: i64,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct Sent {
    event_id: OwnedEventId,
}

impl Client {
    /// Sends an event; repeating it with the same request id makes no second one while the homeserver remembers.
    ///
    /// The request id is added to the content under [`REQUEST_KEY`].
    pub async fn send(
        &self,
        intent: &Intent,
        room: &RoomId,
        event_type: &str,
        content: &Value,
        request: &RequestId,
        at: Option<Timestamp>,
    ) -> Result<OwnedEventId, HomeserverError> {
        let mut url = self.room_address(room);
        url.push_str("/send");
        push_segment(&mut url, event_type);
        push_segment(&mut url, request.as_str());
        push_time(&mut url, at);
        let body = to_json(&Tagged { content, request })?;
        let sent: Sent = self.call_json(Method::PUT, url, self.user_of(intent), body).await?;
        Ok(sent.event_id)
    }

    /// Removes the content of an event.
    pub async fn redact(
        &self,
        intent: &Intent,
        room: &RoomId,
        event: &EventId,
        request: &RequestId,
        reason: Option<&str>,
    ) -> Result<OwnedEventId, HomeserverError> {
        let mut url = self.room_address(room);
        url.push_str("/redact");
        push_segment(&mut url, event.as_str());
        push_segment(&mut url, request.as_str());
        let content = match reason {
            Some(reason) => serde_json::json!({ "reason": reason }),
            None => serde_json::json!({}),
        };
        let body = to_json(&Tagged { content: &content, request })?;
        let sent: Sent = self.call_json(Method::PUT, url, self.user_of(intent), body).await?;
        Ok(sent.event_id)
    }

    /// Fetches who sent an event, as the bot sees it; none if there is no such event.
    pub async fn author(&self, room: &RoomId, event: &EventId) -> Result<Option<OwnedUserId>, HomeserverError> {
        Ok(self.event(room, event).await?.map(|event| event.sender))
    }

    /// Fetches when an event was sent; none if there is no such event.
    pub async fn time(&self, room: &RoomId, event: &EventId) -> Result<Option<Timestamp>, HomeserverError> {
        Ok(self.event(room, event).await?.map(|event| Timestamp(event.origin_server_ts)))
    }

    /// Asks whether an event was redacted; one that is not there was not.
    pub async fn is_redacted(&self, room: &RoomId, event: &EventId) -> Result<bool, HomeserverError> {
        let event = self.event(room, event).await?;
        Ok(event.is_some_and(|event| event.content.as_object().is_none_or(serde_json::Map::is_empty)))
    }

    /// Fetches what the bot has said in an event; none if the event is not the bot's.
    pub async fn said_by_bot(&self, room: &RoomId, event: &EventId) -> Result<Option<Value>, HomeserverError> {
        let event = self.event(room, event).await?;
        Ok(event.filter(|event| event.sender == self.bot()).map(|event| event.content))
    }

    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<Fetched>, HomeserverError> {
        let mut url = self.room_address(room);
        url.push_str("/event");
        push_segment(&mut url, event.as_str());
        match self.call_json(Method::GET, url, self.bot(), Vec::new()).await {
            Ok(event) => Ok(Some(event)),
            Err(HomeserverError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks for requests among the room's events: the newest 300, and further back to the first event of a ghost that is
    /// none of them. Ghosts speak in order, so what was sent for these requests comes after it; others may have said a
    /// lot meanwhile.
    ///
    /// Only events of our own users and of `puppets` count: anybody may write our key into theirs.
    pub async fn find_sent(
        &self,
        room: &RoomId,
        requests: &[RequestId],
        puppets: &[&UserId],
    ) -> Result<HashMap<RequestId, OwnedEventId>, HomeserverError> {
        let mut found = HashMap::new();
        let mut from: Option<String> = None;
        let mut was_passed = false;
        for page in 0..PAGES.end {
            if found.len() == requests.len() || was_passed && page >= PAGES.start {
                break;
            }
            let mut url = self.room_address(room);
            url.push_str("/messages?dir=b&limit=100");
            if let Some(from) = &from {
                push_query(&mut url, "from", from);
            }
            let page: Page = self.call_json(Method::GET, url, self.bot(), Vec::new()).await?;
            let is_last = page.chunk.is_empty();
            for event in page.chunk {
                // Another's event may have any shape; one that cannot be read is not ours.
                let Ok(event) = serde_json::from_str::<PageEvent>(event.get()) else { continue };
                let Some(request) = event.content.request else { continue };
                let request = RequestId::new(request);
                let is_ours = self.is_ours(&event.sender);
                if !is_ours && !puppets.contains(&&*event.sender) {
                    continue;
                }
                if requests.contains(&request) {
                    found.insert(request, event.event_id);
                } else {
                    was_passed |= is_ours && event.sender != self.bot();
                }
            }
            match page.end {
                Some(end) if !is_last => from = Some(end),
                _ => break,
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    chunk: Vec<Box<serde_json::value::RawValue>>,
    #[serde(default)]
    end: Option<String>,
}

#[derive(Deserialize)]
struct PageEvent {
    event_id: OwnedEventId,
    sender: OwnedUserId,
    content: PageContent,
}

#[derive(Deserialize)]
struct PageContent {
    #[serde(rename = "dev.puppetgram.request")]
    request: Option<String>,
}

/// Content with the request id added.
struct Tagged<'a> {
    content: &'a Value,
    request: &'a RequestId,
}

impl Serialize for Tagged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(object) = self.content.as_object() else {
            return Err(serde::ser::Error::custom("content is not an object"));
        };
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in object {
            if key != REQUEST_KEY {
                map.serialize_entry(key, value)?;
            }
        }
        map.serialize_entry(REQUEST_KEY, self.request.as_str())?;
        map.end()
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, HomeserverError> {
    serde_json::to_vec(value).map_err(|error| HomeserverError::Malformed(error.to_string()))
}

/// Synapse takes `ts` from appservices on events and state, and nowhere else.
pub(super) fn push_time(url: &mut String, at: Option<Timestamp>) {
    if let Some(Timestamp(milliseconds)) = at {
        push_query(url, "ts", &milliseconds.max(0).to_string());
    }
}
