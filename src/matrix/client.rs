//! How requests reach the homeserver: addresses, who acts, how many at once, time-outs, repeating.
//!
//! The requests themselves are in the neighbours by subject. Rare ones are ruma's types; those on the path of every
//! message are written directly, since there each microsecond is paid per message.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ruma::{
    OwnedServerName, OwnedUserId, RoomId, UserId,
    api::{
        AppserviceUserIdentity, IncomingResponse, OutgoingRequest, OutgoingRequestAppserviceExt, SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        path_builder::VersionHistory,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, Semaphore};
use url::Url;

use super::{
    error::{ClientError, HomeserverError},
    media::UploadLimit,
};

/// How to reach the homeserver, and as whom.
#[derive(Clone)]
pub struct ClientOptions {
    /// Base address of the client-server API.
    pub address: Url,
    /// The server name in user ids.
    pub domain: OwnedServerName,
    /// Our token.
    pub as_token: String,
    /// Our token for acting as users of the homeserver that are not ours, if we may.
    pub puppet_token: Option<String>,
    /// The bridge bot.
    pub bot: OwnedUserId,
    /// Start of the local part of every ghost, as `instagram_`.
    pub ghost_prefix: String,
    /// Requests on their way at once.
    pub concurrency: usize,
    /// Longest wait for the answer to an ordinary request.
    pub timeout: Duration,
    /// Longest wait for an upload or download.
    pub media_timeout: Duration,
    /// PEM certificates trusted beside those of the operating system.
    pub ca_pem: Option<Vec<u8>>,
}

impl ClientOptions {
    /// The usual limits.
    pub fn new(
        address: Url,
        domain: OwnedServerName,
        as_token: String,
        bot: OwnedUserId,
        ghost_prefix: String,
    ) -> Self {
        Self {
            address,
            domain,
            as_token,
            puppet_token: None,
            bot,
            ghost_prefix,
            concurrency: 16,
            timeout: Duration::from_secs(30),
            media_timeout: Duration::from_secs(180),
            ca_pem: None,
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("address", &self.address.as_str())
            .field("domain", &self.domain)
            .field("bot", &self.bot)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// Who acts on Matrix.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Intent {
    /// The bridge bot.
    Bot,
    /// A ghost, or a user of the homeserver as whom we may act.
    As(OwnedUserId),
}

/// The homeserver as we see it. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    /// Without a slash at the end.
    address: String,
    domain: OwnedServerName,
    bot: OwnedUserId,
    ghost_prefix: String,
    as_token: String,
    authorization: HeaderValue,
    puppet_token: Option<(HeaderValue, String)>,
    timeout: Duration,
    media_timeout: Duration,
    permits: Semaphore,
    versions: SupportedVersions,
    creators_have_power: OnceCell<bool>,
    upload_limit: UploadLimit,
    /// Pings of the homeserver that our listener heard.
    pings: AtomicU64,
}

/// One request, ready to be sent as often as needed.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    /// None for the questions that anybody may ask.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) content_type: HeaderValue,
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The content type of everything but media.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    header.set_sensitive(true);
    Ok(header)
}

