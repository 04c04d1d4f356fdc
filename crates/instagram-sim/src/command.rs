//! What clients ask for in a send, over the realtime connection (topic 132) or the broadcast endpoint.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

mod attachment;

use crate::{
    error::SimError,
    world::{
        World,
        reaction::Mark,
        send::{NewItem, Sent},
    },
};

/// The fields of a command, all as text: clients mix numbers and strings.
pub(crate) type Fields = HashMap<String, String>;

/// The answer to a send.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

/// Reads a command's JSON object. Nulls are as good as absent.
pub(crate) fn parse(json: &[u8]) -> Option<Fields> {
    let Ok(Value::Object(map)) = serde_json::from_slice(json) else { return None };
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    Some(map.into_iter().filter_map(|(key, value)| Some((key, text(value)?))).collect())
}

/// Carries out a `send_item` of `pk`.
pub(crate) fn send_item(world: &mut World, pk: u64, fields: &Fields, echo_at_us: i64) -> Outcome {
    let context = fields.get("client_context").map(String::as_str);
    let thread = fields.get("thread_id").map(String::as_str).unwrap_or_default();
    if world.thread_of(thread, pk).is_err() {
        return refusal(404, "Thread does not exist", context);
    }
    let kind = fields.get("item_type").map(String::as_str).unwrap_or_default();
    if let Some(sent) = context.and_then(|context| world.sent_before(pk, thread, context)) {
        return accepted(&sent, thread, context);
    }
    let result = match kind {
        "reaction" => return react(world, pk, thread, fields),
        _ => new_item(world, pk, thread, kind, fields).map(|new| world.add_item(pk, thread, new, echo_at_us)),
    };
    match result {
        Ok(Ok(sent)) => accepted(&sent, thread, context),
        Ok(Err(error)) => refusal(400, &error.to_string(), context),
        Err(message) => refusal(400, &message, context),
    }
}

fn new_item(world: &mut World, pk: u64, thread: &str, kind: &str, fields: &Fields) -> Result<NewItem, String> {
    let get = |key: &str| fields.get(key).map(String::as_str);
    let mut content = Map::new();
    let mut text = None;
    if kind.ends_with("_attachment") {
        let (item_type, content) = attachment::uploaded(world, pk, kind, fields)?;
        return Ok(whole(world, thread, item_type, None, content, fields));
    }
    match kind {
        "text" => {
            let given = get("text").filter(|text| !text.is_empty()).ok_or("text is required")?;
            text = Some(given.to_owned());
            if let Some(Ok(Value::Array(users))) = get("mentioned_user_ids").map(serde_json::from_str) {
                content.insert("text_entities".into(), json!({ "mentioned_user_ids": users }));
            }
        }
        "like" => drop(content.insert("like".into(), Value::from("❤"))),
        "link" => {
            let shown = get("link_text").filter(|text| !text.is_empty()).ok_or("link_text is required")?;
            let urls: Vec<String> =
                get("link_urls").and_then(|urls| serde_json::from_str(urls).ok()).unwrap_or_default();
            let url = urls.first().map(String::as_str).unwrap_or_default();
            let link = json!({
                "text": shown,
                "link_context": { "link_url": url, "link_title": "", "link_summary": "", "link_image_url": "" },
                "client_context": get("client_context"),
                "mutation_token": get("client_context"),
            });
            content.insert("link".into(), link);
        }
        "hashtag" => drop(content.insert("hashtag".into(), json!({ "name": get("item_id").or(get("hashtag")) }))),
        "location" => drop(content.insert("location".into(), json!({ "pk": get("venue_id").or(get("item_id")) }))),
        "profile" => {
            let wanted = get("profile_user_id").or(get("item_id")).and_then(|id| id.parse::<u64>().ok());
            let account = wanted.and_then(|pk| world.accounts.get(&pk)).ok_or("unknown profile")?;
            let profile = crate::world::view::user(world, account, false);
            content.insert("profile".into(), profile);
        }
        "media_share" => {
            let id = get("media_id").ok_or("media_id is required")?;
            text = get("text").filter(|text| !text.is_empty()).map(str::to_owned);
            content.insert(kind.into(), attachment::post(world, id));
        }
        "animated_media" => {
            let id = get("id").ok_or("id is required")?;
            content.insert(kind.into(), attachment::animation(world, id));
        }
        "story_share" => {
            let id = get("story_media_id").or(get("media_id")).ok_or("story_media_id is required")?;
            let media = attachment::post(world, id);
            content.insert(kind.into(), json!({ "text": get("text"), "media": media, "reel_id": get("reel_id") }));
        }
        "reel_share" => {
            let media = get("media_id").or(get("item_id")).map(|id| attachment::post(world, id));
            content.insert(kind.into(), json!({ "text": get("text"), "type": "reply", "media": media }));
        }
        other => return Err(format!("unknown item type {other:?}")),
    }
    Ok(whole(world, thread, kind, text, content, fields))
}

