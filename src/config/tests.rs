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
    let alternatives = ["_file", "_env", "ca_file", "proxy:", "login_proxies"];
    let uncommented: String = text(&answers())
        .lines()
        .map(|line| {
            let is_default = line.starts_with("  #")
                && !line.starts_with("  # ")
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
        ("port: 29330", "port: 99999", "config.yaml:"),
        ("port: 29330", "port: many", "config.yaml:"),
        ("address: http://127.0.0.1:8008", "address: matrix.example.org", "config.yaml:7"),
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
        assert!(!said.contains("planted"), "{said}");
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let shown = format!("{:?}", parse(&text(&answers())).unwrap());
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
