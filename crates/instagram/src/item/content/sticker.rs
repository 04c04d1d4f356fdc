//! GIFs and stickers, and the preview picture of a card.

use crate::item::address::{media_url, mime_of, stated_mime};
use crate::number::Object;

use super::media::{Media, MediaKind};
use super::picture::pixels;

impl Media {
    /// A GIF or sticker of GIPHY: `images.fixed_height{url, webp, mp4, width, height}`, the sizes as strings.
    pub(super) fn animated(object: &Object<'_>) -> Self {
        let kind = if object.flag("is_sticker") { MediaKind::Sticker } else { MediaKind::Animated };
        let mut media = Self { id: object.id("id"), ..Self::new(kind) };
        let Some(images) = object.object("images") else { return media };
        let sizes = ["fixed_height", "original", "fixed_width", "downsized"];
        let known = sizes.iter().filter_map(|size| images.object(size));
        // A new name for a size is as good as the old.
        let all = known.chain(images.fields().filter_map(|(_, size)| Object::parse(size)));
        for image in all {
            let address = |key| image.text(key).and_then(media_url);
            // The MP4 is left alone: a client would show it as a video that has to be started.
            let gif = address("url").filter(|url| mime_of(url) != Some("video/mp4"));
            let found =
                address("webp").map(|url| (url, "image/webp")).into_iter().chain(gif.map(|url| (url, "image/gif")));
            let mut found = found.collect::<Vec<_>>().into_iter();
            let Some((url, mime)) = found.next() else { continue };
            media.url = Some(url);
            media.mime = Some(mime.to_owned());
            media.alternatives = found.map(|(url, _)| url).collect();
            media.width = pixels(&image, "width");
            media.height = pixels(&image, "height");
            break;
        }
        media
    }

    /// A sticker: a card without words, or a picture in one of the forms that media have. `None` without a picture.
    ///
    /// Only `avatar_sticker` is known, a card; the other forms are a guess.
    pub(super) fn sticker(object: &Object<'_>) -> Option<Self> {
        let nested = || ["media", "sticker"].iter().find_map(|key| Self::picture(&object.object(key)?));
        let gif = || Some(Self::animated(object)).filter(Self::is_there);
        let found = Self::picture(object).or_else(nested).or_else(gif)?;
        // What moves as a video cannot be shown as a sticker.
        let kind = if found.kind == MediaKind::Video { MediaKind::Video } else { MediaKind::Sticker };
        Some(Self { kind, ..found })
    }

    /// The picture of an object that has one: the preview of a card, a photo, the cover of a broadcast, of a product.
    pub(super) fn picture(object: &Object<'_>) -> Option<Self> {
        let photo = || {
            let holders = ["main_image", "thumbnail_image", "cover_media"];
            let nested = holders.iter().find_map(|key| Self::one(&object.object(key)?).filter(Self::is_there));
            Self::one(object).filter(Self::is_there).or(nested)
        };
        Self::preview(object).or_else(photo)
    }

    /// `preview_url` of a card with its size and type; addresses of single pictures elsewhere.
    fn preview(object: &Object<'_>) -> Option<Self> {
        let info = object.object("preview_url_info");
        let stated = object.text("preview_url").and_then(media_url);
        let in_info = || info.as_ref()?.text("url").and_then(media_url);
        let elsewhere = || {
            let keys = ["image_url", "cover_frame_url", "thumbnail_url", "sticker_url", "icon_url"];
            keys.iter().find_map(|key| object.text(key).and_then(media_url))
        };
        let url = stated.or_else(in_info).or_else(elsewhere)?;
        let size_of = |of: &Object<'_>, width, height| pixels(of, width).zip(pixels(of, height));
        let size = size_of(object, "preview_width", "preview_height")
            .or_else(|| size_of(info.as_ref()?, "width", "height"))
            .or_else(|| size_of(object, "width", "height"));
        let (width, height) = size.unzip();
        let mime = object.text("preview_url_mime_type").and_then(|stated| stated_mime(&stated));
        let mime = mime.or_else(|| mime_of(&url).map(str::to_owned));
        let kind = match mime.as_deref() {
            Some(mime) if mime.starts_with("video/") => MediaKind::Video,
            Some("image/gif") => MediaKind::Animated,
            _ => MediaKind::Photo,
        };
        let id = object.first_id(&["preview_media_fbid", "id"]);
        Some(Self { id, url: Some(url), width, height, mime, ..Self::new(kind) })
    }
}
