//! Misbehaviour as values: what can be made to go wrong, and how often.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Why a cursor is refused, in Instagram's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorRefusal {
    /// The cursor is older than what is retained.
    Underflow,
    /// The cursor is ahead of the queue, or the gap is too large.
    Overflow,
}

/// One way to misbehave. Apply it with [`Sim::inject`](crate::Sim::inject).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// A send is accepted and its echo delivered, but never answered on 133.
    DropAnswer,
    /// A send is swallowed: no item, no answer, no echo.
    DropSend,
    /// The answer to a send comes this much later.
    DelayAnswer {
        /// Milliseconds.
        ms: u64,
    },
    /// The echo of a send, and what follows it in the sender's queue, comes this much later.
    DelayEcho {
        /// Milliseconds.
        ms: u64,
    },
    /// A send is refused on 133 (or on the broadcast endpoint).
    RejectSend {
        /// For example 403.
        status_code: u16,
        /// For example `We're sorry, but something went wrong.`
        message: String,
    },
    /// A send is answered on 133 without the client context.
    AnonymousAnswer,
    /// A client's publish is handled but its PUBACK is not sent.
    DropPubAck,
    /// The connection closes after the send was accepted, before its answer and echo.
    CloseAfterSend,

    /// An envelope is published twice.
    Redeliver,
    /// An envelope is held back, and those behind it with it.
    DelayDelivery {
        /// Milliseconds.
        ms: u64,
    },
    /// A PUBLISH whose topic claims to be longer than the packet comes before the envelope.
    MalformedFrame,
    /// A PUBLISH on 146 whose payload is neither zlib nor JSON comes before the envelope.
    MalformedPayload,
    /// A PUBLISH on 146 whose zlib stream ends early comes before the envelope.
    TruncatedZlib,
    /// In place of the envelope comes what is neither zlib nor JSON.
    UnreadableEnvelope,
    /// Publishes on topics nobody knows come before the envelope.
    UnknownTopic,
    /// A publish on 146 that inflates to this size comes before the envelope.
    HugePayload {
        /// Size after inflating.
        bytes: usize,
    },
    /// A publish on 146 with nesting deep enough to exhaust a careless parser's stack comes before the envelope.
    DeepNesting {
        /// Number of brackets.
        depth: usize,
    },
    /// Patches that cannot be decoded come before the good one inside the same envelope.
    BadPatchBeforeGood,
    /// The item's ids and timestamp come as strings instead of numbers, or the other way round.
    StringIds,
    /// A `/pp` message (topic 34) comes before the envelope.
    ParentProcess,

    /// The connection closes after this many packets of the client were handled.
    CloseAfter {
        /// Number of packets after CONNECT.
        frames: u32,
    },
    /// The connection closes right after CONNACK.
    CloseAfterConnAck,
    /// The connection closes without a CONNACK.
    CloseBeforeConnAck,
    /// CONNACK with this return code, then the connection closes.
    RefuseConnect {
        /// 4 and 5 mean that the credentials are bad, 3 that the server is not available.
        code: u8,
    },
    /// CONNECT is never answered.
    IgnoreConnect,
    /// Pings are not answered.
    DropPingResp,

    /// The iris subscription is refused.
    RefuseCursor {
        /// Which of the two refusals.
        reason: CursorRefusal,
    },
    /// The iris subscription is never answered.
    IgnoreSubscribe,

    /// The API answers 429.
    RateLimit,
    /// The API answers 403 `login_required` although the session lives.
    LoginRequired,
    /// The API answers 400 `challenge_required`.
    Challenge,
    /// The API answers 400 `checkpoint_required`.
    Checkpoint,
    /// The API answers 400 `consent_required`.
    Consent,
    /// The API answers 400 `feedback_required`.
    FeedbackRequired,
    /// The API answers 500 with an HTML page.
    HtmlError,
    /// The API answers 404 with the words `Not Found` alone, as it does for what is not there and around challenges.
    NotFoundPage,
    /// The API answers 200 with JSON that ends early.
    CutJson,
    /// The API answers this status with an empty JSON failure.
    Status {
        /// HTTP status code.
        code: u16,
    },
    /// The API answers this much later.
    DelayHttp {
        /// Milliseconds.
        ms: u64,
    },
    /// The API request is handled, but the connection closes without an answer.
    DropHttpAnswer,
    /// A broadcast of an attachment is refused because Instagram still converts it: 503 for pictures, 500 for others.
    Transcoding,
    /// The connection closes after this many bytes of an upload request; they count as uploaded.
    CutUpload {
        /// Bytes.
        after: u64,
    },
    /// The last page of a thread promises more, and the first message comes again and again.
    RepeatFirstItem,
    /// The answer carries a new `ig-set-authorization` for the same session.
    RotateAuthorization,
    /// The answer carries a new session id; the old one ends with the first use of the new one.
    RotateSession,
}

