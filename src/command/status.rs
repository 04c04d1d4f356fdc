//! `ping` and `list-logins`: the state as it is known, with the evidence.

use std::fmt::Write as _;

use super::{Asked, reply};
use crate::bridge::Bridge;
use crate::config::Permission;
use crate::domain::ids::Timestamp;
use crate::domain::record::{Login, LoginState};
use crate::lane::StepError;
use crate::login::Status;
use crate::runtime;

/// One line for each login of the user.
pub(super) async fn list_logins(bridge: &Bridge, asked: &Asked<'_>) -> Result<(), StepError> {
    let logins = bridge.store.logins_of_user(&asked.event.sender).await?;
    if logins.is_empty() {
        return reply(bridge, asked.event, "You have no login. Send `login` to attach an account.").await;
    }
    let lines: Vec<String> =
        logins.iter().map(|login| format!("@{} ({}): {}", login.username, login.id, state(bridge, login))).collect();
    reply(bridge, asked.event, &lines.join("\n")).await
}

fn state(bridge: &Bridge, login: &Login) -> String {
    let reason = login.reason.as_deref().unwrap_or_default();
    match (login.state, bridge.sessions.get(&login.id).map(|running| running.status())) {
        (LoginState::LoggedOut, _) => format!("logged out. {reason} Send `login`."),
        (LoginState::ActionRequired, _) => format!("stopped. {reason} Send `reconnect` once that is done."),
        (LoginState::Active, Some(Status::Connected)) => "connected".to_owned(),
        (LoginState::Active, Some(Status::Connecting)) => "connecting".to_owned(),
        (LoginState::Active, Some(Status::Reconciling)) => "fetching what was missed".to_owned(),
        (LoginState::Active, Some(Status::Waiting(why))) => format!("not connected: {why}; trying again"),
        (LoginState::Active, Some(Status::Stopped(why))) => format!("stopped: {why}"),
        (LoginState::Active, None) => "not started".to_owned(),
    }
}

/// The state of each login with its last proofs, and of the bridge.
pub(super) async fn ping(bridge: &Bridge, asked: &Asked<'_>) -> Result<(), StepError> {
    let now = runtime::now();
    let mut text = String::new();
    for login in bridge.store.logins_of_user(&asked.event.sender).await? {
        let _ = writeln!(text, "@{}: {}", login.username, state(bridge, &login));
        if let Some(running) = bridge.sessions.get(&login.id) {
            let proof = running.remote.proof();
            if let Some(since) = proof.connected_at {
                let _ = writeln!(text, "  connected for {}", ago(now, since));
            }
            let _ = writeln!(text, "  last sign of life from Instagram: {}", when(now, proof.last_inbound));
            let _ = writeln!(text, "  last message sync received and stored: {}", when(now, proof.last_received));
            let _ = writeln!(text, "  last message confirmed by Instagram: {}", when(now, proof.last_sent));
            if proof.unknown + proof.malformed > 0 {
                let _ = writeln!(text, "  left out: {} of unknown kind, {} unreadable", proof.unknown, proof.malformed);
            }
        }
    }
    if text.is_empty() {
        text.push_str("You have no login. Send `login` to attach an account.\n");
    }
    let trouble = bridge.contact.trouble();
    if trouble.is_some() {
        let _ = writeln!(text, "The homeserver does not reach the bridge: what you write arrives late.");
    }
    if bridge.config.permission(&asked.event.sender) >= Permission::Admin {
        let depth = bridge.store.inbox_depth();
        let parked = bridge.store.parked_rows().await?;
        // How the homeserver is reached is none of its users' business.
        if let Some(trouble) = trouble {
            let _ = writeln!(text, "Homeserver: {trouble}");
        }
        let _ = writeln!(
            text,
            "Bridge: {depth} rows waiting, {} parked, {} sessions",
            parked.count,
            bridge.sessions.all().len()
        );
    }
    reply(bridge, asked.event, text.trim_end()).await
}

fn when(now: Timestamp, at: Timestamp) -> String {
    if at.0 == 0 { "never since the bridge started".to_owned() } else { format!("{} ago", ago(now, at)) }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.0.saturating_sub(at.0).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let now = Timestamp(1_000_000_000);
        assert_eq!(when(now, Timestamp(0)), "never since the bridge started");
        assert_eq!(when(now, Timestamp(now.0 - 5_000)), "5 s ago");
        assert_eq!(when(now, Timestamp(now.0 - 3_900_000)), "1 h 5 min ago");
    }
}
