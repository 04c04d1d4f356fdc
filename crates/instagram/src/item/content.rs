//! What an item shows, typed by kind. Read from the raw text on demand; what is missing or of another shape is absent,
//! and what is understood in nothing is [`Content::Unknown`].

mod media;

use crate::number::Object;

use super::describe::{Parts, web_link};
use super::{HEART, Item};

pub use media::{Media, MediaKind};

/// What an item shows.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// Words alone: a text, a like, a link.
    Text {
        /// Byte for byte.
        text: String,
        /// What a link in it leads to.
        preview: Option<LinkPreview>,
    },
    /// The sender's own photos, videos, voice message, GIF or sticker; several are attachments of one message.
    Media(Vec<Media>),
    /// A photo or video that disappears.
    Disappearing {
        /// How often it may be seen.
        view_mode: ViewMode,
        /// None once it cannot be had any more.
        media: Option<Media>,
    },
    /// Something of somebody that was shared: a post, reel, story, profile, note, product, piece of music, answer.
    Share(Box<Share>),
    /// A place.
    Location(Location),
    /// A call started or ended.
    Call {
        /// In Instagram's words.
        description: Option<String>,
    },
    /// A line about the chat; none if there is nothing to show.
    Action(Option<String>),
    /// Instagram does not hand the content out to this app.
    Placeholder {
        /// In Instagram's words.
        message: Option<String>,
    },
    /// The app shows nothing.
    Internal,
    /// Never seen before, or understood in nothing: [`Item::summary`] and its neighbours still speak.
    Unknown,
}

/// What a link leads to.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkPreview {
    /// The address.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// A few words about it.
    pub summary: Option<String>,
}

/// How often something that disappears may be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewMode {
    /// Once.
    Once,
    /// Once more.
    Replayable,
    /// As often as wanted.
    Permanent,
}

/// Something of somebody that was shared.
#[derive(Clone, PartialEq, Default)]
pub struct Share {
    /// The author's handle.
    pub author: Option<String>,
    /// Heading.
    pub title: Option<String>,
    /// The author's words.
    pub caption: Option<String>,
    /// A plain `https` address.
    pub link: Option<String>,
    /// What the sender wrote beside it.
    pub text: Option<String>,
    /// The emoji of a reaction to a story.
    pub reaction: Option<String>,
    /// Its pictures and videos.
    pub media: Vec<Media>,
    /// It cannot be seen any more.
    pub expired: bool,
    /// `<pk>_<owner>` of a reel whose video has to be asked for with `clips/item/`.
    pub clip_id: Option<String>,
}

/// A place.
#[derive(Clone, PartialEq, Default)]
pub struct Location {
    /// What it is called.
    pub name: Option<String>,
    /// Street and town.
    pub address: Option<String>,
    /// Degrees north and east.
    pub coordinates: Option<(f64, f64)>,
}

impl Item {
    /// What it shows.
    pub fn content(&self) -> Content {
        let raw = self.raw.as_deref().unwrap_or("{}");
        let Some(object) = Object::parse(raw) else { return Content::Unknown };
        let parts = Parts::of(&object, &self.item_type);
        match self.item_type.as_str() {
            "text" | "like" | "link" => match self.body() {
                Some(text) => Content::Text { text: text.to_owned(), preview: self.preview() },
                None => Content::Unknown,
            },
            "media" => own_media(media::all_of(parts.as_ref().and_then(|parts| parts.media.as_ref()))),
            "voice_media" => {
                own_media(parts.as_ref().and_then(|parts| media::voice(&parts.object)).into_iter().collect())
            }
            "animated_media" => {
                own_media(parts.as_ref().and_then(|parts| media::animated(&parts.object)).into_iter().collect())
            }
            "static_sticker" | "selfie_sticker" | "avatar_sticker" => {
                let stickers: Vec<Media> = object.objects(&self.item_type).iter().filter_map(media::sticker).collect();
                own_media(stickers)
            }
            "raven_media" => disappearing(parts.as_ref()),
            "location" => location(parts.as_ref()),
            "video_call_event" => {
                Content::Call { description: parts.and_then(|parts| parts.object.text("description")) }
            }
            "placeholder" | "expired_placeholder" => {
                let message = parts.and_then(|parts| parts.object.text("message"));
                Content::Placeholder { message: message.or_else(|| self.text.clone()).filter(|text| !text.is_empty()) }
            }
            "action_log" => Content::Action(self.action.clone().filter(|line| !line.is_empty() && !self.hidden)),
            "reaction_log" | "user_reaction" | "history_edit" | "deletion" | "title" | "type_max" | "test"
            | "deprecated_channel" => Content::Internal,
            _ => match parts {
                Some(parts) => self.share_or_media(&object, &parts),
                None => Content::Unknown,
            },
        }
    }

