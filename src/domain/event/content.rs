//! What an item says: words, attachments, shared things, places.

use crate::domain::ids::RemoteUserId;

/// What an item says.
#[derive(Clone, PartialEq, Debug)]
pub enum ItemContent {
    /// Plain text, possibly empty.
    Text {
        /// Byte for byte.
        text: String,
        /// Users mentioned in it.
        mentions: Vec<RemoteUserId>,
        /// What a link in it leads to.
        preview: Option<Preview>,
    },
    /// Attachments, or something shared, with the words around it.
    Rich(Box<Rich>),
    /// A place.
    Location(Box<Place>),
    /// A line of Instagram about something that has no content here: a call.
    Notice {
        /// The line.
        line: String,
        /// The app shows more of it, or lets one do something about it.
        in_app: bool,
    },
    /// A line of Instagram in the place of what it does not hand out, to this app or any more.
    Withheld(String),
    /// An item the bridge cannot show.
    Unsupported {
        /// Instagram's `item_type`.
        item_type: String,
        /// A sentence in plain words: what it was.
        summary: String,
        /// The best text or link that came with it.
        text: Option<String>,
        /// The raw item, size-capped JSON.
        raw: Option<String>,
    },
    /// Instagram's own line about the group ("Bob named the group Friends."), or nothing worth showing.
    Admin(Option<String>),
}

/// What a link leads to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preview {
    /// The address.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// A few words about it.
    pub summary: Option<String>,
    /// Address of a picture of it.
    pub image: Option<String>,
}

/// Attachments or a shared thing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rich {
    /// What it is, as a phrase that fits after "sent": "a photo", "a post by @bob".
    pub summary: String,
    /// It is not the sender's own, so the summary is shown.
    pub is_shared: bool,
    /// Instagram's own line about it, where that says more than the summary.
    pub explanation: Option<String>,
    /// Heading of the shared thing.
    pub title: Option<String>,
    /// Words of the author of the shared thing.
    pub caption: Option<String>,
    /// Where it is on Instagram.
    pub link: Option<String>,
    /// What the sender wrote beside it.
    pub text: Option<String>,
    /// The emoji, when the item is a reaction to a story.
    pub reaction: Option<String>,
    /// Photos, videos and sounds, in order.
    pub attachments: Vec<Attachment>,
    /// Instagram does not hand out any more what is shared.
    pub is_gone: bool,
    /// Set on what disappears: how often it may be seen.
    pub fleeting: Option<Fleeting>,
    /// The video of a shared reel has to be asked for under this id.
    pub clip_id: Option<String>,
}

/// How often something that disappears may be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fleeting {
    /// Once.
    Once,
    /// Once more.
    Replayable,
    /// Instagram does not hand it out any more.
    Gone,
}

/// One photo, video or sound.
#[derive(Clone, PartialEq, Default)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// Instagram's id.
    pub id: Option<String>,
    /// Signed addresses, best first; they expire, and must not be changed in any byte.
    pub urls: Vec<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Length of sounds and videos.
    pub duration_ms: Option<i64>,
    /// Loudness over time, 0 to 1.
    pub waveform: Vec<f32>,
    /// A still picture of a video.
    pub thumbnail: Option<String>,
}

/// What an attachment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AttachmentKind {
    /// A still picture.
    #[default]
    Photo,
    /// Moving pictures with sound.
    Video,
    /// A voice message.
    Voice,
    /// A short loop without sound.
    Animated,
    /// A picture without frame.
    Sticker,
    /// The picture of what a link leads to.
    Preview,
}

/// A place.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Place {
    /// What it is called.
    pub name: Option<String>,
    /// Where it is, in words.
    pub address: Option<String>,
    /// Degrees north and east.
    pub coordinates: Option<(f64, f64)>,
    /// Where it is on Instagram.
    pub link: Option<String>,
}

/// Addresses are secrets for as long as they are valid.
impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, urls, width, height, .. } = self;
        write!(f, "Attachment({kind:?}, {} addresses, {width:?} × {height:?})", urls.len())
    }
}

impl ItemContent {
    /// All that makes this content differ from another, as one text. Addresses of media do not count: they are signed
    /// anew every time.
    pub fn words(&self) -> String {
        match self {
            Self::Text { text, .. } => format!("text {text}"),
            Self::Rich(rich) => rich.words(),
            Self::Location(place) => format!("place {:?} {:?} {:?}", place.name, place.address, place.coordinates),
            Self::Notice { line, .. } | Self::Withheld(line) => format!("notice {line}"),
            Self::Unsupported { item_type, summary, text, .. } => {
                format!("other {item_type} {summary} {}", text.as_deref().unwrap_or_default())
            }
            Self::Admin(line) => format!("admin {}", line.as_deref().unwrap_or_default()),
        }
    }

    /// It says nothing of what it once was: it never takes the place of what is known already.
    pub fn is_withheld(&self) -> bool {
        match self {
            Self::Withheld(_) => true,
            Self::Rich(rich) => rich.is_gone || rich.fleeting == Some(Fleeting::Gone),
            Self::Text { .. } | Self::Location(_) | Self::Notice { .. } | Self::Unsupported { .. } | Self::Admin(_) => {
                false
            }
        }
    }
}

impl Rich {
    fn words(&self) -> String {
        let Self { summary, title, caption, link, text, reaction, attachments, .. } = self;
        let kinds: Vec<_> = attachments.iter().map(|one| (one.kind, &one.id)).collect();
        format!("rich {summary} {title:?} {caption:?} {link:?} {text:?} {reaction:?} {kinds:?}")
    }
}
