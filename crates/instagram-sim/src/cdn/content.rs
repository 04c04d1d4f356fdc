//! The bytes of a file of the media host: held, or made as they are read, whatever their number.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::{digest::Digest, sample::Sample};

/// At most this much is read at a time.
pub(crate) const CHUNK: u64 = 64 * 1024;

/// Numbers without a pattern that a codec would find; the length is a prime, so that chunks differ.
static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    noise.take(65_521).collect()
});

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Held(Bytes),
    /// A head, then noise up to the size.
    Made {
        head: Bytes,
        size: u64,
        seed: u64,
    },
    /// Only the size is known: an upload that was too large to be kept.
    Lost {
        size: u64,
    },
}

impl Content {
    /// A file of any size. It begins with the sample of its type, so that it is one; what follows is what readers of
    /// that format pass over.
    pub(crate) fn made(size: u64, content_type: &str, seed: u64) -> Content {
        let mut head = Sample::of_type(content_type).map(|sample| sample.bytes.to_vec()).unwrap_or_default();
        let rest = size.saturating_sub(head.len() as u64);
        if content_type.ends_with("/mp4") && rest >= 16 {
            // A free box; its size in 64 bits, as it may be larger than 32 bits tell.
            head.extend_from_slice(&[0, 0, 0, 1]);
            head.extend_from_slice(b"free");
            head.extend_from_slice(&rest.to_be_bytes());
        }
        if size < head.len() as u64 {
            head.clear();
        }
        Content::Made { head: head.into(), size, seed }
    }

    pub(crate) fn size(&self) -> u64 {
        match self {
            Content::Held(bytes) => bytes.len() as u64,
            Content::Made { size, .. } | Content::Lost { size } => *size,
        }
    }

    /// The next bytes from `offset` on; empty at the end.
    pub(crate) fn read(&self, offset: u64, limit: u64) -> Bytes {
        let part = |bytes: &Bytes, from: u64, most: u64| {
            let from = from.min(bytes.len() as u64) as usize;
            let to = bytes.len().min(from + most as usize);
            bytes.slice(from..to)
        };
        let most = limit.min(CHUNK).min(self.size().saturating_sub(offset));
        match self {
            Content::Lost { .. } => Bytes::new(),
            Content::Held(bytes) => part(bytes, offset, most),
            Content::Made { head, .. } if offset < head.len() as u64 => part(head, offset, most),
            Content::Made { seed, .. } => {
                let length = NOISE.len() as u64;
                part(&NOISE, (offset % length + seed % length * 4_099) % length, most)
            }
        }
    }

    /// SHA-256 of the whole file.
    pub(crate) fn sha256(&self) -> String {
        let (mut digest, mut offset) = (Digest::new(), 0);
        loop {
            let part = self.read(offset, CHUNK);
            if part.is_empty() {
                return digest.hex();
            }
            digest.update(&part);
            offset += part.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_file_has_its_size_and_begins_with_a_real_one() {
        for (size, content_type) in [(0, "image/jpeg"), (5, "image/jpeg"), (200_000, "video/mp4"), (70_000, "text/x")] {
            let content = Content::made(size, content_type, 3);
            let mut whole = Vec::new();
            loop {
                let part = content.read(whole.len() as u64, 1000);
                if part.is_empty() {
                    break;
                }
                whole.extend_from_slice(&part);
            }
            assert_eq!(whole.len() as u64, size);
            if size > 100_000 {
                assert_eq!(crate::probe::probe(&whole).content_type, content_type);
            }
        }
        assert_ne!(Content::made(99, "x", 1).sha256(), Content::made(99, "x", 2).sha256());
    }
}
