//! What the operating system says about a process.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Length of a clock tick of /proc on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time used so far, in user and kernel mode, by all threads, ended ones included.
pub(super) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    // The second field is the program's name in parentheses, which may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| -> anyhow::Result<u32> { Ok(fields.get(at).context("a short stat line")?.parse()?) };
    Ok(TICK * (field(11)? + field(12)?))
}

/// Waits until a process uses no more processor time: what it had to do is done.
pub(super) async fn settled_cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut last = cpu(pid)?;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = cpu(pid)?;
        if now - last <= TICK {
            return Ok(now);
        }
        last = now;
    }
}

/// Memory in MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Everything resident, program code included.
    pub(super) resident: f64,
    /// The part that belongs to no file.
    pub(super) anonymous: f64,
}

pub(super) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let field = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    };
    Ok(Memory { resident: field("VmRSS")?, anonymous: field("RssAnon")? })
}
