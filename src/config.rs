//! The configuration: one YAML file, read once, checked as a whole, never rewritten.
//!
//! Each section is a struct with its defaults; `config.example.yaml` is made from [`example`], and a test compares.
//! Every error is a statement and a cure, with the place in the file where there is one.

mod check;
mod derived;
mod error;
pub mod example;
mod explain;
mod permission;
pub mod registration;
mod secret;
mod time;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ruma::OwnedServerName;
use serde::Deserialize;
use url::Url;

use crate::domain::convert::to_matrix::FleetingPolicy;

pub use error::ConfigError;
pub use permission::Permission;
pub use secret::{Proxy, Secret};
pub use time::Span;

/// Everything an admin can set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The homeserver.
    pub homeserver: Homeserver,
    /// The bridge as the homeserver sees it.
    pub appservice: Appservice,
    /// Whether the bridge may act as its users.
    #[serde(default, deserialize_with = "maybe_empty")]
    pub double_puppet: DoublePuppet,
    /// Where things are remembered.
    pub database: Database,
    /// Who may do what: user id, domain or `*` → level. The most specific entry counts.
    pub permissions: BTreeMap<String, Permission>,
    /// How to behave towards Instagram.
    #[serde(default, deserialize_with = "maybe_empty")]
    pub instagram: Instagram,
    /// How messages are bridged.
    #[serde(default, deserialize_with = "maybe_empty")]
    pub bridge: Bridging,
    /// Files in both directions.
    #[serde(default, deserialize_with = "maybe_empty")]
    pub media: Media,
    /// What is written to standard error.
    #[serde(default, deserialize_with = "maybe_empty")]
    pub logging: Logging,
}

/// A section with nothing but comments in it has its defaults.
fn maybe_empty<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The homeserver.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Homeserver {
    /// Base address of its client-server API.
    pub address: Url,
    /// The server name in user ids.
    pub domain: OwnedServerName,
    /// PEM certificates trusted beside those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// Requests on their way at once.
    #[serde(default = "concurrency")]
    pub concurrency: usize,
}

fn concurrency() -> usize {
    16
}

/// The bridge as the homeserver sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appservice {
    /// Name of the registration.
    #[serde(default = "registration_id")]
    pub id: String,
    /// Where the homeserver reaches the bridge.
    pub address: Url,
    /// Where the bridge listens.
    #[serde(default = "hostname")]
    pub hostname: String,
    /// Where the bridge listens.
    #[serde(default = "port")]
    pub port: u16,
    /// Local part of the bot.
    #[serde(default = "bot_username")]
    pub bot_username: String,
    /// Name of the bot.
    #[serde(default = "bot_displayname")]
    pub bot_displayname: String,
    /// Start of the local part of every ghost and portal alias.
    #[serde(default = "ghost_prefix")]
    pub ghost_prefix: String,
    /// Name of a ghost; `{name}` and `{username}` are filled in.
    #[serde(default = "displayname_template")]
    pub displayname_template: String,
    /// Our token to the homeserver.
    pub as_token: Option<Secret>,
    /// A file that holds it.
    pub as_token_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub as_token_env: Option<String>,
    /// The homeserver's token to us.
    pub hs_token: Option<Secret>,
    /// A file that holds it.
    pub hs_token_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub hs_token_env: Option<String>,
    /// Largest transaction in bytes.
    #[serde(default = "body_limit")]
    pub body_limit: usize,
}

/// A second registration, whose token may act as every user of the homeserver.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoublePuppet {
    /// Its token.
    pub as_token: Option<Secret>,
    /// A file that holds it.
    pub as_token_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub as_token_env: Option<String>,
}

fn registration_id() -> String {
    "instagram".into()
}

fn hostname() -> String {
    "127.0.0.1".into()
}

fn port() -> u16 {
    29330
}

fn bot_username() -> String {
    "instagrambot".into()
}

fn bot_displayname() -> String {
    "Instagram bridge bot".into()
}

