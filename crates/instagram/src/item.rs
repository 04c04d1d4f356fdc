//! One entry of a thread, whatever its kind.
//!
//! Texts, likes and links are decoded; every kind keeps its raw text, decodes it on demand (`item/content.rs`) and can
//! say in plain English what it is (`item/describe.rs`), so that a kind made up tomorrow still becomes a readable notice.

mod address;
mod content;
mod describe;
mod inner;

use std::fmt;

use crate::number::Object;

use address::is_username;
pub use address::shortcode;
pub use content::{CallAction, Card, Content, LinkPreview, Media, MediaKind, Picture, Share, ShareKind, ViewMode};

/// The heart that a like is, when the item does not say.
pub const HEART: &str = "❤️";

/// One message or event in a thread.
#[derive(Clone, PartialEq, Default)]
pub struct Item {
    /// Unique per message; decimal, opaque.
    pub item_id: String,
    /// The sender; absent on items that the system made.
    pub user_id: Option<String>,
    /// Microseconds.
    pub timestamp_us: Option<i64>,
    /// Instagram's name of the kind; empty when not said.
    pub item_type: String,
    /// The sender's idempotency key.
    pub client_context: Option<String>,
    /// The same key under the name that some items use.
    pub mutation_token: Option<String>,
    /// The account itself sent it, here or on another device.
    pub is_sent_by_viewer: Option<bool>,
    /// Sent in vanish mode.
    pub vanish_mode: bool,
    /// The app does not show it.
    pub hidden: bool,
    /// What was written; on shared content the words beside it. May be empty.
    pub text: Option<String>,
    /// The emoji of a like.
    pub like: Option<String>,
    /// A text with a link preview.
    pub link: Option<Link>,
    /// What it answers.
    pub replied_to: Option<Box<RepliedTo>>,
    /// Who is mentioned where.
    pub mentions: Vec<Mention>,
    /// Who is mentioned.
    pub mentioned_user_ids: Vec<String>,
    /// All reactions; `None` when the item does not speak of them.
    pub reactions: Option<Vec<Reaction>>,
    /// What an `action_log` says: a rename, a join, a leave.
    pub action: Option<String>,
    /// The item as it came.
    pub raw: Option<String>,
}

/// How the bridge has to treat an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// [`Item::body`] is the message.
    Text,
    /// Something happened in the thread: see [`Item::action`].
    Action,
    /// The app shows nothing.
    Internal,
    /// Everything else: see [`Item::content`].
    Other,
}

/// A text with a link preview.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// The whole text, link included.
    pub text: Option<String>,
    /// The address that the preview is about.
    pub url: Option<String>,
    /// Preview.
    pub title: Option<String>,
    /// Preview.
    pub summary: Option<String>,
    /// Sometimes differs from the item's own: both name the same send.
    pub client_context: Option<String>,
}

/// The trimmed copy of the message that an item answers.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RepliedTo {
    /// See [`Item::item_id`].
    pub item_id: String,
    /// See [`Item::user_id`].
    pub user_id: Option<String>,
    /// See [`Item::timestamp_us`].
    pub timestamp_us: Option<i64>,
    /// See [`Item::item_type`].
    pub item_type: String,
    /// See [`Item::client_context`].
    pub client_context: Option<String>,
    /// See [`Item::text`].
    pub text: Option<String>,
}

/// A mention inside [`Item::text`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mention {
    /// The mentioned person in the numbering of the web, which differs from `pk`.
    pub fbid: String,
    /// UTF-16 units, as far as known.
    pub offset: i64,
    /// UTF-16 units, as far as known.
    pub length: i64,
}

/// One person's reaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reaction {
    /// Who reacted.
    pub sender_id: String,
    /// With what; a like without emoji is a heart.
    pub emoji: String,
    /// Microseconds.
    pub timestamp_us: Option<i64>,
    /// The reaction's own idempotency key.
    pub client_context: Option<String>,
}

impl Item {
    /// Reads an item object. `None` if it has no id.
    pub fn decode(json: &str) -> Option<Self> {
        Self::from_object(&Object::parse(json)?, None)
    }

