//! The programs under measurement: built for release, started as children, ended by their id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

const PACKAGES: [&str; 3] = ["puppetgram", "instagram-sim", "homeserver-sim"];

/// Where the built programs are.
pub(super) struct Programs {
    pub(super) bridge: PathBuf,
    pub(super) instagram: PathBuf,
    pub(super) homeserver: PathBuf,
}

impl Programs {
    /// Those in a directory, built by somebody else.
    pub(super) fn in_directory(directory: &Path) -> Self {
        let [bridge, instagram, homeserver] = PACKAGES.map(|name| directory.join(name));
        Self { bridge, instagram, homeserver }
    }

    /// Builds what is not up to date; cargo shows its progress.
    pub(super) fn build() -> anyhow::Result<Self> {
        let mut cargo = xtask::cargo::cargo();
        cargo.args(["build", "--release", "--bins", "--message-format=json-render-diagnostics"]);
        cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
        let built = cargo.stderr(Stdio::inherit()).output().context("cargo cannot be started")?;
        if !built.status.success() {
            bail!("cargo build failed ({})", built.status);
        }
        let messages = String::from_utf8_lossy(&built.stdout);
        let artifacts: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let find = |name: &str| {
            let mut found = artifacts.iter().filter(|one| one["target"]["name"] == name);
            let path = found.find_map(|one| one["executable"].as_str()).map(PathBuf::from);
            path.with_context(|| format!("cargo built no {name}"))
        };
        Ok(Self { bridge: find(PACKAGES[0])?, instagram: find(PACKAGES[1])?, homeserver: find(PACKAGES[2])? })
    }
}

/// A simulator: killed when dropped.
pub(super) struct Simulator {
    _child: Child,
    /// The line it printed when it was ready.
    pub(super) ready: Value,
}

impl Simulator {
    /// Starts one and reads its line.
    pub(super) async fn start(program: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await??;
        let ready = serde_json::from_str(&line.context("a simulator ended at its start")?)?;
        Ok(Self { _child: child, ready })
    }
}

/// The bridge: killed when dropped.
pub(super) struct Bridge {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Bridge {
    /// Not started yet; `config.yaml` is in the directory.
    pub(super) fn new(program: &Path, directory: &Path, port: u16) -> Self {
        Self { program: program.to_owned(), directory: directory.to_owned(), port, child: None }
    }

    /// Starts the process and returns at once.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.directory.join("bridge.log"))?;
        let mut command = tokio::process::Command::new(&self.program);
        command.args(["run", "--config"]).arg(self.directory.join("config.yaml")).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().context("the bridge cannot be started")?);
        Ok(())
    }

    /// Waits until the listener answers.
    pub(super) async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        for _ in 0..3000 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                bail!("the bridge ended ({status})\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the bridge does not listen\n{}", self.log_tail())
    }

    /// Asks it to end, and waits for that.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let pid = self.pid()?.to_string();
        if let Some(mut child) = self.child.take() {
            Command::new("kill").args(["-TERM", &pid]).status().context("no `kill`")?;
            tokio::time::timeout(Duration::from_secs(30), child.wait()).await.context("the bridge does not end")??;
        }
        Ok(())
    }

    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.as_ref().and_then(Child::id).context("the bridge is not running")
    }

    /// Where its configuration, database and log are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The end of its log.
    pub(super) fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.directory.join("bridge.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}