/// The item with what every kind may have.
fn whole(
    world: &World,
    thread: &str,
    item_type: &str,
    text: Option<String>,
    content: Map<String, Value>,
    fields: &Fields,
) -> NewItem {
    let get = |key: &str| fields.get(key).map(String::as_str);
    NewItem {
        item_type: item_type.to_owned(),
        text,
        content,
        client_context: get("client_context").map(str::to_owned),
        reply_to: reply_target(world, thread, get("replied_to_item_id"), get("replied_to_client_context")),
        shh: get("is_shh_mode") == Some("1"),
    }
}

/// Instagram wants the answered item's id and its client context; without both it is a plain message.
fn reply_target(world: &World, thread: &str, item: Option<&str>, context: Option<&str>) -> Option<String> {
    let (item, context) = (item?, context?);
    let target = world.threads.get(thread)?.item(item)?;
    let fits = target.client_context.as_deref().is_none_or(|own| own == context);
    (fits && !target.unsent).then(|| item.to_owned())
}

fn react(world: &mut World, pk: u64, thread: &str, fields: &Fields) -> Outcome {
    let get = |key: &str| fields.get(key).map(String::as_str);
    let context = get("client_context");
    let deleted = get("reaction_status") == Some("deleted");
    let emoji = get("emoji").filter(|emoji| !emoji.is_empty()).unwrap_or("❤");
    if get("reaction_type") != Some("like") {
        return refusal(400, "unknown reaction type", context);
    }
    if emoji.is_ascii() || emoji.chars().count() > 16 {
        return refusal(400, "invalid unicode emoji", context);
    }
    let target = get("item_id").unwrap_or_default();
    let mark = if deleted { Mark::Nothing } else { Mark::Emoji(emoji) };
    match world.react(pk, thread, target, mark, context) {
        Ok(timestamp_us) => {
            let sent = Sent { item_id: target.to_owned(), timestamp_us, duplicate: false };
            accepted(&sent, thread, context)
        }
        Err(SimError::UnknownItem(_)) => refusal(404, "target item is not supported", context),
        Err(error) => refusal(400, &error.to_string(), context),
    }
}

fn accepted(sent: &Sent, thread: &str, context: Option<&str>) -> Outcome {
    let answer = json!({
        "action": "item_ack",
        "status_code": "200",
        "payload": {
            "client_context": context,
            "item_id": sent.item_id,
            "timestamp": sent.timestamp_us.to_string(),
            "thread_id": thread,
        },
        "status": "ok",
    });
    Outcome { status: 200, answer }
}

/// A refused send, as it is answered on topic 133.
pub(crate) fn refusal(status: u16, message: &str, context: Option<&str>) -> Outcome {
    let answer = json!({
        "action": "item_ack",
        "status_code": status.to_string(),
        "payload": { "client_context": context, "message": message },
        "status": "fail",
    });
    Outcome { status, answer }
}