    /// Reads an item whose id may be known from elsewhere.
    pub fn from_object(object: &Object<'_>, known_id: Option<&str>) -> Option<Self> {
        let item_id = known_id.map(str::to_owned).or_else(|| object.id("item_id"))?;
        Some(Self {
            item_id,
            user_id: object.id("user_id").filter(|id| id != "0"),
            timestamp_us: object.integer("timestamp"),
            item_type: object.text("item_type").unwrap_or_default(),
            client_context: object.id("client_context"),
            mutation_token: object.id("mutation_token"),
            is_sent_by_viewer: object.maybe_flag("is_sent_by_viewer"),
            vanish_mode: object.flag("is_shh_mode"),
            hidden: object.flag("hide_in_thread"),
            text: object.raw("text").and_then(crate::number::text),
            like: object.text("like"),
            link: object.object("link").map(|link| Link::from_object(&link)),
            replied_to: object
                .object("replied_to_message")
                .and_then(|item| RepliedTo::from_object(&item))
                .map(Box::new),
            mentions: object.objects("mentioned_entities").iter().filter_map(Mention::from_object).collect(),
            mentioned_user_ids: object.object("text_entities").map(|e| e.ids("mentioned_user_ids")).unwrap_or_default(),
            reactions: object.object("reactions").map(|reactions| Reaction::list(&reactions)),
            action: object.object("action_log").and_then(|log| log.text("description")),
            raw: Some(object.source().to_owned()),
        })
    }

    /// How to treat it.
    pub fn kind(&self) -> Kind {
        match self.item_type.as_str() {
            "text" | "like" | "link" if self.body().is_some() => Kind::Text,
            "action_log" => Kind::Action,
            "reaction_log" | "user_reaction" | "history_edit" | "deletion" | "title" | "type_max" | "test"
            | "deprecated_channel" => Kind::Internal,
            _ => Kind::Other,
        }
    }

    /// The message, if it is one of words alone: a text, a like (its heart) or a link (its text).
    pub fn body(&self) -> Option<&str> {
        match self.item_type.as_str() {
            "text" => self.text.as_deref(),
            "like" => Some(self.like.as_deref().unwrap_or(HEART)),
            "link" => {
                let link = self.link.as_ref()?;
                link.text.as_deref().or(self.text.as_deref()).or(link.url.as_deref())
            }
            _ => None,
        }
    }

    /// The names of who is mentioned, as they stand in the text: for items that say where, but not whose ids.
    pub fn mentioned_names(&self) -> Vec<String> {
        let text: Vec<u16> = self.body().or(self.text.as_deref()).unwrap_or_default().encode_utf16().collect();
        let name = |mention: &Mention| {
            let start = usize::try_from(mention.offset).ok()?;
            let end = start.checked_add(usize::try_from(mention.length).ok()?)?;
            let name = String::from_utf16(text.get(start..end)?).ok()?;
            name.strip_prefix('@').filter(|name| is_username(name)).map(str::to_owned)
        };
        self.mentions.iter().filter_map(name).collect()
    }

