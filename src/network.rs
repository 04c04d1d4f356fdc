//! Instagram as the bridge needs it: log in, listen, send, look things up. Nothing here knows that there is a
//! database or a homeserver.

mod checked;
mod decode;
mod error;
mod events;
mod remote;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use instagram::client::http::{HttpClient, HttpOptions};
use instagram::client::realtime::ConnectOptions;
use url::Url;

use crate::config::Config;
use crate::domain::ids::LoginId;

pub use checked::CheckedLogin;
pub use decode::{decode, history_keys};
pub use error::{Demand, RemoteError, SessionEnd};
pub use events::{Batch, Events, SessionEvent, TypingNotice};
pub use remote::{ChatChange, Chats, Outgoing, OutgoingKind, Page, Proof, Remote, Target};

/// What all logins share: addresses, TLS roots, one HTTP client, pacing.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<Config>,
    http: HttpClient,
    tls: Arc<rustls::ClientConfig>,
    realtime: (String, String),
}

/// How to behave towards Instagram, taken from the configuration.
#[derive(Clone, Copy, Debug)]
struct Pacing {
    /// Shortest time between two sends of one login.
    between_sends: Duration,
    /// Up to this share is added to every wait.
    jitter: f64,
    /// How long a send waits for its answer before it counts as uncertain.
    answer_timeout: Duration,
}

impl Network {
    /// Prepares the clients. Nothing is contacted.
    ///
    /// # Errors
    /// A sentence for the admin when the CA file or an address in the configuration cannot be used.
    pub fn new(config: &Arc<Config>) -> anyhow::Result<Self> {
        let instagram = &config.instagram;
        let extra_ca = match &instagram.ca_file {
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|error| anyhow::anyhow!("cannot read instagram.ca_file {}: {error}", path.display()))?,
            ),
            None => None,
        };
        let tls = instagram::client::tls::client_config(extra_ca.as_deref()).map_err(|error| {
            let path = instagram.ca_file.as_deref().unwrap_or(Path::new("the system's")).display();
            anyhow::anyhow!("{error}\nhint: check `instagram.ca_file` ({path})")
        })?;
        let http = HttpClient::new(HttpOptions {
            api_url: instagram.api_url.clone(),
            upload_url: instagram.upload_url.clone(),
            tls: Arc::clone(&tls),
            proxy: instagram.proxy.as_ref().map(|proxy| proxy.expose().clone()),
            media_hosts: instagram.media_hosts.clone(),
            timeout: instagram.http_timeout(),
        })?;
        let realtime = split_address(&instagram.realtime_address)?;
        Ok(Self { shared: Arc::new(Shared { config: Arc::clone(config), http, tls, realtime }) })
    }

    fn pacing(&self) -> Pacing {
        let instagram = &self.shared.config.instagram;
        Pacing {
            between_sends: instagram.min_send_interval(),
            jitter: instagram.jitter,
            answer_timeout: instagram.answer_timeout(),
        }
    }

    /// The HTTP client of a login: its own proxy, if it has one.
    fn http(&self, login: &LoginId) -> Result<HttpClient, RemoteError> {
        let client = self.shared.http.with_proxy(self.proxy(login.as_str()).as_ref());
        client.map_err(|error| RemoteError::Transport(error.to_string()))
    }

    fn proxy(&self, login: &str) -> Option<Url> {
        let instagram = &self.shared.config.instagram;
        let proxy = instagram.login_proxies.get(login).or(instagram.proxy.as_ref());
        proxy.map(|proxy| proxy.expose().clone())
    }

    fn connect_options(&self, login: &str) -> ConnectOptions {
        let (address, server_name) = self.shared.realtime.clone();
        ConnectOptions { address, server_name, tls: Arc::clone(&self.shared.tls), proxy: self.proxy(login) }
    }
}

/// `host:port` and the host alone, for TLS.
fn split_address(address: &str) -> anyhow::Result<(String, String)> {
    let (host, port) = address
        .rsplit_once(':')
        .ok_or_else(|| anyhow::anyhow!("instagram.realtime_address must be host:port, not `{address}`"))?;
    port.parse::<u16>().map_err(|_| anyhow::anyhow!("instagram.realtime_address: `{port}` is not a port"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((address.to_owned(), host.to_owned()))
}

/// Random bytes from the operating system's generator.
///
/// # Panics
/// If the system has no randomness to give, which leaves nothing safe to do.
fn random<const N: usize>() -> [u8; N] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).expect("the operating system provides random bytes");
    bytes
}
