//! Turns an Instagram item into the contents of Matrix events.

mod rich;

use ruma::{EventId, OwnedEventId, OwnedUserId};
use serde_json::{Value, json};

pub use rich::{add_loop_hints, info};

use super::split::{json_cost, split};
use crate::domain::event::{Attachment, AttachmentKind, Item, ItemContent, Place, Preview};
use crate::domain::record::Shows;

/// Bytes of JSON one part of a text may take. An event may have 65,536 in all, signatures and our own fields included.
const TEXT_BUDGET: usize = 48_000;

/// Bytes of JSON that an item kept as it came may take.
const RAW_BUDGET: usize = 16_000;

/// The key under which an event keeps an item that could not be shown, or not for certain in full.
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
    /// What becomes of media that disappear.
    pub fleeting: FleetingPolicy,
    /// What whom a shared thing is about is called: "you", "@bob".
    pub aimed_at: Option<String>,
}

/// What becomes of media that disappear on Instagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetingPolicy {
    /// A line says that there is something to be seen in the app.
    #[default]
    Notice,
    /// They are bridged like any other.
    Media,
    /// They are bridged, and redacted after a while.
    MediaThenRedact,
}

/// One event to be sent for an item.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// The type of the event.
    pub kind: &'static str,
    /// Its content; with media, all but what depends on the file.
    pub content: Value,
    /// What has to be copied to the homeserver first.
    pub media: Option<Media>,
    /// What it shows; a file that cannot be had becomes a stand-in.
    pub shows: Shows,
}

/// Media of an event.
#[derive(Clone, PartialEq, Debug)]
pub struct Media {
    /// Where it is.
    pub attachment: Attachment,
    /// Its position among the attachments of the item.
    pub number: usize,
    /// The video of a shared reel has to be asked for under this id.
    pub clip_id: Option<String>,
    /// The content to be sent when the media cannot be had; without one it is sent as it is.
    pub fallback: Value,
    /// Redact the event after a while.
    pub fleeting: bool,
}

impl Media {
    /// What is sent in the place of `content` when the media cannot be had.
    pub fn fallback_for(&self, content: &Value) -> Value {
        if self.fallback.is_null() { content.clone() } else { self.fallback.clone() }
    }
}

impl Part {
    fn message(content: Value) -> Self {
        Self { kind: "m.room.message", content, media: None, shows: Shows::Words }
    }

    fn stand_in(self) -> Self {
        Self { shows: Shows::StandIn, ..self }
    }
}

/// The events, in order. None at all for what a room need not show.
pub fn to_matrix(item: &Item, facts: &IncomingFacts) -> Vec<Part> {
    let mut parts = match &item.content {
        ItemContent::Text { text, preview, .. } => text_parts(text, preview.as_ref(), facts),
        ItemContent::Rich(rich) => rich::parts(rich, facts),
        ItemContent::Location(place) => vec![Part::message(location(place))],
        ItemContent::Notice { line, in_app: false } => vec![notice(line)],
        ItemContent::Notice { line, in_app: true } => vec![notice(&in_app(line, facts))],
        ItemContent::Withheld(line) => vec![notice(&in_app(line, facts)).stand_in()],
        ItemContent::Unsupported { item_type, summary, text, raw } => {
            vec![Part::message(unsupported(item_type, summary, text.as_deref(), raw.as_deref(), facts)).stand_in()]
        }
        ItemContent::Admin(Some(line)) => vec![notice(line)],
        ItemContent::Admin(None) => Vec::new(),
    };
    if let Some(first) = parts.first_mut() {
        add_reply(&mut first.content, facts);
        if let Some(media) = first.media.as_mut().filter(|media| !media.fallback.is_null()) {
            add_reply(&mut media.fallback, facts);
        }
    }
    if item.vanishing {
        for part in &mut parts {
            part.content["dev.puppetgram.vanish_mode"] = Value::from(true);
        }
    }
    parts
}

/// The content of an event that replaces another (an edit), with the fallback for clients that do not know edits.
pub fn replacement(content: &Value, event: &EventId) -> Value {
    let mut fresh = content.clone();
    if let Some(fresh) = fresh.as_object_mut() {
        fresh.remove("m.relates_to");
    }
    let mut edit = fresh.clone();
    if let Some(body) = edit["body"].as_str() {
        edit["body"] = Value::from(format!("* {body}"));
    }
    // Here stands only whom the edit mentions anew; whom it mentions in all stands inside.
    edit["m.mentions"] = json!({});
    edit["m.new_content"] = fresh;
    edit["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": event});
    edit
}

