//! What can go wrong with Instagram, in the bridge's terms, and how to say it to a user.

use std::time::Duration;

use instagram::client::http::CallError;
use instagram::error::ApiError;

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
    /// The session has ended.
    #[error("logged out")]
    LoggedOut,
    /// Instagram wants the user to do something in the app.
    #[error("action required: {0}")]
    ActionRequired(String),
    /// Instagram said no to this one request.
    #[error("refused")]
    Rejected(String),
    /// The thread or user does not exist for this account.
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
        !matches!(self, Self::Blocked(_) | Self::Rejected(_) | Self::NotFound)
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
                Some("send `ping` to the bridge bot to see why, then send your message again.".into()),
            ),
            Self::Uncertain => (
                "Instagram did not confirm it, and it is not in the chat.".into(),
                Some("look into the chat in the Instagram app before you send it again.".into()),
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
            Self::ActionRequired(what) => (
                format!("Instagram asks for something first: {what}"),
                Some("open the Instagram app, do what it asks, then send `reconnect` to the bridge bot.".into()),
            ),
            Self::Rejected(message) => (format!("Instagram refused it{}.", quoted(message)), None),
            Self::NotFound => (
                "this chat does not exist on Instagram any more.".into(),
                Some("open it in the Instagram app to see why.".into()),
            ),
        }
    }
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
            ApiError::Challenge { .. } => Self::ActionRequired("a security check".into()),
            ApiError::Checkpoint { .. } => Self::ActionRequired("a checkpoint".into()),
            ApiError::Consent { .. } => Self::ActionRequired("agreement to its terms".into()),
            ApiError::Suspended => Self::ActionRequired("the account is suspended".into()),
            ApiError::AppTooOld => Self::ActionRequired("a newer app version; update puppetgram".into()),
            ApiError::Disabled => Self::ActionRequired("the account is disabled".into()),
            ApiError::ActionBlocked { message } => Self::Blocked(message),
            ApiError::RateLimited { retry_after } => {
                let after = retry_after.unwrap_or(Duration::from_secs(60)).max(Duration::from_secs(62));
                Self::RateLimited(after)
            }
            ApiError::IpBlocked | ApiError::SentryBlock => Self::Blocked("this network address or app".into()),
            ApiError::GeoBlocked => Self::Rejected("not available from this country".into()),
            ApiError::PrivateUser => Self::Rejected("this profile is private".into()),
            ApiError::RecipientRefuses => Self::Rejected("this person takes no messages from this account".into()),
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
    /// The user has to act in the app.
    #[error("action required: {0}")]
    ActionRequired(String),
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
