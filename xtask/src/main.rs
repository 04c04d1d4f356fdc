//! `cargo xtask …`: the repository's own commands.

mod bench;
mod checks;
mod demo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The repository's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A conversation between a real Synapse and a simulated Instagram, to watch and to join
    Demo(demo::Options),
    /// Format, lints, licences and all tests, against real servers
    Test(checks::Options),
    /// Print figures: throughput, cost, latency, memory, start-up
    Bench(bench::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.command {
        Command::Demo(options) => runtime.block_on(demo::run(&options)),
        Command::Test(options) => runtime.block_on(until_signal(checks::run(&options))),
        Command::Bench(options) => runtime.block_on(bench::run(&options)).map(|()| ExitCode::SUCCESS),
    }
}

/// Works until done or told to end. The work is dropped then, and with it the servers it has started.
async fn until_signal(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = work => result,
        _ = terminate.recv() => anyhow::bail!("ended by SIGTERM"),
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    }
}
