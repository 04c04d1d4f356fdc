//! A gzip stream that inflates to any number of zeros, for the price of a few bytes.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// Zeros that one block stands for.
const BLOCK: u64 = 1024 * 1024;

/// The parts of a gzip file of so many zeros, made as they are taken.
pub(super) fn zeros(size: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
    let (block, rest) = (deflated(BLOCK), deflated(size % BLOCK));
    let blocks = size / BLOCK;
    let head = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    let count = usize::try_from(blocks).unwrap_or(usize::MAX);
    let tail = std::iter::once_with(move || {
        // An empty last block, the checksum and the size.
        let mut tail = vec![3, 0];
        tail.extend_from_slice(&checksum(size).to_le_bytes());
        tail.extend_from_slice(&(size as u32).to_le_bytes());
        Bytes::from(tail)
    });
    std::iter::once(head).chain(std::iter::repeat_n(block, count)).chain(std::iter::once(rest)).chain(tail)
}

/// Deflate blocks that can follow each other in any number: each begins anew and ends at a byte.
fn deflated(zeros: u64) -> Bytes {
    if zeros == 0 {
        return Bytes::new();
    }
    let mut compress = Compress::new(Compression::best(), false);
    let plain = vec![0; zeros as usize];
    let mut out = Vec::with_capacity(8 * 1024);
    while compress.total_in() < zeros || out.len() == out.capacity() {
        out.reserve(4 * 1024);
        let from = compress.total_in() as usize;
        if compress.compress_vec(&plain[from..], &mut out, FlushCompress::Full).is_err() {
            break;
        }
    }
    out.into()
}

/// The checksum of so many zeros, by doubling.
fn checksum(size: u64) -> u32 {
    let mut power = Crc::new();
    power.update(&[0]);
    let (mut all, mut left) = (Crc::new(), size);
    while left > 0 {
        if left & 1 == 1 {
            all.combine(&power);
        }
        let mut same = Crc::new();
        same.combine(&power);
        power.combine(&same);
        left >>= 1;
    }
    all.sum()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn it_inflates_to_what_was_asked() {
        for size in [0, 1, 1000, BLOCK, 3 * BLOCK + 12_345] {
            let file: Vec<u8> = zeros(size).flatten().collect();
            assert!(file.len() < 20_000, "{}", file.len());
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(file.as_slice()).read_to_end(&mut plain).unwrap();
            assert_eq!(plain.len() as u64, size);
            assert!(plain.iter().all(|byte| *byte == 0));
        }
    }
}
