//! Latency with a large database beside an empty one, message by message in turn, so that noise meets both.

use anyhow::Context as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use super::Effort;
use super::chats::Chats;
use super::latency::{Probe, WARM_UP};
use super::programs::Programs;
use super::report::{Aim, Figure, Report, percentile};
use super::world::World;

/// Portals of the login, each with a ghost; $1 portals, $2 the login.
const FILL: [&str; 3] = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
     INSERT INTO portal (thread, receiver, room, name, members)
     SELECT CAST(3402823668417103000 + i AS TEXT), $2, '!' || lower(hex(randomblob(9))) || ':sim.test', NULL,
         '[\"' || (50000000 + i) || '\"]' FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
     INSERT INTO login_thread (thread, login) SELECT CAST(3402823668417103000 + i AS TEXT), $2 FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
     INSERT INTO ghost (id, username, full_name, displayname, fetched_at)
     SELECT CAST(50000000 + i AS TEXT), 'user.' || i, 'User ' || i || substr($2, 1, 0), 'User ' || i, 1700000000000
     FROM n",
];

/// Messages spread over all portals, half of them sent from Matrix; $1 messages.
const FILL_MESSAGES: &str = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $1 - 1),
         known(first, count) AS (SELECT MIN(id), MAX(id) - MIN(id) + 1 FROM portal)
     INSERT INTO message (item, portal, part, event, sender, client_context, sent_at)
     SELECT '3110' || (20000000000000 + i * 1000) || abs(random() % 1000000000000), first + i % count, 0,
         '$' || lower(hex(randomblob(22))), CAST(50000000 + i % count AS TEXT),
         CASE i % 2 WHEN 0 THEN CAST(6800000000000000000 + i AS TEXT) END, 1700000000000 + i * 100
     FROM n, known";

pub(super) async fn measure(programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let mut empty = World::start(programs).await?;
    let mut large = World::start(programs).await?;
    let chats = [Chats::direct(&empty, "bob").await?, Chats::direct(&large, "bob").await?];
    restart(&mut empty).await?;
    large.stop_bridge().await?;
    let started = Instant::now();
    let size = fill(&large, effort).await.context("the database cannot be filled")?;
    report.note(format!(
        "large database: {} portals, {} messages, {:.0} MiB, filled in {:.0} s",
        effort.portals,
        effort.mappings,
        size as f64 / f64::from(1 << 20),
        started.elapsed().as_secs_f64(),
    ));
    large.bridge.start()?;
    large.wait_for_subscription(large.account.pk).await?;

    let mut probes = [Probe::new(&empty, &chats[0]).await?, Probe::new(&large, &chats[1]).await?];
    let mut to_matrix = [Vec::new(), Vec::new()];
    let mut to_instagram = [Vec::new(), Vec::new()];
    for round in 0..WARM_UP + effort.probes {
        for (which, probe) in probes.iter_mut().enumerate() {
            let (inward, outward) = (probe.inward().await?, probe.outward().await?);
            if round >= WARM_UP {
                to_matrix[which].push(inward);
                to_instagram[which].push(outward);
            }
        }
    }
    for (way, values) in [("to Matrix", to_matrix), ("to Instagram", to_instagram)] {
        for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
            let [empty, large] = [&values[0], &values[1]].map(|values| percentile(values, share));
            report.plain(format!("latency, empty database, {way}, {name}"), empty, "ms");
            report.plain(format!("latency, large database, {way}, {name}"), large, "ms");
            let what = format!("latency, large over empty database, {way}, {name}");
            let aim = if name == "p50" { Aim::AtMost(1.2) } else { Aim::None };
            report.add(Figure { what, value: large / empty, unit: "times", aim, reference: "" });
        }
    }
    Ok(())
}

async fn restart(world: &mut World) -> anyhow::Result<()> {
    world.stop_bridge().await?;
    world.bridge.start()?;
    world.wait_for_subscription(world.account.pk).await
}

/// Fills the database of a stopped bridge and says how many bytes it has then.
async fn fill(world: &World, effort: &Effort) -> anyhow::Result<u64> {
    let path = world.bridge.directory().join("puppetgram.db");
    let mut connection: SqliteConnection = SqliteConnectOptions::new().filename(&path).connect().await?;
    let login = world.account.pk.to_string();
    let portals = i64::try_from(effort.portals)?;
    let mut transaction = connection.begin().await?;
    for sql in FILL {
        sqlx::query(sql).bind(portals).bind(&login).execute(&mut *transaction).await?;
    }
    sqlx::query(FILL_MESSAGES).bind(i64::try_from(effort.mappings)?).execute(&mut *transaction).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(std::fs::metadata(path)?.len())
}
