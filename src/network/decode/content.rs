//! What an item says, from Instagram's kinds to the bridge's few.

use instagram::item::{CallAction, Card, Content, Item as WireItem, Media, MediaKind, Share, ShareKind, ViewMode};

use crate::domain::event::{Aim, Attachment, AttachmentKind, Fleeting, ItemContent, Place, Preview, RawItem, Rich};
use crate::domain::ids::RemoteUserId;

/// The content of an item. Nothing is ever lost: what is not understood says what it was, and keeps its raw form.
pub(super) fn of(item: &WireItem) -> ItemContent {
    match item.content() {
        Content::Text { text, preview } => ItemContent::Text {
            text,
            mentions: mentioned(item),
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
            mentions: mentioned(item),
            attachments: media.iter().map(attachment).collect(),
            raw: raw_of_unknown(item),
            ..Rich::default()
        }),
        Content::Disappearing { view_mode, media, .. } => rich(Rich {
            summary: item.summary(),
            text: item.text.clone().filter(|text| !text.is_empty()),
            mentions: mentioned(item),
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
            raw: item.raw.clone(),
        },
    }
}

fn mentioned(item: &WireItem) -> Vec<RemoteUserId> {
    item.mentioned_user_ids.iter().map(RemoteUserId::new).collect()
}

fn rich(rich: Rich) -> ItemContent {
    ItemContent::Rich(Box::new(rich))
}

fn shared(item: &WireItem, share: Share) -> ItemContent {
    let Share { author, title, caption, link, explanation, text, reaction, media, expired, clip_id, note, .. } = share;
    let is_mention = share.kind == ShareKind::StoryMention;
    let of_user = |id: Option<String>, aim: fn(RemoteUserId) -> Aim| id.map(|id| aim(RemoteUserId::new(id)));
    let aim = of_user(share.mentioned, Aim::Mentions).or(of_user(share.tagged, Aim::Tags));
    rich(Rich {
        summary: item.summary(),
        is_shared: true,
        aim: aim.or_else(|| explanation.clone().filter(|_| is_mention).map(Aim::Said)),
        // With an author the summary says more.
        explanation: explanation.filter(|_| author.is_none() && !is_mention),
        title,
        caption: caption.or(note),
        link,
        text,
        mentions: mentioned(item),
        reaction,
        attachments: media.iter().filter(|one| one.url.is_some() || clip_id.is_some()).map(attachment).collect(),
        is_gone: expired,
        is_news: matches!(share.kind, ShareKind::Live | ShareKind::Guide)
            || matches!(item.item_type.as_str(), "poll_vote" | "ar_effect"),
        fleeting: None,
        clip_id,
        further: share.further.into_iter().map(card).collect(),
        raw: raw_of_unknown(item),
    })
}

fn card(card: Card) -> Rich {
    let Card { summary, title, caption, link, media, clip_id } = card;
    let attachments = media.iter().filter(|one| one.url.is_some() || clip_id.is_some()).map(attachment).collect();
    Rich { summary, is_shared: true, title, caption, link, attachments, clip_id, ..Rich::default() }
}

/// What is understood of a kind not seen before may not be all.
fn raw_of_unknown(item: &WireItem) -> Option<RawItem> {
    let json = item.raw.clone().filter(|_| !item.has_known_kind())?;
    Some(RawItem { item_type: item.item_type.clone(), json })
}

pub(super) fn attachment(media: &Media) -> Attachment {
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
