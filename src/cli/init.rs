//! `puppetgram init`: a configuration and a registration that fit each other, and what to do with them.

mod detect;

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use ring::rand::SecureRandom;
use ruma::{ServerName, UserId};
use url::Url;

use super::{refuse_existing, say, write_secret};
use crate::config::Config;
use crate::config::example::{self, Answers};
use crate::config::registration::Registration;

/// The questions as options. What is not given is asked for.
#[derive(Args)]
pub(super) struct Options {
    /// Base address of the homeserver as the bridge reaches it.
    #[arg(long, value_name = "URL")]
    homeserver: Option<String>,
    /// The server name in user ids; the homeserver is asked for it.
    #[arg(long)]
    domain: Option<String>,
    /// The user who may do everything, as @anna:example.org.
    #[arg(long, value_name = "USER")]
    admin: Option<String>,
    /// Where the homeserver reaches the bridge.
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    /// Where the bridge listens, when `--address` is that of a proxy in front of it.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
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
    let config = options.directory.join("config.yaml");
    let registration = options.directory.join("registration.yaml");
    if !options.force {
        refuse_existing(&config)?;
        refuse_existing(&registration)?;
    }
    let text = example::text(&answers(options)?);
    // Checked before anything is written: either both files are there or none.
    let checked = Config::parse(&text, &config)?;
    let yaml = Registration::new(&checked).to_yaml()?;
    std::fs::create_dir_all(&options.directory).map_err(|error| {
        let directory = options.directory.display();
        anyhow!("cannot make the directory {directory}: {error}\nhint: choose a directory you may write to")
    })?;
    write_secret(&config, &text, options.force)?;
    write_secret(&registration, &yaml, options.force)?;
    say(&next_steps(&config, &registration, checked.bot_user_id().as_str()))
}

fn answers(options: &Options) -> anyhow::Result<Answers> {
    let asker = Asker { may_ask: !options.yes };
    let given = asker.ask(&options.homeserver, "--homeserver", "Address of the homeserver", "http://127.0.0.1:8008")?;
    let homeserver = web_address("--homeserver", &given)?;
    let found = if options.domain.is_some() { detect::Found::default() } else { detect::look(&homeserver) };
    let guess = match (found.domain, &found.address) {
        (Some(name), _) => Some(name),
        // The address led to another one: it was that of the server name.
        (None, Some(_)) => homeserver.host_str().map(ToOwned::to_owned),
        (None, None) => guess(&homeserver),
    };
    let question = "Server name (the part of user ids behind the colon)";
    let domain = match (&options.domain, guess) {
        (None, Some(guess)) => asker.ask(&None, "--domain", question, &guess)?,
        (None, None) if options.yes => {
            bail!(
                "{homeserver} cannot be reached, or does not tell its server name\n\
                 hint: check --homeserver and whether it runs, or give the name with --domain, as example.org"
            )
        }
        (given, _) => asker.ask(given, "--domain", question, "")?,
    };
    if ServerName::parse(&domain).is_err() {
        bail!(
            "`{domain}` is not a server name\nhint: it looks like example.org, without https://; give it with --domain"
        );
    }
    let admin = asker.ask(&options.admin, "--admin", "Your user id", &format!("@admin:{domain}"))?;
    if UserId::parse(&admin).is_err() {
        bail!("`{admin}` is not a user id\nhint: it looks like @anna:{domain}; give it with --admin");
    }
    let question = "Where the homeserver reaches the bridge";
    let address = asker.ask(&options.address, "--address", question, "http://127.0.0.1:29330")?;
    let bridge = web_address("--address", &address)?;
    let database = asker.ask(&options.database, "--database", "Database", "sqlite:puppetgram.db")?;
    let (hostname, port) = listen(options.listen.as_deref(), &bridge)?;
    Ok(Answers {
        homeserver_address: found.address.unwrap_or(given),
        domain,
        hostname,
        port,
        appservice_address: address,
        as_token: random_text()?,
        hs_token: random_text()?,
        database_uri: database,
        secret_key: data_encoding::BASE64.encode(&random_bytes::<32>()?),
        admin,
    })
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

/// Where to listen: as given; where the address points if that is this machine; else everywhere.
fn listen(given: Option<&str>, bridge: &Url) -> anyhow::Result<(String, u16)> {
    if let Some(given) = given {
        let parts = given.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        return match parts {
            Some((host, port)) if !host.is_empty() && port > 0 => {
                Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
            }
            _ => bail!("`{given}` is no address to listen on\nhint: it looks like 127.0.0.1:29330"),
        };
    }
    let hostname = match bridge.host_str() {
        Some("127.0.0.1" | "localhost" | "[::1]") => "127.0.0.1",
        _ => "0.0.0.0",
    };
    // Without a port of its own the address is that of a proxy.
    Ok((hostname.to_owned(), bridge.port().unwrap_or(29330)))
}

fn web_address(option: &str, address: &str) -> anyhow::Result<Url> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        let cure = if address.contains("://") {
            format!("give one like http://127.0.0.1:8008 with {option}")
        } else {
            format!("write https:// or http:// in front of it: {option} https://{address}")
        };
        anyhow!("`{address}` is not a web address\nhint: {cure}")
    })
}

/// `https://matrix.example.org` probably serves `example.org`; of a bare IP address nothing can be said.
fn guess(homeserver: &Url) -> Option<String> {
    let host = homeserver.domain()?;
    (host != "localhost").then(|| host.strip_prefix("matrix.").unwrap_or(host).to_owned())
}

struct Asker {
    may_ask: bool,
}

impl Asker {
    /// The given answer, else the asked one, else the default.
    fn ask(&self, given: &Option<String>, option: &str, question: &str, default: &str) -> anyhow::Result<String> {
        if let Some(given) = given {
            return Ok(given.trim().to_owned());
        }
        if !self.may_ask {
            return Ok(default.to_owned());
        }
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        say(&format!("{question}{shown}: "))?;
        std::io::stdout().flush().context("cannot write to standard output")?;
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
        if read == 0 {
            say("\n")?;
            bail!("nobody answers the question\nhint: give the answer with {option}, or --yes to take all defaults");
        }
        let answer = answer.trim();
        Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
    }
}

/// 64 characters that need no quoting anywhere.
fn random_text() -> anyhow::Result<String> {
    Ok(data_encoding::HEXLOWER.encode(&random_bytes::<32>()?))
}

fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow!("the operating system gives no random numbers"))?;
    Ok(bytes)
}
