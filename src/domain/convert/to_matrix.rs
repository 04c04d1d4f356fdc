//! Turns an Instagram item into the contents of Matrix events.

use ruma::{OwnedEventId, OwnedUserId};
use serde_json::{Value, json};

use super::split::{json_cost, split};
use crate::domain::event::{Item, ItemContent};

/// Bytes of JSON one part of a text may take. An event may have 65,536 in all, signatures and our own fields included.
const TEXT_BUDGET: usize = 48_000;

/// The key under which a notice keeps an item that could not be shown.
pub const RAW_ITEM_KEY: &str = "dev.puppetgram.item";

/// What has to be known besides the item.
#[derive(Clone, Debug, Default)]
pub struct IncomingFacts {
    /// The event answered, when it was bridged.
    pub reply_to: Option<OwnedEventId>,
    /// Matrix users that stand for the mentioned Instagram users.
    pub mentions: Vec<OwnedUserId>,
    /// Link to the thread on Instagram.
    pub thread_link: String,
}

/// The contents of the `m.room.message` events, in order. Nothing at all for what a room need not show.
pub fn to_matrix(item: &Item, facts: &IncomingFacts) -> Vec<Value> {
    match &item.content {
        ItemContent::Text { text, .. } => text_parts(text, facts),
        ItemContent::Unsupported { item_type, summary, text, raw } => {
            vec![unsupported(item_type, summary, text.as_deref(), raw.as_deref(), facts)]
        }
        ItemContent::Admin(Some(line)) => vec![json!({"msgtype": "m.notice", "body": line, "m.mentions": {}})],
        ItemContent::Admin(None) => Vec::new(),
    }
}

/// The content of an event that replaces another (an edit), with the fallback for clients that do not know edits.
pub fn replacement(content: &Value, event: &ruma::EventId) -> Value {
    let mut fresh = content.clone();
    if let Some(fresh) = fresh.as_object_mut() {
        fresh.remove("m.relates_to");
    }
    let mut edit = fresh.clone();
    if let Some(body) = edit["body"].as_str() {
        edit["body"] = Value::from(format!("* {body}"));
    }
    edit["m.new_content"] = fresh;
    edit["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": event});
    edit
}

/// The content of an event that says what another one, which cannot be edited, now says on Instagram.
pub fn correction(content: &Value, event: &ruma::EventId) -> Value {
    let mut answer = content.clone();
    answer["body"] = Value::from(format!("Edited: {}", content["body"].as_str().unwrap_or_default()));
    answer["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
    answer
}

fn text_parts(text: &str, facts: &IncomingFacts) -> Vec<Value> {
    let (msgtype, text) = match text.strip_prefix("/me ") {
        Some(action) => ("m.emote", action),
        None => ("m.text", text),
    };
    let mut parts: Vec<Value> = split(text, TEXT_BUDGET, json_cost)
        .into_iter()
        .map(|body| json!({"msgtype": msgtype, "body": body, "m.mentions": {}}))
        .collect();
    let first = &mut parts[0];
    if !facts.mentions.is_empty() {
        first["m.mentions"] = json!({"user_ids": facts.mentions});
    }
    add_reply(first, facts);
    parts
}

fn unsupported(item_type: &str, summary: &str, text: Option<&str>, raw: Option<&str>, facts: &IncomingFacts) -> Value {
    let mut body = format!("Sent {summary}, which this bridge cannot show yet.");
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let shown = split(text, 8_000, json_cost)[0];
        body.push('\n');
        body.push_str(shown);
    }
    body.push_str("\nOpen it on Instagram: ");
    body.push_str(&facts.thread_link);
    let mut content = json!({"msgtype": "m.notice", "body": body, "m.mentions": {}});
    content[RAW_ITEM_KEY] = match raw {
        Some(raw) => json!({"item_type": item_type, "raw": raw}),
        None => json!({"item_type": item_type}),
    };
    add_reply(&mut content, facts);
    content
}

fn add_reply(content: &mut Value, facts: &IncomingFacts) {
    if let Some(event) = &facts.reply_to {
        content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_event_id, owned_user_id};

    use super::*;
    use crate::domain::ids::{ItemId, Timestamp};

    fn item(content: ItemContent) -> Item {
        Item {
            id: ItemId::new("1"),
            sender: None,
            at: Timestamp(0),
            client_context: None,
            reply_to: None,
            content,
            kind: "text".to_owned(),
            reactions: None,
            vanishing: false,
        }
    }

    fn text(text: &str) -> Item {
        item(ItemContent::Text { text: text.into(), mentions: Vec::new() })
    }

    #[test]
    fn every_byte_of_a_text_survives() {
        for body in ["", " ", "\n\n", "a\u{202e}b\u{200f}", "\u{1}\u{7f}\0", "👩‍👩‍👧‍👦 🇩🇪", "**no** <b>markup</b>"]
        {
            let parts = to_matrix(&text(body), &IncomingFacts::default());
            assert_eq!(parts.len(), 1);
            assert_eq!(parts[0]["body"], body);
            assert_eq!(parts[0]["msgtype"], "m.text");
        }
    }

    #[test]
    fn a_text_larger_than_an_event_is_split_and_nothing_is_lost() {
        let long = "wörd \"quoted\" \u{1}\n".repeat(20_000);
        let parts = to_matrix(&text(&long), &IncomingFacts::default());
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| serde_json::to_string(part).unwrap().len() < 50_000));
        let joined: String = parts.iter().map(|part| part["body"].as_str().unwrap()).collect();
        assert_eq!(joined, long);
    }

    #[test]
    fn a_leading_slash_me_is_an_emote() {
        let parts = to_matrix(&text("/me waves"), &IncomingFacts::default());
        assert_eq!(parts[0]["msgtype"], "m.emote");
        assert_eq!(parts[0]["body"], "waves");
    }

    #[test]
    fn replies_and_mentions_are_on_the_first_part() {
        let facts = IncomingFacts {
            reply_to: Some(owned_event_id!("$target")),
            mentions: vec![owned_user_id!("@instagram_5:test")],
            thread_link: String::new(),
        };
        let parts = to_matrix(&text("hi @carol"), &facts);
        assert_eq!(parts[0]["m.relates_to"]["m.in_reply_to"]["event_id"], "$target");
        assert_eq!(parts[0]["m.mentions"]["user_ids"][0], "@instagram_5:test");
    }

    #[test]
    fn an_unsupported_item_says_what_it_was_and_where_to_see_it() {
        let facts = IncomingFacts { thread_link: "https://www.instagram.com/direct/t/1/".into(), ..Default::default() };
        let content = ItemContent::Unsupported {
            item_type: "media".into(),
            summary: "a photo".into(),
            text: None,
            raw: Some("{}".into()),
        };
        let parts = to_matrix(&item(content), &facts);
        let body = parts[0]["body"].as_str().unwrap();
        assert_eq!(parts[0]["msgtype"], "m.notice");
        assert!(body.contains("a photo") && body.contains("https://www.instagram.com/direct/t/1/"));
        assert_eq!(parts[0][RAW_ITEM_KEY]["item_type"], "media");
    }
}