/// How often one request is repeated because the homeserver said to wait.
const RATE_LIMIT_REPEATS: u32 = 3;
/// The longest such wait; a longer one is the caller's decision.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(10);

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When the address, the token or the CA file cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let address = &options.address;
        if !matches!(address.scheme(), "http" | "https") || address.cannot_be_a_base() || address.query().is_some() {
            return Err(ClientError::Address);
        }
        let authorization = bearer(&options.as_token)?;
        let puppet_token = match options.puppet_token.clone() {
            Some(token) => Some((bearer(&token)?, token)),
            None => None,
        };
        let concurrency = options.concurrency.max(1);
        Ok(Self {
            inner: Arc::new(Inner {
                http: transport(&options, concurrency)?,
                address: address.as_str().trim_end_matches('/').to_owned(),
                domain: options.domain,
                bot: options.bot,
                ghost_prefix: options.ghost_prefix,
                as_token: options.as_token,
                authorization,
                puppet_token,
                timeout: options.timeout,
                media_timeout: options.media_timeout,
                permits: Semaphore::new(concurrency),
                versions: stable_paths(),
                creators_have_power: OnceCell::new(),
                upload_limit: UploadLimit::default(),
                pings: AtomicU64::new(0),
            }),
        })
    }

    /// The bridge bot.
    pub fn bot(&self) -> &UserId {
        &self.inner.bot
    }

    /// The server name in our users' ids.
    pub fn domain(&self) -> &ruma::ServerName {
        &self.inner.domain
    }

    /// True for the bot and every ghost.
    pub fn is_ours(&self, user: &UserId) -> bool {
        user == self.inner.bot
            || (user.server_name() == self.inner.domain && user.localpart().starts_with(&self.inner.ghost_prefix))
    }

    /// Whether we may act as users of the homeserver that are not ours.
    pub fn may_puppet(&self) -> bool {
        self.inner.puppet_token.is_some()
    }

    /// The homeserver's address as configured, without a slash at the end.
    pub(super) fn address(&self) -> &str {
        &self.inner.address
    }

    pub(super) fn authorization(&self) -> HeaderValue {
        self.inner.authorization.clone()
    }

    /// The header for acting as users that are not ours, if we may.
    pub(super) fn puppet_authorization(&self) -> Option<HeaderValue> {
        self.inner.puppet_token.as_ref().map(|(header, _)| header.clone())
    }

    /// The token that acts as a user, and its header.
    fn token_for(&self, user: Option<&UserId>) -> (&str, &HeaderValue) {
        match &self.inner.puppet_token {
            Some((header, token)) if user.is_some_and(|user| !self.is_ours(user)) => (token, header),
            _ => (&self.inner.as_token, &self.inner.authorization),
        }
    }

    /// For bodies that are streams, which [`Client::execute`] cannot repeat.
    pub(super) fn transport(&self) -> &reqwest::Client {
        &self.inner.http
    }

    pub(super) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    pub(super) fn media_timeout(&self) -> Duration {
        self.inner.media_timeout
    }

    pub(super) fn creators_have_power(&self) -> &OnceCell<bool> {
        &self.inner.creators_have_power
    }

    pub(super) fn known_upload_limit(&self) -> &UploadLimit {
        &self.inner.upload_limit
    }

    /// Our listener heard a ping of the homeserver.
    pub fn note_ping(&self) {
        self.inner.pings.fetch_add(1, Ordering::Relaxed);
    }

    /// How many pings were heard.
    pub(super) fn pings(&self) -> u64 {
        self.inner.pings.load(Ordering::Relaxed)
    }

    pub(super) fn user_of<'a>(&'a self, intent: &'a Intent) -> &'a UserId {
        match intent {
            Intent::Bot => &self.inner.bot,
            Intent::As(user) => user,
        }
    }

    /// Starts an address below `/_matrix/client/v3/rooms/{room}`; the room for the rest is reserved.
    pub(super) fn room_address(&self, room: &RoomId) -> String {
        let mut url = String::with_capacity(self.inner.address.len() + 320);
        url.push_str(&self.inner.address);
        url.push_str("/_matrix/client/v3/rooms");
        push_segment(&mut url, room.as_str());
        url
    }

    /// Completes an address with the acting user and sends the JSON.
    pub(super) async fn call_json<T: DeserializeOwned>(
        &self,
        method: Method,
        mut url: String,
        user: &UserId,
        body: Vec<u8>,
    ) -> Result<T, HomeserverError> {
        push_query(&mut url, "user_id", user.as_str());
        let call = Call {
            method,
            url,
            authorization: Some(self.token_for(Some(user)).1.clone()),
            content_type: JSON,
            body: body.into(),
            timeout: self.inner.timeout,
        };
        let answer = self.execute(call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| HomeserverError::Malformed(error.to_string()))
    }

    /// Sends one of ruma's requests as the user.
    pub(super) async fn call<R>(&self, user: &UserId, request: R) -> Result<R::IncomingResponse, HomeserverError>
    where
        R: OutgoingRequest<PathBuilder = VersionHistory>,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    {
        let answer = self.execute(self.build(Some(user), request)?).await?;
        let answer = http_response(answer)?;
        R::IncomingResponse::try_from_http_response(answer)
            .map_err(|error| HomeserverError::Malformed(error.to_string()))
    }

    /// Turns one of ruma's requests into what [`Client::execute`] sends; without a user it speaks as the appservice.
    pub(super) fn build<R>(&self, user: Option<&UserId>, request: R) -> Result<Call, HomeserverError>
    where
        R: OutgoingRequest<PathBuilder = VersionHistory>,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    {
        let mut identity = AppserviceUserIdentity::default();
        identity.user_id = user;
        let (token, authorization) = self.token_for(user);
        let request: http::Request<BytesMut> = request
            .try_into_http_request_with_identity(
                &self.inner.address,
                SendAccessToken::Appservice(token),
                identity,
                Cow::Borrowed(&self.inner.versions),
            )
            .map_err(|error| HomeserverError::Malformed(error.to_string()))?;
        let (parts, body) = request.into_parts();
        Ok(Call {
            method: parts.method,
            url: parts.uri.to_string(),
            authorization: Some(authorization.clone()),
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned().unwrap_or(JSON),
            body: body.freeze(),
            timeout: self.inner.timeout,
        })
    }

    /// Sends a request until it is answered with a success, or for good with something else.
    ///
    /// Waits a little when asked to slow down, and repeats a `GET` once when the connection breaks. Anything else may
    /// have been carried out: a homeserver that was restarted has forgotten our transaction ids, so the caller looks
    /// before it repeats.
    pub(super) async fn execute(&self, call: Call) -> Result<Answer, HomeserverError> {
        let mut may_repeat = call.method == Method::GET;
        let mut waits = 0;
        loop {
            let error = match self.execute_once(&call).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) => HomeserverError::from_answer(answer.status, &answer.headers, &answer.body),
                Err(Broken::Connection(_)) if may_repeat => {
                    may_repeat = false;
                    continue;
                }
                Err(Broken::Connection(error) | Broken::Otherwise(error)) => return Err(error),
            };
            let HomeserverError::RateLimited { retry_after } = error else { return Err(error) };
            let wait = retry_after.unwrap_or(Duration::from_secs(1 << waits));
            if waits == RATE_LIMIT_REPEATS || wait > RATE_LIMIT_WAIT {
                return Err(HomeserverError::RateLimited { retry_after });
            }
            waits += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request once and reads the whole answer, whatever its status.
    pub(super) async fn execute_once(&self, call: &Call) -> Result<Answer, Broken> {
        let permit = self.inner.permits.acquire().await;
        // Never closed; if it were, sending without a permit would be the lesser evil.
        let _permit = permit.ok();
        let mut request = self.inner.http.request(call.method.clone(), &call.url).timeout(call.timeout);
        if let Some(authorization) = &call.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if call.method != Method::GET {
            request = request.header(header::CONTENT_TYPE, &call.content_type).body(call.body.clone());
        }
        let mut response = request.send().await.map_err(|error| Broken::from_transport(&error))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = response.bytes().await.map_err(|error| Broken::from_transport(&error))?;
        Ok(Answer { status, headers, body })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.inner.address).field("bot", &self.inner.bot).finish()
    }
}

