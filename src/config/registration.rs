//! `registration.yaml`: what the homeserver has to know of the bridge.

use serde::Serialize;

use super::Config;

/// The file, key by key. No `Debug`: it holds both tokens.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    id: String,
    /// None where nothing is to be pushed.
    url: Option<String>,
    as_token: String,
    hs_token: String,
    sender_localpart: String,
    rate_limited: bool,
    receive_ephemeral: bool,
    #[serde(rename = "de.sorunome.msc2409.push_ephemeral")]
    push_ephemeral: bool,
    #[serde(rename = "io.element.msc4190")]
    device_management: bool,
    namespaces: Namespaces,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Namespaces {
    users: Vec<Namespace>,
    aliases: Vec<Namespace>,
    rooms: Vec<Namespace>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Namespace {
    exclusive: bool,
    regex: String,
}

impl Registration {
    /// The registration that fits a configuration.
    ///
    /// The sender is a user nobody uses: Synapse refuses that user's syncs, so it must not be the bot. Ephemeral events
    /// are asked for now, so that later versions need no new registration.
    pub fn new(config: &Config) -> Self {
        let domain = escaped(config.domain().as_str());
        let prefix = escaped(config.ghost_prefix());
        let exclusive = |regex: String| Namespace { exclusive: true, regex };
        Self {
            id: config.appservice.id.clone(),
            url: Some(config.appservice.address.as_str().trim_end_matches('/').to_owned()),
            as_token: config.as_token().to_owned(),
            hs_token: config.hs_token().to_owned(),
            sender_localpart: format!("{}-sender-{}", config.appservice.id, sender(config.as_token())),
            rate_limited: false,
            receive_ephemeral: true,
            push_ephemeral: true,
            device_management: true,
            namespaces: Namespaces {
                users: vec![
                    exclusive(format!("@{prefix}.*:{domain}")),
                    exclusive(format!("@{}:{domain}", escaped(&config.appservice.bot_username))),
                ],
                aliases: vec![exclusive(format!("#{prefix}.*:{domain}"))],
                rooms: Vec::new(),
            },
        }
    }

    /// The registration for acting as the users of the homeserver. Nothing is pushed for it. None without a token for it.
    pub fn double_puppet(config: &Config) -> Option<Self> {
        let token = config.puppet_token()?;
        let id = format!("{}-double-puppet", config.appservice.id);
        let regex = format!("@.*:{}", escaped(config.domain().as_str()));
        Some(Self {
            sender_localpart: format!("{id}-sender-{}", sender(token)),
            id,
            url: None,
            as_token: token.to_owned(),
            // Never used: nobody is called.
            hs_token: sender(&format!("{token} unused")),
            rate_limited: false,
            receive_ephemeral: false,
            push_ephemeral: false,
            device_management: false,
            namespaces: Namespaces {
                users: vec![Namespace { exclusive: false, regex }],
                aliases: Vec::new(),
                rooms: Vec::new(),
            },
        })
    }

    /// As YAML.
    ///
    /// # Errors
    /// Never with the values a checked configuration holds.
    pub fn to_yaml(&self) -> anyhow::Result<String> {
        Ok(serde_saphyr::to_string(self)?)
    }
}

/// Differs between bridges and says nothing about the token.
fn sender(token: &str) -> String {
    use sha2::{Digest, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(format!("sender {token}").as_bytes())[..6])
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if ".+*?()[]{}|^$\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}
