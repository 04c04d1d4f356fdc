//! Figures about the running bridge, in the text format that Prometheus reads: counts only, nothing about anybody.

use std::fmt::Write as _;

use crate::bridge::Bridge;
use crate::login::Status;

/// All figures at this moment.
pub fn render(bridge: &Bridge) -> String {
    let store = bridge.store.counters();
    let sessions = bridge.sessions.all();
    let connected = sessions.iter().filter(|session| session.status() == Status::Connected).count();
    let (mut unknown, mut malformed) = (0, 0);
    for session in &sessions {
        let proof = session.remote.proof();
        unknown += proof.unknown;
        malformed += proof.malformed;
    }
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = write!(
            text,
            "# HELP puppetgram_{name} {help}\n# TYPE puppetgram_{name} {kind}\npuppetgram_{name} {value}\n"
        );
    };
    let size = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    line("logins", "gauge", "Logins known to this process.", size(sessions.len()));
    line("logins_connected", "gauge", "Logins with a subscribed connection.", size(connected));
    line(
        "inbox_pending",
        "gauge",
        "Rows waiting in the inbox, those of earlier messages left out.",
        u64::try_from(bridge.store.inbox_depth()).unwrap_or(0),
    );
    line("store_commits_total", "counter", "Database transactions committed.", store.commits);
    line("store_writes_total", "counter", "Writes in these transactions.", store.writes);
    line("unknown_total", "counter", "Patches and topics of unknown kinds, by living sessions.", unknown);
    line("malformed_total", "counter", "Payloads that could not be read, by living sessions.", malformed);
    text
}
