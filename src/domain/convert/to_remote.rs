//! Turns the content of a Matrix message into texts and files for Instagram.

mod file;

use std::collections::BTreeMap;

use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::Value;

use super::html;
use super::split::split;
use crate::domain::event::ReplyTo;
use crate::domain::ids::RemoteUserId;
use crate::domain::notice::Notice;

pub use file::{FileKind, FilePart};

/// What has to be known besides the content.
#[derive(Clone, Debug)]
pub struct OutgoingFacts {
    /// How an action of the sender reads on Instagram: "* Anna waves".
    pub sender_name: String,
    /// The item answered, when it was bridged.
    pub reply_to: Option<ReplyTo>,
    /// Handles of the mentioned users that have one.
    pub mentioned: BTreeMap<OwnedUserId, (RemoteUserId, String)>,
    /// Characters Instagram takes in one message.
    pub max_characters: usize,
    /// Whether `m.notice` is bridged.
    pub notices: bool,
    /// Where the message itself is, for what can only be answered there.
    pub event_link: Option<String>,
}

/// A text for Instagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextPart {
    /// What it says.
    pub text: String,
    /// The item it answers.
    pub reply_to: Option<ReplyTo>,
    /// Users mentioned in it.
    pub mentions: Vec<RemoteUserId>,
}

/// One message for Instagram.
#[derive(Clone, PartialEq, Debug)]
pub enum OutgoingPart {
    /// Words.
    Text(TextPart),
    /// A file.
    File(FilePart),
}

/// The content of a Matrix message as far as it matters here. Unknown fields are of no consequence.
#[derive(Deserialize, Debug, Default)]
pub struct MessageContent {
    /// `m.text` and so on.
    #[serde(default)]
    pub msgtype: String,
    /// Plain text.
    #[serde(default)]
    pub body: String,
    format: Option<String>,
    formatted_body: Option<String>,
    #[serde(rename = "m.mentions", default, deserialize_with = "tolerant")]
    mentions: Mentions,
    #[serde(rename = "m.relates_to", default, deserialize_with = "tolerant")]
    relates_to: RelatesTo,
    /// The whole of it, for what only some messages have.
    #[serde(skip)]
    whole: Value,
}

#[derive(Deserialize, Debug, Default)]
struct Mentions {
    #[serde(default)]
    user_ids: Vec<OwnedUserId>,
}

#[derive(Deserialize, Debug, Default)]
struct RelatesTo {
    rel_type: Option<String>,
    #[serde(rename = "m.in_reply_to")]
    in_reply_to: Option<InReplyTo>,
    #[serde(default)]
    is_falling_back: bool,
}

#[derive(Deserialize, Debug)]
struct InReplyTo {
    event_id: String,
}

/// A field of the wrong shape counts as absent.
fn tolerant<'de, D: serde::Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    from: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

impl MessageContent {
    /// Reads a content. None when it is not even an object with the right basic types.
    pub fn from_value(content: &Value) -> Option<Self> {
        let mut known = Self::deserialize(content).ok()?;
        known.whole = content.clone();
        Some(known)
    }

    /// The event that is answered. A thread's fallback reply is not an answer.
    pub fn reply_target(&self) -> Option<&str> {
        self.relates_to.in_reply_to.as_ref().filter(|_| !self.relates_to.is_falling_back).map(|to| to.event_id.as_str())
    }

    /// The name that the sender shows on this one message.
    pub fn per_message_name(&self) -> Option<String> {
        let profile = &self.whole["com.beeper.per_message_profile"];
        profile["displayname"].as_str().filter(|name| !name.trim().is_empty()).map(str::to_owned)
    }

    /// The content without the name that is written before the text for clients that know no names of single messages
    /// (MSC4144).
    #[must_use]
    pub fn without_profile_fallback(&self) -> Self {
        let mut content = self.whole.clone();
        let name = self.per_message_name().unwrap_or_default();
        if content["com.beeper.per_message_profile"]["has_fallback"] == true
            && let Some(text) = self.body.strip_prefix(&format!("{name}: "))
        {
            content["body"] = text.into();
        }
        if let Some(html) = self.formatted_body.as_deref().and_then(html::without_profile_fallback) {
            content["formatted_body"] = html.into();
        }
        Self::from_value(&content).unwrap_or_default()
    }