    /// Every idempotency key that may name this send: a link carries a second one.
    pub fn client_contexts(&self) -> Vec<&str> {
        let link = self.link.as_ref().and_then(|link| link.client_context.as_deref());
        let mut keys: Vec<&str> = Vec::new();
        for key in [self.client_context.as_deref(), self.mutation_token.as_deref(), link].into_iter().flatten() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

impl Link {
    fn from_object(link: &Object<'_>) -> Self {
        let context = link.object("link_context");
        let part = |key| context.as_ref().and_then(|context| context.text(key));
        Self {
            text: link.raw("text").and_then(crate::number::text),
            url: part("link_url"),
            title: part("link_title"),
            summary: part("link_summary"),
            client_context: link.id("client_context"),
        }
    }
}

impl RepliedTo {
    fn from_object(object: &Object<'_>) -> Option<Self> {
        Some(Self {
            item_id: object.id("item_id")?,
            user_id: object.id("user_id").filter(|id| id != "0"),
            timestamp_us: object.integer("timestamp"),
            item_type: object.text("item_type").unwrap_or_default(),
            client_context: object.id("client_context"),
            text: object.raw("text").and_then(crate::number::text),
        })
    }
}

impl Mention {
    fn from_object(object: &Object<'_>) -> Option<Self> {
        Some(Self { fbid: object.id("fbid")?, offset: object.integer("offset")?, length: object.integer("length")? })
    }
}

impl Reaction {
    fn list(reactions: &Object<'_>) -> Vec<Self> {
        let mut list = Vec::new();
        for (key, emoji) in [("emojis", None), ("likes", Some(HEART))] {
            for reaction in reactions.objects(key) {
                let emoji = reaction.text("emoji").or_else(|| emoji.map(str::to_owned));
                let (Some(sender_id), Some(emoji)) = (reaction.id("sender_id"), emoji) else { continue };
                list.push(Self {
                    sender_id,
                    emoji,
                    timestamp_us: reaction.integer("timestamp"),
                    client_context: reaction.id("client_context"),
                });
            }
        }
        list
    }
}

// Texts are private: `Debug` shows ids and sizes.

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("item_id", &self.item_id)
            .field("item_type", &self.item_type)
            .field("client_context", &self.client_context)
            .field("text_bytes", &self.body().map(str::len))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl fmt::Debug for RepliedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepliedTo").field("item_id", &self.item_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_likes_and_links_are_messages_of_words() {
        for (json, body) in [
            (r#"{"item_id":1,"item_type":"text","text":"hi"}"#, "hi"),
            (r#"{"item_id":1,"item_type":"text","text":""}"#, ""),
            (r#"{"item_id":1,"item_type":"text","text":" \n\u202e\u0001 "}"#, " \n\u{202e}\u{1} "),
            (r#"{"item_id":1,"item_type":"like","like":"💜"}"#, "💜"),
            (r#"{"item_id":1,"item_type":"like"}"#, HEART),
            (r#"{"item_id":1,"item_type":"link","link":{"text":"see https://a/"}}"#, "see https://a/"),
            (r#"{"item_id":1,"item_type":"link","link":{"link_context":{"link_url":"https://a/"}}}"#, "https://a/"),
        ] {
            let item = Item::decode(json).unwrap();
            assert_eq!((item.kind(), item.body()), (Kind::Text, Some(body)), "{json}");
        }
    }

    #[test]
    fn a_text_without_text_keeps_its_raw_form() {
        for json in [r#"{"item_id":1,"item_type":"text","text":5}"#, r#"{"item_id":1,"item_type":"link","link":[]}"#] {
            let item = Item::decode(json).unwrap();
            assert_eq!((item.kind(), item.raw.as_deref()), (Kind::Other, Some(json)));
        }
    }

    #[test]
    fn a_link_has_two_idempotency_keys() {
        let item =
            r#"{"item_id":1,"client_context":"7","mutation_token":"7","item_type":"link","link":{"client_context":8}}"#;
        assert_eq!(Item::decode(item).unwrap().client_contexts(), ["7", "8"]);
    }

    #[test]
    fn wrong_types_are_absent_values() {
        let item = Item::decode(
            r#"{"item_id":30076213210116812312341061613568001,"user_id":"0","timestamp":"1767225600123456","item_type":7,
            "text":{},"like":[],"link":3,"replied_to_message":"x","reactions":{"emojis":[{"sender_id":"5"},{"sender_id":6,
            "emoji":"😂"},9],"likes":[{"sender_id":7,"timestamp":"x"}]},"is_sent_by_viewer":"yes","hide_in_thread":0,
            "mentioned_entities":[{"fbid":1},{"fbid":2,"offset":"0","length":3}],"text_entities":{"mentioned_user_ids":["4",5]}}"#,
        )
        .unwrap();
        assert_eq!(item.item_id, "30076213210116812312341061613568001");
        assert_eq!((item.user_id, item.timestamp_us), (None, Some(1_767_225_600_123_456)));
        assert_eq!((item.text, item.like, item.link, item.replied_to), (None, None, None, None));
        let reactions: Vec<_> = item.reactions.unwrap().into_iter().map(|r| (r.sender_id, r.emoji)).collect();
        assert_eq!(reactions, [("6".to_owned(), "😂".to_owned()), ("7".to_owned(), HEART.to_owned())]);
        assert_eq!(item.mentions, [Mention { fbid: "2".to_owned(), offset: 0, length: 3 }]);
        assert_eq!(item.mentioned_user_ids, ["4", "5"]);
        assert_eq!((item.is_sent_by_viewer, item.hidden), (None, false));
    }

    #[test]
    fn who_is_mentioned_is_named_by_the_text() {
        let item = Item::decode(
            r#"{"item_id":1,"item_type":"text","text":"🌊 @bob and @carol.c!","mentioned_entities":[{"fbid":1,"offset":3,
            "length":4},{"fbid":2,"offset":12,"length":8},{"fbid":3,"offset":0,"length":2},{"fbid":4,"offset":18,"length":99},
            {"fbid":5,"offset":-1,"length":2}]}"#,
        );
        assert_eq!(item.unwrap().mentioned_names(), ["bob", "carol.c"]);
    }

    #[test]
    fn debug_shows_no_text() {
        let item = Item::decode(
            r#"{"item_id":1,"item_type":"link","text":"planted","link":{"text":"planted"},
            "replied_to_message":{"item_id":2,"text":"planted"}}"#,
        )
        .unwrap();
        assert!(!format!("{item:?} {:?} {:?}", item.link, item.replied_to).contains("planted"));
    }
}
