//! Resident memory with few and many connected logins.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::Effort;
use super::process;
use super::programs::Programs;
use super::report::{Aim, Figure, Report};
use super::world::{DEADLINE, World};

/// After the last login connected, for what a login leaves behind to be freed.
const SETTLE: Duration = Duration::from_secs(3);

/// `login` commands on their way at once; each is answered before long.
const AT_ONCE: usize = 50;

pub(super) async fn measure(programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let mut world = World::start(programs).await?;
    let mut logins = 1;
    for target in effort.logins {
        let started = Instant::now();
        while logins < *target {
            let upto = target.min(&(logins + AT_ONCE)).to_owned();
            for index in logins..upto {
                let account = world.new_account(&format!("user{index}")).await?;
                world.log_in(&account).await?;
            }
            logins = upto;
            wait_for_connections(&world, logins).await?;
        }
        let took = started.elapsed().as_secs_f64();
        if took > 1.0 {
            report.note(format!("{target} logins: logged in after {took:.1} s more"));
        }
        show(&world, report, logins, "").await?;
    }
    world.stop_bridge().await?;
    let started = Instant::now();
    world.bridge.start()?;
    wait_for_connections(&world, logins).await?;
    let took = started.elapsed().as_secs_f64();
    report.plain(format!("start-up until {logins} logins are connected"), took, "s");
    show(&world, report, logins, ", freshly started").await
}

async fn wait_for_connections(world: &World, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let connections = world.connections().await?;
        if connections >= count as u64 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("only {connections} of {count} logins are connected\n{}", world.bridge.log_tail());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn show(world: &World, report: &mut Report, logins: usize, how: &str) -> anyhow::Result<()> {
    let pid = world.bridge.pid()?;
    process::settled_cpu(pid).await?;
    tokio::time::sleep(SETTLE).await;
    let memory = process::memory(pid)?;
    let (aim, reference) = match logins {
        1 => (Aim::AtMost(20.0), "75"),
        1000 => (Aim::AtMost(150.0), ""),
        _ => (Aim::None, ""),
    };
    let what = format!("resident memory, logins: {logins}{how}");
    report.add(Figure { what, value: memory.resident, unit: "MiB", aim, reference });
    report.note(format!("logins: {logins}{how}: {:.1} MiB of it are not program code", memory.anonymous));
    Ok(())
}
