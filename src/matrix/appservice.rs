//! The listener: what the homeserver sends us.
//!
//! It checks the token, takes a transaction apart into raw events and hands them to the [`Inbox`]; the 200 goes out
//! only after the inbox has them. It makes no decisions about events, and one that is malformed never fails its
//! transaction: the homeserver would repeat it for ever.

use std::{future::Future, io, panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request, State, rejection::BytesRejection},
    http::{StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
    serve::ListenerExt,
};
use futures_util::FutureExt;
use ruma::{RoomAliasId, UserId};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tracing::error;

/// The largest body taken unless the configuration says otherwise.
pub const BODY_LIMIT: usize = 64 << 20;

/// Where transactions go.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Stores a transaction durably; the same one twice changes nothing.
    async fn accept(&self, txn_id: &str, events: Vec<Box<RawValue>>, ephemeral: Vec<Box<RawValue>>)
    -> Result<(), Busy>;

    /// Whether a user of our namespace is to exist; registers it if so.
    async fn knows_user(&self, user: &UserId) -> bool;

    /// Whether an alias of our namespace is to exist; makes the room if so.
    async fn knows_alias(&self, alias: &RoomAliasId) -> bool;

    /// The homeserver has pinged us.
    fn pinged(&self);
}

/// The inbox cannot take more now; the homeserver is to repeat the transaction later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too much is waiting already")]
pub struct Busy;

/// The routes of the application service API, current and legacy.
pub fn router(hs_token: impl Into<Arc<str>>, inbox: Arc<dyn Inbox>, body_limit: usize) -> Router {
    let listener = Listener { hs_token: hs_token.into(), inbox };
    Router::new()
        .route("/_matrix/app/v1/transactions/{txn_id}", put(transaction))
        .route("/_matrix/app/v1/users/{user}", get(user))
        .route("/_matrix/app/v1/rooms/{alias}", get(alias))
        .route("/_matrix/app/v1/ping", post(ping))
        .route("/transactions/{txn_id}", put(transaction))
        .route("/users/{user}", get(user))
        .route("/rooms/{alias}", get(alias))
        .route_layer(middleware::from_fn_with_state(listener.clone(), authenticate))
        .route("/_puppetgram/live", get(live))
        .method_not_allowed_fallback(|| async { unrecognized(StatusCode::METHOD_NOT_ALLOWED) })
        .fallback(|| async { unrecognized(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::max(body_limit))
        .with_state(listener)
}

/// Serves the routes until told to stop; then the requests in progress are answered and the connections closed.
pub async fn serve(
    socket: TcpListener,
    router: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Answers are a few bytes: waiting to fill a packet would only delay the next transaction.
    let socket = socket.tap_io(|connection| {
        let _slower_without = connection.set_nodelay(true);
    });
    axum::serve(socket, router).with_graceful_shutdown(stopped).await
}

#[derive(Clone)]
struct Listener {
    hs_token: Arc<str>,
    inbox: Arc<dyn Inbox>,
}

/// What is parsed of a transaction: its lists. Every entry stays text, so that no entry can spoil another.
#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    ephemeral: Option<Vec<Box<RawValue>>>,
    /// The name before the specification had one; Synapse may send both, with the same entries.
    #[serde(default, rename = "de.sorunome.msc2409.ephemeral")]
    early_ephemeral: Option<Vec<Box<RawValue>>>,
}

async fn authenticate(State(listener): State<Listener>, request: Request, next: Next) -> Response {
    let Some(token) = token_of(&request) else {
        return refuse(StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED", "no hs_token was sent");
    };
    if !bool::from(token.as_bytes().ct_eq(listener.hs_token.as_bytes())) {
        return refuse(StatusCode::FORBIDDEN, "M_FORBIDDEN", "this is not our hs_token");
    }
    // A bug in the handling of one request must neither end the connection nor leave the homeserver without a word.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            error!("a request of the homeserver made the bridge panic");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "the bridge has a bug")
        }
    }
}

async fn transaction(
    State(listener): State<Listener>,
    Path(txn_id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refuse(rejection.status(), "M_TOO_LARGE", "the transaction exceeds the body limit of the bridge");
        }
        Err(rejection) => return refuse(rejection.status(), "M_UNKNOWN", "the body broke off"),
    };
    let transaction: Transaction = match serde_json::from_slice(&body) {
        Ok(transaction) => transaction,
        Err(error) if error.is_data() => {
            return refuse(StatusCode::BAD_REQUEST, "M_BAD_JSON", "the body is not a transaction");
        }
        Err(_) => return refuse(StatusCode::BAD_REQUEST, "M_NOT_JSON", "the body is not JSON"),
    };
    drop(body);
    let ephemeral = transaction.ephemeral.or(transaction.early_ephemeral).unwrap_or_default();
    match listener.inbox.accept(&txn_id, transaction.events, ephemeral).await {
        Ok(()) => done(),
        Err(Busy) => refuse(StatusCode::SERVICE_UNAVAILABLE, "M_LIMIT_EXCEEDED", "too much is waiting already"),
    }
}

async fn user(State(listener): State<Listener>, Path(user): Path<String>) -> Response {
    match UserId::parse(user) {
        Ok(user) if listener.inbox.knows_user(&user).await => done(),
        _ => refuse(StatusCode::NOT_FOUND, "M_NOT_FOUND", "no such user"),
    }
}

async fn alias(State(listener): State<Listener>, Path(alias): Path<String>) -> Response {
    match RoomAliasId::parse(alias) {
        Ok(alias) if listener.inbox.knows_alias(&alias).await => done(),
        _ => refuse(StatusCode::NOT_FOUND, "M_NOT_FOUND", "no such alias"),
    }
}

async fn ping(State(listener): State<Listener>) -> Response {
    listener.inbox.pinged();
    done()
}

async fn live() -> Response {
    done()
}

/// The `Authorization` header, or the parameter that homeservers sent before it.
fn token_of(request: &Request) -> Option<String> {
    if let Some(value) = request.headers().get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    // An empty token is none, even for a configuration that left ours empty.
    query_token(request.uri()).filter(|token| !token.is_empty())
}

fn query_token(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "access_token").map(|(_, token)| token.into_owned())
}

fn done() -> Response {
    Json(json!({})).into_response()
}

fn unrecognized(status: StatusCode) -> Response {
    refuse(status, "M_UNRECOGNIZED", "the bridge has no such endpoint")
}

fn refuse(status: StatusCode, errcode: &str, error: &str) -> Response {
    (status, Json(json!({ "errcode": errcode, "error": error }))).into_response()
}