/// The content of an event that says what another one, which cannot be edited, now says on Instagram.
pub fn correction(content: &Value, event: &EventId) -> Value {
    let mut answer = content.clone();
    answer["body"] = Value::from(format!("Edited: {}", content["body"].as_str().unwrap_or_default()));
    answer["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
    answer
}

fn in_app(line: &str, facts: &IncomingFacts) -> String {
    format!("{line}\nOpen it on Instagram: {}", facts.thread_link)
}

fn notice(line: &str) -> Part {
    Part::message(json!({"msgtype": "m.notice", "body": split(line, TEXT_BUDGET, json_cost)[0], "m.mentions": {}}))
}

fn text_parts(text: &str, preview: Option<&Preview>, facts: &IncomingFacts) -> Vec<Part> {
    let (msgtype, text) = match text.strip_prefix("/me ") {
        Some(action) => ("m.emote", action),
        None => ("m.text", text),
    };
    let mut parts: Vec<Part> = split(text, TEXT_BUDGET, json_cost)
        .into_iter()
        .map(|body| Part::message(json!({"msgtype": msgtype, "body": body, "m.mentions": {}})))
        .collect();
    let Part { content: first, media, .. } = &mut parts[0];
    if !facts.mentions.is_empty() {
        first["m.mentions"] = json!({"user_ids": facts.mentions});
    }
    if let Some(Preview { url, title, summary, image }) = preview {
        let mut shown = json!({"matched_url": url, "og:url": url});
        let short = |text: &String| text.chars().take(500).collect::<String>();
        if let Some(title) = title {
            shown["og:title"] = Value::from(short(title));
        }
        if let Some(summary) = summary {
            shown["og:description"] = Value::from(short(summary));
        }
        first["com.beeper.linkpreviews"] = json!([shown]);
        *media = image.as_ref().map(|url| Media {
            attachment: Attachment { kind: AttachmentKind::Preview, urls: vec![url.clone()], ..Attachment::default() },
            number: 0,
            clip_id: None,
            fallback: Value::Null,
            fleeting: false,
        });
    }
    parts
}

/// A place with coordinates is one for maps; else its words have to do.
fn location(place: &Place) -> Value {
    let words: Vec<&str> =
        [&place.name, &place.address, &place.link].into_iter().flatten().map(String::as_str).collect();
    let body = if words.is_empty() { "A location".to_owned() } else { words.join("\n") };
    let Some((latitude, longitude)) = place.coordinates else {
        return json!({"msgtype": "m.text", "body": body, "m.mentions": {}});
    };
    let uri = format!("geo:{latitude},{longitude}");
    json!({
        "msgtype": "m.location", "body": body, "geo_uri": uri, "m.mentions": {},
        "org.matrix.msc3488.location": {"uri": uri, "description": place.name},
        "org.matrix.msc3488.asset": {"type": "m.pin"},
    })
}

fn unsupported(item_type: &str, summary: &str, text: Option<&str>, raw: Option<&str>, facts: &IncomingFacts) -> Value {
    let mut body = format!("Sent {summary}, which this bridge cannot show.");
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let shown = split(text, 8_000, json_cost)[0];
        body.push('\n');
        body.push_str(shown);
    }
    body.push_str("\nOpen it on Instagram: ");
    body.push_str(&facts.thread_link);
    let mut content = json!({"msgtype": "m.notice", "body": body, "m.mentions": {}});
    content[RAW_ITEM_KEY] = raw_item(item_type, raw);
    content
}

/// An item as it came, as far as there is room for it.
fn raw_item(item_type: &str, raw: Option<&str>) -> Value {
    let mut kept = json!({"item_type": item_type.chars().take(100).collect::<String>()});
    if let Some(raw) = raw {
        let fits = split(raw, RAW_BUDGET, json_cost)[0];
        kept["raw"] = Value::from(fits);
        if fits.len() < raw.len() {
            kept["truncated"] = Value::from(true);
        }
    }
    kept
}

fn add_reply(content: &mut Value, facts: &IncomingFacts) {
    if let Some(event) = &facts.reply_to {
        content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": event}});
    }
}

#[cfg(test)]
mod tests;
