//! What a file really is, whatever it is called; size, preview and thumbnail of pictures.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Pictures with more pixels than this are not decoded for a preview: only their header is read.
const MOST_PIXELS: u64 = 12_000_000;
/// Memory that decoding for a preview may take.
const MOST_MEMORY: u64 = 48 << 20;
/// Memory that decoding may take where the picture has to be made anew.
const MOST_MEMORY_TO_SHRINK: u64 = 256 << 20;
/// Pictures with more pixels than this are decoded one after the other.
const LARGE: u64 = 3_000_000;
/// Longest side of a thumbnail, and of pictures that need none.
const THUMBNAIL: u32 = 480;
/// Pictures decoded at once.
static DECODING: Semaphore = Semaphore::const_new(2);
/// Large ones.
static DECODING_LARGE: Semaphore = Semaphore::const_new(1);

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looks {
    /// A picture, with its media type.
    Picture(&'static str),
    /// Moving pictures.
    Video(&'static str),
    /// Sound.
    Audio(&'static str),
    /// Something else, or nothing known.
    Other(&'static str),
}

impl Looks {
    /// The media type.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Picture(mime) | Self::Video(mime) | Self::Audio(mime) | Self::Other(mime) => mime,
        }
    }
}

/// A picture, looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// A handful of characters that look like it from afar.
    pub blurhash: Option<String>,
    /// A small JPEG with its size, for a picture that is large.
    pub thumbnail: Option<(Vec<u8>, u32, u32)>,
}

/// Judges by the first bytes. What the other side says it is counts for nothing.
pub fn sniff(head: &[u8]) -> Looks {
    let Some(kind) = infer::get(head) else { return Looks::Other("application/octet-stream") };
    let mime = kind.mime_type();
    match (kind.matcher_type(), mime) {
        (infer::MatcherType::Image, mime) => Looks::Picture(mime),
        // A container that may hold either: Instagram's voice messages come in it.
        (infer::MatcherType::Video, "video/mp4") if is_sound_only(head) => Looks::Audio("audio/mp4"),
        (infer::MatcherType::Video, mime) => Looks::Video(mime),
        (infer::MatcherType::Audio, "audio/m4a") => Looks::Audio("audio/mp4"),
        (infer::MatcherType::Audio, mime) => Looks::Audio(mime),
        (_, mime) => Looks::Other(mime),
    }
}

fn is_sound_only(head: &[u8]) -> bool {
    head.get(8..12).is_some_and(|brand| brand.starts_with(b"M4A"))
}

/// Whether a picture moves, by the first bytes of a GIF or WebP.
pub fn moves(head: &[u8]) -> bool {
    // https://developers.google.com/speed/webp/docs/riff_container: the extended header has a flag for animation.
    let webp = head.get(8..16) == Some(b"WEBPVP8X") && head.get(20).is_some_and(|flags| flags & 2 != 0);
    // A GIF that loops says so in an extension of this name.
    webp || (head.starts_with(b"GIF8") && head.windows(11).any(|bytes| bytes == b"NETSCAPE2.0"))
}

/// Looks at a picture. None when it cannot be read, or would take too much memory.
pub async fn look(path: &Path) -> Option<Picture> {
    let (path, _permit) = (path.to_owned(), turn(path).await?);
    tokio::task::spawn_blocking(move || look_blocking(&path)).await.ok()?
}

/// Waits until a picture may be decoded.
async fn turn(path: &Path) -> Option<SemaphorePermit<'static>> {
    let path = path.to_owned();
    let (width, height) = tokio::task::spawn_blocking(move || dimensions(&path)).await.ok()??;
    let slots = if u64::from(width) * u64::from(height) > LARGE { &DECODING_LARGE } else { &DECODING };
    slots.acquire().await.ok()
}

fn dimensions(path: &Path) -> Option<(u32, u32)> {
    ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_dimensions().ok()
}

fn look_blocking(path: &Path) -> Option<Picture> {
    let (width, height) = dimensions(path)?;
    let plain = Picture { width, height, blurhash: None, thumbnail: None };
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Some(plain);
    }
    let Some(image) = decode(path) else { return Some(plain) };
    let small = image.thumbnail(32, 32).to_rgba8();
    let blurhash = blurhash::encode(4, 3, small.width(), small.height(), small.as_raw()).ok();
    let thumbnail = (width.max(height) > THUMBNAIL).then(|| {
        let small = image.thumbnail(THUMBNAIL, THUMBNAIL);
        Some((jpeg(&small, 80)?, small.width(), small.height()))
    });
    Some(Picture { blurhash, thumbnail: thumbnail.flatten(), ..plain })
}

fn decode(path: &Path) -> Option<DynamicImage> {
    let mut reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    reader.decode().ok()
}

/// A JPEG of a picture, no longer on any side than `side`; None when the picture cannot be read. Transparent pixels
/// become white.
pub async fn shrink(path: &Path, side: u32) -> Option<Vec<u8>> {
    let (path, _permit) = (path.to_owned(), turn(path).await?);
    tokio::task::spawn_blocking(move || {
        let mut reader = ImageReader::open(&path).ok()?.with_guessed_format().ok()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_MEMORY_TO_SHRINK);
        limits.max_image_width = Some(16_384);
        limits.max_image_height = Some(16_384);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().ok()?;
        // The new picture has no such note: it is turned itself.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).ok()?;
        image.apply_orientation(orientation);
        if image.width().max(image.height()) > side {
            image = image.resize(side, side, image::imageops::FilterType::Triangle);
        }
        if image.color().has_alpha() {
            let mut white = image::RgbaImage::from_pixel(image.width(), image.height(), image::Rgba([255; 4]));
            image::imageops::overlay(&mut white, &image, 0, 0);
            image = DynamicImage::ImageRgba8(white);
        }
        jpeg(&image, 90)
    })
    .await
    .ok()?
}

