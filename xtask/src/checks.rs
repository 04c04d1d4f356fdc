//! `cargo xtask test`: everything that must hold before a change is accepted, step by step, with a summary. What is
//! missing is an error, never a silent skip.

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, bail};
use tokio::time::Instant;
use xtask::servers::{Environment, Postgres, cargo_deny, environment};

/// How thorough.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// 200 deaths in each of the tests that kill, and an outage of 120 s more: some 15 minutes longer.
    #[arg(long)]
    long: bool,
}

/// What became of one step.
struct Step {
    name: String,
    seconds: f64,
    result: anyhow::Result<Option<String>>,
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// Runs one step and remembers its result; the text is a remark for the summary.
    async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = anyhow::Result<(T, Option<String>)>>,
    ) -> Option<T> {
        eprintln!("\n==> {name}");
        let started = Instant::now();
        let (value, result) = match work.await {
            Ok((value, remark)) => (Some(value), Ok(remark)),
            Err(error) => (None, Err(error)),
        };
        let seconds = started.elapsed().as_secs_f64();
        if let Err(error) = &result {
            eprintln!("FAILED: {name}: {error:#}");
        }
        self.0.push(Step { name: name.to_owned(), seconds, result });
        value
    }

    fn summary(&self) -> ExitCode {
        eprintln!("\n---- summary");
        for Step { name, seconds, result } in &self.0 {
            match result {
                Ok(None) => eprintln!("ok      {seconds:>7.1} s  {name}"),
                Ok(Some(remark)) => eprintln!("ok      {seconds:>7.1} s  {name}: {remark}"),
                Err(error) => eprintln!("FAILED  {seconds:>7.1} s  {name}: {error:#}"),
            }
        }
        let failed = self.0.iter().filter(|step| step.result.is_err()).count();
        if failed == 0 {
            eprintln!("all {} steps hold", self.0.len());
            return ExitCode::SUCCESS;
        }
        eprintln!("{failed} of {} steps failed", self.0.len());
        ExitCode::FAILURE
    }
}

const TEST: [&str; 3] = ["test", "--workspace", "--no-fail-fast"];

/// Runs all steps. Lints and format do not keep the tests from running.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    steps.step("cargo fmt --all --check", cargo(&["fmt", "--all", "--check"], &[])).await;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    steps.step(&format!("cargo {}", clippy.join(" ")), cargo(&clippy, &[])).await;
    if let Some(environment) = steps.step("environment", prepare()).await
        && let Some(postgres) = steps.step("start PostgreSQL", start_postgres()).await
    {
        let mut variables = variables(&environment, &postgres);
        if options.long {
            variables.extend([("PUPPETGRAM_KILLS", "200".into()), ("PUPPETGRAM_LONG", "1".into())]);
        }
        steps.step("cargo test --workspace", cargo(&TEST, &variables)).await;
        steps.step("cargo xtask demo --script", cargo(&["xtask", "demo", "--script"], &[])).await;
        steps.step("stop the servers", async { Ok((drop(postgres), None)) }).await;
    } else {
        // What the tests say without servers helps too; the step that failed fails the whole.
        steps.step("cargo test --workspace, without servers", cargo(&TEST, &[])).await;
    }
    steps.step("cargo deny check", deny()).await;
    Ok(steps.summary())
}

async fn cargo(arguments: &[&str], variables: &[(&str, OsString)]) -> anyhow::Result<((), Option<String>)> {
    let mut command = tokio::process::Command::from(xtask::cargo::cargo());
    command
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let status = command.status().await.context("cannot run cargo")?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(((), None))
}

/// Licences, sources and crates that are not wanted; and known weaknesses, where the database of them can be had.
async fn deny() -> anyhow::Result<((), Option<String>)> {
    let program = match tokio::task::spawn_blocking(cargo_deny).await? {
        Ok(program) => program,
        Err(error) => return Ok(((), Some(format!("NOT CHECKED: {error:#}")))),
    };
    let run = |checks: &[&str]| {
        let mut command = tokio::process::Command::new(&program);
        command.args(["--workspace", "--log-level", "error", "check", "--hide-inclusion-graph"]).args(checks);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    };
    let status = run(&["licenses", "bans", "sources"]).status().await.context("cannot run cargo-deny")?;
    if !status.success() {
        bail!("{status}");
    }
    let advisories = run(&["advisories"]).output().await.context("cannot run cargo-deny")?;
    let said = String::from_utf8_lossy(&advisories.stderr);
    if advisories.status.success() {
        return Ok(((), None));
    }
    if said.contains("failed to fetch advisory database") {
        return Ok(((), Some("advisories NOT CHECKED: their database cannot be fetched from github.com".to_owned())));
    }
    eprintln!("{said}");
    bail!("there are advisories");
}

async fn prepare() -> anyhow::Result<(Environment, Option<String>)> {
    let environment = tokio::task::spawn_blocking(environment).await??;
    let without_node = "Node.js and npm are not on this machine: the client instagram_mqtt is not run";
    let remark = environment.node_modules.is_none().then(|| without_node.to_owned());
    Ok((environment, remark))
}

async fn start_postgres() -> anyhow::Result<(Postgres, Option<String>)> {
    Ok((Postgres::start().await?, None))
}

fn variables(environment: &Environment, postgres: &Postgres) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        ("PUPPETGRAM_REQUIRE_SERVERS", "1".into()),
        ("PUPPETGRAM_TEST_POSTGRES", postgres.url("postgres").into()),
        ("PUPPETGRAM_PYTHON", environment.python.clone().into()),
        ("PUPPETGRAM_FFMPEG", environment.ffmpeg.clone().into()),
    ];
    let modules = environment.node_modules.clone().map_or_else(|| "none".into(), OsString::from);
    variables.push(("PUPPETGRAM_NODE_MODULES", modules));
    variables
}
