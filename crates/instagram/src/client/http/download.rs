//! Downloads of pictures, videos and sounds: from known hosts only, up to a limit, without a session.

use reqwest::header::{CONTENT_TYPE, LOCATION, USER_AGENT};
use url::{Host, Url};

use super::{CallError, HttpClient, failure, read};

/// Media addresses may move, but not often.
const REDIRECTS: usize = 4;

/// Where Instagram keeps media, and GIFs.
const MEDIA_DOMAINS: [&str; 3] = ["cdninstagram.com", "fbcdn.net", "giphy.com"];

/// A downloaded file.
#[derive(Clone)]
pub struct Download {
    /// The whole file.
    pub bytes: bytes::Bytes,
    /// As the server says, without parameters.
    pub content_type: Option<String>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Download({} bytes, {:?})", self.bytes.len(), self.content_type)
    }
}

impl HttpClient {
    /// Fetches media. The address is sent as given: its query is signed.
    pub async fn download(&self, url: &str, limit: u64) -> Result<Download, CallError> {
        let mut url = self.media_address(url)?;
        let exchange = async {
            for _ in 0..=REDIRECTS {
                let request = self.client.get(url.clone()).header(USER_AGENT, &self.shared.user_agent);
                let mut response = request.send().await.map_err(|error| failure(&error))?;
                let status = response.status();
                if status.is_success() {
                    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                    let content_type =
                        content_type.and_then(|value| value.split(';').next()).map(|v| v.trim().to_owned());
                    return Ok(Download { bytes: read(&mut response, limit).await?.into(), content_type });
                }
                let target = response.headers().get(LOCATION).filter(|_| status.is_redirection());
                let Some(target) = target.and_then(|value| value.to_str().ok()) else {
                    return Err(CallError::Unavailable { status: status.as_u16() });
                };
                let target = url.join(target).map_err(|_| CallError::ForeignHost)?;
                url = self.media_address(target.as_str())?;
            }
            Err(CallError::Transport("too many redirects".to_owned()))
        };
        self.within(self.shared.options.timeout * 10, exchange).await
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
