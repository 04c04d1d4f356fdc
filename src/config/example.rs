//! The text of a configuration: with placeholders it is `config.example.yaml`, with values it is what `init` writes.

use super::derived::RELAY_FORMATS;
use super::{Bridging, Instagram, Logging, Media};

/// What has no default. No `Debug`: it holds every secret of the configuration.
#[derive(Clone)]
pub struct Answers {
    /// `homeserver.address`
    pub homeserver_address: String,
    /// `homeserver.domain`
    pub domain: String,
    /// `appservice.address`
    pub appservice_address: String,
    /// `appservice.hostname`
    pub hostname: String,
    /// `appservice.port`
    pub port: u16,
    /// `appservice.as_token`
    pub as_token: String,
    /// `appservice.hs_token`
    pub hs_token: String,
    /// `database.uri`
    pub database_uri: String,
    /// `database.secret_key`
    pub secret_key: String,
    /// A user id with the level `admin`.
    pub admin: String,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            homeserver_address: "http://127.0.0.1:8008".into(),
            domain: "example.org".into(),
            appservice_address: "http://127.0.0.1:29330".into(),
            hostname: super::hostname(),
            port: super::port(),
            as_token: "CHANGE-ME-to-64-random-characters".into(),
            hs_token: "CHANGE-ME-to-64-other-random-characters".into(),
            database_uri: "sqlite:puppetgram.db".into(),
            secret_key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into(),
            admin: "@admin:example.org".into(),
        }
    }
}

