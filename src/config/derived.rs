//! What the parts of the bridge ask of the configuration, in their own types. `check.rs` makes the answers safe.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64;
use ruma::{OwnedUserId, ServerName, UserId};

use super::{Config, ConfigError, Instagram, Permission, Secret, permission};
use crate::matrix::ClientOptions;
use crate::store::SealKey;

/// How messages read when they are relayed, unless the configuration says otherwise.
pub(super) const RELAY_FORMATS: [(&str, &str); 8] = [
    ("m.text", "{name}: {text}"),
    ("m.notice", "{name}: {text}"),
    ("m.emote", "* {name} {text}"),
    ("m.image", "({name} sent this picture)"),
    ("m.sticker", "({name} sent this sticker)"),
    ("m.video", "({name} sent this video)"),
    ("m.audio", "({name} sent this recording)"),
    ("m.file", "({name} sent this file)"),
];

/// The same as the configuration has it.
pub(super) fn relay_formats() -> BTreeMap<String, String> {
    RELAY_FORMATS.iter().map(|(kind, format)| ((*kind).to_owned(), (*format).to_owned())).collect()
}

/// Types whose relayed messages are words.
pub(super) const RELAYED_WORDS: [&str; 3] = ["m.text", "m.notice", "m.emote"];

impl Config {
    /// The server name of the homeserver.
    pub fn domain(&self) -> &ServerName {
        &self.homeserver.domain
    }

    /// Start of the local part of ghosts and aliases.
    pub fn ghost_prefix(&self) -> &str {
        &self.appservice.ghost_prefix
    }

    /// The bridge bot.
    pub fn bot_user_id(&self) -> OwnedUserId {
        let text = format!("@{}:{}", self.appservice.bot_username, self.homeserver.domain);
        UserId::parse(text).expect("local part and server name were checked")
    }

    /// What a ghost is called.
    pub fn displayname(&self, name: &str, username: &str) -> String {
        self.appservice.displayname_template.replace("{name}", name).replace("{username}", username)
    }

    /// How to reach the homeserver.
    ///
    /// # Errors
    /// When the CA file cannot be read.
    pub fn matrix_options(&self) -> Result<ClientOptions, ConfigError> {
        let ca_pem = match &self.homeserver.ca_file {
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                ConfigError::at("homeserver.ca_file", format!("cannot read {}: {error}", path.display()))
            })?),
            None => None,
        };
        let options = ClientOptions::new(
            self.homeserver.address.clone(),
            self.homeserver.domain.clone(),
            exposed(self.appservice.as_token.as_ref()).to_owned(),
            self.bot_user_id(),
            self.appservice.ghost_prefix.clone(),
        );
        let puppet_token = self.puppet_token().map(str::to_owned);
        Ok(ClientOptions { ca_pem, puppet_token, concurrency: self.homeserver.concurrency.max(1), ..options })
    }

    /// Where the listener binds.
    pub fn listen_address(&self) -> String {
        let (hostname, port) = (&self.appservice.hostname, self.appservice.port);
        let bare = hostname.contains(':') && !hostname.starts_with('[');
        if bare { format!("[{hostname}]:{port}") } else { format!("{hostname}:{port}") }
    }

    /// What the homeserver shows us.
    pub fn hs_token(&self) -> &str {
        exposed(self.appservice.hs_token.as_ref())
    }

    /// What we show the homeserver.
    pub fn as_token(&self) -> &str {
        exposed(self.appservice.as_token.as_ref())
    }

    /// What we show the homeserver when we act as one of its users, if we may.
    pub fn puppet_token(&self) -> Option<&str> {
        self.double_puppet.as_token.as_ref().map(Secret::expose)
    }

    /// Largest transaction in bytes.
    pub fn body_limit(&self) -> usize {
        self.appservice.body_limit
    }

    /// Where the database is.
    pub fn database_uri(&self) -> &str {
        exposed(self.database.uri.as_ref())
    }

    /// The key that keys aliases.
    pub fn secret_key(&self) -> &[u8] {
        exposed(self.database.secret_key.as_ref()).as_bytes()
    }

    /// The key that seals.
    pub fn seal_key(&self) -> SealKey {
        SealKey::new(decode_key(self.database.secret_key.as_ref()).expect("the key was checked"))
    }

    /// What a user may do.
    pub fn permission(&self, user: &UserId) -> Permission {
        permission::of(&self.permissions, user)
    }

    /// Start of a command outside the management room.
    pub fn command_prefix(&self) -> &str {
        &self.bridge.command_prefix
    }

    /// Characters Instagram takes in one message.
    pub fn max_characters(&self) -> usize {
        self.bridge.max_characters.max(1)
    }

    /// How a message of a type reads when it is relayed.
    pub fn relay_format(&self, kind: &str) -> &str {
        let usual =
            || RELAY_FORMATS.iter().find(|(name, _)| *name == kind).map_or("{name}: {text}", |(_, usual)| usual);
        self.bridge.relay_formats.get(kind).map_or_else(usual, String::as_str)
    }

    /// Whether `m.notice` goes to Instagram.
    pub fn bridge_notices(&self) -> bool {
        self.bridge.notices
    }

    /// When an outgoing message is given up.
    pub fn give_up_after(&self) -> Duration {
        self.bridge.give_up_after.get()
    }

    /// Share added to waits.
    pub fn jitter(&self) -> f64 {
        self.instagram.jitter
    }

    /// First wait between connections.
    pub fn reconnect_floor(&self) -> Duration {
        self.instagram.reconnect_floor.get()
    }
}

impl Instagram {
    /// How long an HTTP request may take.
    pub fn http_timeout(&self) -> Duration {
        self.http_timeout.get()
    }

    /// Shortest time between two sends.
    pub fn min_send_interval(&self) -> Duration {
        self.min_send_interval.get()
    }

    /// How long a send waits for its answer.
    pub fn answer_timeout(&self) -> Duration {
        self.answer_timeout.get()
    }

    /// Time between two pings.
    pub fn ping_interval(&self) -> Duration {
        self.ping_interval.get().max(Duration::from_millis(100))
    }

    /// Time for a sign of life after a ping.
    pub fn ping_timeout(&self) -> Duration {
        self.ping_timeout.get().max(Duration::from_millis(100))
    }
}

/// A secret that [`Config::load`] made sure is there.
fn exposed(secret: Option<&Secret>) -> &str {
    secret.map_or("", Secret::expose)
}

/// The sealing key, if it is one.
pub(super) fn decode_key(secret: Option<&Secret>) -> Option<[u8; 32]> {
    BASE64.decode(secret?.expose().trim().as_bytes()).ok()?.try_into().ok()
}
