//! `cargo xtask …`: the repository's own commands.

mod bench;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The repository's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print figures: throughput, cost, latency, memory, start-up
    Bench(bench::Options),
}

fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.command {
        Command::Bench(options) => runtime.block_on(bench::run(&options)),
    }
}