/// The text. Lines that begin with `#` and a key show a default or an alternative.
pub fn text(answers: &Answers) -> String {
    let Answers { homeserver_address, domain, appservice_address, hostname, port, .. } = answers;
    let Answers { as_token, hs_token, database_uri, secret_key, admin, .. } = answers;
    let database_uri = quoted(database_uri);
    let (instagram, bridge, logging) = (Instagram::default(), Bridging::default(), Logging::default());
    let media = Media::default();
    let api_url = instagram.api_url.as_str().trim_end_matches('/');
    let upload_url = instagram.upload_url.as_str().trim_end_matches('/');
    format!(
        r#"# Configuration of puppetgram. `puppetgram config check --config FILE` checks it.
# Lines that begin with `#` show defaults. Times are written as 500ms, 20s, 5m or 1h.
# Each secret can stand here, in a file (key_file) or in an environment variable (key_env: its name).

homeserver:
  # Base address of the homeserver's client-server API, as the bridge reaches it.
  address: {homeserver_address}
  # The server name in user ids: the part behind the colon.
  domain: {domain}
  # PEM certificates trusted beside those of the operating system.
  #ca_file: /path/to/ca.pem
  # Requests on their way at once.
  #concurrency: {concurrency}

appservice:
  # Where the homeserver reaches the bridge.
  address: {appservice_address}
  # Where the bridge listens.
  hostname: {hostname}
  port: {port}
  # Tokens of the two directions; the same as in registration.yaml.
  as_token: {as_token}
  hs_token: {hs_token}
  #as_token_file: /path/to/file
  #hs_token_env: PUPPETGRAM_HS_TOKEN
  # Changing what follows needs a new registration: `puppetgram register`.
  #id: {id}
  #bot_username: {bot_username}
  #ghost_prefix: {ghost_prefix}
  # Names; {{name}} and {{username}} are filled in.
  #bot_displayname: "{bot_displayname}"
  #displayname_template: "{displayname_template}"
  # Largest transaction in bytes.
  #body_limit: {body_limit}

database:
  # sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
  uri: {database_uri}
  #uri_env: PUPPETGRAM_DATABASE_URI
  # Connections that read; one more writes.
  #max_connections: {max_connections}
  # 32 random bytes in base64. It seals sessions and waiting messages: keep it with your backups, they are of no use
  # without it.
  secret_key: {secret_key}
  #secret_key_file: /path/to/file

# Who may do what: a user id, a domain or "*" → block, relay, user or admin. The most specific entry counts.
permissions:
  "{domain}": user
  "{admin}": admin

instagram:
  # Proxy of all logins (http://, socks5:// or socks5h://), and of single ones by the account's numeric id.
  #proxy: socks5h://127.0.0.1:1080
  #login_proxies: {{"12345678901": "socks5h://127.0.0.1:1081"}}
  # Shortest time between two sends of one login; up to `jitter` times a wait is added to it.
  #min_send_interval: {min_send_interval}
  #jitter: {jitter}
  # First wait after a second failed connection; doubles up to a minute.
  #reconnect_floor: {reconnect_floor}
  # How long a send waits for its answer before it is looked for and repeated.
  #answer_timeout: {answer_timeout}
  #http_timeout: {http_timeout}
  # A connection that is silent for both together is dead.
  #ping_interval: {ping_interval}
  #ping_timeout: {ping_timeout}
  # Where Instagram is. Only tests need to change this.
  #api_url: {api_url}
  #upload_url: {upload_url}
  #realtime_address: {realtime_address}
  #ca_file: /path/to/ca.pem
  #media_hosts: []

# What you do in the Instagram app is shown as done by your own Matrix account, with a second registration that lets the
# bridge act as the users of this homeserver: choose a long random token, run `puppetgram register --double-puppet`,
# and list that file in homeserver.yaml too.
#double_puppet:
#  as_token: something-long-and-random

bridge:
  # Start of a command outside the management room.
  #command_prefix: "{command_prefix}"
  # Whether m.notice (what bots say) goes to Instagram.
  #notices: {notices}
  # Characters Instagram takes in one message; longer texts are sent in parts.
  #max_characters: {max_characters}
  # When Instagram is shown that you have read: `send` (when your Matrix client says so), `on_reply` or `never`.
  #receipts: send
  # After this time a message that could not be sent to Instagram is given up, and its sender is told.
  #give_up_after: {give_up_after}
  # At the first login: so many chats, so many messages of each, with a pause between two requests. `backfill` fetches
  # more.
  #history_chats: {history_chats}
  #history_messages: {history_messages}
  #history_pause: {history_pause}
  # Rooms made in an hour; more have to wait.
  #rooms_per_hour: {rooms_per_hour}
  # Message requests: `ignore` (until they are accepted in the app), `digest` (you are told of them) or `room` (where a
  # group has a room of others already, you are told of it).
  #message_requests: room
  # How messages of people without a login read, by type of message; after a file the line follows as a text.
  #relay_formats:
{relay_formats}

media:
  # Largest files in bytes, from Instagram and to Instagram.
  #max_download: {max_download}
  #max_upload: {max_upload}
  # Photos and videos that disappear on Instagram: `notice` (a line says that there is one), `media` (they stay here) or
  # `media_then_redact`.
  #disappearing: notice
  #redact_after: {redact_after}
  # The converter of sounds and videos; otherwise ffmpeg is looked for in the search path.
  #ffmpeg: /usr/bin/ffmpeg
  # Where files are kept on their way; otherwise the system's temporary directory.
  #directory: /var/tmp
  # Where everybody reaches the bridge's port (through your web server): files that Instagram does not take are then sent
  # as a link that holds for a while. Only `/_puppetgram/file/` has to be reachable.
  #public_address: https://bridge.example.org
  #link_lifetime: {link_lifetime}

logging:
  # text or json, to standard error.
  #format: text
  # error, warn, info, debug or trace; also as info,puppetgram::lane=debug. Never holds message texts.
  #level: {level}
"#,
        concurrency = super::concurrency(),
        id = super::registration_id(),
        bot_username = super::bot_username(),
        ghost_prefix = super::ghost_prefix(),
        bot_displayname = super::bot_displayname(),
        displayname_template = super::displayname_template(),
        body_limit = super::body_limit(),
        max_connections = super::max_connections(),
        min_send_interval = instagram.min_send_interval,
        jitter = instagram.jitter,
        reconnect_floor = instagram.reconnect_floor,
        answer_timeout = instagram.answer_timeout,
        http_timeout = instagram.http_timeout,
        ping_interval = instagram.ping_interval,
        ping_timeout = instagram.ping_timeout,
        realtime_address = instagram.realtime_address,
        command_prefix = bridge.command_prefix,
        notices = bridge.notices,
        max_characters = bridge.max_characters,
        give_up_after = bridge.give_up_after,
        history_chats = bridge.history_chats,
        history_messages = bridge.history_messages,
        history_pause = bridge.history_pause,
        rooms_per_hour = bridge.rooms_per_hour,
        relay_formats = relay_formats(),
        max_download = media.max_download,
        max_upload = media.max_upload,
        redact_after = media.redact_after,
        link_lifetime = media.link_lifetime,
        level = logging.level,
    )
}

fn relay_formats() -> String {
    let lines = RELAY_FORMATS.iter().map(|(kind, format)| format!("    #{kind}: {}", serde_json::Value::from(*format)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A text as YAML: in quotation marks when it could mean something else without them.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+%=?&$".contains(c);
    let is_plain =
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && !text.ends_with(':');
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
