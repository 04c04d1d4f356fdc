//! The homeserver as a program: one process on one core, for benchmarks and for tests in other languages.
//!
//! Prints one line of JSON with its address when it answers, and ends on SIGTERM or Ctrl-C.

use std::{
    io::{Write as _, stdout},
    net::SocketAddr,
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use homeserver_sim::{Appservice, Homeserver, Options};
use tokio::signal::unix::{SignalKind, signal};

/// A small, fast Matrix homeserver in memory.
///
/// Beside Matrix it answers GET /_sim/stats, GET /_sim/events?room=, GET /_sim/rooms?user=,
/// GET /_sim/wait?room=&count=&sender=&not_sender=&timeout=, and POST /_sim/user {name, password},
/// /_sim/burst {user, rooms, count, prefix}, /_sim/pause {ms}, /_sim/resume, /_sim/close {ms}, /_sim/forget,
/// /_sim/fault {path_contains, count, kind: rate_limit | status | lose_answer | delay, ms, status},
/// /_sim/appservice_url {url}.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server name in ids.
    #[arg(long, default_value = "sim.test")]
    server_name: String,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Token of the application service; without it none is registered.
    #[arg(long)]
    as_token: Option<String>,
    /// Token we show the application service.
    #[arg(long, default_value = "hs_token")]
    hs_token: String,
    /// `id` of the registration.
    #[arg(long, default_value = "instagram")]
    appservice_id: String,
    /// Base address of the application service.
    #[arg(long)]
    appservice_url: Option<String>,
    /// Local part of the user that the token stands for.
    #[arg(long, default_value = "instagram_sender")]
    sender_localpart: String,
    /// Local part of the bridge bot.
    #[arg(long, default_value = "instagrambot")]
    bot: String,
    /// Start of the local part of every ghost.
    #[arg(long, default_value = "instagram_")]
    user_prefix: String,
    /// Start of the local part of every alias.
    #[arg(long, default_value = "instagram_")]
    alias_prefix: String,
    /// Do not push typing and receipts.
    #[arg(long)]
    no_ephemeral: bool,
    /// Forget transaction ids at once.
    #[arg(long)]
    forget_transactions: bool,
    /// First wait after a failed transaction, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    first_retry_ms: u64,
}

// One thread: in a benchmark, the other cores belong to the bridge.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    let homeserver = Homeserver::start(arguments.into()).await?;
    let line = serde_json::json!({ "address": homeserver.url(), "server_name": homeserver.server_name() });
    writeln!(stdout(), "{line}")?;
    stdout().flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        let appservice = arguments.as_token.map(|as_token| Appservice {
            id: arguments.appservice_id,
            url: arguments.appservice_url,
            as_token,
            puppet_token: None,
            hs_token: arguments.hs_token,
            sender_localpart: arguments.sender_localpart,
            bot: arguments.bot,
            user_prefix: arguments.user_prefix,
            alias_prefix: arguments.alias_prefix,
            receive_ephemeral: !arguments.no_ephemeral,
        });
        Self {
            server_name: arguments.server_name,
            listen: arguments.listen,
            appservice,
            forget_transactions: arguments.forget_transactions,
            first_retry: Duration::from_millis(arguments.first_retry_ms),
            ..Self::default()
        }
    }
}