fn ghost_prefix() -> String {
    "instagram_".into()
}

fn displayname_template() -> String {
    "{name} (Instagram)".into()
}

fn body_limit() -> usize {
    64 << 20
}

/// Where things are remembered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub uri: Option<Secret>,
    /// A file that holds it.
    pub uri_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub uri_env: Option<String>,
    /// Connections that read; one more writes.
    #[serde(default = "max_connections")]
    pub max_connections: u32,
    /// 32 random bytes in base64: seals sessions and waiting messages.
    pub secret_key: Option<Secret>,
    /// A file that holds it.
    pub secret_key_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub secret_key_env: Option<String>,
}

fn max_connections() -> u32 {
    4
}

/// How to behave towards Instagram.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instagram {
    /// Base address of the API.
    pub api_url: Url,
    /// Base address of uploads.
    pub upload_url: Url,
    /// `host:port` of the realtime server.
    pub realtime_address: String,
    /// PEM certificates trusted beside those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// Hosts that media may come from, beside Instagram's own.
    pub media_hosts: Vec<String>,
    /// Proxy of all logins: `http://`, `socks5://` or `socks5h://`.
    pub proxy: Option<Proxy>,
    /// Proxies of single logins, by the account's numeric id.
    pub login_proxies: BTreeMap<String, Proxy>,
    /// Shortest time between two sends of one login.
    pub min_send_interval: Span,
    /// Up to this share is added to every wait.
    pub jitter: f64,
    /// First wait after a second failed connection; doubles up to a minute.
    pub reconnect_floor: Span,
    /// How long a send waits for its answer before it is looked for and repeated.
    pub answer_timeout: Span,
    /// How long an HTTP request may take.
    pub http_timeout: Span,
    /// Time between two pings.
    pub ping_interval: Span,
    /// Time for a sign of life after a ping.
    pub ping_timeout: Span,
}

impl Default for Instagram {
    fn default() -> Self {
        let url = |text: &str| Url::parse(text).expect("a constant address");
        Self {
            api_url: url("https://i.instagram.com"),
            upload_url: url("https://rupload.facebook.com"),
            realtime_address: "edge-mqtt.facebook.com:443".into(),
            ca_file: None,
            media_hosts: Vec::new(),
            proxy: None,
            login_proxies: BTreeMap::new(),
            min_send_interval: Span::millis(300),
            jitter: 0.3,
            reconnect_floor: Span::seconds(1),
            answer_timeout: Span::seconds(15),
            http_timeout: Span::seconds(30),
            ping_interval: Span::seconds(20),
            ping_timeout: Span::seconds(15),
        }
    }
}

/// How messages are bridged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bridging {
    /// Start of a command outside the management room.
    pub command_prefix: String,
    /// Whether `m.notice` goes to Instagram.
    pub notices: bool,
    /// Characters Instagram takes in one message; longer texts are sent in parts.
    pub max_characters: usize,
    /// When Instagram is shown that you have read: `send` when your Matrix client says so, `on_reply` when you write,
    /// `never`.
    pub receipts: Receipts,
    /// After this time a message from Matrix that could not be sent is given up, and its sender is told.
    pub give_up_after: Span,
    /// Chats whose latest messages are fetched when somebody logs in for the first time.
    pub history_chats: usize,
    /// Messages fetched of each of them.
    pub history_messages: i64,
    /// Pause between two pages of history.
    pub history_pause: Span,
    /// Rooms made in an hour; more have to wait.
    pub rooms_per_hour: usize,
    /// How what is relayed reads, by type of message: `{name}` and `{text}` are filled in; files have no text, a line
    /// follows them. Types that are not named have the usual format.
    pub relay_formats: BTreeMap<String, String>,
    /// What becomes of message requests: `ignore`, `digest` (you are told of them) or `room`.
    pub message_requests: Requests,
}

