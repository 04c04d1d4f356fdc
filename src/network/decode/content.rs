//! What an item says, from Instagram's kinds to the bridge's few.

use instagram::item::{CallAction, Content, Item as WireItem, Media, MediaKind, Share, ViewMode};

use crate::domain::event::{Attachment, AttachmentKind, Fleeting, ItemContent, Place, Preview, Rich};
use crate::domain::ids::RemoteUserId;

/// Raw items larger than this are not kept in an event.
const RAW_LIMIT: usize = 16_000;

/// The content of an item. Nothing is ever lost: what is not understood says what it was, and keeps its raw form.
pub(super) fn of(item: &WireItem) -> ItemContent {
    match item.content() {
        Content::Text { text, preview } => ItemContent::Text {
            text,
            mentions: item.mentioned_user_ids.iter().map(RemoteUserId::new).collect(),
            preview: preview.map(|link| Preview {
                url: link.url,
                title: link.title,
                summary: link.summary,
                image: link.image,
            }),
        },
        // Without any address there is nothing to show, and the raw form says most.
        Content::Media(media) if media.iter().any(|one| one.url.is_some()) => rich(Rich {
            summary: item.summary(),
            text: item.text.clone().filter(|text| !text.is_empty()),
            attachments: media.iter().map(attachment).collect(),
            ..Rich::default()
        }),
        Content::Disappearing { view_mode, media, .. } => rich(Rich {
            summary: item.summary(),
            fleeting: match (&media, view_mode) {
                (None, _) => Some(Fleeting::Gone),
                (Some(_), ViewMode::Permanent) => None,
                (Some(_), ViewMode::Replayable) => Some(Fleeting::Replayable),
                (Some(_), ViewMode::Once | ViewMode::Other) => Some(Fleeting::Once),
            },
            attachments: media.iter().map(attachment).collect(),
            ..Rich::default()
        }),
        Content::Share(share) => shared(item, *share),
        Content::Location { name, address, latitude, longitude, link } => {
            ItemContent::Location(Box::new(Place { name, address, coordinates: latitude.zip(longitude), link }))
        }
        Content::Call { description, action } => ItemContent::Notice {
            in_app: action == CallAction::Started || description.is_none(),
            line: description.unwrap_or_else(|| capitalised(&item.summary())),
        },
        Content::Placeholder { title, message } => {
            let said: Vec<String> = [title, message].into_iter().flatten().collect();
            let what = capitalised(&item.summary());
            let line = if said.is_empty() { format!("{what}.") } else { format!("{what}: {}", said.join(" – ")) };
            ItemContent::Withheld(line)
        }
        Content::Action(line) => ItemContent::Admin(line),
        Content::Internal => ItemContent::Admin(None),
        Content::Media(_) | Content::Unknown => ItemContent::Unsupported {
            item_type: item.item_type.clone(),
            summary: item.summary(),
            text: item.best_text().into_iter().chain(item.best_link()).reduce(|text, link| format!("{text}\n{link}")),
            raw: item.raw.clone().filter(|raw| raw.len() <= RAW_LIMIT),
        },
    }
}

fn rich(rich: Rich) -> ItemContent {
    ItemContent::Rich(Box::new(rich))
}

fn shared(item: &WireItem, share: Share) -> ItemContent {
    let Share { author, title, caption, link, explanation, text, reaction, media, expired, clip_id, note, .. } = share;
    rich(Rich {
        summary: item.summary(),
        is_shared: true,
        // With an author the summary says more.
        explanation: explanation.filter(|_| author.is_none()),
        title,
        caption: caption.or(note),
        link,
        text,
        reaction,
        attachments: media.iter().filter(|one| one.url.is_some() || clip_id.is_some()).map(attachment).collect(),
        is_gone: expired,
        fleeting: None,
        clip_id,
    })
}

fn attachment(media: &Media) -> Attachment {
    Attachment {
        kind: match media.kind {
            MediaKind::Photo => AttachmentKind::Photo,
            MediaKind::Video => AttachmentKind::Video,
            MediaKind::Voice => AttachmentKind::Voice,
            MediaKind::Animated => AttachmentKind::Animated,
            MediaKind::Sticker => AttachmentKind::Sticker,
        },
        id: media.id.clone(),
        urls: media.url.iter().chain(&media.alternatives).cloned().collect(),
        width: media.width,
        height: media.height,
        duration_ms: media.duration_ms,
        waveform: media.waveform.clone(),
        thumbnail: media.thumbnail.as_ref().map(|picture| picture.url.clone()),
    }
}

fn capitalised(phrase: &str) -> String {
    let mut chars = phrase.chars();
    chars.next().map(|first| first.to_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}
