//! What Instagram's HTTP answers mean when they are not the answer that was asked for.
//!
//! One enum, decided in one place and in the order of [`ApiError::classify`]: the first rule that fits counts.
//! Messages of Instagram are kept, shortened; nothing of our own request is. `Debug` says what `Display` says, since
//! addresses of challenges are as good as keys.

use std::fmt;
use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::number::Object;

/// A refusal by Instagram.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Not JSON: an error page of a server on the way. Worth a retry.
    #[error("the answer (status {status}) is not JSON")]
    NotJson {
        /// HTTP status.
        status: u16,
    },
    /// A 404 that says nothing but `Not Found`: on several endpoints at once it stands for a challenge.
    #[error("not found, without a reason; this may hide a challenge")]
    MaskedChallenge,
    /// This kind of action is blocked for hours.
    #[error("Instagram blocks this action for a while: {message}")]
    ActionBlocked {
        /// Instagram's words.
        message: String,
    },
    /// The login needs a second factor.
    #[error("two-factor authentication is required")]
    TwoFactor,
    /// There is no such thing, or not for this account.
    #[error("not found")]
    NotFound,
    /// Too many requests.
    #[error("rate limited")]
    RateLimited {
        /// As the server asked; wait a minute at least in any case.
        retry_after: Option<Duration>,
    },
    /// The account is suspended.
    #[error("the account is suspended")]
    Suspended,
    /// The app version that we present is no longer accepted.
    #[error("this version of the app is no longer supported")]
    AppTooOld,
    /// The user must confirm something in the app or at an address.
    #[error("Instagram asks for a confirmation (challenge)")]
    Challenge {
        /// Where; do not log it.
        url: Option<String>,
    },
    /// As a challenge.
    #[error("Instagram asks for a confirmation (checkpoint)")]
    Checkpoint {
        /// Where; do not log it.
        url: Option<String>,
    },
    /// The user must agree to something in the app.
    #[error("Instagram asks for consent")]
    Consent {
        /// What it is about, in Instagram's words.
        headline: Option<String>,
    },
    /// The session is over.
    #[error("the session is logged out")]
    LoggedOut {
        /// `false`: Instagram also says this by mistake, so ask once more before giving up.
        certain: bool,
    },
    /// The person's profile is private.
    #[error("not allowed to see this person")]
    PrivateUser,
    /// The address or the app is blocked.
    #[error("Instagram blocks this network address or app")]
    SentryBlock,
    /// The address is blocked.
    #[error("Instagram blocks this network address")]
    IpBlocked,
    /// The account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// Wrong password, or a right one from an unknown device.
    #[error("wrong password, or an unknown device")]
    BadPassword,
    /// The account has no password that can be used.
    #[error("the account needs a new password, to be set in the app")]
    UnusablePassword,
    /// No such user, or the address is blocked.
    #[error("there is no such user")]
    UnknownUser,
    /// Wrong second factor.
    #[error("wrong security code")]
    WrongCode,
    /// The second factor came too late.
    #[error("the login has expired; start again")]
    CodeExpired,
    /// The other side takes no message requests.
    #[error("the other person does not accept new message requests")]
    RecipientRefuses,
    /// Not from this country.
    #[error("not available from this country")]
    GeoBlocked,
    /// The account can only log in through Facebook.
    #[error("this account logs in through Facebook")]
    FacebookAccount,
    /// Any other refusal.
    #[error("refused (status {status}): {}", message.as_deref().or(error_type.as_deref()).unwrap_or("no reason given"))]
    Refused {
        /// HTTP status; 200 when the body alone says `fail`.
        status: u16,
        /// Instagram's words.
        message: Option<String>,
        /// Instagram's name of the error.
        error_type: Option<String>,
    },
    /// A success whose body lacks what it must have.
    #[error("the answer lacks {missing}")]
    Malformed {
        /// What is not there.
        missing: &'static str,
    },
}

