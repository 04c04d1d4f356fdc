//! What an item says, as a value for each kind of content. Decoded from the raw text on demand.
//!
//! Anything that is missing or of a wrong type makes the value smaller. What is understood in nothing is
//! [`Content::Unknown`], for which the phrases of `describe.rs` still speak.

mod guess;
mod media;
mod picture;
mod share;
mod share_kind;
mod sticker;

use std::fmt;

use crate::number::Object;

use super::address::{media_url, web_link};
use super::inner::{contents, is_content, kind_name};
use super::{Item, Kind};

pub use media::{Media, MediaKind};
pub use picture::Picture;
pub(super) use share::author;
pub use share::{Card, Share, ShareKind};
pub(super) use share_kind::{is_known_share, is_share};

/// What an item says.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// Words alone: a text, a like, a link.
    Text {
        /// The message.
        text: String,
        /// What the link in it leads to.
        preview: Option<LinkPreview>,
    },
    /// The sender's own photos, videos, voice messages, GIFs and stickers; several are attachments of one message.
    Media(Vec<Media>),
    /// A photo or video that disappears.
    Disappearing {
        /// How often it may be seen.
        view_mode: ViewMode,
        /// The file; `None` once it was seen or is too old.
        media: Option<Media>,
        /// It is a video.
        video: bool,
        /// Unix seconds until which the file can be fetched.
        expires_at_s: Option<i64>,
    },
    /// Somebody's post, reel, story, profile, note or the like.
    Share(Box<Share>),
    /// A place.
    Location {
        /// What it is called.
        name: Option<String>,
        /// Street and town.
        address: Option<String>,
        /// Degrees; there is never one of both.
        latitude: Option<f64>,
        /// Degrees.
        longitude: Option<f64>,
        /// Where to see it.
        link: Option<String>,
    },
    /// News of a call.
    Call {
        /// What Instagram says about it.
        description: Option<String>,
        /// What happened.
        action: CallAction,
    },
    /// A line about the chat; `None` if the app shows none.
    Action(Option<String>),
    /// Instagram does not hand the content out: the kind is too new for this app, or it is gone.
    Placeholder {
        /// A heading.
        title: Option<String>,
        /// Instagram's explanation; of what is gone, the words that were beside it.
        message: Option<String>,
    },
    /// The app shows nothing.
    Internal,
    /// Never seen before, or understood in nothing: see [`Item::summary`], [`Item::best_text`], [`Item::best_link`].
    Unknown,
}

/// What a link leads to.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkPreview {
    /// The address as it was written, `https` or `http`; to show, not to fetch.
    pub url: String,
    /// Its heading.
    pub title: Option<String>,
    /// Its description.
    pub summary: Option<String>,
    /// Address of a picture, `https`.
    pub image: Option<String>,
}

/// How often a disappearing photo or video may be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewMode {
    /// Once.
    Once,
    /// Twice.
    Replayable,
    /// It stays in the chat.
    Permanent,
    /// Not said, or in a new word: treat it as the strictest.
    Other,
}

/// What happened to a call.
#[derive(Clone, PartialEq, Eq)]
pub enum CallAction {
    /// It rings.
    Started,
    /// It is over.
    Ended,
    /// Somebody came or went; Instagram's name of it, which may be empty.
    Other(String),
}

impl Item {
    /// Tells whether all that an item of its kind may say is known. Of another kind, what is understood may not be all.
    pub fn has_known_kind(&self) -> bool {
        self.kind() != Kind::Other || is_content(&self.item_type) || is_known_share(&self.item_type)
    }

    /// What it says.
    pub fn content(&self) -> Content {
        let object = Object::parse(self.raw.as_deref().unwrap_or("{}"));
        let Some(object) = object else { return Content::Unknown };
        match self.kind() {
            Kind::Text => return self.words(&object),
            Kind::Internal => return Content::Internal,
            Kind::Action => return self.line(&object),
            Kind::Other => {}
        }
        let kind = kind_name(&self.item_type, &object);
        let contents = contents(&object, kind);
        let first = contents.first();
        let found = match kind {
            "media" => Content::media(contents.iter().flat_map(Media::list).collect()),
            "voice_media" if first.is_some_and(vanishes) => first.map(Content::disappearing_voice),
            "voice_media" => {
                let voice = |object: &Object<'_>| Media::voice(object.object("media").as_ref().unwrap_or(object));
                Content::media(contents.iter().map(voice).collect())
            }
            "animated_media" => Content::media(contents.iter().map(Media::animated).collect()),
            "static_sticker" | "selfie_sticker" | "avatar_sticker" => {
                Content::media(contents.iter().filter_map(Media::sticker).collect())
            }
            "raven_media" => first.map(Content::disappearing),
            "location" => first.and_then(|location| self.location(location)),
            "video_call_event" => first.map(Content::call),
            "placeholder" | "expired_placeholder" => {
                let field = |key| first.and_then(|placeholder| placeholder.text(key));
                let words = || self.text.clone().filter(|text| !text.is_empty());
                let message = field("message").or_else(words);
                Some(Content::Placeholder { title: field("title"), message })
            }
            "text" | "like" | "link" => None,
            "action_log" => Some(self.line(&object)),
            known if is_share(known) => {
                Share::decode(self, kind, &object, contents).map(|share| Content::Share(Box::new(share)))
            }
            _ => guess::unseen(self, kind, &object, contents),
        };
        found.unwrap_or(Content::Unknown)
    }