    fn preview(&self) -> Option<LinkPreview> {
        let link = self.link.as_ref()?;
        let url = web_link(link.url.as_deref()?)?;
        let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (title, summary) = (present(&link.title), present(&link.summary));
        (title.is_some() || summary.is_some()).then_some(LinkPreview { url, title, summary })
    }

    /// Everything that is shared has the same fields in differing places. An unknown kind whose content has pictures or
    /// videos is taken for attachments (a guess: that is how several of them in one message may come).
    fn share_or_media(&self, object: &Object<'_>, parts: &Parts<'_>) -> Content {
        let cards = object.objects(&self.item_type);
        let mut media: Vec<Media> = cards.iter().filter_map(media::card).collect();
        if media.is_empty() {
            media = media::shared(parts);
        }
        if media.is_empty() {
            media = cards.iter().flat_map(|card| media::all_of(Some(card))).collect();
        }
        if !self.is_known() {
            return if media.is_empty() { Content::Unknown } else { Content::Media(media) };
        }
        let field = |keys: &[&str]| keys.iter().find_map(|key| parts.object.text(key)).filter(|text| !text.is_empty());
        let caption = parts.media.as_ref().and_then(|media| media.object("caption")?.text("text"));
        let is_card = self.item_type == "generic_xma" || self.item_type.starts_with("xma_");
        let own = if is_card { self.text.clone() } else { parts.object.text("text").or_else(|| self.text.clone()) };
        let reacts = match is_card {
            true => object.text("message_item_type").as_deref() == Some("reaction"),
            false => parts.object.text("type").as_deref() == Some("reaction") || self.item_type == "reel_react",
        };
        let emoji = parts.object.object("reaction_info").and_then(|info| info.text("emoji"));
        let reaction = reacts.then(|| emoji.or_else(|| own.clone()).unwrap_or_else(|| HEART.to_owned()));
        Content::Share(Box::new(Share {
            author: parts.owner(),
            title: field(&["title_text", "title", "full_name", "name"])
                .filter(|title| Some(title) != parts.owner().as_ref()),
            caption: caption
                .filter(|text| !text.is_empty())
                .or_else(|| field(&["caption_body_text", "subtitle_text", "message"])),
            link: self.best_link(),
            text: own.filter(|text| !text.is_empty() && reaction.is_none()),
            reaction,
            expired: media.is_empty() && parts.object.has("reason"),
            clip_id: parts.object.text("target_url").as_deref().and_then(clip_id),
            media,
        }))
    }

    /// Whether this kind is in the table of shared things (docs/protocol.md).
    fn is_known(&self) -> bool {
        const KINDS: [&str; 18] = [
            "media_share",
            "direct_media_share",
            "clip",
            "felix_share",
            "guide_share",
            "story_share",
            "reel_share",
            "reel_react",
            "profile",
            "hashtag",
            "product",
            "product_share",
            "cta_link",
            "live_video_share",
            "live_invite_guest",
            "live_viewer_invite",
            "poll_vote",
            "ar_effect",
        ];
        let kind = self.item_type.as_str();
        KINDS.contains(&kind) || kind == "generic_xma" || kind.starts_with("xma_")
    }
}

fn own_media(media: Vec<Media>) -> Content {
    if media.is_empty() { Content::Unknown } else { Content::Media(media) }
}

fn disappearing(parts: Option<&Parts<'_>>) -> Content {
    let view_mode = match parts.and_then(|parts| parts.object.text("view_mode")).as_deref() {
        Some("permanent") => ViewMode::Permanent,
        Some("replayable") => ViewMode::Replayable,
        _ => ViewMode::Once,
    };
    let media = media::all_of(parts.and_then(|parts| parts.media.as_ref())).into_iter().next();
    Content::Disappearing { view_mode, media }
}

fn location(parts: Option<&Parts<'_>>) -> Content {
    let Some(Parts { object, .. }) = parts else { return Content::Unknown };
    let text = |key| object.text(key).filter(|text| !text.is_empty());
    let address: Vec<String> = [text("address"), text("city")].into_iter().flatten().collect();
    let in_range = |(lat, lng): &(f64, f64)| lat.abs() <= 90.0 && lng.abs() <= 180.0;
    Content::Location(Location {
        name: text("name").or_else(|| text("short_name")),
        address: Some(address.join(", ")).filter(|address| !address.is_empty()),
        coordinates: object.float("lat").zip(object.float("lng")).filter(in_range),
    })
}

/// The id of a shared reel, from the address behind its card.
fn clip_id(target: &str) -> Option<String> {
    let url = url::Url::parse(target).ok()?;
    let (_, id) = url.query_pairs().find(|(name, _)| name == "id")?;
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    is_id(&id).then(|| id.into_owned())
}

// Texts and addresses are private: `Debug` shows what there is.

impl std::fmt::Debug for LinkPreview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkPreview").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { media, expired, .. } = self;
        f.debug_struct("Share").field("media", media).field("expired", expired).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Location").finish_non_exhaustive()
    }
}
