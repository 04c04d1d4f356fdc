//! The checks that types cannot make: forms of values, and what must fit together across keys.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::derived::{RELAY_FORMATS, RELAYED_WORDS, decode_key};
use super::{Appservice, Config, ConfigError, Instagram, Media, Permission, Proxy, Span, permission};

/// The largest transaction a homeserver makes of ordinary events: 100 events of 64 KiB, and what stands around them.
const LARGEST_TRANSACTION: usize = 8 << 20;

impl Config {
    /// Says whether everything can be used.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        web_address("homeserver.address", &self.homeserver.address)?;
        web_address("appservice.address", &self.appservice.address)?;
        readable("homeserver.ca_file", self.homeserver.ca_file.as_deref())?;
        not_zero("homeserver.concurrency", self.homeserver.concurrency)?;
        self.appservice.check()?;
        if self.bot_is_ghost() {
            return Err(ConfigError::at("appservice.bot_username", "the bot would be taken for a ghost")
                .with_hint("choose a `bot_username` that does not begin with `ghost_prefix`"));
        }
        self.check_database()?;
        self.check_permissions()?;
        self.instagram.check()?;
        self.check_bridge()?;
        self.media.check()?;
        self.check_level()?;
        Ok(())
    }

    fn bot_is_ghost(&self) -> bool {
        self.appservice.bot_username.starts_with(&self.appservice.ghost_prefix)
    }

    fn check_database(&self) -> Result<(), ConfigError> {
        let scheme = self.database_uri().split_once(':').map_or("", |(scheme, _)| scheme);
        if !matches!(scheme, "sqlite" | "postgres" | "postgresql") {
            return Err(ConfigError::at("database.uri", "`database.uri` names no database that puppetgram knows")
                .with_hint("write sqlite:/path/to/puppetgram.db or postgres://user:password@host/name"));
        }
        not_zero("database.max_connections", usize::try_from(self.database.max_connections).unwrap_or(usize::MAX))?;
        if decode_key(self.database.secret_key.as_ref()).is_none() {
            return Err(ConfigError::at("database.secret_key", "`database.secret_key` is not 32 bytes in base64")
                .with_hint("`puppetgram init` makes one; `openssl rand -base64 32` does too"));
        }
        Ok(())
    }

    fn check_permissions(&self) -> Result<(), ConfigError> {
        if let Some(key) = self.permissions.keys().find(|key| !permission::is_key(key)) {
            return Err(ConfigError::at("permissions", format!("`{key}` in `permissions` names nobody"))
                .with_hint("use a user id (\"@anna:example.org\"), a domain (\"example.org\") or \"*\""));
        }
        self.check_double_puppet()?;
        if !self.permissions.values().any(|level| *level >= Permission::User) {
            return Err(ConfigError::at("permissions", "nobody may use the bridge")
                .with_hint("give at least one user or domain the level `user` in `permissions`"));
        }
        Ok(())
    }

    fn check_double_puppet(&self) -> Result<(), ConfigError> {
        let key = "double_puppet.as_token";
        match self.puppet_token() {
            Some(token) if token == self.as_token() => {
                Err(ConfigError::at(key, format!("`{key}` is that of the bridge itself"))
                    .with_hint("choose another token: it belongs to a registration of its own"))
            }
            Some(token) if token.len() < 16 => Err(ConfigError::at(key, format!("`{key}` is too short for a secret"))
                .with_hint("make it with `openssl rand -base64 32`")),
            _ => Ok(()),
        }
    }

    /// The secrets of the example file are known to everybody.
    pub(super) fn refuse_placeholders(&self) -> Result<(), ConfigError> {
        let hint = "make it with `openssl rand -base64 32`, or have `puppetgram init` write a whole configuration";
        let tokens =
            [("appservice.as_token", &self.appservice.as_token), ("appservice.hs_token", &self.appservice.hs_token)];
        for (key, token) in tokens {
            if token.as_ref().is_some_and(|token| token.expose().starts_with("CHANGE-ME")) {
                return Err(ConfigError::at(key, format!("`{key}` is still the one of the example")).with_hint(hint));
            }
        }
        if decode_key(self.database.secret_key.as_ref()) == Some([0; 32]) {
            let statement = "`database.secret_key` is still the one of the example";
            return Err(ConfigError::at("database.secret_key", statement).with_hint(hint));
        }
        Ok(())
    }

    fn check_level(&self) -> Result<(), ConfigError> {
        let level = &self.logging.level;
        // A bare word that is no level would be taken for the name of a module, and everything else be silent.
        let bare = level.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
        let mut unknown = bare.filter(|part| LevelFilter::from_str(part).is_err());
        if EnvFilter::try_new(level).is_ok() && unknown.next().is_none() {
            return Ok(());
        }
        Err(ConfigError::at("logging.level", "`logging.level` cannot be understood")
            .with_hint("use error, warn, info, debug or trace, or directives as info,puppetgram::lane=debug"))
    }

    fn check_bridge(&self) -> Result<(), ConfigError> {
        let prefix = &self.bridge.command_prefix;
        if prefix.is_empty() || prefix.contains(char::is_whitespace) {
            return Err(ConfigError::at("bridge.command_prefix", "`bridge.command_prefix` must be one word")
                .with_hint("the usual one is \"!ig\""));
        }
        for (kind, format) in &self.bridge.relay_formats {
            let key = format!("bridge.relay_formats.{kind}");
            if !RELAY_FORMATS.iter().any(|(known, _)| known == kind) {
                let known: Vec<&str> = RELAY_FORMATS.iter().map(|(known, _)| *known).collect();
                return Err(ConfigError::at(
                    "bridge.relay_formats",
                    format!("`{key}` is no type of message that is relayed"),
                )
                .with_hint(format!("there are {}", known.join(", "))));
            }
            if RELAYED_WORDS.contains(&kind.as_str()) && !format.contains("{text}") {
                return Err(ConfigError::at("bridge.relay_formats", format!("`{key}` leaves out what was said"))
                    .with_hint("use {name} and {text} in it"));
            }
        }
        not_zero("bridge.rooms_per_hour", self.bridge.rooms_per_hour)?;
        if self.bridge.history_messages < 0 {
            return Err(ConfigError::at("bridge.history_messages", "`bridge.history_messages` must not be negative")
                .with_hint("0 fetches nothing of what was said before"));
        }
        not_zero("bridge.max_characters", self.bridge.max_characters)
    }
}

