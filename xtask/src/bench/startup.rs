//! From the start of the process to the subscription of a login that is already known.

use anyhow::Context as _;
use tokio::time::Instant;

use super::Effort;
use super::programs::Programs;
use super::report::{Aim, Figure, Report, percentile};
use super::world::World;

pub(super) async fn measure(programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let mut world = World::start(programs).await?;
    let (mut connected, mut listening) = (Vec::new(), Vec::new());
    for _ in 0..effort.starts {
        world.stop_bridge().await?;
        let started = Instant::now();
        world.bridge.start()?;
        let (listens, subscribed) = watch(&world).await?;
        listening.push((listens - started).as_secs_f64());
        connected.push((subscribed - started).as_secs_f64());
    }
    report.add(Figure {
        what: format!("start-up to connected, median of {}", effort.starts),
        value: percentile(&connected, 0.5),
        unit: "s",
        aim: Aim::AtMost(0.15),
        reference: "1.5",
    });
    report.note(format!(
        "start-up: listening after {:.0} ms; connected after {:.0} to {:.0} ms",
        percentile(&listening, 0.5) * 1000.0,
        percentile(&connected, 0.0) * 1000.0,
        percentile(&connected, 1.0) * 1000.0,
    ));
    Ok(())
}

/// When the bridge listened, and when Instagram saw its subscription.
async fn watch(world: &World) -> anyhow::Result<(Instant, Instant)> {
    let address = world.bridge.address();
    let address = address.strip_prefix("http://").context("an address without a scheme")?;
    let listening = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        anyhow::Ok(Instant::now())
    };
    let subscribed = async {
        world.wait_for_subscription(world.account.pk).await?;
        anyhow::Ok(Instant::now())
    };
    tokio::try_join!(listening, subscribed)
}
