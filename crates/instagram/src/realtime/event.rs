//! What a connection is told to do, and what it tells.

use std::time::Instant;

use bytes::Bytes;
use thiserror::Error;

use super::{Presence, Typing};
use crate::command::Reply;
use crate::topic::Topic;

/// What to do next on the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for the queue from this point on; ends in `Subscribed`, `CursorRefused` or, after retries, `Closed`.
    SubscribeIris {
        /// The cursor.
        seq_id: i64,
        /// When the cursor was current.
        snapshot_at_ms: i64,
    },
    /// Sends a command of topic 132 and waits for its answer until the deadline.
    Send {
        /// JSON (see [`crate::command`]).
        payload: Vec<u8>,
        /// The id that the answer and the echo carry.
        client_context: String,
        /// When to give up waiting.
        deadline: Instant,
    },
    /// Sends a command of topic 132 without waiting for anything: typing, read receipts.
    Tell {
        /// JSON (see [`crate::command`]).
        payload: Vec<u8>,
    },
    /// The echo of a send has arrived, which is as good as an answer.
    Confirm {
        /// The send.
        client_context: String,
        /// The item it became.
        item_id: String,
    },
    /// The message is stored: acknowledge it.
    Acknowledge(AckToken),
    /// Ends the connection in order.
    Close,
}

/// What happened on the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server accepted us; subscriptions are under way.
    Connected,
    /// The queue flows.
    Subscribed {
        /// Newest point of the queue, not a cursor to store: only handled messages move the cursor.
        latest_seq_id: Option<i64>,
    },
    /// The cursor is useless; compare threads over HTTP and subscribe with a new one.
    CursorRefused {
        /// Instagram's number for the cause.
        error_type: Option<i64>,
        /// Instagram's name for the cause.
        message: Option<String>,
    },
    /// A piece of the queue, inflated (see [`crate::sync`]). Acknowledge it once it is stored.
    Sync {
        /// For [`Command::Acknowledge`].
        ack: AckToken,
        /// JSON.
        payload: Bytes,
    },
    /// An answer that belongs to no send we know of.
    StrayReply(Reply),
    /// Somebody types, or stopped.
    Typing(Typing),
    /// Somebody is online, or went.
    Presence(Presence),
    /// A known topic without use for a bridge; never a reason to reconnect.
    Notice {
        /// The topic.
        topic: Topic,
        /// Bytes on the wire.
        size: usize,
    },
    /// Something unreadable; what came before and after it is not affected.
    Malformed {
        /// Where it arrived, if it was a message.
        topic: Option<Topic>,
        /// What is wrong, without content.
        reason: String,
    },
    /// A topic this crate has never heard of.
    UnknownTopic {
        /// Its id or name, at most 64 characters.
        topic: String,
        /// Bytes on the wire.
        size: usize,
    },
    /// The server answered a ping.
    Alive,
    /// The end; nothing follows.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Names one received message. Worth nothing on another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AckToken {
    pub(super) connection: i64,
    pub(super) packet_id: Option<u16>,
}

/// The end of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Which one.
    pub client_context: String,
    /// What became of it.
    pub result: Result<Answer, SendError>,
}

/// A send that Instagram carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The new item.
    pub item_id: Option<String>,
    /// Its time in microseconds, unknown when the echo came first.
    pub timestamp_us: Option<i64>,
}

/// A send without success.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// It never left: safe to send again.
    #[error("the message was not sent")]
    NotSent,
    /// It left and no answer came: it may have arrived. Send again with the same client context only.
    #[error("no answer came: the message may have arrived")]
    Uncertain,
    /// Instagram refused it.
    #[error("Instagram refused the message")]
    Rejected {
        /// HTTP-like code.
        status_code: Option<u16>,
        /// Instagram's words.
        message: Option<String>,
        /// Instagram's number for the cause.
        error_code: Option<i64>,
        /// Name of an exception at the server; `ThreadUserIdDoesNotExist` means the session is dead.
        exception: Option<String>,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// CONNECT was refused; 4 and 5 mean the session (verify over HTTP first).
    #[error("the server refused the connection with code {0}")]
    ConnAckRefused(u8),
    /// A ping found no answer.
    #[error("the server stopped answering")]
    PongTimeout,
    /// CONNECT found no answer.
    #[error("the server did not answer CONNECT in time")]
    ConnectTimeout,
    /// The subscription found no answer, several times.
    #[error("the server did not answer the subscription")]
    SubscribeTimeout,
    /// The connection was lost or closed without a word.
    #[error("the connection was lost")]
    PeerClosed,
    /// The server said goodbye.
    #[error("the server ended the connection")]
    ServerDisconnect,
    /// The stream of bytes makes no sense any more.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// We wanted it.
    #[error("closed on request")]
    Requested,
}

impl CloseReason {
    /// Whether the session may be the cause: ask over HTTP before connecting again.
    pub fn suggests_logout(&self) -> bool {
        matches!(self, CloseReason::ConnAckRefused(4 | 5))
    }
}
