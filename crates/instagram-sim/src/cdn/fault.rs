//! What can be wrong with an answer of the media host, as values.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What a file pretends not to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disguise {
    /// A web page with a script.
    Html,
    /// An SVG with a script.
    Svg,
    /// A program for Windows.
    Executable,
}

/// One way to spoil an answer of the media host. Apply it with [`Sim::spoil_media`](crate::Sim::spoil_media).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MediaFault {
    /// 403, and this address is not good any more; reading the thread again gives another.
    Expired,
    /// 410.
    Gone,
    /// 404.
    NotFound,
    /// Another status without a file.
    Status {
        /// HTTP status code.
        code: u16,
    },
    /// The file drips.
    Slow {
        /// So many bytes at a time.
        bytes: usize,
        /// Milliseconds between them.
        every_ms: u64,
    },
    /// The beginning of the file comes, then nothing, and the connection stays open.
    Stalled {
        /// Bytes that come.
        after: u64,
    },
    /// The file goes on for ever, without a length.
    Endless,
    /// `Content-Length` promises this much more than comes.
    LengthTooLong {
        /// Bytes.
        extra: u64,
    },
    /// `Content-Length` promises this much less than the file has.
    LengthTooShort {
        /// Bytes.
        missing: u64,
    },
    /// Other bytes under the file's media type.
    Disguised {
        /// What they are.
        what: Disguise,
    },
    /// `Content-Encoding: gzip`, and it inflates to this size.
    GzipBomb {
        /// Bytes after inflating.
        bytes: u64,
    },
    /// The connection closes in the middle of the file.
    Cut {
        /// Bytes that come.
        after: u64,
    },
}

/// The faults that wait, oldest first.
#[derive(Debug, Default)]
pub(crate) struct MediaFaults(VecDeque<(MediaFault, u32)>);

impl MediaFaults {
    pub(crate) fn add(&mut self, fault: MediaFault, times: u32) {
        if times > 0 {
            self.0.push_back((fault, times));
        }
    }

    pub(crate) fn take(&mut self) -> Option<MediaFault> {
        let (fault, left) = self.0.front_mut()?;
        let fault = fault.clone();
        *left -= 1;
        if *left == 0 {
            self.0.pop_front();
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_turn_and_read_from_plain_json() {
        let mut faults = MediaFaults::default();
        faults.add(serde_json::from_str(r#"{"kind":"disguised","what":"html"}"#).unwrap(), 1);
        faults.add(MediaFault::Gone, 2);
        let taken: Vec<_> = std::iter::from_fn(|| faults.take()).collect();
        assert_eq!(taken, [MediaFault::Disguised { what: Disguise::Html }, MediaFault::Gone, MediaFault::Gone]);
    }
}
