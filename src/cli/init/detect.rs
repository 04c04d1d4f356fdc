//! What a homeserver tells about itself: its name, and where it really is when the address is only its name.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// Nobody waits longer for a question that can be asked instead.
const PATIENCE: Duration = Duration::from_secs(4);
/// No answer of interest is longer.
const LONGEST: usize = 64 << 10;

/// What could be learnt.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Found {
    /// The server name in user ids.
    pub(super) domain: Option<String>,
    /// The base address, when it is another than the given one.
    pub(super) address: Option<String>,
}

#[derive(Deserialize)]
struct ServerKeys {
    server_name: String,
}

#[derive(Deserialize)]
struct WellKnown {
    #[serde(rename = "m.homeserver")]
    homeserver: Homeserver,
}

#[derive(Deserialize)]
struct Homeserver {
    base_url: String,
}

/// Asks the homeserver. Whatever goes wrong, nothing was learnt.
pub(super) fn look(address: &Url) -> Found {
    rustls::crypto::ring::default_provider().install_default().ok();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Found::default();
    };
    runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, ask(address)).await;
        asked.ok().flatten().unwrap_or_default()
    })
}

async fn ask(address: &Url) -> Option<Found> {
    let client = reqwest::Client::builder().connect_timeout(PATIENCE).build().ok()?;
    // The keys are signed with the name, so every server that federates gives it here.
    if let Some(keys) = fetch::<ServerKeys>(&client, address, "_matrix/key/v2/server").await {
        return Some(Found { domain: Some(keys.server_name), address: None });
    }
    let well_known = fetch::<WellKnown>(&client, address, ".well-known/matrix/client").await?;
    let base = well_known.homeserver.base_url.trim_end_matches('/').to_owned();
    let address = (base != address.as_str().trim_end_matches('/')).then_some(base);
    Some(Found { domain: None, address })
}

async fn fetch<T: DeserializeOwned>(client: &reqwest::Client, address: &Url, path: &str) -> Option<T> {
    let url = format!("{}/{path}", address.as_str().trim_end_matches('/'));
    let mut response = client.get(url).send().await.ok()?.error_for_status().ok()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return None;
        }
    }
    serde_json::from_slice(&body).ok()
}
