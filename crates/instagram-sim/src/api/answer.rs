//! Answers that are not a success: Instagram's failures, and broken ones on request.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{JSON, content_type};
use crate::{error::SimError, fault::Fault};

pub(super) fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    content_type(&mut response, JSON);
    response
}

/// `{"status":"fail", …}` with the given fields.
pub(super) fn failure(status: StatusCode, mut fields: Value) -> Response {
    if let Value::Object(map) = &mut fields {
        map.insert("status".into(), Value::from("fail"));
    }
    json_response(status, &fields)
}

pub(super) fn login_required() -> Response {
    let fields = json!({
        "message": "login_required",
        "error_title": "You've Been Logged Out",
        "error_body": "Please log back in.",
        "logout_reason": 3,
    });
    failure(StatusCode::FORBIDDEN, fields)
}

/// What Instagram says when a verb cannot be done.
pub(super) fn refused(error: &SimError) -> Response {
    let status = match error {
        SimError::NotAMember(_) | SimError::Forbidden(_) => StatusCode::FORBIDDEN,
        SimError::Invalid(_) | SimError::NameTaken(_) | SimError::DeadlinePassed(_) => StatusCode::BAD_REQUEST,
        SimError::UnknownAccount(_)
        | SimError::UnknownThread(_)
        | SimError::UnknownItem(_)
        | SimError::UnknownMedia => StatusCode::NOT_FOUND,
    };
    failure(status, json!({ "message": error.to_string() }))
}

/// The answer that an HTTP fault stands for.
pub(super) fn fault(fault: &Fault) -> Response {
    match fault {
        Fault::RateLimit => failure(
            StatusCode::TOO_MANY_REQUESTS,
            json!({ "message": "Please wait a few minutes before you try again.", "error_type": "rate_limit_error" }),
        ),
        Fault::LoginRequired => login_required(),
        Fault::Challenge => failure(
            StatusCode::BAD_REQUEST,
            json!({
                "message": "challenge_required",
                "challenge": {
                    "url": "https://i.instagram.com/challenge/1/abc/",
                    "api_path": "/challenge/1/abc/",
                    "hide_webview_header": true,
                    "lock": true,
                    "logout": false,
                    "native_flow": true,
                    "flow_render_type": 0,
                },
            }),
        ),
        Fault::Checkpoint => failure(
            StatusCode::BAD_REQUEST,
            json!({
                "message": "checkpoint_required",
                "checkpoint_url": "https://i.instagram.com/challenge/1/abc/",
                "lock": true,
                "flow_render_type": 0,
            }),
        ),
        Fault::Consent => failure(
            StatusCode::BAD_REQUEST,
            json!({
                "message": "consent_required",
                "consent_data": { "headline": "Updates to Our Terms", "content": "Please read.", "button_text": "Review" },
            }),
        ),
        Fault::FeedbackRequired => failure(
            StatusCode::BAD_REQUEST,
            json!({
                "message": "feedback_required",
                "spam": true,
                "feedback_title": "Try Again Later",
                "feedback_message": "We limit how often you can do certain things on Instagram.",
                "feedback_url": "repute/report_problem/instagram_feedback/",
                "feedback_appeal_label": "Tell us",
                "feedback_ignore_label": "OK",
                "feedback_action": "report_problem",
            }),
        ),
        Fault::HtmlError => {
            let page = "<!DOCTYPE html><html><body>Oops, an error occurred.</body></html>";
            let mut response = Response::new(Body::from(page));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            content_type(&mut response, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
        Fault::NotFoundPage => {
            let mut response = Response::new(Body::from("Not Found"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            content_type(&mut response, HeaderValue::from_static("text/plain"));
            response
        }
        Fault::CutJson => {
            let mut response = Response::new(Body::from(r#"{"status":"ok","inbox":{"threads":[{"thread_id":"34"#));
            content_type(&mut response, JSON);
            response
        }
        Fault::Status { code } => {
            failure(StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json!({ "message": "" }))
        }
        other => failure(StatusCode::INTERNAL_SERVER_ERROR, json!({ "message": format!("no answer for {other:?}") })),
    }
}

/// Replaces the body by one that ends with an error, so that the connection closes without a whole answer.
pub(super) fn cut_off(response: Response) -> Response {
    let (parts, _) = response.into_parts();
    let broken = futures_util::stream::once(async {
        Err::<Bytes, std::io::Error>(std::io::Error::other("the answer is lost on request"))
    });
    Response::from_parts(parts, Body::from_stream(broken))
}
