//! What can go wrong with Instagram, in the bridge's terms, and how to say it to a user.

use std::time::Duration;

use instagram::client::http::CallError;
use instagram::error::ApiError;

use crate::domain::ids::Timestamp;

/// A request for a login did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nothing was sent: the login has no connection.
    #[error("not connected")]
    NotConnected,
    /// It may have arrived: look for it before sending again.
    #[error("no answer; it may have arrived")]
    Uncertain,
    /// Nothing arrived, or only a read failed.
    #[error("transport: {0}")]
    Transport(String),
    /// Instagram asks for patience.
    #[error("rate limited")]
    RateLimited(Duration),
    /// Instagram blocks this kind of action for the account; hours of rest are needed.
    #[error("action blocked")]
    Blocked(String),
    /// Instagram takes nothing from this network address, or from what the bridge says it is.
    #[error("barred")]
    Barred,
    /// Not sent: the bridge lets the account rest, because an action was blocked.
    #[error("resting after a block")]
    Resting {
        /// Until when.
        until: Timestamp,
    },
    /// The session has ended.
    #[error("logged out")]
    LoggedOut,
    /// Instagram wants something done before anything else.
    #[error("action required: {0:?}")]
    ActionRequired(Demand),
    /// Instagram said no to this one request, in these words.
    #[error("refused")]
    Rejected(String),
    /// Likewise; what that means, in ours.
    #[error("refused: {0}")]
    Impossible(String),
    /// The thread, item or user does not exist for this account.
    #[error("not found")]
    NotFound,
    /// An answer that makes no sense, or a fault on their side.
    #[error("server: {0}")]
    Server(String),
    /// Our own disk does not take a file.
    #[error("the temporary directory: {0}")]
    Disk(String),
}

impl RemoteError {
    /// Whether the same request may work later.
    pub fn is_transient(&self) -> bool {
        !self.is_block() && !self.is_refusal()
    }

    /// Whether Instagram said a clear no to this one request.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Impossible(_) | Self::NotFound)
    }

    /// Whether the account has to be left alone for long.
    pub fn is_block(&self) -> bool {
        matches!(self, Self::Blocked(_) | Self::Barred | Self::Resting { .. })
    }

    /// Whether Instagram itself said this, and it makes no sense.
    pub fn is_nonsense(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// When to try again, where Instagram said so or the login has to change first.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(after) => Some(*after),
            Self::LoggedOut | Self::ActionRequired(_) => Some(Duration::from_secs(60)),
            _ => None,
        }
    }

    /// The reason and the cure, in words for a user.
    pub fn explain(&self) -> (String, Option<String>) {
        match self {
            Self::NotConnected => (
                "the connection to Instagram is down.".into(),
                Some("send `ping` to the bridge bot to see why, then try again.".into()),
            ),
            Self::Uncertain => (
                "Instagram did not confirm it.".into(),
                Some("look into the Instagram app before you do it again.".into()),
            ),
            Self::Transport(_) | Self::Server(_) => (
                "Instagram could not be reached or answered with nonsense.".into(),
                Some("try again later; the admin finds the details in the log.".into()),
            ),
            Self::Disk(_) => (
                "the bridge's disk does not take the file.".into(),
                Some("tell the admin: the temporary directory needs room.".into()),
            ),
            Self::RateLimited(_) => (
                "Instagram asks to wait before more is sent.".into(),
                Some("leave the account alone for an hour.".into()),
            ),
            Self::Blocked(message) => (
                format!("Instagram blocks this action for now{}.", quoted(message)),
                Some("do not repeat it for some hours; check the account in the app.".into()),
            ),
            Self::LoggedOut => {
                ("the login has ended.".into(), Some("log in again: send `login` to the bridge bot.".into()))
            }
            Self::Barred => (
                "Instagram takes nothing from this bridge's network address, or from such an app.".into(),
                Some(
                    "ask the admin: a long rest, another `instagram.proxy` or an update of puppetgram may help.".into(),
                ),
            ),
            Self::Resting { until } => (
                format!(
                    "the bridge rests this account until {} UTC, because Instagram blocked an action.",
                    clock(*until)
                ),
                Some("do it after that; check the account in the app.".into()),
            ),
            Self::ActionRequired(demand) => {
                let (statement, hint) = demand.explain();
                (statement.into(), Some(hint.into()))
            }
            Self::Rejected(message) => (format!("Instagram refused it{}.", quoted(message)), None),
            Self::Impossible(why) => (format!("{why}."), None),
            Self::NotFound => (
                "it does not exist on Instagram any more, or not for this account.".into(),
                Some("look for it in the Instagram app.".into()),
            ),
        }
    }
}

/// What Instagram wants before anything else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demand {
    /// A challenge.
    SecurityCheck,
    /// A checkpoint.
    Checkpoint,
    /// Agreement to its terms.
    Consent,
    /// The account is suspended.
    Suspended,
    /// The account is disabled.
    Disabled,
    /// A newer app than the bridge says it is.
    Update,
}

