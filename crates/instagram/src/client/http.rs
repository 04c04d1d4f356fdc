//! Runs endpoints on reqwest: one connection pool per proxy, time limits, size limits, rotated values stored.
//!
//! Errors never carry an address, a header or a body of ours.

mod download;
mod session;
mod upload;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::redirect::Policy;
use url::Url;

use crate::api::{Context, Endpoint};
use crate::device::Device;
use crate::error::ApiError;

pub use crate::api::{Upload, UploadKind};
pub use download::{Download, MediaStream};
pub use session::SharedSession;

/// No endpoint's answer is near this size.
const ANSWER_LIMIT: u64 = 32 << 20;

/// How to reach Instagram.
#[derive(Clone)]
pub struct HttpOptions {
    /// Base of the endpoints, such as `https://i.instagram.com/`.
    pub api_url: Url,
    /// Base of uploads, such as `https://rupload.facebook.com/`.
    pub upload_url: Url,
    /// Roots and provider.
    pub tls: Arc<rustls::ClientConfig>,
    /// `http`, `https`, `socks5` or `socks5h`.
    pub proxy: Option<Url>,
    /// For one whole call, answer included; during a download, for the longest silence. A whole download may wait ten
    /// times as long for its bytes, an upload takes as long as its size allows.
    pub timeout: Duration,
    /// Hosts that media may come from besides Instagram's own; `*.example.org` stands for all below it.
    pub media_hosts: Vec<String>,
}

impl HttpOptions {
    /// Instagram itself, without a proxy.
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        let address = |text| Url::parse(text).expect("a constant address is well-formed");
        Self {
            api_url: address("https://i.instagram.com/"),
            upload_url: address("https://rupload.facebook.com/"),
            tls,
            proxy: None,
            timeout: Duration::from_secs(30),
            media_hosts: Vec::new(),
        }
    }
}

/// Runs endpoints and downloads. Cheap to clone; all logins of one proxy share a connection pool.
#[derive(Clone)]
pub struct HttpClient {
    shared: Arc<Shared>,
    pools: Pools,
}

struct Shared {
    options: HttpOptions,
    user_agent: String,
    by_proxy: Mutex<HashMap<Option<Url>, Pools>>,
}

/// The connections through one proxy.
#[derive(Clone)]
struct Pools {
    /// Endpoints, whose answers may be compressed.
    api: reqwest::Client,
    /// Uploads: by HTTP/1.1, as all peers do, where a body that ends too early breaks the connection.
    upload: reqwest::Client,
    /// Downloads, whose bytes stay as they came: media is compressed in itself, and what unpacks to gigabytes is not
    /// unpacked.
    media: reqwest::Client,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base address is not one.
    #[error("`{0}` must be an http or https address with a host")]
    BaseAddress(&'static str),
    /// The proxy's address is not one.
    #[error("the proxy's address must be http://, https://, socks5:// or socks5h:// with a host")]
    ProxyAddress,
    /// The TLS settings do not fit.
    #[error("the HTTP client cannot be made: {0}")]
    Setup(String),
}

/// Why a call gave no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// Instagram refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// No connection was made: the request was surely not sent.
    #[error("Instagram cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke or time ran out: the request may have been carried out.
    #[error("the connection to Instagram failed: {0}")]
    Transport(String),
    /// More bytes than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// How many were allowed.
        limit: u64,
    },
    /// A file comes, but so slowly that nobody waits for it: another try would take as long.
    #[error("the download takes too long")]
    TooSlow,
    /// The address is none that media may come from.
    #[error("media may not come from this address")]
    ForeignHost,
    /// The media is not there (any more): its address has expired.
    #[error("the media is not available (status {status})")]
    Unavailable {
        /// HTTP status.
        status: u16,
    },
}

impl CallError {
    /// The same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Unreachable(_) | Self::Transport(_) => true,
            Self::Unavailable { status } => *status >= 500 || *status == 429,
            Self::TooLarge { .. } | Self::TooSlow | Self::ForeignHost => false,
        }
    }
}

impl HttpClient {
    /// Prepares a client; connects to nothing.
    pub fn new(options: HttpOptions) -> Result<Self, ClientError> {
        for (name, url) in [("instagram.api_url", &options.api_url), ("instagram.upload_url", &options.upload_url)] {
            let is_base = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
            if !is_base || http::Uri::try_from(url.as_str()).is_err() {
                return Err(ClientError::BaseAddress(name));
            }
        }
        // Pictures and videos are fetched without a session, so all logins look the same there.
        let user_agent = Device::from_random([0; 32]).user_agent();
        let pools = build(&options.tls, options.proxy.as_ref())?;
        let by_proxy = Mutex::new(HashMap::from([(options.proxy.clone(), pools.clone())]));
        Ok(Self { shared: Arc::new(Shared { options, user_agent, by_proxy }), pools })
    }

