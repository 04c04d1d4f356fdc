//! An event, written as JSON once and handed out as often as needed.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// An event in a room.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: Arc<str>,
    pub(crate) room: Arc<str>,
    pub(crate) sender: Arc<str>,
    pub(crate) kind: Box<str>,
    pub(crate) state_key: Option<Box<str>>,
    pub(crate) content: Box<RawValue>,
    /// `origin_server_ts`.
    pub(crate) at: i64,
    /// Place in the order of everything that happened on this server.
    pub(crate) position: u64,
    json: Box<RawValue>,
}

/// What is known of an event before it has a place.
pub(crate) struct Draft {
    pub(crate) sender: Arc<str>,
    pub(crate) kind: Box<str>,
    pub(crate) state_key: Option<Box<str>>,
    pub(crate) content: Box<RawValue>,
    pub(crate) at: i64,
}

/// The client format.
#[derive(Serialize)]
struct Written<'a> {
    content: &'a RawValue,
    event_id: &'a str,
    origin_server_ts: i64,
    room_id: &'a str,
    sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    unsigned: Unsigned<'a>,
}

#[derive(Serialize)]
struct Unsigned<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted_because: Option<&'a RawValue>,
}

impl Event {
    pub(crate) fn new(id: Arc<str>, room: Arc<str>, position: u64, draft: Draft) -> Self {
        let Draft { sender, kind, state_key, content, at } = draft;
        let json = write(&id, &room, &sender, &kind, state_key.as_deref(), &content, at, None);
        Self { id, room, sender, kind, state_key, content, at, position, json }
    }

    /// The same event without its content.
    pub(crate) fn redacted(&self, because: &Self) -> Self {
        let content = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        let Self { id, room, sender, kind, state_key, at, position, .. } = self;
        let json = write(id, room, sender, kind, state_key.as_deref(), &content, *at, Some(&because.json));
        Self {
            id: id.clone(),
            room: room.clone(),
            sender: sender.clone(),
            kind: kind.clone(),
            state_key: state_key.clone(),
            content,
            at: *at,
            position: *position,
            json,
        }
    }

    /// The event as clients and application services see it.
    pub(crate) fn json(&self) -> &str {
        self.json.get()
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of an event, in one place only")]
fn write(
    id: &str,
    room: &str,
    sender: &str,
    kind: &str,
    state_key: Option<&str>,
    content: &RawValue,
    at: i64,
    redacted_because: Option<&RawValue>,
) -> Box<RawValue> {
    let written = Written {
        content,
        event_id: id,
        origin_server_ts: at,
        room_id: room,
        sender,
        state_key,
        kind,
        unsigned: Unsigned { redacted_because },
    };
    to_raw_value(&written).expect("strings, numbers and JSON can be written as JSON")
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}
