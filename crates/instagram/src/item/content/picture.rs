//! Addresses of one picture or video in several sizes, and the choice among them.

use std::fmt;

use crate::item::address::media_url;
use crate::number::Object;

/// Smaller versions that are kept; Instagram lists about ten.
const ALTERNATIVES: usize = 8;

/// An address with the size of what is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// `https`, byte for byte as received; signed, so it expires.
    pub url: String,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
}

impl Picture {
    /// Reads an entry of `candidates` or `video_versions`. `None` if media cannot be fetched from its address.
    pub(super) fn from_object(object: &Object<'_>) -> Option<Self> {
        let url = media_url(object.text("url")?)?;
        Some(Self { url, width: pixels(object, "width"), height: pixels(object, "height") })
    }

    fn size(&self) -> Option<(u32, u32)> {
        self.width.zip(self.height)
    }
}

// Whoever has a signed address has the picture.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").field("width", &self.width).field("height", &self.height).finish_non_exhaustive()
    }
}

/// One picture or video in the sizes that can be fetched, the best first.
pub(super) struct Sizes {
    list: Vec<Picture>,
    original: Option<(u32, u32)>,
}

impl Sizes {
    /// The sizes of a photo, or of the first frame of a video.
    pub(super) fn of_picture(object: &Object<'_>) -> Self {
        let versions = object.object("image_versions2").map(|versions| versions.objects("candidates"));
        Self::sort(&versions.unwrap_or_default(), object)
    }

    /// The sizes of a video.
    pub(super) fn of_video(object: &Object<'_>) -> Self {
        Self::sort(&object.objects("video_versions"), object)
    }

    /// The one of the original size first, if there is one, then by area.
    fn sort(versions: &[Object<'_>], object: &Object<'_>) -> Self {
        let original = pixels(object, "original_width").zip(pixels(object, "original_height"));
        let mut list: Vec<Picture> = versions.iter().filter_map(Picture::from_object).collect();
        list.sort_by_key(|picture| {
            let (width, height) = picture.size().unwrap_or_default();
            let is_original = original.is_some() && picture.size() == original;
            std::cmp::Reverse((is_original, u64::from(width) * u64::from(height)))
        });
        Self { list, original }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The best version. Where it does not say its size, the original's counts.
    pub(super) fn best(&self) -> Option<Picture> {
        let best = self.list.first()?;
        let (width, height) = best.size().or(self.original).unzip();
        Some(Picture { url: best.url.clone(), width, height })
    }

    /// What the original measures, for want of a version.
    pub(super) fn original(&self) -> (Option<u32>, Option<u32>) {
        self.original.unzip()
    }

    /// The addresses after the best.
    pub(super) fn alternatives(&self) -> Vec<String> {
        let Some(best) = self.list.first() else { return Vec::new() };
        let mut addresses: Vec<String> = Vec::new();
        for Picture { url, .. } in self.list.iter().skip(1) {
            if *url != best.url && !addresses.contains(url) {
                addresses.push(url.clone());
            }
            if addresses.len() == ALTERNATIVES {
                break;
            }
        }
        addresses
    }
}

/// A length in pixels. Zero and less are no length.
pub(super) fn pixels(object: &Object<'_>, key: &str) -> Option<u32> {
    object.integer(key).and_then(|pixels| u32::try_from(pixels).ok()).filter(|pixels| *pixels > 0)
}
