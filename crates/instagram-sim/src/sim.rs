//! The simulator itself: start, addresses, stop.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use serde::Serialize;
use tokio::net::TcpListener;
use url::Url;

use crate::{api, options::SimOptions, realtime, shared::Shared, tls};

/// A person on the simulated Instagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The account's number.
    pub pk: u64,
    /// The name it logs in with.
    pub username: String,
    /// The name it shows.
    pub full_name: String,
    /// The cookie of its first session, percent-encoded as browsers show it.
    pub sessionid: String,
}

/// Counters of the whole simulator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Accounts that exist.
    pub accounts: usize,
    /// Threads that exist.
    pub threads: usize,
    /// Items ever accepted.
    pub items: u64,
    /// Sends that came again with the same client context.
    pub duplicates_refused: u64,
    /// Realtime connections that are open.
    pub connections: usize,
    /// Realtime connections ever opened.
    pub connections_opened: u64,
    /// API requests that are remembered.
    pub requests: usize,
    /// Those for endpoints the simulator does not have.
    pub unknown_requests: usize,
}

/// A running simulator. Ends when dropped.
pub struct Sim {
    pub(crate) shared: Arc<Shared>,
    api: SocketAddr,
    realtime: SocketAddr,
    ca_pem: String,
}

impl Sim {
    /// Starts a simulator; it is listening when this returns.
    pub async fn start(options: SimOptions) -> anyhow::Result<Sim> {
        let authority = tls::make()?;
        let api_listener =
            TcpListener::bind(options.api).await.with_context(|| format!("cannot listen on {}", options.api))?;
        let realtime_listener = TcpListener::bind(options.realtime)
            .await
            .with_context(|| format!("cannot listen on {}", options.realtime))?;
        let (api, realtime) = (api_listener.local_addr()?, realtime_listener.local_addr()?);
        let shared = Arc::new(Shared::new(options));
        shared.look(|world| world.cdn.base = format!("https://{api}"));
        shared.tasks.spawn(api::serve(shared.clone(), api_listener, api, authority.server.clone()));
        shared.tasks.spawn(realtime::serve(shared.clone(), realtime_listener, authority.server));
        Ok(Sim { shared, api, realtime, ca_pem: authority.ca_pem })
    }

    /// Base address of the HTTPS API, for example `https://127.0.0.1:4433/`.
    pub fn api_url(&self) -> Url {
        Url::parse(&format!("https://{}/", self.api)).expect("a socket address makes a valid URL")
    }

    /// Address of the realtime server.
    pub fn realtime_address(&self) -> SocketAddr {
        self.realtime
    }

    /// The host that media addresses name.
    pub fn media_host(&self) -> String {
        self.api.ip().to_string()
    }

    /// The certificate authority to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let requests = self.shared.requests();
        self.shared.look(|world| Stats {
            accounts: world.accounts.len(),
            threads: world.threads.len(),
            items: world.items_accepted,
            duplicates_refused: world.duplicates_refused,
            connections: world.accounts.values().map(|account| account.connections.len()).sum(),
            connections_opened: world.connections_opened,
            requests: requests.len(),
            unknown_requests: requests.iter().filter(|request| !request.known).count(),
        })
    }

    /// Closes every connection and both listeners.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
