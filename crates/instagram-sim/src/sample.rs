//! Small real files of every kind of media, for the media host and for tests: see `assets/README.md`.

use bytes::Bytes;

/// One file, and what is true of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The whole file.
    pub bytes: &'static [u8],
    /// Its media type.
    pub content_type: &'static str,
    /// Pixels; 0 for sound.
    pub width: u32,
    /// Pixels; 0 for sound.
    pub height: u32,
    /// Milliseconds; 0 for a still picture.
    pub duration_ms: u64,
}

impl Sample {
    /// The whole file, for what takes bytes.
    pub fn file(&self) -> Bytes {
        Bytes::from_static(self.bytes)
    }

    /// The sample that has a media type, if there is one.
    pub fn of_type(content_type: &str) -> Option<Sample> {
        ALL.into_iter().find(|sample| sample.content_type == content_type)
    }
}

/// A JPEG.
pub const PHOTO: Sample = Sample {
    bytes: include_bytes!("../assets/photo.jpg"),
    content_type: "image/jpeg",
    width: 320,
    height: 400,
    duration_ms: 0,
};

/// A smaller JPEG of the same proportions.
pub const PHOTO_SMALL: Sample = Sample {
    bytes: include_bytes!("../assets/photo_small.jpg"),
    content_type: "image/jpeg",
    width: 160,
    height: 200,
    duration_ms: 0,
};

/// The JPEG that stands for [`VIDEO`] until it plays.
pub const VIDEO_COVER: Sample = Sample {
    bytes: include_bytes!("../assets/video_cover.jpg"),
    content_type: "image/jpeg",
    width: 160,
    height: 284,
    duration_ms: 0,
};

/// MP4 with H.264 and AAC, ready to be played while it loads.
pub const VIDEO: Sample = Sample {
    bytes: include_bytes!("../assets/video.mp4"),
    content_type: "video/mp4",
    width: 160,
    height: 284,
    duration_ms: 2000,
};

/// AAC in MP4, as voice messages are.
pub const VOICE: Sample = Sample {
    bytes: include_bytes!("../assets/voice.m4a"),
    content_type: "audio/mp4",
    width: 0,
    height: 0,
    duration_ms: 3120,
};

/// A still WebP.
pub const STICKER: Sample = Sample {
    bytes: include_bytes!("../assets/sticker.webp"),
    content_type: "image/webp",
    width: 128,
    height: 128,
    duration_ms: 0,
};

/// A GIF that moves.
pub const GIF: Sample = Sample {
    bytes: include_bytes!("../assets/animation.gif"),
    content_type: "image/gif",
    width: 96,
    height: 72,
    duration_ms: 1000,
};

/// The same as a WebP that moves.
pub const MOVING_WEBP: Sample = Sample {
    bytes: include_bytes!("../assets/animation.webp"),
    content_type: "image/webp",
    width: 96,
    height: 72,
    duration_ms: 1000,
};

/// The same as a silent MP4.
pub const SILENT_VIDEO: Sample = Sample {
    bytes: include_bytes!("../assets/animation.mp4"),
    content_type: "video/mp4",
    width: 96,
    height: 72,
    duration_ms: 1000,
};

/// All of them.
pub const ALL: [Sample; 9] = [PHOTO, PHOTO_SMALL, VIDEO_COVER, VIDEO, VOICE, STICKER, GIF, MOVING_WEBP, SILENT_VIDEO];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::probe;

    #[test]
    fn what_is_said_of_the_files_is_true() {
        for sample in ALL {
            assert!(sample.bytes.len() < 20_000);
            let found = probe(sample.bytes);
            assert_eq!(found.content_type, sample.content_type);
            assert_eq!((found.width, found.height), (sample.width, sample.height), "{}", sample.content_type);
            if sample.content_type.ends_with("mp4") {
                assert_eq!(found.duration_ms, sample.duration_ms, "{}", sample.content_type);
            }
        }
    }
}
