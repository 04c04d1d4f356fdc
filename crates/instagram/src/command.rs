//! Commands of topic 132 as JSON, and the answers to them from topic 133.
//!
//! Key order and escaping follow mautrix-instagram and instagrapi byte for byte where they agree: non-ASCII characters
//! are escaped, since nobody has shown that the server takes them raw.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use thiserror::Error;

#[derive(Serialize)]
struct Command<'a, T> {
    thread_id: &'a str,
    client_context: &'a str,
    /// The app's other name for the client context.
    offline_threading_id: &'a str,
    action: &'static str,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Item<T> {
    item_type: &'static str,
    /// "Vanish mode".
    is_shh_mode: &'static str,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mentioned_user_ids: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampled: Option<bool>,
    #[serde(flatten)]
    reply: ReplyTo<'a>,
}

#[derive(Serialize)]
struct Link<'a> {
    link_text: &'a str,
    link_urls: String,
    #[serde(flatten)]
    reply: ReplyTo<'a>,
}

#[derive(Serialize)]
struct ReplyTo<'a> {
    replied_to_item_id: Option<&'a str>,
    replied_to_client_context: Option<&'a str>,
}

#[derive(Serialize)]
struct Reaction<'a> {
    reaction_status: &'static str,
    node_type: &'static str,
    reaction_type: &'static str,
    target_item_type: &'a str,
    emoji: &'a str,
    item_id: &'a str,
    reaction_action_source: &'static str,
}

#[derive(Serialize)]
struct Shared<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Seen<'a> {
    item_id: &'a str,
}

#[derive(Serialize)]
struct Activity {
    activity_status: u8,
}

/// What can be shared in a message, by its id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// By its words.
    Hashtag,
    /// By its venue id.
    Location,
    /// By its `pk`.
    Profile,
    /// By its media id, `<number>_<pk>`.
    Post,
    /// By its media id, `<number>_<pk>`.
    Story,
}

/// A text message; `reply` is the item id and the client context of the message it answers, `mentions` are user ids.
pub fn send_text(
    thread_id: &str,
    text: &str,
    client_context: &str,
    reply: Option<(&str, &str)>,
    mentions: &[String],
) -> Vec<u8> {
    let mentioned_user_ids = (!mentions.is_empty()).then(|| json_list(mentions));
    let sampled = mentioned_user_ids.as_ref().map(|_| true);
    let body = Text { text, mentioned_user_ids, sampled, reply: reply_to(reply) };
    send_item(thread_id, client_context, "text", body)
}

/// A text with previews of its links. For direct chats only: in groups the echo of a link carries another client
/// context, so send links there as text.
pub fn send_link(
    thread_id: &str,
    text: &str,
    urls: &[String],
    client_context: &str,
    reply: Option<(&str, &str)>,
) -> Vec<u8> {
    let body = Link { link_text: text, link_urls: json_list(urls), reply: reply_to(reply) };
    send_item(thread_id, client_context, "link", body)
}

/// The big heart.
pub fn send_like(thread_id: &str, client_context: &str) -> Vec<u8> {
    send_item(thread_id, client_context, "like", Nothing {})
}

/// Something of Instagram's with a text beside it, which may be empty.
pub fn send_share(thread_id: &str, share: Share, id: &str, text: &str, client_context: &str) -> Vec<u8> {
    let item_type = match share {
        Share::Hashtag => "hashtag",
        Share::Location => "location",
        Share::Profile => "profile",
        Share::Post => "media_share",
        Share::Story => "reel_share",
    };
    let (item_id, media_id) = if share == Share::Post { (None, Some(id)) } else { (Some(id), None) };
    send_item(thread_id, client_context, item_type, Shared { text, item_id, media_id })
}

/// Sets the own reaction on an item, or removes it with `None`.
pub fn react(thread_id: &str, item_id: &str, item_type: &str, emoji: Option<&str>, client_context: &str) -> Vec<u8> {
    let body = Reaction {
        reaction_status: if emoji.is_some() { "created" } else { "deleted" },
        node_type: "item",
        reaction_type: "like",
        target_item_type: item_type,
        emoji: emoji.unwrap_or_default(),
        item_id,
        reaction_action_source: "double_tap",
    };
    send_item(thread_id, client_context, "reaction", body)
}

/// A read receipt; there may never be an answer.
pub fn mark_seen(thread_id: &str, item_id: &str, client_context: &str) -> Vec<u8> {
    command(thread_id, client_context, "mark_seen", Seen { item_id })
}

/// A picture or video to be seen once has been seen: it is gone then. There may never be an answer.
pub fn mark_visual_item_seen(thread_id: &str, item_id: &str, client_context: &str) -> Vec<u8> {
    command(thread_id, client_context, "mark_visual_item_seen", Seen { item_id })
}

/// A typing notice; there may never be an answer.
pub fn indicate_activity(thread_id: &str, typing: bool, client_context: &str) -> Vec<u8> {
    command(thread_id, client_context, "indicate_activity", Activity { activity_status: typing.into() })
}

fn reply_to<'a>(reply: Option<(&'a str, &'a str)>) -> ReplyTo<'a> {
    let (replied_to_item_id, replied_to_client_context) = reply.unzip();
    ReplyTo { replied_to_item_id, replied_to_client_context }
}

fn json_list(texts: &[String]) -> String {
    Value::from(texts).to_string()
}

