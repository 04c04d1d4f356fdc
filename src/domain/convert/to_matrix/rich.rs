//! Attachments and shared things as Matrix events: one event for each attachment, with the words around them as captions,
//! and the sender's own words as a text of their own.

use serde_json::{Value, json};

use super::{FleetingPolicy, IncomingFacts, Media, Part, RAW_ITEM_KEY, TEXT_BUDGET, notice, raw_item, text_parts};
use crate::domain::convert::split::{json_cost, split};
use crate::domain::event::{Aim, Attachment, AttachmentKind, Fleeting, RawItem, Rich};
use crate::domain::record::Shows;

/// Longest caption, in bytes of JSON.
const CAPTION_BUDGET: usize = 16_000;

/// Most points of a waveform that clients show.
const WAVEFORM: usize = 1024;

/// The events of a rich item, in order; never none.
pub(super) fn parts(rich: &Rich, facts: &IncomingFacts) -> Vec<Part> {
    let shown = rich.fleeting.is_none() || facts.fleeting != FleetingPolicy::Notice;
    if rich.fleeting == Some(Fleeting::Gone) || !shown {
        let said = rich.text.iter().flat_map(|text| text_parts(text, None, facts));
        return std::iter::once(fleeting_notice(rich, facts)).chain(said).collect();
    }
    let things: Vec<&Rich> = std::iter::once(rich).chain(&rich.further).collect();
    let count: usize = things.iter().map(|thing| thing.attachments.len()).sum();
    let mut parts: Vec<Part> = Vec::new();
    let mut number = 0;
    for thing in things {
        let caption = caption(thing, facts);
        // A sticker has no caption: the words come before it.
        let is_sticker = thing.attachments.first().is_some_and(|one| one.kind == AttachmentKind::Sticker);
        if let (true, Some(caption)) = (is_sticker || thing.attachments.is_empty(), &caption) {
            parts.push(words_part(thing, caption));
        }
        for (position, attachment) in thing.attachments.iter().enumerate() {
            let caption = caption.as_ref().filter(|_| position == 0);
            let counter = (count > 1).then(|| format!("{}/{count}", number + 1));
            let words =
                caption.into_iter().chain(&counter).cloned().reduce(|caption, counter| caption + "\n" + &counter);
            let mut part = media_part(thing, attachment, words.as_deref(), facts);
            if let Some(media) = &mut part.media {
                media.number = number;
                media.clip_id = thing.clip_id.clone().filter(|_| position == 0);
            }
            parts.push(part);
            number += 1;
        }
    }
    if let Some(text) = rich.text.as_ref().filter(|text| !text.is_empty()) {
        parts.extend(text_parts(text, None, facts));
    }
    if parts.is_empty() {
        let line = format!("Sent {}.\nOpen it on Instagram: {}", rich.summary, facts.thread_link);
        parts.push(notice(&line).stand_in());
    }
    if let Some(RawItem { item_type, json }) = &rich.raw {
        let raw = raw_item(item_type, Some(json));
        if let Some(media) = &mut parts[0].media {
            media.fallback[RAW_ITEM_KEY] = raw.clone();
        }
        parts[0].content[RAW_ITEM_KEY] = raw;
    }
    parts
}

/// What is said around the attachments: what was shared, its title, its author's words, where it is.
fn caption(rich: &Rich, facts: &IncomingFacts) -> Option<String> {
    if !rich.is_shared {
        return None;
    }
    let summary = || {
        let mut summary = rich.summary.chars();
        let capital = summary.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        let name = facts.aimed_at.as_deref().unwrap_or("somebody");
        let aim = match &rich.aim {
            Some(Aim::Mentions(_)) => format!(" that mentions {name}"),
            Some(Aim::Tags(_)) => format!(" that tags {name}"),
            Some(Aim::Said(line)) => format!("\n{line}"),
            None => String::new(),
        };
        format!("{capital}{}{aim}", summary.as_str())
    };
    let reaction = rich.reaction.as_ref().map(|emoji| {
        let target = rich.summary.strip_prefix("a reaction to ").unwrap_or("a story");
        format!("Reacted {emoji} to {target}")
    });
    let first = reaction.or_else(|| rich.explanation.clone()).unwrap_or_else(summary);
    let lines =
        [Some(&first), rich.explanation.as_ref(), rich.title.as_ref(), rich.caption.as_ref(), rich.link.as_ref()];
    let mut said: Vec<&str> = Vec::new();
    for line in lines.into_iter().flatten().map(|line| line.trim()) {
        if !line.is_empty() && !said.contains(&line) {
            said.push(line);
        }
    }
    let whole = said.join("\n");
    let shown = split(&whole, CAPTION_BUDGET, json_cost)[0];
    // The link survives whatever the length of the words before it.
    let cut = if shown.len() < whole.len() { "…" } else { "" };
    let link = rich.link.clone().unwrap_or_else(|| format!("Open it on Instagram: {}", facts.thread_link));
    let is_said = said.contains(&link.as_str());
    Some(if is_said && cut.is_empty() { shown.to_owned() } else { format!("{shown}{cut}\n{link}") })
}

