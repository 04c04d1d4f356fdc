//! What can go wrong between us and the homeserver, and whether waiting helps.
//!
//! No variant holds a token or an address with its query: these errors end up in logs, notices and the database.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

/// A request that the homeserver did not carry out, or of which we do not know whether it did.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HomeserverError {
    /// No connection, or it broke before the answer.
    #[error("the homeserver cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time; the request may have been carried out.
    #[error("the homeserver did not answer in time")]
    Timeout,
    /// Asked to slow down, more often or for longer than a request waits by itself.
    #[error("the homeserver asks to slow down")]
    RateLimited {
        /// How long it wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// The acting user may not do this.
    #[error("the homeserver forbids it: {0}")]
    Forbidden(String),
    /// The room, event, user or medium does not exist.
    #[error("the homeserver does not have it")]
    NotFound,
    /// The alias of a new room belongs to another room: resolve it and adopt that one.
    #[error("the room alias is in use")]
    AliasInUse,
    /// The homeserver does not know our `as_token`.
    #[error("the homeserver does not know our as_token: is registration.yaml installed there, unchanged?")]
    UnknownToken,
    /// The event or upload exceeds the homeserver's limit.
    #[error("too large for the homeserver")]
    TooLarge,
    /// Another answer that says no.
    #[error("the homeserver refuses with {status} {errcode}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Matrix error code.
        errcode: String,
        /// The homeserver's words.
        message: String,
    },
    /// The homeserver, or something in front of it, is in trouble.
    #[error("the homeserver is in trouble (status {status} {errcode})")]
    Server {
        /// HTTP status.
        status: u16,
        /// Matrix error code; empty when the answer was not Matrix's.
        errcode: String,
    },
    /// Success, but with a body that we cannot read.
    #[error("the homeserver's answer cannot be read: {0}")]
    Malformed(String),
}

impl HomeserverError {
    /// True when the same request may succeed later without any change of its own.
    ///
    /// A refused token counts: it is the administrator's to repair, and must not cost messages meanwhile.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Timeout
            | Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::UnknownToken
            | Self::Malformed(_) => true,
            Self::Forbidden(_) | Self::NotFound | Self::AliasInUse | Self::TooLarge | Self::Refused { .. } => false,
        }
    }

    /// How long the homeserver wants us to wait, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }

    /// Reads an answer that is not a success.
    pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        // An error that is no Matrix error comes from a proxy in front of the homeserver: it says nothing about the
        // request itself, so even its 404 is trouble that passes.
        let Ok(answer) = serde_json::from_slice::<ErrorBody>(body) else {
            return match status {
                StatusCode::TOO_MANY_REQUESTS => Self::RateLimited { retry_after: retry_after_header(headers) },
                StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
                _ => Self::Server { status: status.as_u16(), errcode: String::new() },
            };
        };
        match answer.errcode.as_str() {
            "M_LIMIT_EXCEEDED" => Self::RateLimited {
                retry_after: answer
                    .retry_after_ms
                    .map(|ms| Duration::from_millis(ms as u64))
                    .or_else(|| retry_after_header(headers)),
            },
            "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" => Self::UnknownToken,
            "M_ROOM_IN_USE" => Self::AliasInUse,
            "M_NOT_FOUND" => Self::NotFound,
            "M_TOO_LARGE" => Self::TooLarge,
            "M_FORBIDDEN" => Self::Forbidden(shorten(answer.error)),
            _ if status.is_server_error() => Self::Server { status: status.as_u16(), errcode: answer.errcode },
            _ => Self::Refused { status: status.as_u16(), errcode: answer.errcode, message: shorten(answer.error) },
        }
    }

    /// Reads a failure of the transport, without the address it went to.
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            return Self::Timeout;
        }
        Self::Unreachable(root_cause(error))
    }
}

/// A client that cannot be made from its options.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `homeserver.address` is not one.
    #[error("`homeserver.address` must be an http or https address without a query")]
    Address,
    /// The token has characters that no token has.
    #[error("`appservice.as_token` contains characters that cannot be sent in a header")]
    Token,
    /// The extra CA file.
    #[error(
        "the CA file for the homeserver holds no readable PEM certificate\nhint: check `homeserver.ca_file`: it is to hold certificates that begin with -----BEGIN CERTIFICATE-----"
    )]
    Authority,
    /// TLS could not be set up.
    #[error("the HTTP client cannot be made: {0}")]
    Transport(String),
}

#[derive(Deserialize)]
struct ErrorBody {
    errcode: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    retry_after_ms: Option<f64>,
}

fn retry_after_header(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost cause: the outer ones repeat each other and one of them names the address.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest::Error>() { "the request failed".to_owned() } else { cause.to_string() }
}

/// Homeservers may quote what they were sent; an error has no room for that.
fn shorten(mut text: String) -> String {
    const LIMIT: usize = 300;
    if text.len() > LIMIT {
        text.truncate(text.floor_char_boundary(LIMIT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> HomeserverError {
        HomeserverError::from_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn error_codes_decide_before_the_status() {
        assert_eq!(read(400, r#"{"errcode":"M_ROOM_IN_USE","error":"x"}"#), HomeserverError::AliasInUse);
        assert_eq!(read(401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#), HomeserverError::UnknownToken);
        assert_eq!(read(403, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#), HomeserverError::Forbidden("no".into()));
        assert_eq!(
            read(429, r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}"#).retry_after(),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            read(400, r#"{"errcode":"M_BAD_JSON","error":"bad"}"#),
            HomeserverError::Refused { status: 400, errcode: "M_BAD_JSON".into(), message: "bad".into() }
        );
    }

    #[test]
    fn what_a_proxy_says_is_never_final() {
        for status in [401, 403, 404, 502] {
            let error = read(status, "<html>nginx</html>");
            assert!(error.is_transient(), "{error:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let text = "ä".repeat(400);
        let HomeserverError::Forbidden(message) =
            read(403, &format!(r#"{{"errcode":"M_FORBIDDEN","error":"{text}"}}"#))
        else {
            panic!()
        };
        assert!(message.len() < 310 && message.ends_with('…'));
    }
}