    /// The same client through another proxy, or through none. Clients of one proxy share their connections.
    pub fn with_proxy(&self, proxy: Option<&Url>) -> Result<Self, ClientError> {
        let mut by_proxy = self.shared.by_proxy.lock().unwrap_or_else(PoisonError::into_inner);
        let key = proxy.cloned();
        let pools = match by_proxy.get(&key) {
            Some(pools) => pools.clone(),
            None => {
                let pools = build(&self.shared.options.tls, proxy)?;
                by_proxy.insert(key, pools.clone());
                pools
            }
        };
        Ok(Self { shared: self.shared.clone(), pools })
    }

    /// Base of uploads.
    pub fn upload_url(&self) -> &Url {
        &self.shared.options.upload_url
    }

    /// Runs an endpoint. Values that the answer rotates are in `session` afterwards, also when it is a refusal.
    pub async fn call<E: Endpoint>(&self, session: &SharedSession, endpoint: E) -> Result<E::Answer, CallError> {
        let context = Context {
            api_url: self.shared.options.api_url.clone(),
            now_ms: now_ms(),
            nonce: uuid::Uuid::new_v4().into_bytes(),
        };
        let request = session.read(|session| endpoint.request(session, &context));
        let request = reqwest::Request::try_from(request).map_err(|error| failure(&error))?;
        let exchange = exchange(&self.pools.api, session, request);
        let answer = self.within(self.shared.options.timeout, exchange).await?;
        tracing::debug!(endpoint = E::NAME, status = answer.status().as_u16(), bytes = answer.body().len(), "called");
        Ok(E::answer(&answer)?)
    }

    async fn within<T>(
        &self,
        limit: Duration,
        exchange: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let late = || CallError::Transport(format!("no whole answer within {} s", limit.as_secs_f32()));
        tokio::time::timeout(limit, exchange).await.map_err(|_| late())?
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

fn build(tls: &rustls::ClientConfig, proxy: Option<&Url>) -> Result<Pools, ClientError> {
    let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| ClientError::Setup(deepest(&error)));
    Ok(Pools {
        api: build(pool(tls, proxy, &["h2", "http/1.1"])?)?,
        upload: build(pool(tls, proxy, &["http/1.1"])?)?,
        media: build(pool(tls, proxy, &["h2", "http/1.1"])?.no_gzip())?,
    })
}

fn pool(
    tls: &rustls::ClientConfig,
    proxy: Option<&Url>,
    protocols: &[&str],
) -> Result<reqwest::ClientBuilder, ClientError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // The configuration decides, not the environment.
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(Duration::from_secs(15))
        .tcp_keepalive(Duration::from_secs(60))
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(8);
    if let Some(proxy) = proxy {
        if !matches!(proxy.scheme(), "http" | "https" | "socks5" | "socks5h") || !proxy.has_host() {
            return Err(ClientError::ProxyAddress);
        }
        builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|_| ClientError::ProxyAddress)?);
    }
    Ok(builder)
}

/// Sends a request in the session's name and reads the whole answer.
async fn exchange(
    client: &reqwest::Client,
    session: &SharedSession,
    request: reqwest::Request,
) -> Result<http::Response<Vec<u8>>, CallError> {
    let mut response = client.execute(request).await.map_err(|error| failure(&error))?;
    session.absorb(response.headers());
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    *answer.body_mut() = read(&mut response, ANSWER_LIMIT).await?;
    Ok(answer)
}

/// Reads a body up to a limit, which counts bytes after decompression.
async fn read(response: &mut reqwest::Response, limit: u64) -> Result<Vec<u8>, CallError> {
    let too_large = || CallError::TooLarge { limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What went wrong, without the address.
fn failure(error: &reqwest::Error) -> CallError {
    if error.is_connect() {
        CallError::Unreachable(deepest(error))
    } else if error.is_timeout() {
        CallError::Transport("timed out".to_owned())
    } else {
        CallError::Transport(deepest(error))
    }
}

/// The words of the innermost cause: outer ones name the address, which may contain a signature or a password.
fn deepest(error: &dyn Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(
        || "the request could not be made".to_owned(),
        |cause| cause.to_string().chars().take(200).collect(),
    )
}

#[expect(clippy::disallowed_methods, reason = "the app reports its clock in each request; nothing is decided by it")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}
