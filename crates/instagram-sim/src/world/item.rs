//! One message of a thread, and how it looks to one viewer.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::cdn::Cdn;

/// One message, as the simulator keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// 35 digits.
    pub item_id: String,
    /// Number of the account that sent it.
    pub sender: u64,
    /// For example `text`.
    pub item_type: String,
    /// The text of a text message.
    pub text: Option<String>,
    /// The sender's key against doubles.
    pub client_context: Option<String>,
    /// Microseconds since 1970.
    pub timestamp_us: i64,
    /// The item it answers.
    pub reply_to: Option<String>,
    /// Other fields, for example `action_log`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub content: Map<String, Value>,
    /// Who reacted with which emoji.
    pub reactions: Vec<Reaction>,
    /// Whether the sender took it back.
    pub unsent: bool,
    /// Whether it was sent in vanish mode.
    pub shh: bool,
}

/// One person's reaction to one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// Who reacted.
    pub sender: u64,
    /// With what.
    pub emoji: String,
    /// When.
    pub timestamp_us: i64,
    /// A heart of the old way, without an emoji of its own.
    pub is_like: bool,
    /// What the request that set it was called.
    pub client_context: Option<String>,
}

/// Serialises an item as one viewer gets it.
#[derive(Clone, Copy)]
pub(crate) struct ItemView<'a> {
    pub(crate) item: &'a Item,
    pub(crate) replied: Option<&'a Item>,
    pub(crate) viewer: u64,
    pub(crate) string_ids: bool,
    pub(crate) cdn: &'a Cdn,
}

impl Serialize for ItemView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let item = self.item;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("item_id", &item.item_id)?;
        if self.string_ids {
            map.serialize_entry("user_id", &item.sender.to_string())?;
            map.serialize_entry("timestamp", &item.timestamp_us.to_string())?;
        } else {
            map.serialize_entry("user_id", &item.sender)?;
            map.serialize_entry("timestamp", &item.timestamp_us)?;
        }
        map.serialize_entry("item_type", &item.item_type)?;
        if let Some(text) = &item.text {
            map.serialize_entry("text", text)?;
        }
        if let Some(context) = &item.client_context {
            map.serialize_entry("client_context", context)?;
        }
        map.serialize_entry("is_sent_by_viewer", &(item.sender == self.viewer))?;
        map.serialize_entry("is_shh_mode", &item.shh)?;
        map.serialize_entry("show_forward_attribution", &false)?;
        map.serialize_entry("send_attribution", "message_button")?;
        for (key, value) in &item.content {
            map.serialize_entry(key, &Renewed { value, cdn: self.cdn })?;
        }
        if !item.reactions.is_empty() {
            map.serialize_entry("reactions", &reactions(&item.reactions))?;
        }
        if let Some(replied) = self.replied {
            let trimmed = ItemView { item: replied, replied: None, ..*self };
            map.serialize_entry("replied_to_message", &trimmed)?;
        }
        map.end()
    }
}

/// A value whose addresses of the media host are those that are good now.
pub(crate) struct Renewed<'a> {
    pub(crate) value: &'a Value,
    pub(crate) cdn: &'a Cdn,
}

impl Serialize for Renewed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = |value| Renewed { value, cdn: self.cdn };
        match self.value {
            Value::String(text) => match self.cdn.renewed(text) {
                Some(address) => serializer.serialize_str(&address),
                None => serializer.serialize_str(text),
            },
            Value::Array(all) => serializer.collect_seq(all.iter().map(inner)),
            Value::Object(all) => serializer.collect_map(all.iter().map(|(key, value)| (key, inner(value)))),
            other => other.serialize(serializer),
        }
    }
}

fn reactions(all: &[Reaction]) -> Value {
    let one = |reaction: &Reaction| {
        serde_json::json!({
            "sender_id": reaction.sender,
            "timestamp": reaction.timestamp_us,
            "emoji": reaction.emoji,
            "super_react_type": "none",
            "client_context": reaction.client_context,
        })
    };
    let like = |reaction: &Reaction| serde_json::json!({ "sender_id": reaction.sender, "timestamp": reaction.timestamp_us, "client_context": reaction.client_context });
    let emojis: Vec<Value> = all.iter().filter(|reaction| !reaction.is_like).map(one).collect();
    let likes: Vec<Value> = all.iter().filter(|reaction| reaction.is_like).map(like).collect();
    serde_json::json!({ "likes_count": likes.len(), "likes": likes, "emojis": emojis })
}
