//! Pictures, videos and sounds: of the many versions of each the largest that can be used.

use url::Url;

use crate::item::describe::Parts;
use crate::number::Object;

/// Versions of one picture or video that are looked at.
const MOST_VERSIONS: usize = 64;

/// One picture, video or sound.
#[derive(Clone, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Instagram's id.
    pub id: Option<String>,
    /// Signed `https` addresses, byte for byte as received, the largest version first; they expire.
    pub urls: Vec<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Of sounds and videos.
    pub duration_ms: Option<i64>,
    /// Loudness over time, 0 to 1.
    pub waveform: Vec<f32>,
    /// A still picture of a video.
    pub thumbnail: Option<String>,
}

/// What a medium is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaKind {
    /// A still picture.
    Photo,
    /// Moving pictures with sound.
    Video,
    /// A voice message.
    Voice,
    /// A short loop without sound.
    Animated,
    /// A picture without frame.
    Sticker,
}

/// Addresses are secrets for as long as they are valid.
impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Media({:?}, {} versions, {:?} × {:?})", self.kind, self.urls.len(), self.width, self.height)
    }
}

/// A version of a picture or video.
struct Version {
    url: String,
    width: Option<u32>,
    height: Option<u32>,
}

/// All media of a media object: itself, or the children of a carousel.
pub(super) fn all_of(media: Option<&Object<'_>>) -> Vec<Media> {
    let Some(media) = media else { return Vec::new() };
    let children: Vec<Media> = media.objects("carousel_media").iter().filter_map(one_of).collect();
    if children.is_empty() { one_of(media).into_iter().collect() } else { children }
}

/// The media of something shared: of a carousel the child that was shared, if the item says which.
pub(super) fn shared(parts: &Parts<'_>) -> Vec<Media> {
    let Some(media) = &parts.media else { return Vec::new() };
    let chosen = [&parts.object, media].into_iter().find_map(|object| object.id("carousel_share_child_media_id"));
    if let Some(chosen) = chosen {
        let is_chosen = |child: &Object<'_>| {
            ["id", "pk"]
                .iter()
                .filter_map(|key| child.id(key))
                .any(|id| id == chosen || id.split('_').next() == chosen.split('_').next())
        };
        let children = media.objects("carousel_media");
        if let Some(child) = children.iter().find(|child| is_chosen(child)).and_then(one_of) {
            return vec![child];
        }
    }
    all_of(Some(media))
}

fn one_of(media: &Object<'_>) -> Option<Media> {
    if let Some(voice) = audio(media) {
        return Some(voice);
    }
    let size = (pixels(media, "original_width"), pixels(media, "original_height"));
    let images = media.object("image_versions2").map(|versions| versions.objects("candidates")).unwrap_or_default();
    let stills = versions(&images, size);
    let videos = versions(&media.objects("video_versions"), size);
    let (kind, chosen) = if videos.is_empty() { (MediaKind::Photo, &stills) } else { (MediaKind::Video, &videos) };
    let first = chosen.first()?;
    Some(Media {
        kind,
        id: media.first_id(&["pk", "id"]),
        urls: chosen.iter().map(|version| version.url.clone()).collect(),
        width: first.width.or(size.0),
        height: first.height.or(size.1),
        duration_ms: media.float("video_duration").map(|seconds| (seconds * 1000.0) as i64).filter(|ms| *ms > 0),
        waveform: Vec::new(),
        thumbnail: stills.first().map(|still| still.url.clone()).filter(|_| kind == MediaKind::Video),
    })
}

