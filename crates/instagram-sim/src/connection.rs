//! What is known of one open realtime connection, and what it can be told from outside.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::Serialize;

/// Which field numbers the last two parts of the CONNECT struct had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbering {
    /// 7 and 8, as one older client counts.
    SevenEight,
    /// 9 and 10, as the app has it.
    NineTen,
    /// Neither part was there.
    Absent,
}

/// How the client proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordKind {
    /// `sessionid=…`
    SessionId,
    /// `authorization=Bearer IGT:2:…`
    Authorization,
}

/// A snapshot of one open realtime connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionDetails {
    /// Field numbers of the CONNECT struct.
    pub numbering: Numbering,
    /// How the client proved who it is.
    pub password: PasswordKind,
    /// Seconds, as the client asked.
    pub keep_alive: u16,
    /// The app version the client named.
    pub app_version: Option<String>,
    /// Whether the iris subscription succeeded.
    pub subscribed: bool,
    /// The newest envelope that was sent over this connection.
    pub delivered: Option<i64>,
    /// Packets of the client after CONNECT.
    pub frames_in: u64,
    /// Publishes to the client.
    pub publishes: u64,
    /// Publishes that the client has acknowledged.
    pub acknowledged: u64,
}

/// The counters behind [`ConnectionDetails`].
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    pub(crate) numbering: Numbering,
    pub(crate) password: PasswordKind,
    pub(crate) keep_alive: u16,
    pub(crate) app_version: Option<String>,
    /// −1 until the iris subscription succeeds.
    pub(crate) delivered: AtomicI64,
    pub(crate) frames_in: AtomicU64,
    pub(crate) publishes: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
}

impl ConnectionInfo {
    pub(crate) fn details(&self) -> ConnectionDetails {
        let delivered = self.delivered.load(Ordering::Relaxed);
        ConnectionDetails {
            numbering: self.numbering,
            password: self.password,
            keep_alive: self.keep_alive,
            app_version: self.app_version.clone(),
            subscribed: delivered >= 0,
            delivered: (delivered >= 0).then_some(delivered),
            frames_in: self.frames_in.load(Ordering::Relaxed),
            publishes: self.publishes.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
        }
    }
}

/// Something a connection is to do that is not in the user's queue.
#[derive(Debug)]
pub(crate) enum Order {
    /// Publish these bytes, as they are, on this topic.
    Publish { topic: String, payload: Vec<u8> },
    /// Write these bytes to the socket.
    Raw(Vec<u8>),
    /// Show that somebody types.
    Typing { thread: String, sender: u64, active: bool, at_us: i64 },
    /// Stop answering without closing.
    Stall,
}
