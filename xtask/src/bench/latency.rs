//! One message at a time: how long from its sending to its arrival.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use super::Effort;
use super::call::encode;
use super::chats::Chats;
use super::metrics::Counters;
use super::process;
use super::programs::Programs;
use super::report::{Aim, Figure, Report, percentile};
use super::world::World;

/// Between two messages, so that each meets an idle bridge.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Messages before the first measured one.
pub(super) const WARM_UP: usize = 10;

pub(super) async fn measure(programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let world = World::start(programs).await?;
    let chats = Chats::direct(&world, "bob").await?;
    let mut probe = Probe::new(&world, &chats).await?;
    let (mut floor, mut to_matrix, mut to_instagram) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + effort.probes {
        let one = [probe.floor().await?, probe.inward().await?, probe.outward().await?];
        if round >= WARM_UP {
            floor.push(one[0]);
            to_matrix.push(one[1]);
            to_instagram.push(one[2]);
        }
    }
    report_latencies(report, "small homeserver", &floor, &to_matrix, &to_instagram);
    let before = settled(&world).await?;
    for _ in 0..effort.probes {
        probe.inward().await?;
    }
    let between = settled(&world).await?;
    for _ in 0..effort.probes {
        probe.outward().await?;
    }
    let after = settled(&world).await?;
    for (way, happened) in [("to Matrix", between.since(&before)), ("to Instagram", after.since(&between))] {
        if let Some(commits) = happened.commits {
            let what = format!("database transactions, one message at a time, {way}");
            report.plain(what, commits / effort.probes as f64, "per message");
        }
    }
    let [appended, overwritten] = flushes(world.bridge.directory().join("flush"), effort.probes).await?;
    for (what, took) in [("a growing file", appended), ("a file that is there", overwritten)] {
        for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
            report.plain(format!("disk: 4 KiB flushed into {what}, {name}"), percentile(&took, share), "ms");
        }
    }
    Ok(())
}

/// Counters once the bridge is done with everything.
async fn settled(world: &World) -> anyhow::Result<Counters> {
    process::settled_cpu(world.bridge.pid()?).await?;
    Counters::read(world).await
}

/// What a write takes that has to be on the disk where the database is: a transaction cannot be faster. The log of
/// SQLite grows first and is written over later, and a file system may take longer for the one than for the other.
async fn flushes(path: PathBuf, count: usize) -> anyhow::Result<[Vec<f64>; 2]> {
    let measure = move || {
        let mut file = File::create(path)?;
        let mut pass = || {
            file.rewind()?;
            let mut took = Vec::with_capacity(count);
            for _ in 0..count {
                let started = Instant::now();
                file.write_all(&[7; 4096])?;
                file.sync_data()?;
                took.push(started.elapsed().as_secs_f64() * 1000.0);
            }
            anyhow::Ok(took)
        };
        anyhow::Ok([pass()?, pass()?])
    };
    tokio::task::spawn_blocking(measure).await?
}

/// The floor first, then each way beside it.
pub(super) fn report_latencies(
    report: &mut Report,
    label: &str,
    floor: &[f64],
    to_matrix: &[f64],
    to_instagram: &[f64],
) {
    for (what, values) in [("floor", floor), ("to Matrix", to_matrix), ("to Instagram", to_instagram)] {
        for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
            report.plain(format!("latency, {label}, {what}, {name}"), percentile(values, share), "ms");
        }
    }
    for (what, values) in [("to Matrix", to_matrix), ("to Instagram", to_instagram)] {
        let value = percentile(values, 0.5) - percentile(floor, 0.5);
        let what = format!("latency, {label}, {what}, added over the floor at p50");
        report.add(Figure { what, value, unit: "ms", aim: Aim::AtMost(5.0), reference: "" });
    }
}

/// Sends messages one by one through a direct chat of a world.
pub(super) struct Probe<'a> {
    world: &'a World,
    chats: &'a Chats,
    /// Messages that have arrived so far.
    said: usize,
    written: usize,
    own: usize,
}

impl<'a> Probe<'a> {
    pub(super) async fn new(world: &'a World, chats: &'a Chats) -> anyhow::Result<Self> {
        let written = *chats.written(world).await?.first().context("no chat")?;
        let own = count_own(world, 0).await?;
        Ok(Self { world, chats, said: chats.said(world).await?, written, own })
    }

    /// Somebody on Instagram writes; until the homeserver has the message. Milliseconds.
    pub(super) async fn inward(&mut self) -> anyhow::Result<f64> {
        tokio::time::sleep(PAUSE).await;
        self.said += 1;
        let thread = &self.chats.threads[0];
        let body = json!({"from": self.chats.writer.pk, "text": format!("probe {}", self.said)});
        let path = format!("/threads/{thread}/texts");
        let send = self.world.instagram.post(&path, &body);
        timed(send, self.chats.wait_said(self.world, self.said)).await
    }

    /// Anna writes; until Instagram has the message. Milliseconds.
    pub(super) async fn outward(&mut self) -> anyhow::Result<f64> {
        tokio::time::sleep(PAUSE).await;
        self.written += 1;
        self.own += 1;
        let send = send_as_anna(self.world, &self.chats.rooms[0], self.written);
        timed(send, self.chats.wait_written(self.world, &self.chats.threads[0], self.written)).await
    }

    /// Anna writes; until the homeserver shows the message to others: no bridge is involved. Milliseconds.
    pub(super) async fn floor(&mut self) -> anyhow::Result<f64> {
        tokio::time::sleep(PAUSE).await;
        self.own += 1;
        self.written += 1;
        let send = send_as_anna(self.world, &self.chats.rooms[0], self.written);
        let took = timed(send, count_own(self.world, self.own)).await?;
        // The bridge takes it too, and must be done with it before the next.
        self.chats.wait_written(self.world, &self.chats.threads[0], self.written).await?;
        Ok(took)
    }
}

/// Milliseconds from the beginning of the sending to the arrival, which is watched meanwhile.
async fn timed<A, B>(
    send: impl Future<Output = anyhow::Result<A>>,
    arrival: impl Future<Output = anyhow::Result<B>>,
) -> anyhow::Result<f64> {
    let (mut started, mut arrived) = (Instant::now(), Instant::now());
    let sending = async {
        // The watcher's request shall be there first.
        tokio::time::sleep(Duration::from_millis(3)).await;
        started = Instant::now();
        send.await
    };
    let watching = async {
        let answer = arrival.await;
        arrived = Instant::now();
        answer
    };
    tokio::try_join!(sending, watching)?;
    Ok((arrived - started).as_secs_f64() * 1000.0)
}

async fn send_as_anna(world: &World, room: &str, number: usize) -> anyhow::Result<()> {
    let path = format!("/rooms/{}/send/m.room.message/probe{number}", encode(room));
    let body = json!({"msgtype": "m.text", "body": format!("probe {number}")});
    world.as_anna(Method::PUT, &path, &body).await.map(drop)
}

/// Waits for a number of messages of Anna, in all rooms.
async fn count_own(world: &World, count: usize) -> anyhow::Result<usize> {
    let path = format!("/_sim/wait?sender={}&count={count}", encode(&world.anna));
    let answer = world.homeserver.get(&path).await?;
    Ok(answer["count"].as_u64().context("no count")? as usize)
}
