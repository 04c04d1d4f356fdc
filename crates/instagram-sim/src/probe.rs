//! What a media file says of itself: type, size in pixels, duration. Only what the simulator needs of each format.

/// Read from a file's bytes; 0 and `application/octet-stream` for what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) content_type: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) duration_ms: u64,
}

pub(crate) fn probe(bytes: &[u8]) -> Probe {
    let (content_type, size, duration_ms) = if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        ("image/jpeg", jpeg(bytes), 0)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        ("image/png", big(bytes, 16).zip(big(bytes, 20)), 0)
    } else if bytes.starts_with(b"GIF8") {
        ("image/gif", little(bytes, 6).zip(little(bytes, 8)), 0)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        ("image/webp", webp(bytes), 0)
    } else if bytes.get(4..8) == Some(b"ftyp") {
        let (size, duration_ms) = mp4(bytes);
        (if size.is_some() { "video/mp4" } else { "audio/mp4" }, size, duration_ms)
    } else {
        ("application/octet-stream", None, 0)
    };
    let (width, height) = size.unwrap_or_default();
    Probe { content_type, width, height, duration_ms }
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn little(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

/// The size stands in the start-of-frame segment.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        if matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) {
            return Some((short(bytes, at + 7)?, short(bytes, at + 5)?));
        }
        at += 2 + short(bytes, at + 2)? as usize;
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let three = |at: usize| {
        let part = bytes.get(at..at + 3)?;
        Some(1 + u32::from(part[0]) + (u32::from(part[1]) << 8) + (u32::from(part[2]) << 16))
    };
    match bytes.get(12..16)? {
        b"VP8X" => three(24).zip(three(27)),
        b"VP8 " => Some((little(bytes, 26)? & 0x3fff, little(bytes, 28)? & 0x3fff)),
        b"VP8L" => {
            let bits = u32::from_le_bytes(bytes.get(21..25)?.try_into().ok()?);
            Some((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
        }
        _ => None,
    }
}

/// The size of the first track that has one, and the duration of the whole.
fn mp4(bytes: &[u8]) -> (Option<(u32, u32)>, u64) {
    let find = |kind: &[u8; 4], from: usize| {
        bytes.get(from..)?.windows(4).position(|window| window == kind).map(|at| from + at + 4)
    };
    let duration = find(b"mvhd", 0).and_then(|at| {
        let (scale, length) = (big(bytes, at + 12)?, big(bytes, at + 16)?);
        (u64::from(length) * 1000).checked_div(u64::from(scale))
    });
    let mut from = 0;
    while let Some(at) = find(b"tkhd", from) {
        // 16.16 fixed point, at the end of the version 0 box.
        if let (Some(width @ 1..), Some(height @ 1..)) = (short(bytes, at + 76), short(bytes, at + 80)) {
            return (Some((width, height)), duration.unwrap_or(0));
        }
        from = at;
    }
    (None, duration.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_or_foreign_file_is_no_trouble() {
        for sample in crate::sample::ALL {
            for length in 0..sample.bytes.len().min(900) {
                probe(&sample.bytes[..length]);
            }
        }
        assert_eq!(probe(b"%PDF-1.7").content_type, "application/octet-stream");
        assert_eq!(probe(&crate::picture::png(3)).width, 96);
    }
}
