//! Downloads of pictures, videos and sounds: from known hosts only, up to a limit, without a session.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, LOCATION, USER_AGENT};
use url::{Host, Url};

use super::{CallError, HttpClient, failure};

/// Bytes for each of which a download may take a second more than it may anyway: a large file takes its time on a thin
/// line, one that drips does not come.
const SLOWEST: f64 = 64.0 * 1024.0;

/// Media addresses may move, but not often.
const REDIRECTS: usize = 4;

/// Where Instagram keeps media, and GIFs.
const MEDIA_DOMAINS: [&str; 3] = ["cdninstagram.com", "fbcdn.net", "giphy.com"];

/// A downloaded file.
#[derive(Clone)]
pub struct Download {
    /// The whole file.
    pub bytes: Bytes,
    /// As the server says, without parameters.
    pub content_type: Option<String>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Download({} bytes, {:?})", self.bytes.len(), self.content_type)
    }
}

/// A file on its way. Its bytes come as they are, also when the server calls them compressed.
///
/// What is dropped before its end closes the connection.
pub struct MediaStream {
    /// As the server says, without parameters; the bytes may be something else.
    pub content_type: Option<String>,
    /// As the server says. A file that turns out shorter is an error; without it, the end of the connection may cut
    /// a file short unnoticed.
    pub length: Option<u64>,
    response: reqwest::Response,
    limit: u64,
    received: u64,
    patience: Patience,
    /// Why there is nothing more.
    end: Option<Result<(), CallError>>,
}

impl MediaStream {
    /// The next bytes, `None` behind the last. Nothing is read ahead but what the connection buffers. An error stays.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        if let Some(end) = &self.end {
            return end.clone().map(|()| None);
        }
        let next = match self.patience.wait(self.response.chunk()).await {
            Ok(next) => self.check(next),
            Err(error) => Err(error),
        };
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.end = Some(Ok(())),
            Err(error) => self.end = Some(Err(error.clone())),
        }
        next
    }

    fn check(&mut self, next: Option<Bytes>) -> Result<Option<Bytes>, CallError> {
        match &next {
            Some(bytes) => {
                self.patience.left += Duration::from_secs_f64(bytes.len() as f64 / SLOWEST);
                self.received += bytes.len() as u64;
                if self.received > self.limit {
                    return Err(CallError::TooLarge { limit: self.limit });
                }
            }
            None if self.length.is_some_and(|length| self.received < length) => {
                return Err(CallError::Transport("the file ends too early".to_owned()));
            }
            None => {}
        }
        Ok(next)
    }
}

impl std::fmt::Debug for MediaStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MediaStream({:?} bytes, {:?})", self.length, self.content_type)
    }
}

/// How long a download may wait for the network. The time its reader takes does not count.
struct Patience {
    silence: Duration,
    left: Duration,
}

impl Patience {
    async fn wait<T>(&mut self, next: impl Future<Output = reqwest::Result<T>>) -> Result<T, CallError> {
        let limit = self.silence.min(self.left);
        let start = tokio::time::Instant::now();
        let outcome = tokio::time::timeout(limit, next).await;
        self.left = self.left.saturating_sub(start.elapsed());
        match outcome {
            Ok(outcome) => outcome.map_err(|error| failure(&error)),
            Err(_) if limit < self.silence => Err(CallError::TooSlow),
            Err(_) => Err(CallError::Transport(format!("nothing came within {} s", limit.as_secs_f32()))),
        }
    }
}

impl HttpClient {
    /// Fetches media whole. The address is sent as given: its query is signed.
    pub async fn download(&self, url: &str, limit: u64) -> Result<Download, CallError> {
        let mut stream = self.download_stream(url, limit).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(Download { bytes: bytes.freeze(), content_type: stream.content_type })
    }

    /// Begins to fetch media of at most `limit` bytes. The address is sent as given: its query is signed.
    pub async fn download_stream(&self, url: &str, limit: u64) -> Result<MediaStream, CallError> {
        let mut url = self.media_address(url)?;
        let silence = self.shared.options.timeout;
        let mut patience = Patience { silence, left: silence * 10 };
        for _ in 0..=REDIRECTS {
            let request = self.pools.media.get(url.clone()).header(USER_AGENT, &self.shared.user_agent);
            let response = patience.wait(request.send()).await?;
            let status = response.status();
            if status.is_success() {
                let length = response.content_length();
                if length.is_some_and(|length| length > limit) {
                    return Err(CallError::TooLarge { limit });
                }
                let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let content_type = content_type.and_then(|value| value.split(';').next()).map(|v| v.trim().to_owned());
                return Ok(MediaStream { content_type, length, response, limit, received: 0, patience, end: None });
            }
            let target = response.headers().get(LOCATION).filter(|_| status.is_redirection());
            let Some(target) = target.and_then(|value| value.to_str().ok()) else {
                return Err(CallError::Unavailable { status: status.as_u16() });
            };
            let target = url.join(target).map_err(|_| CallError::ForeignHost)?;
            url = self.media_address(target.as_str())?;
        }
        Err(CallError::Transport("too many redirects".to_owned()))
    }

    /// Refuses all but `https` addresses of hosts that media may come from.
    fn media_address(&self, url: &str) -> Result<Url, CallError> {
        let url = Url::parse(url).map_err(|_| CallError::ForeignHost)?;
        let plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        let allowed = plain && url.host().is_some_and(|host| self.is_media_host(&host, url.port()));
        if allowed { Ok(url) } else { Err(CallError::ForeignHost) }
    }

    fn is_media_host(&self, host: &Host<&str>, port: Option<u16>) -> bool {
        let below = |name: &str, domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        if let (Host::Domain(name), None) = (host, port)
            && MEDIA_DOMAINS.iter().any(|domain| below(name, domain))
        {
            return true;
        }
        let name = host.to_string();
        self.shared.options.media_hosts.iter().map(|allowed| allowed.to_ascii_lowercase()).any(|allowed| match allowed
            .strip_prefix("*.")
        {
            Some(domain) => below(&name, domain),
            None => name == allowed,
        })
    }
}