impl ApiError {
    /// Decides whether an answer is a refusal, and which. `None` is success.
    pub fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let body = String::from_utf8_lossy(body);
        let Some(object) = Object::parse(&body) else { return Some(Self::without_json(status, headers, body.trim())) };
        let text = |key| object.text(key);
        let succeeded = status.is_success() && text("status").is_none_or(|said| said == "ok");
        // A success with `error_title` is none, for example `media_needs_reupload`.
        if succeeded && !object.has("error_title") {
            return None;
        }
        let message = text("message").unwrap_or_default();
        let kind = text("error_type").unwrap_or_default();
        let words = message.to_lowercase();
        let rate_limited = || Self::RateLimited { retry_after: retry_after(headers) };

        if object.flag("spam") || message == "feedback_required" {
            let said = text("feedback_message").or_else(|| text("feedback_title")).unwrap_or(message);
            return Some(Self::ActionBlocked { message: shorten(&said) });
        }
        if object.flag("two_factor_required") || object.has("two_factor_info") || kind == "two_factor_required" {
            return Some(Self::TwoFactor);
        }
        if status == StatusCode::NOT_FOUND {
            return Some(Self::NotFound);
        }
        if status == StatusCode::TOO_MANY_REQUESTS
            || words.contains("please wait a few minutes")
            || kind == "rate_limit_error"
        {
            return Some(rate_limited());
        }
        match message.as_str() {
            "challenge_required" => return Some(Self::challenge(&object)),
            "checkpoint_required" => return Some(Self::Checkpoint { url: text("checkpoint_url") }),
            "consent_required" => {
                let headline = object.object("consent_data").and_then(|data| data.text("headline"));
                return Some(Self::Consent { headline: headline.map(|headline| shorten(&headline)) });
            }
            "user_has_logged_out" => return Some(Self::LoggedOut { certain: true }),
            "login_required" => return Some(Self::LoggedOut { certain: false }),
            _ => {}
        }
        if words.contains("not authorized to view user") {
            return Some(Self::PrivateUser);
        }
        // The named types come before `invalid_credentials`, which accompanies several of them.
        Some(match kind.as_str() {
            "sentry_block" => Self::SentryBlock,
            "ip_block" => Self::IpBlocked,
            "inactive_user" | "inactive user" => Self::Disabled,
            "bad_password" => Self::BadPassword,
            "unusable_password" => Self::UnusablePassword,
            "invalid_user" => Self::UnknownUser,
            "sms_code_validation_code_invalid" => Self::WrongCode,
            "invalid_nonce" => Self::CodeExpired,
            _ if words.contains("the username you entered") => Self::UnknownUser,
            _ if object.flag("invalid_credentials")
                || text("exception_name").is_some_and(|name| name == "UserInvalidCredentials") =>
            {
                Self::BadPassword
            }
            _ if words.contains("new message requests") => Self::RecipientRefuses,
            _ if message == "geoblock_required" || kind == "geoblock_required" => Self::GeoBlocked,
            _ if is_facebook(&message) || is_facebook(&kind) => Self::FacebookAccount,
            _ => Self::Refused {
                status: status.as_u16(),
                message: reason(&object).map(|message| shorten(&message)),
                error_type: text("error_type").map(|kind| shorten(&kind)),
            },
        })
    }

    fn without_json(status: StatusCode, headers: &HeaderMap, body: &str) -> Self {
        if status == StatusCode::NOT_FOUND && body == "Not Found" {
            return Self::MaskedChallenge;
        }
        // Proxies and the edge limit with a page; the status alone decides.
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Self::RateLimited { retry_after: retry_after(headers) };
        }
        let location = headers.get(LOCATION).filter(|_| status.is_redirection()).and_then(|value| value.to_str().ok());
        match location {
            Some(location) if location.contains("/accounts/suspended") => Self::Suspended,
            Some(location) if location.contains("/accounts/login") => Self::LoggedOut { certain: false },
            Some(location) if location.contains("/challenge/") => Self::Challenge { url: Some(location.to_owned()) },
            _ => Self::NotJson { status: status.as_u16() },
        }
    }

    fn challenge(object: &Object<'_>) -> Self {
        let challenge = object.object("challenge");
        let url = challenge.as_ref().and_then(|c| c.text("url").or_else(|| c.text("api_path")));
        match url {
            Some(url) if url.contains("/suspended/") => Self::Suspended,
            Some(url) if url.contains("unsupported_version") => Self::AppTooOld,
            url => Self::Challenge { url },
        }
    }

    /// Trouble on the way or at the server: the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotJson { .. } | Self::RateLimited { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Only the user can help, in the app: stop asking.
    pub fn needs_user(&self) -> bool {
        matches!(
            self,
            Self::Suspended
                | Self::Challenge { .. }
                | Self::Checkpoint { .. }
                | Self::Consent { .. }
                | Self::LoggedOut { .. }
                | Self::Disabled
                | Self::TwoFactor
        )
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiError({self})")
    }
}

