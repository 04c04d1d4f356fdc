//! The real bridge between a simulated Instagram and a real Synapse: scenarios one after the other on one Synapse, so
//! this binary has its own `main` instead of the usual harness. Arguments without a dash choose scenarios by name.
//!
//! `cargo xtask test` provides Synapse. `PUPPETGRAM_LONG=1` adds a longer outage, `PUPPETGRAM_KILLS` sets the number of
//! deaths.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bridge;
mod scenarios;
mod world;

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::ExitCode;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::world::World;

type Scenario = for<'a> fn(&'a mut World) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

const SCENARIOS: [(&str, Scenario); 9] = [
    ("one_chat_goes_both_ways", |world| Box::pin(scenarios::one_chat_goes_both_ways(world))),
    ("everything_people_say_and_do_becomes_what_the_table_says", |world| Box::pin(scenarios::everything(world))),
    ("five_hundred_messages_each_way_in_one_chat", |world| Box::pin(scenarios::many_messages(world, 1, 500))),
    ("five_hundred_messages_each_way_over_twenty_chats", |world| Box::pin(scenarios::many_messages(world, 20, 25))),
    ("random_deaths_of_the_bridge_under_traffic", |world| Box::pin(scenarios::random_deaths(world))),
    ("synapse_away_for_20_seconds", |world| Box::pin(scenarios::synapse_away(world, 20))),
    ("synapse_away_for_120_seconds", |world| Box::pin(scenarios::synapse_away(world, 120))),
    ("the_login_survives_a_restart_of_everything", |world| Box::pin(scenarios::restart_of_everything(world))),
    ("what_the_user_does_in_the_app_is_done_by_their_own_account", |world| Box::pin(scenarios::own_account(world))),
];

fn main() -> ExitCode {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| value == "1");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|part| name.contains(*part));
    let is_long = |name: &str| name == "synapse_away_for_120_seconds";
    let chosen = SCENARIOS.into_iter().filter(|(name, _)| wanted(name) && (!is_long(name) || set("PUPPETGRAM_LONG")));
    let chosen: Vec<(&str, Scenario)> = chosen.collect();
    if arguments.iter().any(|argument| argument == "--list") || chosen.is_empty() {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("PUPPETGRAM_PYTHON").is_none() {
        if set("PUPPETGRAM_REQUIRE_SERVERS") {
            eprintln!("PUPPETGRAM_PYTHON is not set, so Synapse cannot be run: use `cargo xtask test`");
            return ExitCode::FAILURE;
        }
        eprintln!("SKIPPED: {} scenarios with a real Synapse: run `cargo xtask test`", chosen.len());
        return ExitCode::SUCCESS;
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(until_signal(run(&chosen)))
}

/// A signal drops the world, and with it Synapse and the bridge.
async fn until_signal(work: impl Future<Output = ExitCode>) -> ExitCode {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    tokio::select! {
        code = work => code,
        _ = terminate.recv() => ExitCode::FAILURE,
        _ = tokio::signal::ctrl_c() => ExitCode::FAILURE,
    }
}

async fn run(chosen: &[(&str, Scenario)]) -> ExitCode {
    let started = Instant::now();
    let mut world = World::start().await;
    eprintln!("test a_user_logs_in_by_a_chat_with_the_bot ... ok ({:.1} s)", started.elapsed().as_secs_f64());
    for (name, scenario) in chosen {
        let started = Instant::now();
        let passed = AssertUnwindSafe(scenario(&mut world)).catch_unwind().await.is_ok();
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("test {name} ... {} ({seconds:.1} s)", if passed { "ok" } else { "FAILED" });
        if !passed {
            // The servers are in an unknown state: what came after would prove nothing.
            eprintln!(
                "{}\n{}\nthe scenarios after {name} were not run",
                world.bridge.log_tail(),
                world.synapse.log_tail()
            );
            return ExitCode::FAILURE;
        }
    }
    eprintln!("test result: ok. {} passed", chosen.len() + 1);
    ExitCode::SUCCESS
}