/// Words about something. News, and what is gone, with no word of the sender: nobody said anything.
fn words_part(thing: &Rich, words: &str) -> Part {
    let is_said = thing.text.as_ref().is_some_and(|text| !text.is_empty()) || thing.reaction.is_some();
    let msgtype = if !is_said && (thing.is_news || thing.is_gone) { "m.notice" } else { "m.text" };
    Part::message(json!({"msgtype": msgtype, "body": split(words, TEXT_BUDGET, json_cost)[0], "m.mentions": {}}))
}

fn media_part(rich: &Rich, attachment: &Attachment, caption: Option<&str>, facts: &IncomingFacts) -> Part {
    let kind = match attachment.kind {
        AttachmentKind::Sticker => "m.sticker",
        _ => "m.room.message",
    };
    let mut content = match attachment.kind {
        AttachmentKind::Photo | AttachmentKind::Animated => json!({"msgtype": "m.image"}),
        AttachmentKind::Video => json!({"msgtype": "m.video"}),
        AttachmentKind::Voice => voice(attachment),
        AttachmentKind::Sticker | AttachmentKind::Preview => json!({}),
    };
    content["m.mentions"] = json!({});
    content["info"] = info(attachment);
    // A sticker has no caption; its body is a description.
    match caption.filter(|_| attachment.kind != AttachmentKind::Sticker) {
        Some(caption) => content["body"] = Value::from(caption),
        None if attachment.kind == AttachmentKind::Sticker => content["body"] = Value::from("Sticker"),
        None => {}
    }
    let media = Media {
        attachment: attachment.clone(),
        number: 0,
        clip_id: None,
        fallback: fallback(rich, caption, facts),
        fleeting: rich.fleeting.is_some() && facts.fleeting == FleetingPolicy::MediaThenRedact,
    };
    Part { kind, content, media: Some(media), shows: Shows::File }
}

/// What is known of a file before it is here.
pub fn info(attachment: &Attachment) -> Value {
    let mut info = json!({});
    if let (Some(width), Some(height)) = (attachment.width, attachment.height) {
        info["w"] = width.into();
        info["h"] = height.into();
    }
    if let Some(duration) = attachment.duration_ms {
        info["duration"] = duration.into();
    }
    if attachment.kind == AttachmentKind::Animated {
        add_loop_hints(&mut info);
    } else if attachment.kind == AttachmentKind::Sticker {
        info["org.matrix.msc4230.is_animated"] = Value::from(false);
    }
    info
}

/// Tells clients that a picture moves, and is to be shown like that.
pub fn add_loop_hints(info: &mut Value) {
    for hint in
        ["org.matrix.msc4230.is_animated", "fi.mau.loop", "fi.mau.autoplay", "fi.mau.hide_controls", "fi.mau.no_audio"]
    {
        info[hint] = Value::from(true);
    }
}

/// A voice message: a sound with a flag, its length and its loudness.
fn voice(attachment: &Attachment) -> Value {
    // Of several points that become one, the loudest.
    let points = attachment.waveform.len().div_ceil(WAVEFORM).max(1);
    let loudest = |levels: &[f32]| levels.iter().fold(0.0_f32, |loudest, level| loudest.max(*level));
    let waveform: Vec<u16> =
        attachment.waveform.chunks(points).map(|levels| (loudest(levels).clamp(0.0, 1.0) * 1024.0) as u16).collect();
    json!({
        "msgtype": "m.audio",
        "org.matrix.msc3245.voice": {},
        "org.matrix.msc1767.audio": {"duration": attachment.duration_ms.unwrap_or_default(), "waveform": waveform},
    })
}

/// What is sent when the media cannot be had: what it was, the words around it, and where to see it.
fn fallback(rich: &Rich, caption: Option<&str>, facts: &IncomingFacts) -> Value {
    let mut body = format!("Sent {}, but the bridge could not fetch the file.", rich.summary);
    if let Some(caption) = caption {
        body.push('\n');
        body.push_str(caption);
    }
    let link = rich.link.as_deref().unwrap_or(&facts.thread_link);
    if !body.contains(link) {
        body.push_str("\nOpen it on Instagram: ");
        body.push_str(link);
    }
    json!({"msgtype": "m.notice", "body": body, "m.mentions": {}})
}

fn fleeting_notice(rich: &Rich, facts: &IncomingFacts) -> Part {
    let what = &rich.summary;
    let line = match rich.fleeting {
        Some(Fleeting::Once) => format!("Sent {what} that can be seen once."),
        Some(Fleeting::Replayable) => format!("Sent {what} that can be seen twice."),
        Some(Fleeting::Gone) | None => format!("Sent {what}."),
    };
    notice(&format!("{line}\nOpen it in the Instagram app: {}", facts.thread_link)).stand_in()
}