    /// True for the new version of an earlier message.
    pub fn is_edit(&self) -> bool {
        self.relates_to.rel_type.as_deref() == Some("m.replace")
    }

    /// Users mentioned on purpose, and those linked in the text.
    pub fn mentioned_users(&self) -> Vec<OwnedUserId> {
        let mut users = self.mentions.user_ids.clone();
        for href in self.html().unwrap_or_default().split("href=\"").skip(1) {
            users.extend(html::mentioned_user(href.split('"').next().unwrap_or_default()));
        }
        users.sort();
        users.dedup();
        users
    }

    fn html(&self) -> Option<&str> {
        self.formatted_body.as_deref().filter(|_| self.format.as_deref() == Some("org.matrix.custom.html"))
    }

    /// The text in plain words, without the quoted fallback of old clients.
    fn text(&self, facts: &OutgoingFacts) -> String {
        let names = facts.mentioned.iter().map(|(user, (_, name))| (user.clone(), name.clone())).collect();
        if let Some(text) = self.html().and_then(|html| html::flatten(html, &names)) {
            return text;
        }
        match self.reply_target() {
            Some(_) if self.body.starts_with("> <@") || self.body.starts_with("> * <@") => {
                self.body.split_once("\n\n").map_or("", |(_, rest)| rest).to_owned()
            }
            _ => self.body.clone(),
        }
    }
}

/// The messages for Instagram, in order. Empty when there is nothing to send.
///
/// # Errors
/// A notice for the sender when the message can never be sent.
pub fn to_remote(kind: &str, content: &MessageContent, facts: &OutgoingFacts) -> Result<Vec<OutgoingPart>, Notice> {
    let file = match (kind, content.msgtype.as_str()) {
        ("m.sticker", _) | (_, "m.image") => Some(FileKind::Picture),
        (_, "m.video") => Some(FileKind::Video),
        (_, "m.audio") => Some(FileKind::Audio),
        (_, "m.file") => Some(FileKind::File),
        _ => None,
    };
    match file {
        Some(file) => file_and_caption(file, content, facts),
        None => Ok(texts(kind, content, facts)?.into_iter().map(OutgoingPart::Text).collect()),
    }
}

fn file_and_caption(
    kind: FileKind,
    content: &MessageContent,
    facts: &OutgoingFacts,
) -> Result<Vec<OutgoingPart>, Notice> {
    let Some(file) = file::of(kind, &content.whole, facts.reply_to.clone()) else {
        return Err(Notice::new(format!("Your {} was not sent: it has no address that can be read.", kind.name()))
            .with_hint("upload it again; encrypted files cannot be bridged."));
    };
    let mut parts = vec![OutgoingPart::File(file)];
    if file::has_caption(&content.whole) {
        let facts = OutgoingFacts { reply_to: None, ..facts.clone() };
        parts.extend(split_text(&content.text(&facts), &facts)?.into_iter().map(OutgoingPart::Text));
    }
    Ok(parts)
}

/// Says of what is relayed who said it: in every text; a file is followed by a line.
pub fn name_speaker(parts: &mut Vec<OutgoingPart>, name: &str, format: &str) {
    let short: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let format = format.replace("{name}", &short);
    if let Some(OutgoingPart::File(_)) = parts.first() {
        parts.push(OutgoingPart::Text(TextPart { text: format, reply_to: None, mentions: Vec::new() }));
        return;
    }
    for part in parts {
        let OutgoingPart::Text(part) = part else { continue };
        // An action names its actor already; the format does that here.
        let said = part.text.strip_prefix(&format!("* {name} ")).unwrap_or(&part.text);
        part.text = format.replacen("{text}", said, 1);
    }
}