    fn words(&self, object: &Object<'_>) -> Content {
        let preview = || {
            let context = object.object("link")?.object("link_context")?;
            Some(LinkPreview {
                url: context.text("link_url").filter(|url| web_link(url).is_some())?,
                title: context.text("link_title"),
                summary: context.text("link_summary"),
                image: context.text("link_image_url").and_then(media_url),
            })
        };
        let preview = if self.item_type == "link" { preview() } else { None };
        Content::Text { text: self.body().unwrap_or_default().to_owned(), preview }
    }

    /// A line that Instagram did not mean to be empty, but that cannot be read, is unknown and not nothing.
    fn line(&self, object: &Object<'_>) -> Content {
        let meant_empty = || object.object("action_log").is_some_and(|log| log.raw("description") == Some("\"\""));
        match &self.action {
            _ if self.hidden => Content::Action(None),
            Some(line) => Content::Action(Some(line.clone())),
            None if meant_empty() => Content::Action(None),
            None => Content::Unknown,
        }
    }

    fn location(&self, location: &Object<'_>) -> Option<Content> {
        let degrees = |key, limit: f64| location.float(key).filter(|degrees| degrees.abs() <= limit);
        let (latitude, longitude) = degrees("lat", 90.0).zip(degrees("lng", 180.0)).unzip();
        let name = location.text("name").or_else(|| location.text("short_name"));
        let address = ["address", "city"].iter().filter_map(|key| location.text(key));
        let address = address.reduce(|address, city| format!("{address}, {city}"));
        let link = self.best_link().filter(|link| link.starts_with("https://"));
        let says_something = name.is_some() || address.is_some() || link.is_some() || latitude.is_some();
        says_something.then_some(Content::Location { name, address, latitude, longitude, link })
    }
}

impl Content {
    /// Attachments, if there are any.
    fn media(mut media: Vec<Media>) -> Option<Self> {
        media.truncate(media::MOST);
        (!media.is_empty()).then_some(Self::Media(media))
    }

    /// `visual_media`: the file stands in `media`, in older items in the content itself.
    fn disappearing(content: &Object<'_>) -> Self {
        let nested = content.object("media");
        let file = nested.as_ref().unwrap_or(content);
        let media = Media::one(file);
        Self::Disappearing {
            view_mode: view_mode(content),
            video: media.as_ref().is_some_and(|media| media.kind == MediaKind::Video),
            media: media.filter(Media::is_there),
            expires_at_s: content.integer("url_expire_at_secs").filter(|seconds| *seconds > 0),
        }
    }

    fn disappearing_voice(content: &Object<'_>) -> Self {
        let media = Media::voice(content.object("media").as_ref().unwrap_or(content));
        Self::Disappearing {
            view_mode: view_mode(content),
            video: false,
            media: Some(media).filter(Media::is_there),
            expires_at_s: None,
        }
    }

    fn call(event: &Object<'_>) -> Self {
        let action = match event.text("action").unwrap_or_default() {
            name if name.ends_with("_started") => CallAction::Started,
            name if name.ends_with("_ended") => CallAction::Ended,
            name => CallAction::Other(name),
        };
        Self::Call { description: event.text("description"), action }
    }
}

fn view_mode(content: &Object<'_>) -> ViewMode {
    match content.text("view_mode").as_deref() {
        Some("once") => ViewMode::Once,
        Some("replayable") => ViewMode::Replayable,
        Some("permanent") => ViewMode::Permanent,
        _ => ViewMode::Other,
    }
}

/// Recordings stay unless they say otherwise.
fn vanishes(voice: &Object<'_>) -> bool {
    matches!(view_mode(voice), ViewMode::Once | ViewMode::Replayable)
}

// Texts and addresses are private: `Debug` shows kinds, counts and sizes.

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, preview } => {
                f.debug_struct("Text").field("bytes", &text.len()).field("preview", &preview.is_some()).finish()
            }
            Self::Media(media) => f.debug_tuple("Media").field(media).finish(),
            Self::Disappearing { view_mode, media, video, expires_at_s } => f
                .debug_struct("Disappearing")
                .field("view_mode", view_mode)
                .field("media", media)
                .field("video", video)
                .field("expires_at_s", expires_at_s)
                .finish(),
            Self::Share(share) => f.debug_tuple("Share").field(share).finish(),
            Self::Location { .. } => f.write_str("Location"),
            Self::Call { action, .. } => f.debug_tuple("Call").field(action).finish(),
            Self::Action(line) => f.debug_tuple("Action").field(&line.as_ref().map(String::len)).finish(),
            Self::Placeholder { .. } => f.write_str("Placeholder"),
            Self::Internal => f.write_str("Internal"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

impl fmt::Debug for LinkPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkPreview").field("has_image", &self.image.is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for CallAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "Started",
            Self::Ended => "Ended",
            Self::Other(_) => "Other",
        })
    }
}
