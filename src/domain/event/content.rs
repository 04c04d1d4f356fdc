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
        /// The raw item, JSON.
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
    /// Whom the shared thing is about.
    pub aim: Option<Aim>,
    /// Heading of the shared thing.
    pub title: Option<String>,
    /// Words of the author of the shared thing.
    pub caption: Option<String>,
    /// Where it is on Instagram.
    pub link: Option<String>,
    /// What the sender wrote beside it.
    pub text: Option<String>,
    /// Users mentioned in that.
    pub mentions: Vec<RemoteUserId>,
    /// The emoji, when the item is a reaction to a story.
    pub reaction: Option<String>,
    /// Photos, videos and sounds, in order.
    pub attachments: Vec<Attachment>,
    /// Instagram does not hand out any more what is shared.
    pub is_gone: bool,
    /// It is news of something rather than a thing to look at: a live video, a vote.
    pub is_news: bool,
    /// Set on what disappears: how often it may be seen.
    pub fleeting: Option<Fleeting>,
    /// The video of a shared reel has to be asked for under this id.
    pub clip_id: Option<String>,
    /// Further things shared by the same item, with words and links of their own.
    pub further: Vec<Rich>,
    /// Set on a kind not seen before: what is understood of it may not be all.
    pub raw: Option<RawItem>,
}

/// Whom a shared thing is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Aim {
    /// It mentions this user.
    Mentions(RemoteUserId),
    /// It tags this user.
    Tags(RemoteUserId),
    /// As Instagram says it to the one who hears of it.
    Said(String),
}

impl Aim {
    /// Who it is, as far as that is known.
    pub fn user(&self) -> Option<&RemoteUserId> {
        match self {
            Self::Mentions(user) | Self::Tags(user) => Some(user),
            Self::Said(_) => None,
        }
    }
}

/// An item of an unknown kind as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawItem {
    /// Instagram's `item_type`.
    pub item_type: String,
    /// JSON.
    pub json: String,
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
    /// All that makes this content differ from another, field by field. Addresses of media do not count: they are signed
    /// anew every time.
    ///
    /// The digests of what was bridged are made of it: other fields for the same content make every old item look edited.
    pub fn words(&self) -> Vec<String> {
        let fields: Vec<&str> = match self {
            Self::Text { text, .. } => vec!["text", text],
            Self::Rich(rich) => return rich.words(),
            Self::Location(place) => {
                let (latitude, longitude) = place.coordinates.unzip();
                let degrees = |degrees: Option<f64>| degrees.map(|degrees| degrees.to_string()).unwrap_or_default();
                let fields = ["place", said(&place.name), said(&place.address)].map(str::to_owned);
                return fields.into_iter().chain([degrees(latitude), degrees(longitude)]).collect();
            }
            Self::Notice { line, .. } | Self::Withheld(line) => vec!["notice", line],
            Self::Unsupported { item_type, summary, text, .. } => vec!["other", item_type, summary, said(text)],
            Self::Admin(line) => vec!["admin", said(line)],
        };
        fields.into_iter().map(str::to_owned).collect()
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
    fn words(&self) -> Vec<String> {
        let Self { summary, title, caption, link, text, reaction, attachments, further, .. } = self;
        let own = ["rich", summary, said(title), said(caption), said(link), said(text), said(reaction)];
        let files = attachments.iter().flat_map(|one| [one.kind.name(), said(&one.id)]);
        let mut fields: Vec<String> = own.into_iter().chain(files).map(str::to_owned).collect();
        fields.extend(further.iter().flat_map(Self::words));
        fields
    }
}

fn said(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

impl AttachmentKind {
    /// Its name in digests.
    fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Voice => "voice",
            Self::Animated => "animated",
            Self::Sticker => "sticker",
            Self::Preview => "preview",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is recorded here is in databases: a change makes old items look edited.
    #[test]
    fn the_words_of_a_content_are_the_recorded_ones() {
        let text = |text: &str| Some(text.to_owned());
        let attachment = Attachment { kind: AttachmentKind::Video, id: text("27_1"), ..Attachment::default() };
        let card = Rich { summary: "a post".to_owned(), link: text("https://b.example/"), ..Rich::default() };
        let rich = Rich {
            summary: "a reel by @bob".to_owned(),
            title: text("Lake"),
            caption: text("\"day\" 1"),
            text: text("look"),
            attachments: vec![attachment, Attachment::default()],
            further: vec![card],
            ..Rich::default()
        };
        let place = Place { name: text("London"), coordinates: Some((51.5141, -0.1094)), ..Place::default() };
        let unknown = ItemContent::Unsupported {
            item_type: "hologram".to_owned(),
            summary: "a message of an unknown kind".to_owned(),
            text: None,
            raw: text("{}"),
        };
        let of = |content: ItemContent| content.words().join("|");
        assert_eq!(of(ItemContent::Text { text: "hi".to_owned(), mentions: Vec::new(), preview: None }), "text|hi");
        let words = "rich|a reel by @bob|Lake|\"day\" 1||look||video|27_1|photo||rich|a post|||https://b.example/||";
        assert_eq!(of(ItemContent::Rich(Box::new(rich))), words);
        assert_eq!(of(ItemContent::Location(Box::new(place))), "place|London||51.5141|-0.1094");
        assert_eq!(of(ItemContent::Notice { line: "a call".to_owned(), in_app: true }), "notice|a call");
        assert_eq!(of(ItemContent::Withheld("gone".to_owned())), "notice|gone");
        assert_eq!(of(unknown), "other|hologram|a message of an unknown kind|");
        assert_eq!(of(ItemContent::Admin(text("Bob left"))), "admin|Bob left");
    }

    #[test]
    fn every_kind_of_attachment_has_a_name_of_its_own() {
        use AttachmentKind::{Animated, Photo, Preview, Sticker, Video, Voice};
        let names = [Photo, Video, Voice, Animated, Sticker, Preview].map(AttachmentKind::name);
        assert_eq!(names, ["photo", "video", "voice", "animated", "sticker", "preview"]);
    }
}
