//! What the configuration accepts, and what it says about what it does not.

use std::path::Path;

use super::example::{Answers, text};
use super::{Config, ConfigError};

fn answers() -> Answers {
    Answers { as_token: "planted-as".into(), hs_token: "planted-hs".into(), ..Answers::default() }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("config.yaml"))
}

fn error(from: &str, to: &str) -> String {
    let text = text(&answers());
    assert!(text.contains(from), "{from}");
    parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_example_file_is_the_generated_one_and_loads() {
    let generated = text(&Answers::default());
    let file = include_str!("../../config.example.yaml");
    assert_eq!(generated, file, "write it anew: `puppetgram config example > config.example.yaml`");
    parse(&generated).unwrap();
}

#[test]
fn every_default_in_the_example_is_the_default() {
    let plain = format!("{:?}", parse(&text(&answers())).unwrap());
    let alternatives =
        ["_file", "_env", "ca_file", "proxy:", "login_proxies", "ffmpeg:", "directory:", "public_address:"];
    let uncommented: String = text(&answers())
        .lines()
        .map(|line| {
            let is_default = line.starts_with("  ")
                && line.trim_start().starts_with('#')
                && !line.trim_start().starts_with("# ")
                && !alternatives.iter().any(|key| line.contains(key));
            let line = if is_default { line.replacen('#', "", 1) } else { line.to_owned() };
            line + "\n"
        })
        .collect();
    assert_eq!(format!("{:?}", parse(&uncommented).unwrap()), plain);
}

#[test]
fn a_misspelt_key_is_pointed_at() {
    let said = error("  address: http://127.0.0.1:8008", "  adress: http://127.0.0.1:8008");
    assert!(
        said.contains("adress") && said.contains("config.yaml:7:3") && said.contains("did you mean `address`"),
        "{said}"
    );
}

#[test]
fn each_mistake_has_a_place_and_a_cure() {
    for (from, to, expected) in [
        ("port: 29330", "port: 99999", "`port` must be a whole number from 0 to 65535\n  config.yaml:20:"),
        ("port: 29330", "port: many", "`port` must be a whole number"),
        ("port: 29330", "port: 0", "must not be 0"),
        ("port: 29330", "port: 1\n  port: 2", "`port` is there twice"),
        ("address: http://127.0.0.1:8008", "address: matrix.example.org", "write https://"),
        ("address: http://127.0.0.1:8008", "address: ftp://matrix.example.org", "config.yaml:7"),
        ("domain: example.org", "domain: https://example.org", "without https://"),
        ("domain: example.org", "domain:", "`domain` has no value"),
        ("domain: example.org", "#domain: example.org", "the key `domain` is missing"),
        ("logging:", "logging: 3", "`logging` must be a section"),
        ("\": admin", "\": amdin", "did you mean `admin`?"),
        ("permissions:", "permission:", "did you mean `permissions`?"),
        ("homeserver:", "homeserver:\n\tx: 1", "this is not YAML"),
        ("#ghost_prefix: instagram_", "ghost_prefix: Instagram_", "cannot be part of a user id"),
        ("#ghost_prefix: instagram_", "ghost_prefix: insta", "taken for a ghost"),
        ("#body_limit: 67108864", "body_limit: 1000", "at least 8388608"),
        ("uri: sqlite:puppetgram.db", "uri: mysql://u:planted@h/n", "`database.uri` names no database"),
        ("#uri_env: PUPPETGRAM_DATABASE_URI", "uri_env: NO_SUCH_VARIABLE", "more than once"),
        ("uri: sqlite:puppetgram.db", "uri_env: NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE is not set"),
        ("#proxy: socks5h://127.0.0.1:1080", "proxy: u:planted@127.0.0.1:1080", "the address of a proxy"),
        ("#proxy: socks5h://127.0.0.1:1080", "proxy: \"http://u:planted@[x\"", "the address of a proxy"),
        ("#proxy: socks5h://127.0.0.1:1080", "proxy: ftp://u:planted@h", "the address of a proxy"),
        ("#login_proxies: {\"12345678901\"", "login_proxies: {\"anna\"", "numeric id"),
        ("#media_hosts: []", "media_hosts: [\"https://media.example.org/\"]", "is not a host name"),
        (
            "#realtime_address: edge-mqtt.facebook.com:443",
            "realtime_address: edge-mqtt.facebook.com",
            "host with a port",
        ),
        ("#rooms_per_hour: 100", "rooms_per_hour: 0", "must not be 0"),
        ("#history_messages: 50", "history_messages: -1", "must not be negative"),
        ("#http_timeout: 30s", "http_timeout: 0s", "must not be 0"),
        ("#link_lifetime: 168h", "link_lifetime: 0s", "must not be 0"),
        ("#max_upload: 104857600", "max_upload: 0", "must not be 0"),
        ("#directory: /var/tmp", "directory: /nowhere/at/all", "is no directory"),
        ("#public_address: https://bridge.example.org", "public_address: ftp://bridge.example.org", "https://"),
        ("#jitter: 0.3", "jitter: -1", "between 0 and 10"),
        ("#notices: true", "notices: perhaps", "`notices` must be true or false"),
        ("#command_prefix: \"!ig\"", "command_prefix: \"! ig\"", "must be one word"),
        ("#relay_formats:", "relay_formats: {m.text: \"{name} spoke\"}", "leaves out what was said"),
        ("#relay_formats:", "relay_formats: {m.secret: \"{name}\"}", "no type of message that is relayed"),
        ("#level: info", "level: loud", "`logging.level` cannot be understood"),
        ("as_token: planted-as", "as_token: ''", "`appservice.as_token` is missing or empty"),
        ("hs_token: planted-hs", "hs_token: planted-as", "are the same"),
        ("secret_key: AAAA", "secret_key: A", "32 bytes"),
        ("\"example.org\": user", "\"example org\": user", "names nobody"),
        ("\"example.org\": user\n  \"@admin:example.org\": admin", "\"example.org\": relay", "nobody may use"),
        ("#ping_interval: 20s", "ping_interval: 5m", "at most 60s"),
        ("#ping_interval: 20s", "ping_interval: 20", "500ms"),
        ("#as_token_file: /path/to/file", "as_token_file: /nowhere", "more than once"),
    ] {
        let said = error(from, to);
        assert!(said.contains(expected), "{to}: {said}");
        assert!(said.contains("\n  config.yaml:") && said.contains("\nhint: "), "{to}: {said}");
        assert!(!said.contains("planted"), "{said}");
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let text = text(&Answers { database_uri: "postgres://u:planted@h/n".into(), ..answers() })
        .replace("#proxy: socks5h://", "proxy: socks5h://u:planted@")
        .replace(
            "#login_proxies: {\"12345678901\": \"socks5h://",
            "login_proxies: {\"12345678901\": \"http://u:planted@",
        );
    let config = parse(&text).unwrap();
    assert!(config.instagram.proxy.is_some() && config.instagram.login_proxies.len() == 1);
    let shown = format!("{config:?}");
    assert!(!shown.contains("planted"), "{shown}");
}

#[test]
fn the_registration_escapes_and_separates_bot_and_sender() {
    let config = parse(&text(&answers())).unwrap();
    let yaml = super::registration::Registration::new(&config).to_yaml().unwrap();
    assert!(yaml.contains(r"@instagram_.*:example\\.org") || yaml.contains(r"@instagram_.*:example\.org"), "{yaml}");
    assert!(yaml.contains("sender_localpart: instagram-sender-"), "{yaml}");
    assert!(yaml.contains("receive_ephemeral: true"), "{yaml}");
}

#[test]
fn what_init_writes_keeps_odd_values() {
    for uri in ["postgres://u:p#w{}@h/n", "sqlite:/a b/c.db", "postgres://u:p: w@h/n", "sqlite:\"x\".db", "sqlite:C:"] {
        let config = parse(&text(&Answers { database_uri: uri.into(), ..answers() })).unwrap();
        assert_eq!(config.database_uri(), uri);
    }
}

#[test]
fn the_listener_takes_names_and_both_kinds_of_addresses() {
    for (hostname, expected) in [
        ("localhost", "localhost:29330"),
        ("\"::1\"", "[::1]:29330"),
        ("\"[::1]\"", "[::1]:29330"),
        ("0.0.0.0", "0.0.0.0:29330"),
    ] {
        let text = text(&answers()).replace("hostname: 127.0.0.1", &format!("hostname: {hostname}"));
        assert_eq!(parse(&text).unwrap().listen_address(), expected);
    }
}

#[test]
fn the_example_registration_fits_the_example_configuration() {
    let config = parse(&text(&Answers::default())).unwrap();
    let yaml = super::registration::Registration::new(&config).to_yaml().unwrap();
    let file = include_str!("../../registration.yaml.example");
    let data: String = file.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(yaml.trim(), data.trim());
}