impl Media {
    fn check(&self) -> Result<(), ConfigError> {
        for (key, number) in [("media.max_download", self.max_download), ("media.max_upload", self.max_upload)] {
            not_zero(key, usize::try_from(number).unwrap_or(usize::MAX))?;
        }
        lasting("media.link_lifetime", self.link_lifetime)?;
        if let Some(directory) = self.directory.as_deref().filter(|directory| !directory.is_dir()) {
            let statement = format!("`media.directory` is no directory: {}", directory.display());
            return Err(ConfigError::at("media.directory", statement).with_hint("make it, writable for the bridge"));
        }
        self.public_address.as_ref().map_or(Ok(()), |address| web_address("media.public_address", address))
    }
}

fn lasting(key: &str, span: Span) -> Result<(), ConfigError> {
    not_zero(key, usize::from(!span.get().is_zero()))
}

impl Appservice {
    fn check(&self) -> Result<(), ConfigError> {
        if self.id.trim().is_empty() {
            return Err(ConfigError::at("appservice.id", "`appservice.id` must not be empty")
                .with_hint("the usual one is instagram"));
        }
        for (key, text) in
            [("appservice.bot_username", &self.bot_username), ("appservice.ghost_prefix", &self.ghost_prefix)]
        {
            if !is_localpart(text) {
                return Err(ConfigError::at(key, format!("`{key}` cannot be part of a user id"))
                    .with_hint("use lower-case letters, digits and . _ = - / only"));
            }
        }
        if self.port == 0 {
            return Err(ConfigError::at("appservice.port", "`appservice.port` must not be 0")
                .with_hint("choose a free port, and the same in `appservice.address`"));
        }
        if self.hostname.trim().is_empty() || self.hostname.contains("//") {
            return Err(ConfigError::at("appservice.hostname", "`appservice.hostname` is no address to listen on")
                .with_hint("use 127.0.0.1, or 0.0.0.0 when the homeserver is on another machine"));
        }
        if self.as_token == self.hs_token {
            return Err(ConfigError::at("appservice.hs_token", "`as_token` and `hs_token` are the same")
                .with_hint("they authenticate opposite directions: make two different random strings"));
        }
        if !self.displayname_template.contains("{name}") && !self.displayname_template.contains("{username}") {
            return Err(ConfigError::at("appservice.displayname_template", "the template names nobody")
                .with_hint("use {name} or {username} in it"));
        }
        if self.body_limit < LARGEST_TRANSACTION {
            let statement = "a full transaction of the homeserver would be refused, and repeated without end";
            return Err(ConfigError::at("appservice.body_limit", statement)
                .with_hint(format!("set `body_limit` to at least {LARGEST_TRANSACTION}")));
        }
        Ok(())
    }
}

