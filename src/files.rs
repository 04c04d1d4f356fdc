//! Files that Instagram does not take, handed out under a link that expires, where the admin has given a public address.
//!
//! The link holds the file's place on the homeserver and its end, sealed: nobody can make one, and none shows anything.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use ruma::{MxcUri, OwnedMxcUri};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::bridge::Bridge;
use crate::config::Config;
use crate::domain::ids::Timestamp;
use crate::runtime;

/// What the seal of a link is for.
const PURPOSE: &str = "file link";

/// Files fetched for strangers at once: those of the chats are not to wait for them.
static HANDING_OUT: Semaphore = Semaphore::const_new(2);
/// How long somebody waits for a turn.
const TURN: Duration = Duration::from_secs(20);

/// What a link leads to.
#[derive(Serialize, Deserialize)]
struct Target {
    url: OwnedMxcUri,
    name: String,
    until: Timestamp,
}

/// The link under which a file can be fetched for a while; none without a public address.
pub fn link(config: &Config, url: &MxcUri, name: &str) -> Option<String> {
    let address = config.media.public_address.as_ref()?;
    let lasting = i64::try_from(config.media.link_lifetime.get().as_millis()).unwrap_or(i64::MAX);
    let until = Timestamp(runtime::now().0.saturating_add(lasting));
    let target = serde_json::to_vec(&Target { url: url.to_owned(), name: name.to_owned(), until }).ok()?;
    let sealed = config.seal_key().seal(PURPOSE, "", &target).ok()?;
    let address = address.as_str().trim_end_matches('/');
    Some(format!("{address}/_puppetgram/file/{}", BASE64URL_NOPAD.encode(&sealed)))
}

fn read(config: &Config, token: &str) -> Option<Target> {
    let sealed = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    let target: Target = serde_json::from_slice(&config.seal_key().open(PURPOSE, "", &sealed)?).ok()?;
    (target.until > runtime::now()).then_some(target)
}

/// The route that hands files out.
pub fn router(bridge: &Arc<Bridge>) -> Router {
    Router::new().route("/_puppetgram/file/{token}", get(file)).with_state(Arc::clone(bridge))
}

async fn file(State(bridge): State<Arc<Bridge>>, Path(token): Path<String>, method: Method) -> Response {
    let gone = || (StatusCode::NOT_FOUND, "This link has expired or is not valid.\n").into_response();
    let Some(target) = read(&bridge.config, &token) else { return gone() };
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    let Ok(Ok(_permit)) = tokio::time::timeout(TURN, HANDING_OUT.acquire()).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many downloads right now. Try again later.\n").into_response();
    };
    // The homeserver has a limit of its own; what is too large for Instagram is what links are for.
    let file = match bridge.matrix.download_file(&target.url, u64::MAX, bridge.media_directory()).await {
        Ok(file) => file,
        Err(error) if error.is_transient() => {
            return (StatusCode::BAD_GATEWAY, "The homeserver does not answer. Try again later.\n").into_response();
        }
        Err(_) => return gone(),
    };
    let Ok(stream) = file.stream(0).await else { return gone() };
    let size = file.size();
    // The open file goes on being read after its name is gone.
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, size.into());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    let name: String = target.name.chars().filter(|c| c.is_ascii_alphanumeric() || "._- ".contains(*c)).collect();
    let disposition = format!("attachment; filename=\"{}\"", if name.is_empty() { "file" } else { &name });
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
