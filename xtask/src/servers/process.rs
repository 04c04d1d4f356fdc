//! Child processes: run one to its end, wait for one to answer, end exactly the one that was started.

use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, bail};

/// The ports that are given to servers: below those that systems give to connections, so that nothing takes one before
/// its server starts, or while that is started again.
const PORTS: Range<u32> = 12_000..32_000;

/// A port of 127.0.0.1 that nobody listens on. No two calls of a process get the same.
pub fn free_port() -> anyhow::Result<u16> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at places of their own.
    let first = std::process::id().wrapping_mul(641);
    for _ in PORTS {
        let number = first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + number % (PORTS.end - PORTS.start))?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1")
}

/// Runs a command to its end. Its output is shown only if it fails.
pub(super) fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{name} failed ({}):\n{}", output.status, tail(&format!("{stdout}{}", text(&output.stderr)), 40));
    }
    Ok(stdout)
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The last lines of a text.
pub(super) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The last lines of the log files that exist.
pub(super) fn log_tail(files: &[&Path]) -> String {
    let read = |path: &&Path| {
        let log = std::fs::read(path).unwrap_or_default();
        format!("{}:\n{}", path.display(), tail(&text(&log), 30))
    };
    files.iter().map(read).collect::<Vec<_>>().join("\n")
}

/// Kills a child and takes its exit status, so that its id is free again.
pub(super) fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        child.kill().ok();
        child.wait().ok();
    }
}
