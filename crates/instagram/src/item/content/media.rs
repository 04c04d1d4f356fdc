//! Photos, videos and voice messages: in a message of one's own, in a post, in a story.

use std::fmt;

use crate::item::address::{media_url, mime_of};
use crate::number::{Object, elements, float};

use super::picture::{Picture, Sizes};

/// Attachments of one message or children of one post that are kept. Instagram allows 20 in a post.
pub(super) const MOST: usize = 50;

/// Points of a waveform that are kept: ten a second, for longer than a voice message may last.
const WAVEFORM: usize = 6000;

/// One file.
#[derive(Clone, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Instagram's number of it, `<pk>` or `<pk>_<owner>`; of a GIF GIPHY's.
    pub id: Option<String>,
    /// The largest version that can be fetched, the original one if it is there. `https`, byte for byte as received:
    /// the signature covers the spelling. It expires.
    pub url: Option<String>,
    /// Further versions, the largest first.
    pub alternatives: Vec<String>,
    /// Pixels, of what is behind `url` if that is said, else of the original.
    pub width: Option<u32>,
    /// Pixels, as `width`.
    pub height: Option<u32>,
    /// Milliseconds.
    pub duration_ms: Option<i64>,
    /// Loudness from 0 to 1 at even distances, of a voice message.
    pub waveform: Vec<f32>,
    /// The type, as a field or the name of the file says; what is behind `url` may differ.
    pub mime: Option<String>,
    /// The first frame of a video.
    pub thumbnail: Option<Picture>,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaKind {
    /// A picture that does not move.
    Photo,
    /// A video.
    Video,
    /// A recorded message.
    Voice,
    /// A GIF.
    Animated,
    /// A picture without a frame, which may move.
    Sticker,
}

impl Media {
    /// Reads the media object of a post by itself. `None` if nothing in it tells what it is.
    pub fn decode(json: &str) -> Option<Self> {
        Self::one(&Object::parse(json)?)
    }

    pub(super) fn new(kind: MediaKind) -> Self {
        Self {
            kind,
            id: None,
            url: None,
            alternatives: Vec::new(),
            width: None,
            height: None,
            duration_ms: None,
            waveform: Vec::new(),
            mime: None,
            thumbnail: None,
        }
    }

    /// Something can be fetched, if only a thumbnail.
    pub(super) fn is_there(&self) -> bool {
        self.url.is_some() || self.thumbnail.is_some()
    }

    /// The files of a media object: its own, or those of its children.
    pub(super) fn list(object: &Object<'_>) -> Vec<Self> {
        Self::children(object, None).unwrap_or_else(|| Self::one(object).into_iter().collect())
    }

    /// The children of a post with several pictures: the one that is meant, else all. `None` if there are none.
    pub(super) fn children(post: &Object<'_>, meant: Option<&str>) -> Option<Vec<Self>> {
        let children = post.objects("carousel_media");
        let is_meant = |child: &Object<'_>| {
            let number = |id: &str| id.split('_').next().map(str::to_owned);
            let ids = ["id", "pk"].iter().filter_map(|key| child.id(key));
            meant.is_some_and(|meant| ids.into_iter().any(|id| number(&id) == number(meant)))
        };
        let read = |children: &mut dyn Iterator<Item = &Object<'_>>| -> Vec<Self> {
            children.filter_map(Self::one).take(MOST).collect()
        };
        let mut media = read(&mut children.iter().filter(|child| is_meant(child)));
        if media.is_empty() {
            media = read(&mut children.iter());
        }
        (!media.is_empty()).then_some(media)
    }

    /// A media object's own file. `None` if nothing in it tells what it is.
    pub(super) fn one(object: &Object<'_>) -> Option<Self> {
        // 1 photo, 2 video, 8 several of both, 11 voice.
        let media_type = object.integer("media_type");
        if media_type == Some(11) || object.has("audio") {
            return Some(Self::voice(object));
        }
        let (pictures, videos) = (Sizes::of_picture(object), Sizes::of_video(object));
        let id = object.first_id(&["id", "pk", "media_id"]);
        let is_photo = match media_type {
            Some(1) => !pictures.is_empty() || videos.is_empty(),
            Some(2) => false,
            _ if pictures.is_empty() && videos.is_empty() => return None,
            _ => videos.is_empty(),
        };
        let (sizes, thumbnail) = if is_photo { (pictures, None) } else { (videos, pictures.best()) };
        let best = sizes.best();
        let (width, height) = best.as_ref().map_or(sizes.original(), |best| (best.width, best.height));
        Some(Self {
            id,
            alternatives: sizes.alternatives(),
            width,
            height,
            duration_ms: object.float("video_duration").and_then(milliseconds).filter(|_| !is_photo),
            mime: best.as_ref().and_then(|best| mime_of(&best.url)).map(str::to_owned),
            url: best.map(|best| best.url),
            thumbnail,
            ..Self::new(if is_photo { MediaKind::Photo } else { MediaKind::Video })
        })
    }

    /// A voice message: `audio{audio_src, duration, waveform_data}`.
    pub(super) fn voice(object: &Object<'_>) -> Self {
        let audio = object.object("audio");
        let audio = audio.as_ref();
        let url = audio.and_then(|audio| audio.text("audio_src")).and_then(media_url);
        let points = audio.and_then(|audio| audio.raw("waveform_data")).and_then(elements).unwrap_or_default();
        let loudness = |point: &str| float(point).map_or(0.0, |loudness| loudness.clamp(0.0, 1.0) as f32);
        Self {
            id: object.first_id(&["id", "pk", "media_id"]),
            duration_ms: audio.and_then(|audio| audio.integer("duration")).filter(|duration| *duration >= 0),
            waveform: points.into_iter().take(WAVEFORM).map(loudness).collect(),
            mime: url.as_deref().and_then(mime_of).map(|mime| mime.replace("video/mp4", "audio/mp4")),
            url,
            ..Self::new(MediaKind::Voice)
        }
    }
}

/// Milliseconds from seconds with a fraction, as far as that is a duration.
fn milliseconds(seconds: f64) -> Option<i64> {
    (0.0..1e9).contains(&seconds).then(|| (seconds * 1000.0).round() as i64)
}

// Whoever has a signed address has the file.
impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("kind", &self.kind)
            .field("has_url", &self.url.is_some())
            .field("alternatives", &self.alternatives.len())
            .field("width", &self.width)
            .field("height", &self.height)
            .field("duration_ms", &self.duration_ms)
            .field("waveform", &self.waveform.len())
            .field("thumbnail", &self.thumbnail)
            .finish_non_exhaustive()
    }
}