/// A request without an answer.
pub(super) enum Broken {
    /// There was a connection, and it was lost before the answer: perhaps only because it was old.
    Connection(HomeserverError),
    /// Time-out, no connection to be had, a request that cannot be built.
    Otherwise(HomeserverError),
}

impl Broken {
    fn from_transport(error: &reqwest::Error) -> Self {
        let told = HomeserverError::from_transport(error);
        if error.is_timeout() || error.is_connect() || error.is_builder() {
            Self::Otherwise(told)
        } else {
            Self::Connection(told)
        }
    }
}

impl From<Broken> for HomeserverError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Connection(error) | Broken::Otherwise(error) => error,
        }
    }
}

/// Appends `/` and the text, percent-encoded as one path segment.
pub(super) fn push_segment(url: &mut String, text: &str) {
    url.push('/');
    push_encoded(url, text);
}

/// Appends a query parameter.
pub(super) fn push_query(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str(name);
    url.push('=');
    push_encoded(url, value);
}

fn push_encoded(url: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        // Unreserved characters, and those of Matrix ids that stand for themselves in paths and queries alike.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'@' | b':') {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(HEX[usize::from(byte >> 4)]));
            url.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn http_response(answer: Answer) -> Result<http::Response<Bytes>, HomeserverError> {
    let mut response = http::Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// Every path we use is stable since Matrix 1.11, which the self-test asks for; so no look-up decides about paths.
fn stable_paths() -> SupportedVersions {
    let versions: Vec<String> = (1..=11).map(|minor| format!("v1.{minor}")).collect();
    SupportedVersions::from_parts(&versions, &BTreeMap::new())
}

fn transport(options: &ClientOptions, concurrency: usize) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("puppetgram/", env!("CARGO_PKG_VERSION")))
        // HTTP/1.1 with connections kept: one request each is what Synapse's listener does best.
        .http1_only()
        .pool_max_idle_per_host(concurrency)
        .pool_idle_timeout(Duration::from_secs(50))
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        // Answers are short; unpacking them would cost more than reading them.
        .gzip(false)
        // The homeserver is a neighbour: the proxies of the environment are for the world outside.
        .no_proxy();
    if let Some(pem) = &options.ca_pem {
        let authorities = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| ClientError::Authority)?;
        if authorities.is_empty() {
            return Err(ClientError::Authority);
        }
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| ClientError::Transport(super::error::root_cause(&error)))
}
