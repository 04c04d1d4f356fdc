//! The HTTPS API: routes, credentials, recording and HTTP faults around the endpoints.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Extension, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;

mod accounts;
mod answer;
mod broadcast;
mod credentials;
mod direct;
mod form;
mod group;
mod gzip;
mod listener;
mod media;
mod recipients;
mod thread;
mod upload;

pub(crate) use self::credentials::parse_bearer;

use self::answer::{failure, login_required};
use crate::{
    fault::{Fault, Stage},
    shared::{RecordedRequest, Shared},
};

/// Largest body that is read.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

type App = State<Arc<Shared>>;

/// Who is asking: put beside each request once its credentials were found good.
#[derive(Debug, Clone)]
struct Viewer {
    pk: u64,
    session: String,
}

/// Marks the answer of the fallback, so that the record can say so.
#[derive(Clone, Copy)]
struct NoSuchEndpoint;

/// Serves the API until the simulator stops. `listener` is already bound.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener, address: SocketAddr, tls: Arc<ServerConfig>) {
    let stop = shared.stop.clone();
    let listener = listener::TlsListener::start(&shared, listener, address, tls);
    let app = router(shared);
    let stopped = stop.clone();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move { stopped.cancelled().await });
    tokio::select! {
        result = serving => {
            if let Err(error) = result {
                tracing::warn!(%error, "the API listener ended");
            }
        }
        () = stop.cancelled() => {}
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let known = Router::new()
        .route("/api/v1/accounts/current_user/", get(accounts::current_user))
        .route("/api/v1/accounts/logout/", post(accounts::logout))
        .route("/api/v1/users/{user}/info/", get(accounts::info))
        .route("/api/v1/users/{user}/info_stream/", get(accounts::info).post(accounts::info))
        .route("/api/v1/users/{user}/usernameinfo/", get(accounts::info_by_name))
        .route("/api/v1/users/search/", get(accounts::search))
        .route("/api/v1/clips/item/", get(accounts::clip))
        .route("/api/v1/launcher/sync/", post(accounts::launcher_sync))
        .route("/api/v1/qe/sync/", post(accounts::launcher_sync))
        .route("/api/v1/direct_v2/inbox/", get(direct::inbox))
        .route("/api/v1/direct_v2/pending_inbox/", get(direct::pending_inbox))
        .route("/api/v1/direct_v2/async_get_pending_requests_preview/", get(direct::pending_preview))
        .route("/api/v1/direct_v2/get_presence/", get(direct::presence))
        .route("/api/v1/direct_v2/get_presence_active_now/", get(direct::presence))
        .route("/api/v1/direct_v2/has_interop_upgraded/", get(direct::has_interop_upgraded))
        .route("/api/v1/direct_v2/ranked_recipients/", get(recipients::ranked))
        .route("/api/v1/direct_v2/create_group_thread/", post(group::create))
        .route("/api/v1/direct_v2/threads/get_by_participants/", get(direct::by_participants))
        .route("/api/v1/direct_v2/threads/{thread}/", get(direct::thread))
        .route("/api/v1/direct_v2/threads/{thread}/media/", get(thread::media))
        .route("/api/v1/direct_v2/threads/{thread}/update_title/", post(group::update_title))
        .route("/api/v1/direct_v2/threads/{thread}/leave/", post(group::leave))
        .route("/api/v1/direct_v2/threads/approve_multiple/", post(thread::approve_multiple))
        .route("/api/v1/direct_v2/threads/decline_multiple/", post(thread::decline_multiple))
        .route("/api/v1/direct_v2/threads/decline_all/", post(thread::decline_all))
        .route("/api/v1/direct_v2/spam_inbox/", get(thread::spam_inbox))
        .route("/api/v1/direct_v2/fetch_and_subscribe_presence/", post(direct::presence))
        .route("/graphql_www", post(group::graphql))
        .route("/api/v1/direct_v2/threads/{thread}/items/{item}/delete/", post(direct::delete_item))
        .route("/api/v1/direct_v2/threads/{thread}/items/{item}/edit/", post(direct::edit_item))
        .route("/api/v1/direct_v2/threads/{thread}/items/{item}/seen/", post(direct::seen))
        .route("/api/v1/direct_v2/threads/broadcast/{kind}/", post(broadcast::broadcast));
    let of_thread = |router: Router<Arc<Shared>>, action: &str, handler| {
        router.route(&format!("/api/v1/direct_v2/threads/{{thread}}/{action}/"), handler)
    };
    let known = thread::ACTIONS.iter().fold(known, |all, action| of_thread(all, action, post(thread::treat)));
    let known = group::ACTIONS.iter().fold(known, |all, action| of_thread(all, action, post(group::change)));
    known
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(no_such_endpoint)
        .layer(middleware::from_fn_with_state(shared.clone(), logged_in))
        .merge(uploads(&shared))
        // Media needs no credentials: its address is signed.
        .route("/v/t51.2885-19/{file}", get(media::picture))
        .route("/v/t1.15752-9/{file}", get(media::file))
        .layer(middleware::from_fn_with_state(shared.clone(), recorded))
        .with_state(shared)
}