/// Usable versions, the original size first, then the largest.
fn versions(listed: &[Object<'_>], original: (Option<u32>, Option<u32>)) -> Vec<Version> {
    let mut usable: Vec<Version> = listed
        .iter()
        .take(MOST_VERSIONS)
        .filter_map(|version| {
            let url = version.text("url").filter(|url| is_usable(url))?;
            Some(Version { url, width: pixels(version, "width"), height: pixels(version, "height") })
        })
        .collect();
    let area = |version: &Version| u64::from(version.width.unwrap_or(0)) * u64::from(version.height.unwrap_or(0));
    let is_original = |version: &Version| original.0.is_some() && (version.width, version.height) == original;
    usable.sort_by_key(|version| std::cmp::Reverse((is_original(version), area(version))));
    usable.dedup_by(|a, b| a.url == b.url);
    usable
}

fn pixels(object: &Object<'_>, key: &str) -> Option<u32> {
    object.integer(key).and_then(|pixels| u32::try_from(pixels).ok()).filter(|pixels| (1..=100_000).contains(pixels))
}

fn is_usable(url: &str) -> bool {
    url.starts_with("https://") && Url::parse(url).is_ok_and(|url| url.has_host())
}

/// A voice message: the content of the item, which holds the media object.
pub(super) fn voice(content: &Object<'_>) -> Option<Media> {
    audio(&content.object("media")?)
}

fn audio(media: &Object<'_>) -> Option<Media> {
    let audio = media.object("audio")?;
    let url = audio.text("audio_src").filter(|url| is_usable(url))?;
    let waveform = audio.raw("waveform_data").and_then(crate::number::elements).unwrap_or_default();
    let levels = waveform.iter().take(1024).filter_map(|level| level.trim().parse::<f32>().ok());
    Some(Media {
        kind: MediaKind::Voice,
        id: media.first_id(&["id", "pk"]),
        urls: vec![url],
        width: None,
        height: None,
        duration_ms: audio.integer("duration").filter(|ms| *ms > 0),
        waveform: levels.filter(|level| level.is_finite()).map(|level| level.clamp(0.0, 1.0)).collect(),
        thumbnail: None,
    })
}

/// A GIF or sticker from the library.
pub(super) fn animated(content: &Object<'_>) -> Option<Media> {
    let image = content.object("images")?.object("fixed_height")?;
    let urls: Vec<String> =
        ["webp", "url"].iter().filter_map(|key| image.text(key)).filter(|url| is_usable(url)).collect();
    if urls.is_empty() {
        return None;
    }
    let kind = if content.flag("is_sticker") { MediaKind::Sticker } else { MediaKind::Animated };
    Some(Media {
        kind,
        id: content.id("id"),
        urls,
        width: pixels(&image, "width"),
        height: pixels(&image, "height"),
        duration_ms: None,
        waveform: Vec::new(),
        thumbnail: None,
    })
}

/// The preview picture of a card.
pub(super) fn card(card: &Object<'_>) -> Option<Media> {
    let info = card.object("preview_url_info");
    let url = |object: &Object<'_>, key: &str| object.text(key).filter(|url| is_usable(url));
    let from_info = info.as_ref().and_then(|info| url(info, "url"));
    let preview = url(card, "preview_url").or_else(|| from_info.clone())?;
    let size = |key: &str, short: &str| pixels(card, key).or_else(|| pixels(info.as_ref()?, short));
    let mut urls = vec![preview];
    urls.extend(from_info.filter(|other| *other != urls[0]));
    Some(Media {
        kind: MediaKind::Photo,
        id: card.id("preview_media_fbid"),
        urls,
        width: size("preview_width", "width"),
        height: size("preview_height", "height"),
        duration_ms: None,
        waveform: Vec::new(),
        thumbnail: None,
    })
}

/// A sticker: a card, or an object with a picture of its own.
pub(super) fn sticker(content: &Object<'_>) -> Option<Media> {
    let found = card(content).or_else(|| all_of(Some(content)).into_iter().next()).or_else(|| {
        let urls: Vec<String> = ["image_url", "url", "static_image_url"]
            .iter()
            .filter_map(|key| content.text(key))
            .filter(|url| is_usable(url))
            .collect();
        (!urls.is_empty()).then(|| Media {
            kind: MediaKind::Sticker,
            id: content.id("id"),
            urls,
            width: pixels(content, "width"),
            height: pixels(content, "height"),
            duration_ms: None,
            waveform: Vec::new(),
            thumbnail: None,
        })
    });
    found.map(|media| Media { kind: MediaKind::Sticker, ..media })
}
