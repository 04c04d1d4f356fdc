//! What a simulator and an account can be told at the start.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How a simulator starts. The default listens on free ports of 127.0.0.1.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Address of the HTTPS API; port 0 takes a free one.
    pub api: SocketAddr,
    /// Address of the realtime server (MQTToT over TLS); port 0 takes a free one.
    pub realtime: SocketAddr,
    /// How many envelopes of a user's queue are kept for replay.
    pub retention: usize,
    /// Whether the first message of a thread is preceded by the whole thread as an inbox patch.
    pub announce_threads: bool,
    /// Whether an edit also adds an item of type `history_edit`.
    pub edits_add_history: bool,
    /// How many envelopes may travel in one publish. 1 is what Instagram mostly does.
    pub envelopes_per_publish: usize,
    /// Every how many API answers of a session `ig-set-ig-u-rur` rotates; 0 never.
    pub rotate_rur_every: u32,
    /// How many API requests are remembered for [`Sim::recorded_requests`](crate::Sim::recorded_requests).
    pub remembered_requests: usize,
}

impl Default for SimOptions {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        SimOptions {
            api: loopback,
            realtime: loopback,
            retention: 100_000,
            announce_threads: true,
            edits_add_history: false,
            envelopes_per_publish: 1,
            rotate_rur_every: 5,
            remembered_requests: 10_000,
        }
    }
}

/// Switches of one account that last until they are changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountOptions {
    /// The echo of an own send (topic 146) is published before its answer (topic 133).
    pub echo_before_answer: bool,
    /// User ids and timestamps are strings where Instagram mostly sends numbers.
    pub string_ids: bool,
    /// Messages from strangers to this account wait in the pending inbox.
    pub requests_are_pending: bool,
    /// The message that makes or brings back a thread comes inside the thread object only, not as an item too.
    pub news_inside_threads: bool,
}
