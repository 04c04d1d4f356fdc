//! `puppetgram init`: a configuration and a registration that fit each other, and what to do with them.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use ring::rand::SecureRandom;
use ruma::UserId;
use url::Url;

use super::{load, say, write_secret};
use crate::config::example::{self, Answers};
use crate::config::registration::Registration;

/// The questions as options. What is not given is asked for, or has a default when nobody can be asked.
#[derive(Args)]
pub(super) struct Options {
    /// Base address of the homeserver as the bridge reaches it.
    #[arg(long, value_name = "URL")]
    homeserver: Option<String>,
    /// The server name in user ids.
    #[arg(long)]
    domain: Option<String>,
    /// The user who may do everything, as @anna:example.org.
    #[arg(long, value_name = "USER")]
    admin: Option<String>,
    /// Where the homeserver reaches the bridge.
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, value_name = "URI")]
    database: Option<String>,
    /// Directory for the two files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Ask nothing: take defaults for what is not given.
    #[arg(short, long)]
    yes: bool,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
}

/// Asks, writes both files, and says what comes next.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let asker = Asker { may_ask: !options.yes && std::io::stdin().is_terminal() };
    let homeserver = asker.ask(&options.homeserver, "Address of the homeserver", "http://127.0.0.1:8008")?;
    parse_address("--homeserver", &homeserver)?;
    let domain =
        asker.ask(&options.domain, "Server name (the part of user ids behind the colon)", &host_of(&homeserver))?;
    ruma::ServerName::parse(&domain).map_err(|_| {
        anyhow!("`{domain}` is not a server name\nhint: it looks like example.org; give it with --domain")
    })?;
    let admin = asker.ask(&options.admin, "Your user id", &format!("@admin:{domain}"))?;
    UserId::parse(&admin)
        .map_err(|_| anyhow!("`{admin}` is not a user id\nhint: it looks like @anna:{domain}; give it with --admin"))?;
    let address = asker.ask(&options.address, "Where the homeserver reaches the bridge", "http://127.0.0.1:29330")?;
    let bridge = parse_address("--address", &address)?;
    let database = asker.ask(&options.database, "Database", "sqlite:puppetgram.db")?;
    let answers = Answers {
        homeserver_address: homeserver,
        domain,
        hostname: listen_on(&bridge),
        port: bridge.port_or_known_default().unwrap_or(29330),
        appservice_address: address,
        as_token: random_text(48)?,
        hs_token: random_text(48)?,
        database_uri: database,
        secret_key: data_encoding::BASE64.encode(&random_bytes::<32>()?),
        admin,
    };
    std::fs::create_dir_all(&options.directory)
        .with_context(|| format!("cannot make the directory {}", options.directory.display()))?;
    let config = options.directory.join("config.yaml");
    let registration = options.directory.join("registration.yaml");
    write_secret(&config, &example::text(&answers), options.force)?;
    let checked = load(&config)?;
    write_secret(&registration, &Registration::new(&checked).to_yaml()?, options.force)?;
    say(&next_steps(&config, &registration, checked.bot_user_id().as_str()))
}

fn next_steps(config: &Path, registration: &Path, bot: &str) -> String {
    let full = std::fs::canonicalize(registration).unwrap_or_else(|_| registration.to_owned());
    format!(
        "Wrote {config} and {registration}. Both hold secrets; keep them with your backups.

1. Add this to homeserver.yaml of Synapse and restart it (Synapse must be able to read the file):

app_service_config_files:
  - {full}

2. Start the bridge:

puppetgram run --config {config}

3. In your Matrix client, start an unencrypted chat with {bot} and send: login
",
        config = config.display(),
        registration = registration.display(),
        full = full.display(),
    )
}

/// Listens where the address points if that is this machine, else everywhere.
fn listen_on(bridge: &Url) -> String {
    match bridge.host_str() {
        Some("127.0.0.1" | "localhost" | "[::1]") => "127.0.0.1".into(),
        _ => "0.0.0.0".into(),
    }
}

fn parse_address(option: &str, address: &str) -> anyhow::Result<Url> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        anyhow!(
            "`{address}` is not the address of a web server\nhint: give one like http://127.0.0.1:8008 with {option}"
        )
    })
}

fn host_of(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default();
    if host == "127.0.0.1" || host.is_empty() { "localhost".into() } else { host.trim_start_matches("matrix.").into() }
}

struct Asker {
    may_ask: bool,
}

impl Asker {
    /// The given answer, else the asked one, else the default.
    fn ask(&self, given: &Option<String>, question: &str, default: &str) -> anyhow::Result<String> {
        if let Some(given) = given {
            return Ok(given.clone());
        }
        if !self.may_ask {
            return Ok(default.to_owned());
        }
        say(&format!("{question} [{default}]: "))?;
        std::io::stdout().flush().ok();
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
        let answer = answer.trim();
        Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
    }
}

fn random_text(bytes: usize) -> anyhow::Result<String> {
    let random: [u8; 64] = random_bytes()?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&random[..bytes.min(64)]))
}

fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow!("the operating system gives no random numbers"))?;
    Ok(bytes)
}
