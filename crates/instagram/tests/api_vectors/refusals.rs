//! Refusals are told apart.

use http::{HeaderMap, StatusCode};
use instagram::error::ApiError;

use super::cases;

/// Where the two peers disagree, or where we side with neither.
fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "login_required_400" => "mautrix: the message counts, not the status",
        "user_has_logged_out_403" => "mautrix: instagrapi has no class for it",
        "challenge_suspended" => "instagrapi: the address tells a suspension, which needs other words to the user",
        "checkpoint_required" | "consent_required" => "mautrix: instagrapi has no class for it",
        "unusable_password" | "invalid_credentials_exception_name" | "bad_2fa_code" | "expired_2fa_nonce" => {
            "mautrix: instagrapi has no class for it"
        }
        "invalid_user" => {
            "mautrix: instagrapi guesses at a blocked address; error_type goes before invalid_credentials, which only \
             accompanies it"
        }
        "inactive_user" => "mautrix: instagrapi has no class for it",
        "http_401_please_wait" => "instagrapi: mautrix would see an unknown refusal and ask again at once",
        "http_404_masked_challenge" => "instagrapi: mautrix sees a page that is not JSON",
        "ip_block" => "neither has a class for it, but the reaction differs: another proxy is needed",
        "dm_requests_disabled" => "instagrapi: the user must learn that the other side refuses",
        _ => return None,
    })
}

#[test]
fn refusals_are_told_apart_as_by_the_peers() {
    let mut compared = 0;
    for case in cases("http_errors") {
        let name = case["name"].as_str().unwrap();
        let input = &case["input"];
        let body = input["body"].as_str().map_or_else(|| input["body"].to_string(), str::to_owned);
        let status = StatusCode::from_u16(u16::try_from(input["http_status"].as_u64().unwrap()).unwrap()).unwrap();
        let ours = ApiError::classify(status, &HeaderMap::new(), body.as_bytes());
        let (mautrix, instagrapi) = names(ours.as_ref());
        let outputs = &case["outputs"];
        let agrees = |peer: &str, classes: &[&str]| classes.contains(&outputs[peer].as_str().unwrap());
        let (with_mautrix, with_instagrapi) = (agrees("mautrix_instagram", mautrix), agrees("instagrapi", instagrapi));
        match reason(name) {
            None => assert!(with_mautrix && with_instagrapi, "{name}: {ours:?} against {outputs}"),
            Some(reason) => {
                assert!(!(with_mautrix && with_instagrapi), "{name}: no reason is needed");
                assert_eq!(reason.starts_with("mautrix:"), with_mautrix, "{name}: {ours:?}");
                assert_eq!(reason.starts_with("instagrapi:"), with_instagrapi, "{name}: {ours:?}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 29);
}

/// What the peers call a class of ours.
fn names(error: Option<&ApiError>) -> (&'static [&'static str], &'static [&'static str]) {
    match error {
        None => (&["ok (body returned)"], &["ok (body returned)"]),
        Some(ApiError::LoggedOut { certain: false }) => (&["IGLoginRequiredError"], &["LoginRequired"]),
        Some(ApiError::LoggedOut { certain: true }) => (&["IGUserHasLoggedOutError"], &[]),
        Some(ApiError::Challenge { .. }) => (&["IGChallengeError"], &["ChallengeRequired"]),
        Some(ApiError::Suspended) => (&[], &["AccountSuspended"]),
        Some(ApiError::Checkpoint { .. }) => (&["IGCheckpointError"], &[]),
        Some(ApiError::Consent { .. }) => (&["IGConsentRequiredError"], &[]),
        Some(ApiError::ActionBlocked { .. }) => (&["IGActionSpamError"], &["FeedbackRequired"]),
        Some(ApiError::TwoFactor) => (&["IGLoginTwoFactorRequiredError"], &["TwoFactorRequired"]),
        Some(ApiError::BadPassword) => {
            (&["IGLoginBadPasswordError", "IGLoginInvalidCredentialsError"], &["BadPassword"])
        }
        Some(ApiError::UnusablePassword) => (&["IGLoginUnusablePasswordError"], &[]),
        Some(ApiError::UnknownUser) => (&["IGLoginInvalidUserError"], &[]),
        Some(ApiError::WrongCode) => (&["IGBad2FACodeError"], &[]),
        Some(ApiError::CodeExpired) => (&["IG2FACodeExpiredError"], &[]),
        Some(ApiError::SentryBlock) => (&["IGSentryBlockError"], &["SentryBlock"]),
        Some(ApiError::RateLimited { .. }) => {
            (&["IGRateLimitError"], &["RateLimitError", "PleaseWaitFewMinutes", "ClientThrottledError"])
        }
        Some(ApiError::Disabled) => (&["IGInactiveUserError"], &[]),
        Some(ApiError::NotFound) => (&["IGNotFoundError"], &["ClientNotFoundError"]),
        Some(ApiError::MaskedChallenge) => (&[], &["ChallengeRequired"]),
        Some(ApiError::NotJson { .. }) => (&["IGUnknownError"], &["ClientError"]),
        Some(ApiError::RecipientRefuses) => (&[], &["DirectMessageRequestsDisabled"]),
        Some(ApiError::Refused { .. }) => (&["IGResponseError"], &["ClientError"]),
        Some(_) => (&[], &[]),
    }
}
