//! Everything the demonstration needs, started in order with a word about each step.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use instagram_sim::{Account, Sim, SimOptions, control};
use tokio::net::TcpListener;
use tokio::time::Instant;
use xtask::cargo::cargo;
use xtask::matrix::Client;
use xtask::servers::{SERVER_NAME, Synapse, environment, free_port};

/// How long one step may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

const PASSWORD: &str = "anna-demo";

/// The running demonstration. Everything ends when it is dropped.
pub(super) struct Stage {
    /// The Instagram side.
    pub(super) sim: Arc<Sim>,
    /// Anna, at the homeserver.
    pub(super) anna: Client,
    /// Somebody without an account at Instagram.
    pub(super) guest: Client,
    /// Anna, on Instagram.
    pub(super) account: Account,
    /// Somebody Anna talks to.
    pub(super) bob: Account,
    /// A third person, for the group.
    pub(super) carol: Account,
    synapse: Synapse,
    bridge: Child,
    control: String,
    directory: tempfile::TempDir,
}

impl Stage {
    /// Sets everything up and logs Anna in.
    pub(super) async fn set() -> anyhow::Result<Self> {
        step("test servers (the first time this downloads Synapse, about a minute)");
        tokio::task::spawn_blocking(environment).await??;
        step("building puppetgram");
        let program = build()?;
        step("the simulated Instagram");
        let sim = Arc::new(Sim::start(SimOptions::default()).await?);
        let control = serve_control(&sim).await?;
        let account = sim.create_account("anna.alm", "Anna Alm")?;
        let bob = sim.create_account("bob", "Bob Berg")?;
        let carol = sim.create_account("carol", "Carol Carl")?;
        step("`puppetgram init`: configuration and registration");
        let directory = tempfile::Builder::new().prefix("puppetgram-demo-").tempdir()?;
        let port = free_port()?;
        init(&program, directory.path(), port)?;
        step("Synapse");
        let synapse = Synapse::start(&[directory.path().join("registration.yaml")]).await?;
        synapse.register_user("anna", PASSWORD).await?;
        step("the bridge");
        configure(directory.path(), &synapse, &sim)?;
        let bridge = start(&program, directory.path(), port).await?;
        step("Anna logs in to Matrix and gives the bridge her Instagram session");
        let anna = Client::login(&synapse.url(), "anna", PASSWORD).await?;
        synapse.register_user("grace", PASSWORD).await?;
        let guest = Client::login(&synapse.url(), "grace", PASSWORD).await?;
        let stage = Self { sim, anna, guest, account, bob, carol, synapse, bridge, control, directory };
        stage.log_in().await.with_context(|| stage.log_tail())?;
        Ok(stage)
    }

    async fn log_in(&self) -> anyhow::Result<()> {
        let bot = format!("@instagrambot:{SERVER_NAME}");
        let room = self.anna.create_room(&[&bot]).await?;
        let hello = |seen: &xtask::matrix::Seen| (!seen.said_by(&room, &bot).is_empty()).then_some(());
        self.anna.wait_for(DEADLINE, hello).await.context("the bot did not come to the chat")?;
        self.anna.send(&room, &format!("login {}", self.account.sessionid)).await?;
        let answer = |seen: &xtask::matrix::Seen| seen.said_by(&room, &bot).get(1).cloned();
        let answer = self.anna.wait_for(DEADLINE, answer).await.context("the bot did not answer")?;
        if !answer.starts_with("Logged in") {
            bail!("the login failed: {answer}");
        }
        self.sim.wait_for_subscription(self.account.pk, DEADLINE).await?;
        Ok(())
    }

    /// The ghost of an account.
    pub(super) fn ghost(account: &Account) -> String {
        format!("@instagram_{}:{SERVER_NAME}", account.pk)
    }

    /// Joins the rooms Anna is invited to.
    pub(super) async fn join_invites(&self) -> anyhow::Result<()> {
        let invites: Vec<String> = self.anna.seen().invites().map(ToOwned::to_owned).collect();
        for room in invites {
            self.anna.join(&room).await?;
        }
        Ok(())
    }