impl Demand {
    /// What it is and the cure, in words for a user: each a sentence.
    pub fn explain(self) -> (&'static str, &'static str) {
        const DO_IT: &str = "open the Instagram app, do what it asks, then send `reconnect` to the bridge bot.";
        const SEE_WHY: &str =
            "open the Instagram app to see what can be done about it; then send `reconnect` to the bridge bot.";
        match self {
            Self::SecurityCheck => ("Instagram asks for something first: a security check.", DO_IT),
            Self::Checkpoint => ("Instagram asks for something first: a checkpoint.", DO_IT),
            Self::Consent => ("Instagram asks for something first: agreement to its terms.", DO_IT),
            Self::Suspended => ("Instagram has suspended this account.", SEE_WHY),
            Self::Disabled => ("Instagram has disabled this account.", SEE_WHY),
            Self::Update => (
                "this version of puppetgram is too old for Instagram.",
                "ask the admin to update puppetgram; then send `reconnect` to the bridge bot.",
            ),
        }
    }
}

/// The time of day.
fn clock(at: Timestamp) -> String {
    let minutes = at.0.div_euclid(60_000);
    format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

fn quoted(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    if message.is_empty() { String::new() } else { format!(" (\"{message}\")") }
}

impl From<CallError> for RemoteError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Api(error) => error.into(),
            other => Self::Transport(other.to_string()),
        }
    }
}

impl From<ApiError> for RemoteError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::LoggedOut { .. } => Self::LoggedOut,
            ApiError::Challenge { .. } => Self::ActionRequired(Demand::SecurityCheck),
            ApiError::Checkpoint { .. } => Self::ActionRequired(Demand::Checkpoint),
            ApiError::Consent { .. } => Self::ActionRequired(Demand::Consent),
            ApiError::Suspended => Self::ActionRequired(Demand::Suspended),
            ApiError::AppTooOld => Self::ActionRequired(Demand::Update),
            ApiError::Disabled => Self::ActionRequired(Demand::Disabled),
            ApiError::ActionBlocked { message } => Self::Blocked(message),
            ApiError::RateLimited { retry_after } => {
                let after = retry_after.unwrap_or(Duration::from_secs(60)).max(Duration::from_secs(62));
                Self::RateLimited(after)
            }
            ApiError::IpBlocked | ApiError::SentryBlock => Self::Barred,
            ApiError::GeoBlocked => Self::Impossible("it is not available from the bridge's country".into()),
            ApiError::PrivateUser => Self::Impossible("this profile is private".into()),
            ApiError::RecipientRefuses => Self::Impossible("this person takes no messages from this account".into()),
            ApiError::NotFound | ApiError::MaskedChallenge => Self::NotFound,
            ApiError::Refused { status: 200 | 400..=499, message, .. } => Self::Rejected(message.unwrap_or_default()),
            other => Self::Server(other.to_string()),
        }
    }
}

/// Why a connection is over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionEnd {
    /// The connection broke or never came; try again.
    #[error("{0}")]
    Transport(String),
    /// The broker refused the session, which may or may not be dead: ask over HTTP.
    #[error("the session was refused")]
    Doubtful,
    /// The session is dead.
    #[error("logged out")]
    LoggedOut,
    /// Instagram wants something done first.
    #[error("action required: {0:?}")]
    ActionRequired(Demand),
}

impl From<RemoteError> for SessionEnd {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::LoggedOut => Self::LoggedOut,
            RemoteError::ActionRequired(what) => Self::ActionRequired(what),
            other => Self::Transport(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: ApiError) -> String {
        let (reason, hint) = RemoteError::from(error).explain();
        format!("{reason} {}", hint.unwrap_or_default())
    }

    #[test]
    fn the_cure_fits_what_instagram_wants() {
        let update = said(ApiError::AppTooOld);
        assert!(update.contains("ask the admin to update puppetgram") && !update.contains("Instagram app"), "{update}");
        assert!(said(ApiError::Suspended).starts_with("Instagram has suspended this account."));
        assert!(said(ApiError::Challenge { url: None }).contains("a security check"));
    }

    #[test]
    fn only_instagrams_words_are_quoted() {
        for error in [ApiError::IpBlocked, ApiError::SentryBlock, ApiError::RecipientRefuses, ApiError::PrivateUser] {
            let said = said(error);
            assert!(!said.contains('"'), "{said}");
        }
        let (reason, _) = RemoteError::Resting { until: Timestamp(52_200_000) }.explain();
        assert_eq!(reason, "the bridge rests this account until 14:30 UTC, because Instagram blocked an action.");
        assert!(RemoteError::Rejected("no.".into()).explain().0.contains("(\"no\")"));
    }
}