impl Instagram {
    fn check(&self) -> Result<(), ConfigError> {
        web_address("instagram.api_url", &self.api_url)?;
        web_address("instagram.upload_url", &self.upload_url)?;
        readable("instagram.ca_file", self.ca_file.as_deref())?;
        for (key, span) in [
            ("instagram.http_timeout", self.http_timeout),
            ("instagram.answer_timeout", self.answer_timeout),
            ("instagram.ping_interval", self.ping_interval),
            ("instagram.ping_timeout", self.ping_timeout),
        ] {
            lasting(key, span)?;
        }
        let port = self.realtime_address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
        if port.and_then(|port| port.parse::<u16>().ok()).is_none() {
            let statement = "`instagram.realtime_address` is not a host with a port";
            return Err(ConfigError::at("instagram.realtime_address", statement)
                .with_hint("it looks like edge-mqtt.facebook.com:443"));
        }
        if let Some(host) = self.media_hosts.iter().find(|host| host.is_empty() || host.contains(['/', ' '])) {
            return Err(ConfigError::at(
                "instagram.media_hosts",
                format!("`{host}` in `media_hosts` is not a host name"),
            )
            .with_hint("write the name alone, without https:// and without a path"));
        }
        if let Some(proxy) = &self.proxy {
            proxy_address("instagram.proxy", proxy)?;
        }
        for (login, proxy) in &self.login_proxies {
            if login.is_empty() || !login.bytes().all(|byte| byte.is_ascii_digit()) {
                let statement = format!("`{login}` in `login_proxies` is not the numeric id of an account");
                return Err(ConfigError::at("instagram.login_proxies", statement)
                    .with_hint("the bot's `list-logins` shows the ids"));
            }
            proxy_address("instagram.login_proxies", proxy)?;
        }
        if !(0.0..=10.0).contains(&self.jitter) {
            return Err(ConfigError::at("instagram.jitter", "`instagram.jitter` must be between 0 and 10")
                .with_hint("0.3 adds up to 30% to every wait"));
        }
        if self.ping_interval() + self.ping_timeout() > Duration::from_secs(60) {
            let statement = "a dead connection would go unnoticed for more than a minute";
            return Err(ConfigError::at("instagram.ping_interval", statement)
                .with_hint("`ping_interval` and `ping_timeout` together must be at most 60s"));
        }
        Ok(())
    }
}

/// What a user id's local part may be made of.
fn is_localpart(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn web_address(key: &str, address: &Url) -> Result<(), ConfigError> {
    if matches!(address.scheme(), "http" | "https") && address.has_host() {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("`{key}` is not a web address"))
        .with_hint("it looks like https://matrix.example.org or http://127.0.0.1:8008"))
}

fn proxy_address(key: &str, proxy: &Proxy) -> Result<(), ConfigError> {
    let proxy = proxy.expose();
    if matches!(proxy.scheme(), "http" | "socks5" | "socks5h") && proxy.has_host() {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("`{key}` holds something that is not the address of a proxy"))
        .with_hint("write http://host:port, socks5://host:port or socks5h://host:port"))
}

fn readable(key: &str, path: Option<&Path>) -> Result<(), ConfigError> {
    let Some(path) = path else { return Ok(()) };
    std::fs::read(path).map(drop).map_err(|error| {
        ConfigError::at(key, format!("cannot read {}: {error}", path.display()))
            .with_hint("check the path and its permissions")
    })
}

fn not_zero(key: &str, number: usize) -> Result<(), ConfigError> {
    if number > 0 {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("`{key}` must not be 0")).with_hint("leave the key out for the usual value"))
}