    /// Everything said in Anna's rooms.
    pub(super) fn matrix_lines(&self) -> Vec<String> {
        let seen = self.anna.seen();
        let mut lines: Vec<(i64, String)> = Vec::new();
        for room in seen.rooms() {
            for event in seen.events(room).iter().filter(|event| event["type"] == "m.room.message") {
                let sender = event["sender"].as_str().unwrap_or_default();
                let body = event["content"]["body"].as_str().unwrap_or("(removed)");
                lines.push((event["origin_server_ts"].as_i64().unwrap_or_default(), format!("{sender}: {body}")));
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Everything written in Instagram's threads.
    pub(super) fn instagram_lines(&self) -> Vec<String> {
        let name = |pk: u64| {
            let known = [&self.account, &self.bob, &self.carol].into_iter().find(|account| account.pk == pk);
            known.map_or_else(|| pk.to_string(), |account| account.username.clone())
        };
        let mut lines: Vec<(i64, String)> = Vec::new();
        for thread in self.sim.threads() {
            for item in self.sim.thread_items(&thread).unwrap_or_default() {
                let text = item.text.unwrap_or_else(|| format!("({})", item.item_type));
                lines.push((item.timestamp_us, format!("{}: {text}", name(item.sender))));
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// How to join in.
    pub(super) fn invitation(&self) -> String {
        format!(
            "
Join in with any Matrix client:
  homeserver  {homeserver}
  user        anna        password  {PASSWORD}
Speak as Bob on Instagram:
  curl -s {control}/threads/THREAD/texts -H 'content-type: application/json' -d '{{\"from\": {bob}, \"text\": \"hello\"}}'
  (threads: {threads})
Log of the bridge: {log}
",
            homeserver = self.synapse.url(),
            control = self.control,
            bob = self.bob.pk,
            threads = self.sim.threads().join(", "),
            log = self.log_path().display(),
        )
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("bridge.log")
    }

    /// The end of the bridge's log.
    pub(super) fn log_tail(&self) -> String {
        tail(&self.log_path())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bridge.kill().ok();
        self.bridge.wait().ok();
    }
}

fn step(what: &str) {
    eprintln!("==> {what}");
}

fn tail(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    format!("the bridge says:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
}

/// Builds the bridge and returns the program.
fn build() -> anyhow::Result<PathBuf> {
    let built = cargo().args(["build", "--package", "puppetgram"]).status().context("cannot run cargo")?;
    if !built.success() {
        bail!("the build failed");
    }
    // This program lies in the directory that cargo builds into.
    Ok(std::env::current_exe()?.with_file_name("puppetgram"))
}

async fn serve_control(sim: &Arc<Sim>) -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = control::router(Arc::clone(sim));
    #[expect(clippy::disallowed_methods, reason = "it ends with the program")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn init(program: &Path, directory: &Path, port: u16) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(["init", "--yes", "--domain", SERVER_NAME, "--admin", &format!("@anna:{SERVER_NAME}")])
        .args(["--address", &format!("http://127.0.0.1:{port}")])
        .args(["--database", &format!("sqlite:{}", directory.join("puppetgram.db").display())])
        .arg("--directory")
        .arg(directory)
        .output()
        .context("cannot run puppetgram")?;
    if !output.status.success() {
        bail!("puppetgram init failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Puts the addresses of this demonstration into the configuration.
fn configure(directory: &Path, synapse: &Synapse, sim: &Sim) -> anyhow::Result<()> {
    let ca = directory.join("ca.pem");
    fs::write(&ca, sim.ca_pem())?;
    let file = directory.join("config.yaml");
    let instagram = format!(
        "instagram:\n  api_url: {api}\n  upload_url: {api}\n  realtime_address: {realtime}\n  ca_file: {ca}\n  \
         media_hosts: [\"{media}\"]\n  min_send_interval: 0s\n  jitter: 0\n",
        api = sim.api_url(),
        realtime = sim.realtime_address(),
        ca = ca.display(),
        media = sim.media_host(),
    );
    let config = fs::read_to_string(&file)?;
    // What is expected was recorded without a converter: one in the search path makes other files of the same messages.
    let config = config.replacen("\nmedia:\n", "\nmedia:\n  ffmpeg: /nowhere/ffmpeg\n", 1);
    let config = config.replacen("  address: http://127.0.0.1:8008\n", &format!("  address: {}\n", synapse.url()), 1);
    Ok(fs::write(&file, config.replacen("instagram:\n", &instagram, 1))?)
}

async fn start(program: &Path, directory: &Path, port: u16) -> anyhow::Result<Child> {
    let path = directory.join("bridge.log");
    let log = File::create(&path)?;
    let mut child = Command::new(program)
        .args(["run", "--config"])
        .arg(directory.join("config.yaml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start puppetgram")?;
    let deadline = Instant::now() + DEADLINE;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let live = format!("http://127.0.0.1:{port}/_puppetgram/live");
    while !http.get(&live).send().await.is_ok_and(|answer| answer.status().is_success()) {
        if let Some(status) = child.try_wait()? {
            bail!("the bridge ended ({status}); {}", tail(&path));
        }
        if Instant::now() > deadline {
            child.kill().ok();
            bail!("the bridge does not answer; {}", tail(&path));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(child)
}
