//! Many messages at once: how many a second, and what one costs.

use std::time::Duration;

use tokio::time::Instant;

use super::Effort;
use super::chats::Chats;
use super::metrics::{Counters, Difference};
use super::process;
use super::programs::Programs;
use super::report::{Aim, Figure, Report};
use super::world::World;

/// Messages before the first measured one: connections, caches and statements are made by then.
const WARM_UP: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// What one run showed.
struct Run {
    /// From the first arrival to the last.
    between: Duration,
    /// From the injection to the first arrival.
    first: Duration,
    cpu: Duration,
    happened: Difference,
}

pub(super) async fn measure(programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let world = World::start(programs).await?;
    let one = Chats::direct(&world, "bob").await?;
    let many = Chats::groups(&world, "carol", 20).await?;
    for (chats, label) in [(&one, "1 chat"), (&many, "20 chats")] {
        for direction in [Direction::In, Direction::Out] {
            run(&world, chats, direction, WARM_UP, "warm").await?;
            let run = run(&world, chats, direction, effort.messages, "text ").await?;
            show(report, &run, direction, label, effort.messages);
        }
    }
    Ok(())
}

async fn run(world: &World, chats: &Chats, direction: Direction, count: usize, prefix: &str) -> anyhow::Result<Run> {
    let pid = world.bridge.pid()?;
    let cpu = process::settled_cpu(pid).await?;
    let before = Counters::read(world).await?;
    let (first, last) = match direction {
        Direction::In => {
            let said = chats.said(world).await?;
            let started = Instant::now();
            let (_, first, last) = tokio::try_join!(
                chats.write(world, count, prefix),
                at(chats.wait_said(world, said + 1)),
                at(chats.wait_said(world, said + count)),
            )?;
            (first - started, last - first)
        }
        Direction::Out => {
            let written = chats.written(world).await?;
            let started = Instant::now();
            let (_, first, last) = tokio::try_join!(
                chats.say(world, count, prefix),
                at(chats.wait_written(world, &chats.threads[0], written[0] + 1)),
                at(wait_all(world, chats, &written, count)),
            )?;
            (first - started, last - first)
        }
    };
    let cpu = process::settled_cpu(pid).await? - cpu;
    let happened = Counters::read(world).await?.since(&before);
    Ok(Run { between: last, first, cpu, happened })
}

/// When something had come.
async fn at<T>(waited: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Instant> {
    waited.await?;
    Ok(Instant::now())
}

/// Waits until every thread has its share of what was said in turn.
async fn wait_all(world: &World, chats: &Chats, before: &[usize], count: usize) -> anyhow::Result<()> {
    let threads = chats.threads.len();
    let shares = (0..threads).map(|index| count / threads + usize::from(index < count % threads));
    for ((thread, before), share) in chats.threads.iter().zip(before).zip(shares) {
        chats.wait_written(world, thread, before + share).await?;
    }
    Ok(())
}

fn show(report: &mut Report, run: &Run, direction: Direction, label: &str, count: usize) {
    let (way, cpu_aim, cpu_reference, rate_reference) = match direction {
        Direction::In => ("to Matrix", 0.4, "6–9", "130"),
        Direction::Out => ("to Instagram", 0.25, "2–2.6", "400"),
    };
    let messages = count as f64;
    report.add(Figure {
        what: format!("throughput {way}, {label}"),
        value: (messages - 1.0) / run.between.as_secs_f64().max(0.001),
        unit: "messages/s",
        aim: Aim::AtLeast(2000.0),
        reference: rate_reference,
    });
    report.add(Figure {
        what: format!("CPU of the bridge {way}, {label}"),
        value: run.cpu.as_secs_f64() * 1000.0 / messages,
        unit: "ms/message",
        aim: Aim::AtMost(cpu_aim),
        reference: cpu_reference,
    });
    let happened = &run.happened;
    let requests = happened.requests as f64 / messages;
    let aim = Aim::AtMost(if direction == Direction::In { 1.005 } else { 0.005 });
    let what = format!("homeserver requests {way}, {label}");
    report.add(Figure { what, value: requests, unit: "per message", aim, reference: "" });
    let database = [("transactions", happened.commits), ("writes", happened.writes)];
    for (name, total) in database {
        let what = format!("database {name} {way}, {label}");
        match total {
            Some(total) => report.plain(what, total / messages, "per message"),
            None => report.not_available(what),
        }
    }
    let commonest: Vec<String> =
        happened.commonest.iter().take(3).map(|(path, count)| format!("{count} × {path}")).collect();
    report.note(format!(
        "{way}, {label}: {count} messages in {:.2} s, the first after {:.0} ms; {:.2} s of CPU; {} transactions pushed; {}",
        run.between.as_secs_f64(),
        run.first.as_secs_f64() * 1000.0,
        run.cpu.as_secs_f64(),
        happened.pushed,
        if commonest.is_empty() { "no requests".to_owned() } else { commonest.join(", ") },
    ));
}