/// The upload host, which is the same listener.
fn uploads(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let route = |router: Router<Arc<Shared>>, kind: &str| {
        router.route(&format!("/{kind}/{{entity}}"), get(upload::offset).post(upload::receive))
    };
    (upload::KINDS.into_iter())
        .fold(Router::new(), route)
        .layer(middleware::from_fn_with_state(shared.clone(), logged_in))
        .layer(middleware::from_fn(upload::edge))
}

async fn no_such_endpoint() -> Response {
    let mut response = failure(StatusCode::NOT_FOUND, json!({ "message": "Not Found" }));
    response.extensions_mut().insert(NoSuchEndpoint);
    response
}

/// Remembers every request with its answer's status.
async fn recorded(State(shared): App, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let read = Arc::new(AtomicU64::new(0));
    let (text, body) = if upload::is_upload(parts.uri.path()) {
        // Uploads pass through, however large they are.
        let read = read.clone();
        let counted = body.into_data_stream().inspect(move |part| {
            let size = part.as_ref().map_or(0, |part| part.len() as u64);
            read.fetch_add(size, Ordering::Relaxed);
        });
        (String::new(), Body::from_stream(counted))
    } else {
        let bytes = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
        read.store(bytes.len() as u64, Ordering::Relaxed);
        (String::from_utf8_lossy(&bytes).into_owned(), Body::from(bytes))
    };
    let headers = parts.headers.iter();
    let mut record = RecordedRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        pk: None,
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect(),
        body: text,
        body_size: 0,
        status: 0,
        known: true,
    };
    let response = next.run(Request::from_parts(parts, body)).await;
    record.body_size = read.load(Ordering::Relaxed);
    record.status = response.status().as_u16();
    record.known = response.extensions().get::<NoSuchEndpoint>().is_none();
    record.pk = response.extensions().get::<Viewer>().map(|viewer| viewer.pk);
    tracing::debug!(method = record.method, path = record.path, status = record.status, "API request");
    shared.record(record);
    response
}

/// Checks the credentials, applies HTTP faults and adds the headers that Instagram rotates.
async fn logged_in(State(shared): App, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let Some(viewer) = shared.look(|world| credentials::check(world, request.headers())) else {
        return login_required();
    };
    let mut rotation = None;
    let mut lose_answer = false;
    match shared.look(|world| world.take_fault(viewer.pk, Stage::Http, &path)) {
        None => {}
        // These let the request through.
        Some(fault @ (Fault::RotateAuthorization | Fault::RotateSession)) => rotation = Some(fault),
        Some(Fault::DelayHttp { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(Fault::DropHttpAnswer) => lose_answer = true,
        Some(other) => {
            let mut response = answer::fault(&other);
            response.extensions_mut().insert(viewer);
            return response;
        }
    }
    request.extensions_mut().insert(viewer.clone());
    let mut response = next.run(request).await;
    if response.extensions().get::<NoSuchEndpoint>().is_none() {
        rotate(&shared, &viewer, rotation.as_ref(), response.headers_mut());
    }
    response.extensions_mut().insert(viewer);
    if lose_answer {
        return answer::cut_off(response);
    }
    response
}

/// The `ig-set-*` headers of one answer.
fn rotate(shared: &Shared, viewer: &Viewer, rotation: Option<&Fault>, headers: &mut HeaderMap) {
    let every = shared.options.rotate_rur_every;
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    shared.look(|world| {
        let fresh = world.ids.token(32);
        let Some(account) = world.accounts.get_mut(&viewer.pk) else { return };
        let Some(session) = account.sessions.get_mut(&viewer.session) else { return };
        session.answers += 1;
        let count = session.answers;
        if count == 1 {
            set("x-ig-set-www-claim", format!("hmac.{fresh}"));
            set("ig-set-ig-u-ds-user-id", viewer.pk.to_string());
            set("ig-set-x-mid", format!("Y{}", &fresh[..26]));
        }
        if every > 0 && count.is_multiple_of(every) {
            set("ig-set-ig-u-rur", format!("RVA,{},1900000000:01f7{fresh}", viewer.pk));
        }
        match rotation {
            Some(Fault::RotateAuthorization) => {
                session.rotation = Some((fresh.clone(), false));
                set("ig-set-authorization", credentials::bearer(viewer.pk, &viewer.session, Some(&fresh)));
            }
            Some(Fault::RotateSession) => {
                let sessionid = world.ids.sessionid(viewer.pk);
                let plain = crate::world::decode_percent(&sessionid);
                if world.create_session(viewer.pk, Some(sessionid.clone())).is_ok() {
                    let session = world.accounts.get_mut(&viewer.pk).and_then(|who| who.sessions.get_mut(&plain));
                    if let Some(session) = session {
                        session.replaces = Some(viewer.session.clone());
                    }
                    set("ig-set-authorization", credentials::bearer(viewer.pk, &sessionid, None));
                }
            }
            _ => {}
        }
    });
}

/// An answer `{"status":"ok", …}`.
fn ok(mut value: Value) -> Response {
    if let Value::Object(map) = &mut value {
        map.insert("status".into(), Value::from("ok"));
    }
    answer::json_response(StatusCode::OK, &value)
}

/// The media type of every JSON answer.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

fn content_type(response: &mut Response, value: HeaderValue) {
    response.headers_mut().insert(header::CONTENT_TYPE, value);
}

type Who = Extension<Viewer>;