/// The texts a message of words becomes.
///
/// # Errors
/// As [`to_remote`].
pub fn texts(kind: &str, content: &MessageContent, facts: &OutgoingFacts) -> Result<Vec<TextPart>, Notice> {
    let text = match (kind, content.msgtype.as_str()) {
        ("m.room.message", "m.text") => content.text(facts),
        ("m.room.message", "m.notice") if facts.notices => content.text(facts),
        ("m.room.message", "m.notice") => return Ok(Vec::new()),
        ("m.room.message", "m.emote") => format!("* {} {}", facts.sender_name, content.text(facts)),
        ("m.room.message", "m.location") => file::location(&content.whole).unwrap_or_else(|| content.body.clone()),
        ("m.poll.start" | "org.matrix.msc3381.poll.start", _) => {
            let poll = file::poll(&content.whole).unwrap_or_else(|| content.body.clone());
            facts.event_link.iter().fold(poll, |poll, link| format!("{poll}\nVote in Matrix: {link}"))
        }
        _ => {
            return Err(Notice::new("Your message was not sent: this bridge does not know its kind.")
                .with_hint("texts, pictures, videos and recordings work."));
        }
    };
    split_text(&text, facts)
}

fn split_text(text: &str, facts: &OutgoingFacts) -> Result<Vec<TextPart>, Notice> {
    if text.is_empty() {
        return Err(Notice::new("Your message was not sent: it is empty, and Instagram takes no empty messages."));
    }
    // Who is not named in the text is mentioned with its beginning.
    let named = |text: &str, name: &str| text.contains(&format!("@{name}"));
    let mentions = |n: usize, part: &str| {
        let here = facts.mentioned.values().filter(|(_, name)| match n {
            0 => named(part, name) || !named(text, name),
            _ => named(part, name),
        });
        here.map(|(id, _)| id.clone()).collect()
    };
    let parts = split(text, facts.max_characters.max(1), |_| 1);
    Ok(parts
        .into_iter()
        .enumerate()
        .map(|(n, part)| TextPart {
            text: part.to_owned(),
            reply_to: facts.reply_to.clone().filter(|_| n == 0),
            mentions: mentions(n, part),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use ruma::owned_user_id;
    use serde_json::json;

    use super::{texts as texts_of, *};
    use crate::domain::ids::ItemId;

    fn facts() -> OutgoingFacts {
        OutgoingFacts {
            sender_name: "Anna".into(),
            reply_to: None,
            mentioned: BTreeMap::new(),
            max_characters: 1000,
            event_link: None,
            notices: true,
        }
    }

    fn send(content: &Value, facts: &OutgoingFacts) -> Result<Vec<TextPart>, Notice> {
        texts_of("m.room.message", &MessageContent::from_value(content).unwrap(), facts)
    }

    fn texts(content: &Value) -> Vec<String> {
        send(content, &facts()).unwrap().into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn a_plain_text_is_not_touched() {
        for body in ["hello", " spaces  ", "a\nb\n", "\u{202e}bidi\u{1}", "👩‍👩‍👧‍👦"] {
            assert_eq!(texts(&json!({"msgtype": "m.text", "body": body})), [body]);
        }
    }

    #[test]
    fn an_emote_reads_as_an_action() {
        assert_eq!(texts(&json!({"msgtype": "m.emote", "body": "waves"})), ["* Anna waves"]);
    }

    #[test]
    fn notices_can_be_switched_off() {
        let content = json!({"msgtype": "m.notice", "body": "beep"});
        assert_eq!(send(&content, &facts()).unwrap().len(), 1);
        assert!(send(&content, &OutgoingFacts { notices: false, ..facts() }).unwrap().is_empty());
    }

    #[test]
    fn a_long_text_is_split_and_only_the_first_part_answers() {
        let reply = ReplyTo { item: ItemId::new("7"), client_context: None };
        let facts = OutgoingFacts { reply_to: Some(reply), max_characters: 100, ..facts() };
        let body = "wörter und wörter ".repeat(30);
        let parts = send(&json!({"msgtype": "m.text", "body": body}), &facts).unwrap();
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), body);
        assert!(parts.iter().all(|part| part.text.chars().count() <= 100));
        assert!(parts[0].reply_to.is_some() && parts[1..].iter().all(|part| part.reply_to.is_none()));
    }

    #[test]
    fn the_reply_fallback_of_old_clients_is_dropped() {
        let content = json!({"msgtype": "m.text", "body": "> <@bob:test> old\n> text\n\nnew",
            "m.relates_to": {"m.in_reply_to": {"event_id": "$x"}}});
        assert_eq!(texts(&content), ["new"]);
    }

    #[test]
    fn a_mention_names_the_handle_and_the_user() {
        let user = owned_user_id!("@instagram_5:test");
        let facts =
            OutgoingFacts { mentioned: BTreeMap::from([(user, (RemoteUserId::new("5"), "carol".into()))]), ..facts() };
        let content = json!({"msgtype": "m.text", "body": "hi Carol", "format": "org.matrix.custom.html",
            "formatted_body": "hi <a href=\"https://matrix.to/#/@instagram_5:test\">Carol</a>",
            "m.mentions": {"user_ids": ["@instagram_5:test"]}});
        let parts = send(&content, &facts).unwrap();
        assert_eq!(parts[0].text, "hi @carol");
        assert_eq!(parts[0].mentions, [RemoteUserId::new("5")]);
    }

    #[test]
    fn each_part_of_a_long_text_mentions_and_names_whom_it_is_to() {
        let user = owned_user_id!("@instagram_5:test");
        let mentioned = BTreeMap::from([(user, (RemoteUserId::new("5"), "carol".into()))]);
        let facts = OutgoingFacts { mentioned, max_characters: 100, ..facts() };
        let body = format!("{}@carol", "many words ".repeat(15));
        let parts = send(&json!({"msgtype": "m.text", "body": body}), &facts).unwrap();
        assert!(parts.len() == 2 && parts[0].mentions.is_empty() && parts[1].mentions == [RemoteUserId::new("5")]);
        let mut parts = parts.into_iter().map(OutgoingPart::Text).collect();
        name_speaker(&mut parts, "Dora", "{name}: {text}");
        let is_named =
            |part: &OutgoingPart| matches!(part, OutgoingPart::Text(part) if part.text.starts_with("Dora: "));
        assert!(parts.iter().all(is_named));
    }

    #[test]
    fn the_name_of_a_single_message_is_not_said_twice() {
        let profile = json!({"id": "1", "displayname": "Gracie", "has_fallback": true});
        let content = json!({"msgtype": "m.text", "body": "Gracie: hello", "format": "org.matrix.custom.html",
            "formatted_body": "<strong data-mx-profile-fallback>Gracie: </strong>hello <b>you</b>",
            "com.beeper.per_message_profile": profile});
        let mut content = MessageContent::from_value(&content).unwrap().without_profile_fallback();
        assert_eq!((content.body.as_str(), content.text(&facts()).as_str()), ("hello", "hello *you*"));
        content.whole["com.beeper.per_message_profile"]["has_fallback"] = json!(false);
        content.body = "Gracie: hello".to_owned();
        content.whole["body"] = json!("Gracie: hello");
        assert_eq!(content.without_profile_fallback().body, "Gracie: hello");
    }

    #[test]
    fn what_cannot_be_sent_says_so() {
        for content in [json!({"msgtype": "m.text", "body": ""}), json!({"msgtype": "org.example.odd", "body": "?"})] {
            assert!(!send(&content, &facts()).unwrap_err().statement.is_empty());
        }
    }

    #[test]
    fn fields_of_the_wrong_shape_count_as_absent() {
        let content = json!({"msgtype": "m.text", "body": "x", "m.mentions": 7, "m.relates_to": ["no"]});
        assert_eq!(texts(&content), ["x"]);
    }

    #[test]
    fn a_picture_is_followed_by_its_caption() {
        let content = json!({"msgtype": "m.image", "body": "look!", "filename": "a.jpg", "url": "mxc://test/a"});
        let content = MessageContent::from_value(&content).unwrap();
        let parts = to_remote("m.room.message", &content, &facts()).unwrap();
        let [OutgoingPart::File(file), OutgoingPart::Text(text)] = &parts[..] else { panic!("{parts:?}") };
        assert_eq!((file.kind, file.name.as_str(), text.text.as_str()), (FileKind::Picture, "a.jpg", "look!"));
    }

    #[test]
    fn a_file_without_address_says_so() {
        let content = MessageContent::from_value(&json!({"msgtype": "m.image", "body": "a.jpg"})).unwrap();
        assert!(to_remote("m.room.message", &content, &facts()).is_err());
    }
}
