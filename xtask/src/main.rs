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
    Test,
    /// Print figures: throughput, cost, latency, memory, start-up
    Bench(bench::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.command {
        Command::Demo(options) => runtime.block_on(demo::run(&options)),
        Command::Test => runtime.block_on(checks::run()),
        Command::Bench(options) => runtime.block_on(bench::run(&options)).map(|()| ExitCode::SUCCESS),
    }
}
