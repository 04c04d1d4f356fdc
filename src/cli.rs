//! The command line: `run`, `init`, `register`, `config check`, `version`. Errors are a statement and a cure.

mod init;
mod logging;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::bridge;
use crate::config::registration::Registration;
use crate::config::{Config, ConfigError, example};
use crate::matrix;
use crate::network::Network;

/// A Matrix–Instagram puppeting bridge.
#[derive(Parser)]
#[command(name = "puppetgram", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the bridge in the foreground until SIGTERM or Ctrl-C.
    Run {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
    },
    /// Make config.yaml and registration.yaml: asks the few questions, or takes the answers as options.
    Init(init::Options),
    /// Write registration.yaml from the configuration.
    Register {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
        /// Where to write it; registration.yaml or double-puppet.yaml unless you say.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the second registration, for acting as the users of the homeserver (see `double_puppet` in the
        /// configuration).
        #[arg(long)]
        double_puppet: bool,
        /// Replace an existing file.
        #[arg(long)]
        force: bool,
    },
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the version.
    Version,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say whether a configuration can be used, as `run` would.
    Check {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "config.yaml")]
        config: PathBuf,
    },
    /// Print the example configuration.
    Example,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run { config } => run_bridge(&config),
        Command::Init(options) => init::run(&options),
        Command::Register { config, output, double_puppet, force } => register(&config, output, double_puppet, force),
        Command::Config(ConfigCommand::Check { config }) => check(&config),
        Command::Config(ConfigCommand::Example) => say(&example::text(&example::Answers::default())),
        Command::Version => say(&format!("puppetgram {}\n", env!("CARGO_PKG_VERSION"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// `error: statement`, then the causes, then `hint: cure`.
fn complain(error: &anyhow::Error) {
    let mut cures = String::new();
    let mut text = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let cause = cause.to_string();
        let (statement, cure) = cause.split_once("\nhint: ").unwrap_or((&cause, ""));
        text.push_str(if depth == 0 { "error: " } else { "  caused by: " });
        text.push_str(statement);
        text.push('\n');
        if !cure.is_empty() {
            cures.push_str(&format!("hint: {cure}\n"));
        }
    }
    // Nothing can be done about a closed standard error.
    std::io::stderr().write_all((text + &cures).as_bytes()).ok();
}

/// Writes to standard output.
fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

fn load(path: &Path) -> Result<Config, ConfigError> {
    rustls::crypto::ring::default_provider().install_default().ok();
    Config::load(path)
}

fn run_bridge(path: &Path) -> anyhow::Result<()> {
    let config = load(path)?;
    logging::start(&config.logging)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4)))
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(bridge::run(config))
}

fn check(path: &Path) -> anyhow::Result<()> {
    let config = load(path)?;
    // Whatever the start would refuse without asking anybody.
    rustls::crypto::ring::default_provider().install_default().ok();
    matrix::Client::new(config.matrix_options()?)?;
    Network::new(&std::sync::Arc::new(config.clone()))?;
    crate::store::check_address(config.database_uri())?;
    let says = format!(
        "{} can be used: bot {}, homeserver {}, listening on {}\n",
        path.display(),
        config.bot_user_id(),
        config.homeserver.address,
        config.listen_address()
    );
    say(&says)
}

fn register(path: &Path, output: Option<PathBuf>, double_puppet: bool, force: bool) -> anyhow::Result<()> {
    let config = load(path)?;
    let (registration, usual) = match double_puppet {
        true => (Registration::double_puppet(&config), "double-puppet.yaml"),
        false => (Some(Registration::new(&config)), "registration.yaml"),
    };
    let Some(registration) = registration else {
        anyhow::bail!(
            "the configuration has no `double_puppet.as_token`\nhint: put a long random token there, as `openssl rand -base64 32` makes it"
        );
    };
    let output = output.unwrap_or_else(|| usual.into());
    write_secret(&output, &registration.to_yaml()?, force)?;
    say(&format!(
        "Wrote {}. List it in homeserver.yaml under app_service_config_files, and restart the homeserver.\n",
        output.display()
    ))
}

fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        anyhow::bail!("{} exists already\nhint: move it away, or use --force to replace it", path.display());
    }
    Ok(())
}

/// Writes a file that only its owner may read; an existing one is left alone unless `force` is given.
fn write_secret(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = std::fs::OpenOptions::new();
    options.write(true).mode(0o600);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            anyhow::anyhow!("{} exists already\nhint: move it away, or use --force to replace it", path.display())
        }
        _ => anyhow::anyhow!("cannot write {}: {error}\nhint: choose a directory you may write to", path.display()),
    })?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).ok();
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// Waits for SIGTERM or Ctrl-C and says which came.
pub async fn shutdown_signal() -> &'static str {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminated => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
    }
}
