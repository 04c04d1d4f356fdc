//! Payloads of PUBLISH: zlib in both directions, raw bytes tolerated when reading.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use thiserror::Error;

/// Largest payload after inflating; the largest real ones are a few hundred kilobytes.
pub const MAX_INFLATED: usize = 32 << 20;

/// Why a payload cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// The zlib stream is broken.
    #[error("the zlib stream is broken")]
    Corrupt,
    /// The zlib stream ends early.
    #[error("the zlib stream ends early")]
    Truncated,
    /// More bytes than allowed.
    #[error("the payload is larger than {0} bytes")]
    TooLarge(usize),
}

thread_local! {
    // Both states are large (40 KiB and some 300 KiB): one of each per thread instead of one per message.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::best(), true));
}

/// Inflates a payload of at most `limit` bytes; a payload that does not begin as a zlib stream is returned as it is.
///
/// The server compresses everything, yet current clients accept raw bytes too.
pub fn inflate(payload: &Bytes, limit: usize) -> Result<Bytes, PayloadError> {
    if !is_zlib(payload) {
        return if payload.len() > limit { Err(PayloadError::TooLarge(limit)) } else { Ok(payload.clone()) };
    }
    INFLATE.with_borrow_mut(|state| {
        state.reset(true);
        let mut out = Vec::with_capacity(payload.len().saturating_mul(4).max(512).min(limit.saturating_add(1)));
        loop {
            let taken = usize::try_from(state.total_in()).unwrap_or(usize::MAX).min(payload.len());
            let (before_in, before_out) = (taken, out.len());
            let status = state
                .decompress_vec(&payload[taken..], &mut out, FlushDecompress::None)
                .map_err(|_| PayloadError::Corrupt)?;
            if out.len() > limit {
                return Err(PayloadError::TooLarge(limit));
            }
            if status == Status::StreamEnd {
                return Ok(Bytes::from(out));
            }
            if out.len() == out.capacity() {
                // One byte beyond the limit tells "exactly the limit" from "too large".
                let room = limit.saturating_add(1).saturating_sub(out.len()).min(out.capacity());
                out.reserve_exact(room.max(1));
            } else if usize::try_from(state.total_in()) == Ok(before_in) && out.len() == before_out {
                return Err(PayloadError::Truncated);
            }
        }
    })
}

/// Deflates an outgoing payload as all known clients do: zlib, best compression.
pub fn deflate(payload: &[u8]) -> Vec<u8> {
    DEFLATE.with_borrow_mut(|state| {
        state.reset();
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        loop {
            let taken = usize::try_from(state.total_in()).unwrap_or(usize::MAX).min(payload.len());
            match state.compress_vec(&payload[taken..], &mut out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return out,
                Ok(Status::Ok | Status::BufError) | Err(_) => out.reserve(out.capacity().max(64)),
            }
        }
    })
}

/// Two bytes tell: deflate with a window of 32 KiB and a header divisible by 31 (RFC 1950).
fn is_zlib(payload: &[u8]) -> bool {
    matches!(payload, [0x78, flags, ..] if (0x7800 | u16::from(*flags)) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deflated_bytes_come_back() {
        for size in [0usize, 1, 100, 5_000, 3 << 20] {
            let text = (0..size).map(|at| (at * at / 7) as u8).collect::<Vec<u8>>();
            let packed = Bytes::from(deflate(&text));
            assert_eq!(packed[..2], [0x78, 0xda]);
            assert_eq!(inflate(&packed, MAX_INFLATED).unwrap(), text);
        }
    }

    #[test]
    fn raw_bytes_are_taken_as_they_are() {
        for raw in [&b"{}"[..], b"", b"x", b"xylophone", b"\x78"] {
            assert_eq!(inflate(&Bytes::copy_from_slice(raw), 100).unwrap(), raw);
        }
        assert_eq!(inflate(&Bytes::from_static(b"abcd"), 3), Err(PayloadError::TooLarge(3)));
    }

    #[test]
    fn every_truncation_of_a_stream_is_an_error() {
        let packed = Bytes::from(deflate(b"{\"seq_id\":1,\"snapshot_at_ms\":2,\"subscription_type\":\"message\"}"));
        for end in 2..packed.len() {
            assert_eq!(inflate(&packed.slice(..end), 1000), Err(PayloadError::Truncated), "cut at {end}");
        }
    }

    #[test]
    fn a_broken_stream_does_not_spoil_the_next_one() {
        let good = Bytes::from(deflate(b"hello"));
        let mut bad = good.to_vec();
        bad[2] = 0xff;
        assert_eq!(inflate(&Bytes::from(bad), 100), Err(PayloadError::Corrupt));
        assert_eq!(inflate(&good, 100).unwrap(), &b"hello"[..]);
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = Bytes::from(deflate(&vec![0; 4 << 20]));
        assert!(bomb.len() < 10_000);
        assert_eq!(inflate(&bomb, 1 << 20), Err(PayloadError::TooLarge(1 << 20)));
        assert_eq!(inflate(&bomb, 4 << 20).unwrap().len(), 4 << 20);
        assert_eq!(inflate(&bomb, (4 << 20) - 1), Err(PayloadError::TooLarge((4 << 20) - 1)));
    }
}
