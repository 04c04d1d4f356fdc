//! `cargo xtask bench`: figures about the bridge, all from one run on this machine.
//!
//! The bridge, the simulated Instagram and the homeserver are release builds in processes of their own. Nothing here
//! passes or fails: a figure beside its aim says what was reached, and the reader decides.

mod call;
mod chats;
mod large;
mod latency;
mod memory;
mod metrics;
mod process;
mod programs;
mod report;
mod startup;
mod synapse;
mod throughput;
mod world;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use self::programs::Programs;
use self::report::Report;

/// What to measure, and how thoroughly.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer messages and repetitions: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Measure the programs in this directory instead of building them.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// What to measure; everything if left out.
    sections: Vec<Section>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Section {
    /// Messages a second each way in 1 and 20 chats; CPU, requests and transactions per message.
    Throughput,
    /// One message at a time against the small homeserver.
    Latency,
    /// One message at a time through Synapse, beside the floor.
    Synapse,
    /// Resident memory with 1, 50 and 1,000 logins.
    Memory,
    /// From the start of the process to a subscription.
    Startup,
    /// Latency with a large database beside an empty one.
    Large,
}

/// Sizes of a run.
struct Effort {
    /// Messages of each throughput run.
    messages: usize,
    /// Messages of each latency run.
    probes: usize,
    /// Logins whose memory is measured, in growing order.
    logins: &'static [usize],
    /// Starts of the bridge.
    starts: usize,
    /// Portals and messages in the large database.
    portals: usize,
    mappings: usize,
}

const FULL: Effort =
    Effort { messages: 4000, probes: 200, logins: &[1, 50, 1000], starts: 10, portals: 10_000, mappings: 1_000_000 };

const QUICK: Effort = Effort { messages: 2000, probes: 100, starts: 5, ..FULL };

/// Builds, measures section by section, and prints the table.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let effort = if options.quick { &QUICK } else { &FULL };
    let sections = if options.sections.is_empty() { Section::value_variants() } else { &options.sections };
    let programs = match &options.programs {
        Some(directory) => Programs::in_directory(directory),
        None => Programs::build().context("the programs cannot be built")?,
    };
    let mut report = Report::default();
    for section in sections {
        eprintln!("bench: {section:?}");
        if let Err(error) = measure(*section, &programs, effort, &mut report).await {
            report.missing(&format!("{section:?}"), &error);
        }
    }
    report.print()
}

async fn measure(section: Section, programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    match section {
        Section::Throughput => throughput::measure(programs, effort, report).await,
        Section::Latency => latency::measure(programs, effort, report).await,
        Section::Synapse => synapse::measure(programs, effort, report).await,
        Section::Memory => memory::measure(programs, effort, report).await,
        Section::Startup => startup::measure(programs, effort, report).await,
        Section::Large => large::measure(programs, effort, report).await,
    }
}
