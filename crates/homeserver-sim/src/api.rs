//! The HTTP side: routes, who asks, counting and misbehaving.

pub(crate) mod control;
mod media;
mod requester;
mod room;
mod sync;
mod timeline;
mod user;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRef, MatchedPath, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    error::{Answer, MatrixError},
    fault::Fault,
    sim::Sim,
};

/// What handlers can ask for.
#[derive(Clone)]
pub(crate) struct Shared {
    sim: Arc<Sim>,
    http: reqwest::Client,
}

impl FromRef<Shared> for Arc<Sim> {
    fn from_ref(shared: &Shared) -> Self {
        shared.sim.clone()
    }
}

impl FromRef<Shared> for reqwest::Client {
    fn from_ref(shared: &Shared) -> Self {
        shared.http.clone()
    }
}

/// Every route.
pub(crate) fn router(sim: Arc<Sim>, http: reqwest::Client) -> Router {
    let shared = Shared { sim, http };
    let body_limit = shared.sim.options.upload_limit + 1;
    Router::new()
        .merge(accounts())
        .merge(rooms())
        .merge(media())
        .merge(controls())
        .fallback(|| async { unrecognized(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { unrecognized(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(middleware::from_fn_with_state(shared.sim.clone(), gate))
        .layer(DefaultBodyLimit::max(body_limit))
        .with_state(shared)
}

fn accounts() -> Router<Shared> {
    Router::new()
        .route("/_matrix/client/versions", get(user::versions))
        .route("/_matrix/client/v3/capabilities", get(user::capabilities))
        .route("/_matrix/client/v3/register", post(user::register))
        .route("/_matrix/client/v3/login", get(user::login_flows).post(user::login))
        .route("/_matrix/client/v3/logout", post(user::logout))
        .route("/_matrix/client/v3/account/whoami", get(user::whoami))
        .route("/_matrix/client/v3/profile/{user}", get(user::profile))
        .route("/_matrix/client/v3/profile/{user}/{field}", get(user::profile_field).put(user::set_profile_field))
        .route("/_matrix/client/v3/user/{user}/account_data/{kind}", get(user::data).put(user::set_data))
        .route(
            "/_matrix/client/v3/user/{user}/rooms/{room}/account_data/{kind}",
            get(user::room_data).put(user::set_room_data),
        )
        .route("/_matrix/client/v3/user/{user}/filter", post(user::filter))
        .route("/_matrix/client/v1/appservice/{id}/ping", post(user::ping_appservice))
}

fn rooms() -> Router<Shared> {
    Router::new()
        .route("/_matrix/client/v3/createRoom", post(room::create))
        .route(
            "/_matrix/client/v3/directory/room/{alias}",
            get(room::alias).put(room::set_alias).delete(room::unset_alias),
        )
        .route("/_matrix/client/v3/join/{room}", post(room::join))
        .route("/_matrix/client/v3/joined_rooms", get(room::joined_rooms))
        .route("/_matrix/client/v3/rooms/{room}/join", post(room::join))
        .route("/_matrix/client/v3/rooms/{room}/invite", post(room::invite))
        .route("/_matrix/client/v3/rooms/{room}/leave", post(room::leave))
        .route("/_matrix/client/v3/rooms/{room}/forget", post(room::forget))
        .route("/_matrix/client/v3/rooms/{room}/kick", post(room::kick))
        .route("/_matrix/client/v3/rooms/{room}/ban", post(room::ban))
        .route("/_matrix/client/v3/rooms/{room}/joined_members", get(room::joined_members))
        .route("/_matrix/client/v3/rooms/{room}/members", get(room::members))
        .route("/_matrix/client/v3/rooms/{room}/state", get(room::all_state))
        .route("/_matrix/client/v3/rooms/{room}/state/{kind}", get(room::state).put(room::set_state))
        .route("/_matrix/client/v3/rooms/{room}/state/{kind}/", get(room::state).put(room::set_state))
        .route(
            "/_matrix/client/v3/rooms/{room}/state/{kind}/{key}",
            get(room::state_of_key).put(room::set_state_of_key),
        )
        .route("/_matrix/client/v3/rooms/{room}/send/{kind}/{txn}", put(timeline::send))
        .route("/_matrix/client/v3/rooms/{room}/redact/{event}/{txn}", put(timeline::redact))
        .route("/_matrix/client/v3/rooms/{room}/event/{event}", get(timeline::event))
        .route("/_matrix/client/v3/rooms/{room}/messages", get(timeline::messages))
        .route("/_matrix/client/v3/rooms/{room}/typing/{user}", put(timeline::typing))
        .route("/_matrix/client/v3/rooms/{room}/receipt/{kind}/{event}", post(timeline::receipt))
        .route("/_matrix/client/v3/rooms/{room}/read_markers", post(timeline::read_markers))
        .route("/_matrix/client/v3/sync", get(sync::sync))
}

fn media() -> Router<Shared> {
    Router::new()
        .route("/_matrix/media/v3/upload", post(media::upload))
        .route("/_matrix/media/v1/create", post(media::create))
        .route("/_matrix/media/v3/upload/{server}/{id}", put(media::fill))
        .route("/_matrix/client/v1/media/config", get(media::config))
        .route("/_matrix/client/v1/media/download/{server}/{id}", get(media::download))
        .route("/_matrix/client/v1/media/download/{server}/{id}/{name}", get(media::download_as))
        .route("/_matrix/client/v1/media/thumbnail/{server}/{id}", get(media::download))
}

fn controls() -> Router<Shared> {
    Router::new()
        .route("/_sim/stats", get(control::stats))
        .route("/_sim/user", post(control::user))
        .route("/_sim/burst", post(control::burst_over_http))
        .route("/_sim/wait", get(control::wait))
        .route("/_sim/events", get(control::events))
        .route("/_sim/rooms", get(control::rooms))
        .route("/_sim/pause", post(control::pause))
        .route("/_sim/resume", post(control::resume))
        .route("/_sim/close", post(control::close))
        .route("/_sim/forget", post(control::forget))
        .route("/_sim/fault", post(control::fault))
        .route("/_sim/appservice_url", post(control::appservice_url))
}

/// Counts every request and lets some go wrong.
async fn gate(State(sim): State<Arc<Sim>>, matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/_sim/") {
        return next.run(request).await;
    }
    let template = matched.as_ref().map_or("unknown", MatchedPath::as_str);
    sim.count_request(request.method().as_str(), template);
    if sim.is_paused() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match sim.faults.take(path) {
        None => next.run(request).await,
        Some(Fault::RateLimit { retry_after }) => {
            let wait = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
            let body = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": wait });
            (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
        }
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, "<html>trouble</html>").into_response()
        }
        Some(Fault::Refuse { status, errcode }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            (status, Json(json!({ "errcode": errcode, "error": "Not now" }))).into_response()
        }
        Some(Fault::LoseAnswer) => {
            let _lost = next.run(request).await;
            let broken = async { Err::<Bytes, _>(std::io::Error::other("the answer is lost")) };
            Body::from_stream(futures_util::stream::once(broken)).into_response()
        }
        Some(Fault::HalfRoom) => {
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
            sim.change(|world| world.half_a_room(&body));
            StatusCode::BAD_GATEWAY.into_response()
        }
        Some(Fault::Delay(delay)) => {
            let response = next.run(request).await;
            tokio::time::sleep(delay).await;
            response
        }
    }
}

/// Reads a body; an empty one counts as an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let errcode = if error.is_data() { "M_BAD_JSON" } else { "M_NOT_JSON" };
        MatrixError::bad_request(errcode, error.to_string())
    })
}

fn unrecognized(status: StatusCode) -> MatrixError {
    MatrixError::new(status, "M_UNRECOGNIZED", "Unrecognized request")
}
