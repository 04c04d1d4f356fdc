//! Typing and presence from the two publish/subscribe topics: JSON within thrift, sometimes bare.

use serde_json::Value;
use thiserror::Error;

use super::Event;
use crate::command::{integer, text};
use crate::thrift::{self, Struct, ThriftError};

/// Somebody types in a thread, or stopped. The same notice comes on both topics: tell them apart by `activity_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub thread_id: String,
    /// Name of the notice.
    pub activity_id: String,
    /// Who; may be ourselves on another device.
    pub user_id: String,
    /// Typing, or not any more.
    pub active: bool,
    /// When, in microseconds.
    pub timestamp_us: Option<i64>,
    /// For how long it holds, in milliseconds.
    pub ttl_ms: Option<i64>,
}

/// Somebody is online, or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub user_id: String,
    /// Online.
    pub active: bool,
    /// Last seen, in milliseconds.
    pub last_activity_ms: Option<i64>,
}

/// Why a notice cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoticeError {
    #[error("the notice is not a thrift struct: {0}")]
    Thrift(#[from] ThriftError),
    #[error("the notice has no payload")]
    Empty,
    #[error("the notice is not JSON")]
    Json,
}

/// Reads an inflated payload of topic 88 or 149; `None` is a notice without use for a bridge.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Event>, NoticeError> {
    let parsed = match payload.first() {
        Some(b'{' | b'[') => serde_json::from_slice(payload),
        _ => {
            let message = Struct::decode(payload)?;
            let json = message.field(2).and_then(thrift::Value::bytes).ok_or(NoticeError::Empty)?;
            if json.is_empty() {
                return Ok(None);
            }
            serde_json::from_slice(json)
        }
    };
    let document: Value = parsed.map_err(|_| NoticeError::Json)?;
    Ok(presence(&document).or_else(|| typing(&document)))
}

fn presence(document: &Value) -> Option<Event> {
    let event = document.get("presence_event")?;
    Some(Event::Presence(Presence {
        user_id: text(event.get("user_id")?)?,
        active: event.get("is_active").and_then(Value::as_bool)?,
        last_activity_ms: event.get("last_activity_at_ms").and_then(integer),
    }))
}

fn typing(document: &Value) -> Option<Event> {
    document.get("data")?.as_array()?.iter().find_map(|patch| {
        let path = patch.get("path")?.as_str()?.strip_prefix("/direct_v2/threads/")?;
        let (thread_id, activity_id) = path.split_once("/activity_indicator_id/")?;
        let value: Value = match patch.get("value")? {
            Value::String(json) => serde_json::from_str(json).ok()?,
            other => other.clone(),
        };
        Some(Event::Typing(Typing {
            thread_id: thread_id.to_owned(),
            activity_id: activity_id.to_owned(),
            user_id: text(value.get("sender_id")?)?,
            active: value.get("activity_status").and_then(integer)? != 0,
            timestamp_us: value.get("timestamp").and_then(integer),
            ttl_ms: value.get("ttl").and_then(integer),
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPING: &str = r#"{"event":"patch","data":[{"op":"add","path":"/direct_v2/threads/3402/activity_indicator_id/74","value":"{\"timestamp\":1767225600123456,\"sender_id\":\"222\",\"ttl\":12000,\"activity_status\":1}","doublePublish":true}]}"#;

    fn wrapped(json: &str) -> Vec<u8> {
        let mut message = Struct::new();
        message.push(1, thrift::Value::from("direct"));
        message.push(2, thrift::Value::from(json));
        message.encode()
    }

    #[test]
    fn typing_is_read_from_thrift_and_from_bare_json() {
        let expected = Event::Typing(Typing {
            thread_id: "3402".into(),
            activity_id: "74".into(),
            user_id: "222".into(),
            active: true,
            timestamp_us: Some(1_767_225_600_123_456),
            ttl_ms: Some(12_000),
        });
        assert_eq!(decode(&wrapped(TYPING)), Ok(Some(expected.clone())));
        assert_eq!(decode(TYPING.as_bytes()), Ok(Some(expected)));
    }

    #[test]
    fn presence_is_read() {
        let json = r#"{"presence_event":{"user_id":"222","is_active":true,"last_activity_at_ms":"1767225600123","in_threads":[]}}"#;
        let expected = Presence { user_id: "222".into(), active: true, last_activity_ms: Some(1_767_225_600_123) };
        assert_eq!(decode(&wrapped(json)), Ok(Some(Event::Presence(expected))));
    }

    #[test]
    fn what_is_of_no_use_is_nothing_and_what_is_broken_is_an_error() {
        assert_eq!(decode(&wrapped("")), Ok(None));
        assert_eq!(decode(&wrapped("{}")), Ok(None));
        assert_eq!(
            decode(br#"{"data":[{"path":7},{"path":"/direct_v2/threads/1/activity_indicator_id/2"}]}"#),
            Ok(None)
        );
        assert_eq!(decode(&wrapped("{")), Err(NoticeError::Json));
        assert_eq!(decode(&wrapped(&"[".repeat(100_000))), Err(NoticeError::Json));
        assert_eq!(decode(b""), Err(NoticeError::Empty));
        assert_eq!(decode(&[0x1f]), Err(NoticeError::Thrift(ThriftError::UnknownType(15))));
    }
}
