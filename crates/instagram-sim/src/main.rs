//! The program: a simulator on given ports, seeded from flags or a file, steered over a control API.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use clap::Parser;
use instagram_sim::{Sim, SimOptions, control};
use serde_json::json;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

mod seed;

/// A believable Instagram on loopback, for tests and demonstrations.
#[derive(Parser)]
#[command(version, after_help = concat!("The control API listens on loopback; GET / lists addresses and counters, --control-paths lists its paths.\nThe log level is taken from RUST_LOG (default warn)."))]
struct Options {
    /// Address all listeners take; anything but loopback lets others read and steer the simulator.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Port of the HTTPS API; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    api_port: u16,
    /// Port of the realtime server (MQTToT over TLS); 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    realtime_port: u16,
    /// Port of the control API (plain HTTP); 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// Directory to write ca.pem to, the certificate authority that clients must trust.
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// JSON file with accounts, threads and texts to start with.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// An account to start with: its name, and what it shows after an equals sign.
    #[arg(long = "account", value_name = "USERNAME[=FULL NAME]")]
    accounts: Vec<String>,
    /// A thread to start with: user names, and a title after an equals sign (which makes it a group).
    #[arg(long = "thread", value_name = "USERNAME,USERNAME[,…][=TITLE]")]
    threads: Vec<String>,
    /// How many envelopes of a user's queue are kept for replay.
    #[arg(long, default_value_t = SimOptions::default().retention)]
    retention: usize,
    /// How many envelopes may travel in one publish.
    #[arg(long, default_value_t = 1)]
    envelopes_per_publish: usize,
    /// Print the paths of the control API and exit.
    #[arg(long)]
    control_paths: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.control_paths {
        return print(control::paths().trim_end());
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let mut seed = match &options.seed {
        Some(path) => seed::Seed::read(path)?,
        None => seed::Seed::default(),
    };
    seed.add_flags(&options.accounts, &options.threads);
    let sim = Sim::start(SimOptions {
        api: SocketAddr::new(options.listen, options.api_port),
        realtime: SocketAddr::new(options.listen, options.realtime_port),
        retention: options.retention,
        envelopes_per_publish: options.envelopes_per_publish,
        ..SimOptions::default()
    })
    .await?;
    let planted = seed.plant(&sim)?;
    let ca_file = match &options.ca_dir {
        Some(directory) => {
            let path = directory.join("ca.pem");
            std::fs::write(&path, sim.ca_pem()).with_context(|| format!("cannot write {}", path.display()))?;
            Some(path)
        }
        None => None,
    };
    let listener = TcpListener::bind(SocketAddr::new(options.listen, options.control_port))
        .await
        .context("cannot listen on the control port")?;
    let control = listener.local_addr()?;
    let sim = Arc::new(sim);
    let ready = json!({
        "api_url": sim.api_url().as_str(),
        "realtime_address": sim.realtime_address(),
        "control_url": format!("http://{control}/"),
        "media_host": sim.media_host(),
        "ca_file": ca_file,
        "accounts": planted.accounts,
        "threads": planted.threads,
    });
    print(&ready.to_string())?;
    tokio::select! {
        served = axum::serve(listener, control::router(sim.clone())) => served.context("the control API ended")?,
        () = asked_to_end() => {}
    }
    sim.stop().await;
    Ok(())
}

/// One line on standard output, at once.
fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Ctrl-C or SIGTERM.
async fn asked_to_end() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