fn send_item<T: Serialize>(thread_id: &str, client_context: &str, item_type: &'static str, body: T) -> Vec<u8> {
    command(thread_id, client_context, "send_item", Item { item_type, is_shh_mode: "0", body })
}

fn command<T: Serialize>(thread_id: &str, client_context: &str, action: &'static str, body: T) -> Vec<u8> {
    let command = Command { thread_id, client_context, offline_threading_id: client_context, action, body };
    let mut out = Vec::with_capacity(256);
    command
        .serialize(&mut Serializer::with_formatter(&mut out, AsciiFormatter))
        .expect("strings and numbers serialise into memory");
    out
}

/// JSON without spaces and with every non-ASCII character escaped.
struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| !c.is_ascii()) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let end = special.find(|c: char| c.is_ascii()).unwrap_or(special.len());
            for unit in special[..end].encode_utf16() {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &special[end..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// What the server says about a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Which command; absent in some refusals.
    pub client_context: Option<String>,
    /// The new item.
    pub item_id: Option<String>,
    /// The item's time in microseconds.
    pub timestamp_us: Option<i64>,
    /// Where the item went.
    pub thread_id: Option<String>,
    /// Whether the command was carried out.
    pub succeeded: bool,
    /// HTTP-like code.
    pub status_code: Option<u16>,
    /// Instagram's own words.
    pub message: Option<String>,
    /// Instagram's number for the cause.
    pub error_code: Option<i64>,
    /// Name of an exception at the server; `ThreadUserIdDoesNotExist` means the session is dead.
    pub exception: Option<String>,
}

/// The answer is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the answer to a command is not a JSON object")]
pub struct NotAnObject;

impl Reply {
    /// Reads an answer; fields of unexpected types count as absent.
    pub fn decode(json: &[u8]) -> Result<Reply, NotAnObject> {
        let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(json) else { return Err(NotAnObject) };
        let top = |key: &str| answer.get(key).unwrap_or(&Value::Null);
        let payload = |key: &str| top("payload").get(key).unwrap_or(&Value::Null);
        let status_code = integer(top("status_code")).and_then(|code| u16::try_from(code).ok());
        let exception = text(top("exception"));
        let message = text(payload("message")).or_else(|| text(top("message"))).or_else(|| {
            exception.as_ref().map(|exception| match text(top("content")) {
                Some(content) => format!("{exception}: {content}"),
                None => exception.clone(),
            })
        });
        let good_code = status_code.is_none_or(|code| (200..300).contains(&code));
        Ok(Reply {
            client_context: text(payload("client_context")).or_else(|| text(top("client_context"))),
            item_id: text(payload("item_id")),
            timestamp_us: integer(payload("timestamp")),
            thread_id: text(payload("thread_id")),
            succeeded: good_code && exception.is_none() && top("status") != "fail",
            status_code,
            message,
            error_code: integer(payload("error_code")).or_else(|| integer(top("error_code"))),
            exception,
        })
    }
}

/// A number, also when written as a string.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A non-empty string, also when written as a number.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_names_the_item() {
        let reply = Reply::decode(
            br#"{"action":"item_ack","status_code":"200","payload":{"client_context":"741","item_id":"300","timestamp":"1767225600123456","thread_id":"3402"},"status":"ok"}"#,
        )
        .unwrap();
        assert!(reply.succeeded);
        assert_eq!(reply.client_context.as_deref(), Some("741"));
        assert_eq!(reply.item_id.as_deref(), Some("300"));
        assert_eq!(reply.timestamp_us, Some(1_767_225_600_123_456));
    }

    #[test]
    fn refusals_are_recognised_in_all_their_forms() {
        let target = Reply::decode(
            br#"{"status_code":"404","payload":{"client_context":"668","message":"target item is not supported"},"status":"fail"}"#,
        )
        .unwrap();
        assert!(!target.succeeded);
        assert_eq!(target.message.as_deref(), Some("target item is not supported"));

        let limited = Reply::decode(
            br#"{"status_code":"403","message":"sorry","payload":{"client_context":null,"error_code":1404006},"status":"fail"}"#,
        )
        .unwrap();
        assert_eq!((limited.client_context.clone(), limited.error_code), (None, Some(1_404_006)));
        assert_eq!(limited.message.as_deref(), Some("sorry"));

        let dead = Reply::decode(br#"{"status":"fail","exception":"ThreadUserIdDoesNotExist","content":"x"}"#).unwrap();
        assert!(!dead.succeeded);
        assert_eq!(dead.exception.as_deref(), Some("ThreadUserIdDoesNotExist"));
        assert_eq!(dead.message.as_deref(), Some("ThreadUserIdDoesNotExist: x"));
    }

    #[test]
    fn odd_types_are_absent_fields_and_not_errors() {
        let reply =
            Reply::decode(br#"{"status_code":200,"payload":{"item_id":300,"timestamp":[],"client_context":{}}}"#);
        let reply = reply.unwrap();
        assert_eq!((reply.item_id.as_deref(), reply.timestamp_us), (Some("300"), None));
        assert!(Reply::decode(br#"{"payload":[]}"#).unwrap().client_context.is_none());
        assert_eq!(Reply::decode(b"[]"), Err(NotAnObject));
        assert_eq!(Reply::decode("[".repeat(1_000_000).as_bytes()), Err(NotAnObject));
    }
}
