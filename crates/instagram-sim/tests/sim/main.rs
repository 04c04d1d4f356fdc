//! The simulator over its sockets: what it accepts, answers, replays and breaks on request.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod api;
mod client;
mod faults;
mod groups;
mod history;
mod http;
mod kinds;
mod media;
mod operations;
mod queue;
mod sends;
mod throughput;
mod uploads;
mod vectors;

use std::time::Duration;

use instagram_sim::{Account, Sim, SimOptions};

/// Long enough for a busy machine, short enough to notice a hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// A simulator with two people in one chat.
async fn two_people() -> (Sim, Account, Account, String) {
    two_people_with(SimOptions::default()).await
}

async fn two_people_with(options: SimOptions) -> (Sim, Account, Account, String) {
    let sim = Sim::start(options).await.unwrap();
    let anna = sim.create_account("anna", "Anna Alm").unwrap();
    let bert = sim.create_account("bert", "Bert Berg").unwrap();
    let thread = sim.create_thread(&[anna.pk, bert.pk], None).unwrap();
    (sim, anna, bert, thread)
}
