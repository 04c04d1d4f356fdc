//! Stand-in.
pub mod derived;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::Url;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    Block,
    Relay,
    User,
    Admin,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub homeserver: Hs,
    pub appservice: As,
    pub database: Db,
    pub permissions: BTreeMap<String, Permission>,
    pub instagram: Ig,
    #[serde(default)]
    pub logging: Log,
}
#[derive(Clone, Debug, Deserialize)]
pub struct Hs {
    pub address: Url,
    pub domain: ruma::OwnedServerName,
}
#[derive(Clone, Debug, Deserialize)]
pub struct As {
    #[serde(default = "id")]
    pub id: String,
    pub address: Url,
    pub hostname: String,
    pub port: u16,
    pub as_token: String,
    pub hs_token: String,
    #[serde(default = "bot")]
    pub bot_displayname: String,
}
fn id() -> String {
    "instagram".into()
}
fn bot() -> String {
    "Instagram bridge".into()
}
#[derive(Clone, Debug, Deserialize)]
pub struct Db {
    pub uri: String,
    #[serde(default = "four")]
    pub max_connections: u32,
    pub secret_key: String,
}
fn four() -> u32 {
    4
}
#[derive(Clone, Debug, Deserialize)]
pub struct Ig {
    pub api_url: Url,
    pub upload_url: Url,
    pub realtime_address: String,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub media_hosts: Vec<String>,
    pub proxy: Option<Url>,
    #[serde(default)]
    pub login_proxies: BTreeMap<String, Url>,
    #[serde(default)]
    pub jitter: f64,
    #[serde(default)]
    pub answer_timeout: Option<String>,
    pub reconnect_floor: Option<String>,
    pub ping_interval: Option<String>,
    pub ping_timeout: Option<String>,
}
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Log {
    pub level: Option<String>,
}
impl Config {
    pub fn load(path: &std::path::Path) -> anyhow::Result<Self> {
        Ok(serde_saphyr::from_str(&std::fs::read_to_string(path)?)?)
    }
}