impl Default for Bridging {
    fn default() -> Self {
        Self {
            command_prefix: "!ig".into(),
            notices: true,
            max_characters: 1000,
            receipts: Receipts::Send,
            give_up_after: Span::seconds(3600),
            history_chats: 20,
            history_messages: 50,
            history_pause: Span::seconds(2),
            rooms_per_hour: 100,
            relay_formats: derived::relay_formats(),
            message_requests: Requests::Room,
        }
    }
}

/// What becomes of message requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// Nothing, until they are accepted in the app.
    Ignore,
    /// Their user is told of them.
    Digest,
    /// They have a room, where they can be accepted or declined.
    Room,
}

/// Files in both directions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Largest file from Instagram, in bytes.
    pub max_download: u64,
    /// Largest file to Instagram, in bytes.
    pub max_upload: u64,
    /// What becomes of photos and videos that disappear: `notice`, `media` or `media_then_redact`.
    pub disappearing: FleetingPolicy,
    /// How long they stay with `media_then_redact`.
    pub redact_after: Span,
    /// The converter; without this key `ffmpeg` is looked for in the search path.
    pub ffmpeg: Option<PathBuf>,
    /// Where files are kept on their way; without this key the system's temporary directory.
    pub directory: Option<PathBuf>,
    /// Where the bridge's port can be reached by everybody: files that Instagram does not take are sent as links there.
    pub public_address: Option<Url>,
    /// How long such a link holds.
    pub link_lifetime: Span,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            max_download: 100 << 20,
            max_upload: 100 << 20,
            disappearing: FleetingPolicy::Notice,
            redact_after: Span::seconds(3600),
            ffmpeg: None,
            directory: None,
            public_address: None,
            link_lifetime: Span::seconds(7 * 24 * 3600),
        }
    }
}

/// When Instagram is shown that a user has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// When their Matrix client says so.
    Send,
    /// When they write.
    OnReply,
    /// At no time.
    Never,
}

/// What is written to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A level, or directives as `info,puppetgram::lane=debug`.
    pub level: String,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

/// Form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object for collectors.
    Json,
}

impl Config {
    /// Reads and checks a file; secrets that stand elsewhere are fetched.
    ///
    /// # Errors
    /// A statement with the cure, and the place in the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, &error))?;
        let config = Self::parse(&text, path)?;
        config.refuse_placeholders().map_err(|error| error.in_file(&text, path))?;
        Ok(config)
    }

    /// Checks a text as [`Config::load`] does; `path` is for errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self =
            serde_saphyr::from_str(text).map_err(|error| ConfigError::from_yaml(&error, text, path))?;
        config.fetch_secrets().and_then(|()| config.check()).map_err(|error| error.in_file(text, path))?;
        Ok(config)
    }

    fn fetch_secrets(&mut self) -> Result<(), ConfigError> {
        let DoublePuppet { as_token, as_token_file, as_token_env } = &mut self.double_puppet;
        if as_token.is_some() || as_token_file.is_some() || as_token_env.is_some() {
            secret::fetch("double_puppet.as_token", as_token, as_token_file, as_token_env)?;
        }
        let (appservice, database) = (&mut self.appservice, &mut self.database);
        secret::fetch(
            "appservice.as_token",
            &mut appservice.as_token,
            &appservice.as_token_file,
            &appservice.as_token_env,
        )?;
        secret::fetch(
            "appservice.hs_token",
            &mut appservice.hs_token,
            &appservice.hs_token_file,
            &appservice.hs_token_env,
        )?;
        if database.uri.is_none() && database.uri_file.is_none() && database.uri_env.is_none() {
            database.uri = Some(Secret::new("sqlite:puppetgram.db"));
        }
        secret::fetch("database.uri", &mut database.uri, &database.uri_file, &database.uri_env)?;
        secret::fetch(
            "database.secret_key",
            &mut database.secret_key,
            &database.secret_key_file,
            &database.secret_key_env,
        )
    }
}

#[cfg(test)]
mod tests;