fn jpeg(image: &DynamicImage, quality: u8) -> Option<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut out, quality)).ok()?;
    Some(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
        let image = image::RgbaImage::from_fn(width, height, |x, y| image::Rgba([x as u8, y as u8, 90, 128]));
        image.save(file.path()).unwrap();
        file
    }

    /// A JPEG that is dark above and light below, with a note that says: turn me by a quarter.
    fn lying_jpeg() -> Vec<u8> {
        const NOTE: [u8; 36] =
            *b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let image = image::RgbImage::from_fn(400, 200, |_, y| image::Rgb([if y < 100 { 0 } else { 255 }; 3]));
        let plain = jpeg(&DynamicImage::ImageRgb8(image), 90).unwrap();
        [&plain[..2], &NOTE, &plain[2..]].concat()
    }

    #[tokio::test]
    async fn a_picture_that_lies_on_its_side_is_put_upright() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lying_jpeg()).unwrap();
        let upright = image::load_from_memory(&shrink(file.path(), 100).await.unwrap()).unwrap().to_luma8();
        assert_eq!((upright.width(), upright.height()), (50, 100));
        assert!(upright.get_pixel(5, 50).0[0] > 200 && upright.get_pixel(45, 50).0[0] < 50);
    }

    #[tokio::test]
    async fn a_picture_gets_size_blurhash_and_thumbnail() {
        let file = picture(1000, 500);
        let seen = look(file.path()).await.unwrap();
        assert_eq!((seen.width, seen.height), (1000, 500));
        assert!(seen.blurhash.is_some_and(|hash| hash.len() > 6));
        let (bytes, width, height) = seen.thumbnail.unwrap();
        assert_eq!((width, height), (480, 240));
        assert_eq!(sniff(&bytes), Looks::Picture("image/jpeg"));
    }

    #[tokio::test]
    async fn a_small_picture_needs_no_thumbnail_and_nonsense_is_no_picture() {
        let file = picture(64, 64);
        assert_eq!(look(file.path()).await.unwrap().thumbnail, None);
        std::fs::write(file.path(), b"<html>").unwrap();
        assert_eq!(look(file.path()).await, None);
    }

    /// A valid PNG of 30,000 × 30,000 pixels, each of one bit, in well under a megabyte: whoever unpacks it gets a black
    /// picture that takes 900 MB.
    fn bomb() -> Vec<u8> {
        const SIDE: u32 = 30_000;
        let chunk = |png: &mut Vec<u8>, kind: &[u8], content: &[u8]| {
            png.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            let named = [kind, content].concat();
            png.extend(&named);
            png.extend(crc(&named).to_be_bytes());
        };
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        // One bit for each pixel, grey, not interlaced.
        let header = [&SIDE.to_be_bytes()[..], &SIDE.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
        chunk(&mut png, b"IHDR", &header);
        // Each line has a filter byte before it.
        chunk(&mut png, b"IDAT", &packed_zeros((SIDE / 8 + 1) * SIDE));
        chunk(&mut png, b"IEND", b"");
        png
    }

    /// So many zeros in the format of zlib (RFC 1950, 1951), in one block with the codes that need no table.
    fn packed_zeros(count: u32) -> Vec<u8> {
        let mut packed = vec![0x78, 0x01];
        let (mut byte, mut used) = (0_u8, 0);
        let mut push = |bits: &str| {
            for bit in bits.bytes() {
                byte |= u8::from(bit == b'1') << used;
                used += 1;
                if used == 8 {
                    packed.push(byte);
                    (byte, used) = (0, 0);
                }
            }
        };
        push("110");
        let literal = "00110000";
        push(literal);
        for _ in 0..(count - 1) / 258 {
            // The last byte again, 258 times.
            push("1100010100000");
        }
        for _ in 0..(count - 1) % 258 {
            push(literal);
        }
        push("0000000");
        push("0000000");
        let checksum = (count % 65_521) << 16 | 1;
        packed.extend(checksum.to_be_bytes());
        packed
    }

    #[tokio::test]
    async fn a_bomb_is_not_unpacked() {
        let png = bomb();
        assert!(png.len() < 1 << 20, "{}", png.len());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &png).unwrap();
        let plain = Picture { width: 30_000, height: 30_000, blurhash: None, thumbnail: None };
        assert_eq!(look(file.path()).await, Some(plain), "its header is read, nothing else");
        assert_eq!(shrink(file.path(), 1080).await, None);
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            }
        }
        !crc
    }

    #[tokio::test]
    async fn a_transparent_picture_becomes_a_white_jpeg() {
        let file = picture(2000, 100);
        let bytes = shrink(file.path(), 1080).await.unwrap();
        assert_eq!(sniff(&bytes), Looks::Picture("image/jpeg"));
        let image = image::load_from_memory(&bytes).unwrap();
        assert_eq!((image.width(), image.height()), (1080, 54));
    }

    #[test]
    fn files_are_judged_by_their_bytes() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0\0\x10JFIF"), Looks::Picture("image/jpeg"));
        assert_eq!(sniff(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), Looks::Video("video/mp4"));
        assert_eq!(sniff(b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42").mime(), "audio/mp4");
        assert!(matches!(sniff(b"<!DOCTYPE html><html>"), Looks::Other(_)));
        assert!(matches!(sniff(b"MZ\x90\0\x03\0\0\0"), Looks::Other(_)));
        assert!(matches!(sniff(b""), Looks::Other(_)));
    }
}