/// Where the words are: commands answer inside a payload, some endpoints with the name of an exception.
fn reason(object: &Object<'_>) -> Option<String> {
    let nested = || object.object("payload")?.text("message");
    nested().or_else(|| ["message", "exception", "error_title"].iter().find_map(|key| object.text(key)))
}

fn is_facebook(name: &str) -> bool {
    matches!(name, "fb_no_contact_point_found" | "fb_email_taken" | "sso_disabled")
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn shorten(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn classify(status: u16, body: &str) -> Option<ApiError> {
        ApiError::classify(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn the_earlier_rule_counts() {
        let blocked = classify(429, r#"{"status":"fail","spam":true,"message":"login_required"}"#);
        assert!(matches!(blocked, Some(ApiError::ActionBlocked { .. })));
        assert_eq!(classify(404, r#"{"status":"fail","message":"login_required"}"#), Some(ApiError::NotFound));
        let waiting =
            classify(401, r#"{"message":"Please wait a few minutes before you try again.","require_login":true}"#);
        assert_eq!(waiting, Some(ApiError::RateLimited { retry_after: None }));
    }

    #[test]
    fn wrong_types_in_an_error_are_absent() {
        for body in [r#"{"message":{"errors":["x"]},"status":"fail"}"#, r#"{"status":[],"message":5}"#, "{}"] {
            let error = classify(400, body);
            assert_eq!(error, Some(ApiError::Refused { status: 400, message: None, error_type: None }), "{body}");
        }
        assert_eq!(classify(200, "{}"), None);
        assert!(classify(200, r#"{"status":"ok","error_title":"media_needs_reupload"}"#).is_some());
    }

    #[test]
    fn pages_instead_of_json_are_told_apart_by_status_and_address() {
        for body in ["", "<html>", "[]", "null", "{\"status\":"] {
            assert_eq!(classify(502, body), Some(ApiError::NotJson { status: 502 }), "{body}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("120"));
        let limited = ApiError::classify(StatusCode::TOO_MANY_REQUESTS, &headers, b"<html>");
        assert_eq!(limited, Some(ApiError::RateLimited { retry_after: Some(Duration::from_secs(120)) }));
        headers.insert(LOCATION, HeaderValue::from_static("https://www.instagram.com/accounts/login/?next=/"));
        let redirected = ApiError::classify(StatusCode::FOUND, &headers, b"");
        assert_eq!(redirected, Some(ApiError::LoggedOut { certain: false }));
    }

    #[test]
    fn an_error_does_not_show_the_address_of_a_challenge() {
        let body =
            r#"{"message":"challenge_required","challenge":{"url":"https://i.instagram.com/challenge/1/planted/"}}"#;
        let error = classify(400, body).unwrap();
        assert!(matches!(&error, ApiError::Challenge { url: Some(url) } if url.contains("planted")));
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}
