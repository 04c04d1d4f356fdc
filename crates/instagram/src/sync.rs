//! Sync events (topic 146): envelopes of patches, each a path with a value.
//!
//! Decoding is cheap and lazy: [`decode`] splits a payload into patches that can be stored as they are;
//! [`Patch::decode`] says later what one of them means. Whatever cannot be understood is a value as well and harms
//! nothing beside it.

mod change;
mod path;

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::number::{Object, elements, text};

pub use change::Change;
pub use path::{ReactionKind, Target};

/// One step of the account's event queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Its number in the queue, which is the cursor once its patches are stored.
    pub seq_id: Option<i64>,
    /// Client context of the request that caused it.
    pub mutation_token: Option<String>,
    /// Live, not replayed; as far as known.
    pub realtime: bool,
    /// In order. An envelope that makes no sense has one patch that decodes as undecodable.
    pub patches: Vec<Patch>,
}

/// One change of one place in the account's state.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// What happened there.
    pub op: Op,
    /// The place.
    pub path: String,
    /// The new value: a JSON document, not yet looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The verb of a patch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Op {
    /// Something new.
    Add,
    /// Something has a new value.
    Replace,
    /// Something is gone.
    Remove,
    /// Not known.
    Other(String),
}

/// Why a whole payload is no sync event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SyncError {
    /// The beginning is not JSON.
    #[error("the sync event is not JSON")]
    NotJson,
    /// JSON, but neither an array nor an object.
    #[error("the sync event is neither an array nor an object")]
    NotEnvelopes,
}

/// Splits the (inflated) payload of topic 146 into envelopes.
///
/// If the payload breaks off or turns into something else than JSON, the envelopes before that place are given and
/// one more that holds the rest as an undecodable patch.
pub fn decode(payload: &[u8]) -> Result<Vec<Envelope>, SyncError> {
    let payload = String::from_utf8_lossy(payload);
    let payload = payload.trim();
    match payload.as_bytes().first() {
        Some(b'[') => {}
        Some(b'{') => return Ok(vec![Envelope::decode(payload)]),
        _ if serde_json::from_str::<&RawValue>(payload).is_ok() => return Err(SyncError::NotEnvelopes),
        _ => return Err(SyncError::NotJson),
    }
    let mut good = Vec::new();
    let mut json = serde_json::Deserializer::from_str(payload);
    let whole = json.deserialize_seq(Collect(&mut good)).and_then(|()| json.end()).is_ok();
    let mut envelopes: Vec<_> = good.iter().map(|element| Envelope::decode(element)).collect();
    if !whole {
        let read = good.last().map_or(0, |last| last.as_ptr().addr() - payload.as_ptr().addr() + last.len());
        envelopes.push(Envelope::undecodable(None, &payload[read..]));
    }
    Ok(envelopes)
}

/// Collects the elements of an array and keeps those before a mistake.
struct Collect<'c, 'de>(&'c mut Vec<&'de str>);

impl<'de> Visitor<'de> for Collect<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&'de RawValue>()? {
            self.0.push(element.get());
        }
        Ok(())
    }
}

impl Envelope {
    fn decode(json: &str) -> Self {
        let Some(object) = Object::parse(json) else { return Self::undecodable(None, json) };
        let seq_id = object.integer("seq_id");
        // Without `data` an envelope only moves the cursor.
        let patches = match object.raw("data") {
            None => Vec::new(),
            Some(data) => match elements(data) {
                Some(patches) => patches.into_iter().map(Patch::from_json).collect(),
                None => vec![Patch::from_json(data)],
            },
        };
        Self { seq_id, mutation_token: object.id("mutation_token"), realtime: object.flag("realtime"), patches }
    }

    fn undecodable(seq_id: Option<i64>, json: &str) -> Self {
        Self { seq_id, mutation_token: None, realtime: false, patches: vec![Patch::undecodable(json)] }
    }
}

impl Patch {
    fn from_json(json: &str) -> Self {
        let Some(object) = Object::parse(json) else { return Self::undecodable(json) };
        let (Some(op), Some(path)) = (object.text("op"), object.text("path")) else { return Self::undecodable(json) };
        // The value is a document inside a string; a bare one is taken as it is.
        let value = object.raw("value").map(|raw| text(raw).unwrap_or_else(|| raw.to_owned()));
        Self { op: Op::from(op), path, value }
    }

    /// A patch without a path: it decodes as undecodable and keeps what there was.
    fn undecodable(json: &str) -> Self {
        Self { op: Op::Other(String::new()), path: String::new(), value: Some(json.to_owned()) }
    }

    /// The place it speaks of.
    pub fn target(&self) -> Target<'_> {
        Target::parse(&self.path)
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch")
            .field("op", &self.op)
            .field("path", &self.path)
            .field("value_bytes", &self.value.as_ref().map(String::len))
            .finish()
    }
}

impl From<String> for Op {
    fn from(op: String) -> Self {
        match op.as_str() {
            "add" => Self::Add,
            "replace" => Self::Replace,
            "remove" => Self::Remove,
            _ => Self::Other(op),
        }
    }
}

impl From<Op> for String {
    fn from(op: Op) -> Self {
        op.as_str().to_owned()
    }
}

impl Op {
    /// As Instagram writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::Other(op) => op,
        }
    }
}