/// Where in the simulator a fault takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Send,
    PubAck,
    Deliver,
    Append,
    Connect,
    Frames,
    Ping,
    Subscribe,
    Http,
    Transcode,
    Upload,
    Page,
}

impl Fault {
    pub(crate) fn stage(&self) -> Stage {
        match self {
            Fault::DropAnswer
            | Fault::DropSend
            | Fault::DelayAnswer { .. }
            | Fault::DelayEcho { .. }
            | Fault::RejectSend { .. }
            | Fault::AnonymousAnswer
            | Fault::CloseAfterSend => Stage::Send,
            Fault::DropPubAck => Stage::PubAck,
            Fault::Redeliver
            | Fault::DelayDelivery { .. }
            | Fault::MalformedFrame
            | Fault::MalformedPayload
            | Fault::TruncatedZlib
            | Fault::UnreadableEnvelope
            | Fault::UnknownTopic
            | Fault::HugePayload { .. }
            | Fault::DeepNesting { .. }
            | Fault::BadPatchBeforeGood
            | Fault::ParentProcess => Stage::Deliver,
            Fault::RepeatFirstItem => Stage::Page,
            Fault::Transcoding => Stage::Transcode,
            Fault::CutUpload { .. } => Stage::Upload,
            Fault::StringIds => Stage::Append,
            Fault::CloseAfterConnAck
            | Fault::CloseBeforeConnAck
            | Fault::RefuseConnect { .. }
            | Fault::IgnoreConnect => Stage::Connect,
            Fault::CloseAfter { .. } => Stage::Frames,
            Fault::DropPingResp => Stage::Ping,
            Fault::RefuseCursor { .. } | Fault::IgnoreSubscribe => Stage::Subscribe,
            Fault::RateLimit
            | Fault::LoginRequired
            | Fault::Challenge
            | Fault::Checkpoint
            | Fault::Consent
            | Fault::FeedbackRequired
            | Fault::HtmlError
            | Fault::NotFoundPage
            | Fault::CutJson
            | Fault::Status { .. }
            | Fault::DelayHttp { .. }
            | Fault::DropHttpAnswer
            | Fault::RotateAuthorization
            | Fault::RotateSession => Stage::Http,
        }
    }
}

/// The faults that wait for one account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Pending>);

#[derive(Debug)]
struct Pending {
    fault: Fault,
    left: u32,
    /// Only for API paths that contain this text.
    path: Option<String>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault, times: u32, path: Option<String>) {
        if times > 0 {
            self.0.push_back(Pending { fault, left: times, path });
        }
    }

    pub(crate) fn take(&mut self, stage: Stage, path: &str) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        let matches = |pending: &Pending| {
            pending.fault.stage() == stage && pending.path.as_deref().is_none_or(|part| path.contains(part))
        };
        let index = self.0.iter().position(matches)?;
        let pending = self.0.get_mut(index)?;
        let fault = pending.fault.clone();
        pending.left -= 1;
        if pending.left == 0 {
            self.0.remove(index);
        }
        Some(fault)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many applications are left.
    pub(crate) fn left(&self) -> u64 {
        self.0.iter().map(|pending| u64::from(pending.left)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_used_up_after_the_asked_number_of_times() {
        let mut faults = Faults::default();
        faults.add(Fault::RateLimit, 2, None);
        faults.add(Fault::DropAnswer, 1, None);
        assert_eq!(faults.take(Stage::Send, ""), Some(Fault::DropAnswer));
        assert_eq!(faults.take(Stage::Send, ""), None);
        assert_eq!(faults.take(Stage::Http, "/x"), Some(Fault::RateLimit));
        assert_eq!(faults.take(Stage::Http, "/x"), Some(Fault::RateLimit));
        assert_eq!(faults.take(Stage::Http, "/x"), None);
        assert_eq!(faults.left(), 0);
    }

    #[test]
    fn a_fault_for_one_path_leaves_other_paths_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::HtmlError, 1, Some("inbox".into()));
        assert_eq!(faults.take(Stage::Http, "/api/v1/users/1/info/"), None);
        assert_eq!(faults.take(Stage::Http, "/api/v1/direct_v2/inbox/"), Some(Fault::HtmlError));
    }

    #[test]
    fn a_fault_reads_from_plain_json() {
        let fault: Fault = serde_json::from_str(r#"{"kind":"delay_answer","ms":5}"#).unwrap();
        assert_eq!(fault, Fault::DelayAnswer { ms: 5 });
        let fault: Fault = serde_json::from_str(r#"{"kind":"refuse_cursor","reason":"underflow"}"#).unwrap();
        assert_eq!(fault, Fault::RefuseCursor { reason: CursorRefusal::Underflow });
    }
}
