//! A throw-away Synapse with SQLite, which can be stopped and started again with everything it knows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::time::Instant;

use super::environment;
use super::process::{end, free_port, log_tail, run};

/// The domain of its users and rooms.
pub const SERVER_NAME: &str = "synapse.test";
const SECRET: &str = "registration secret of a throw-away server";
/// How long it may take to its first answer.
const START: Duration = Duration::from_secs(90);

/// A running Synapse. Killed and deleted when dropped.
#[derive(Debug)]
pub struct Synapse {
    directory: TempDir,
    python: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Synapse {
    /// Starts a fresh Synapse with these appservice registrations and waits until it answers.
    pub async fn start(registrations: &[PathBuf]) -> anyhow::Result<Self> {
        let python = tokio::task::spawn_blocking(environment::python).await??;
        let directory = tempfile::Builder::new().prefix("puppetgram-synapse-").tempdir()?;
        let port = free_port()?;
        fs::write(directory.path().join("homeserver.yaml"), config(directory.path(), port, registrations)?)?;
        fs::write(directory.path().join("log.yaml"), log_config(directory.path()))?;
        let key = directory.path().join("signing.key");
        run(Command::new(&python).args(["-m", "synapse._scripts.generate_signing_key", "-o"]).arg(key))
            .with_context(|| format!("{} has no Synapse: unset PUPPETGRAM_PYTHON", python.display()))?;
        let mut synapse = Self { directory, python, port, child: None };
        synapse.start_again().await?;
        Ok(synapse)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes an ordinary user.
    pub async fn register_user(&self, name: &str, password: &str) -> anyhow::Result<()> {
        let mut command = Command::new(&self.python);
        command.args(["-m", "synapse._scripts.register_new_matrix_user", "-u", name, "-p", password]);
        command.args(["--no-admin", "-k", SECRET, &self.url()]);
        tokio::task::spawn_blocking(move || run(&mut command)).await?.context("the user could not be registered")?;
        Ok(())
    }

    /// Ends it as a power failure would; what it has answered for stays.
    pub fn stop(&mut self) {
        end(&mut self.child);
    }

    /// Starts it on the same port with the same database, and waits until it answers.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.stop();
        let log = File::options().create(true).append(true).open(self.directory.path().join("output.log"))?;
        let child = Command::new(&self.python)
            .args(["-m", "synapse.app.homeserver", "-c", "homeserver.yaml"])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start Synapse")?;
        self.child = Some(child);
        self.wait_until_it_answers().await
    }

    /// The end of what it has logged.
    pub fn log_tail(&self) -> String {
        let directory = self.directory.path();
        log_tail(&[&directory.join("output.log"), &directory.join("homeserver.log")])
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let versions = format!("{}/_matrix/client/versions", self.url());
        let deadline = Instant::now() + START;
        while !http.get(&versions).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("Synapse ended ({status})\n{}", self.log_tail());
            }
            if Instant::now() > deadline {
                bail!("Synapse does not answer after {START:?}\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for Synapse {
    fn drop(&mut self) {
        self.stop();
    }
}

fn config(directory: &Path, port: u16, registrations: &[PathBuf]) -> anyhow::Result<String> {
    // JSON strings are YAML strings, whatever is in the path.
    let path = |name: &str| serde_json::to_string(&directory.join(name));
    let limit = "{per_second: 100000, burst_count: 100000}";
    Ok(format!(
        r#"
server_name: "{SERVER_NAME}"
pid_file: {pid}
public_baseurl: "http://127.0.0.1:{port}/"
listeners:
  - {{port: {port}, bind_addresses: ["127.0.0.1"], type: http, tls: false, resources: [{{names: [client, media], compress: false}}]}}
database: {{name: sqlite3, args: {{database: {database}}}}}
log_config: {log}
media_store_path: {media}
signing_key_path: {key}
registration_shared_secret: "{SECRET}"
macaroon_secret_key: "macaroon secret"
form_secret: "form secret"
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
enable_registration: false
app_service_config_files: {registrations}
filter_timeline_limit: 5000
presence: {{enabled: false}}
rc_message: {limit}
rc_login: {{address: {limit}, account: {limit}, failed_attempts: {limit}}}
rc_joins: {{local: {limit}, remote: {limit}}}
rc_invites: {{per_room: {limit}, per_user: {limit}, per_issuer: {limit}}}
rc_room_creation: {limit}
rc_registration: {limit}
"#,
        pid = path("homeserver.pid")?,
        database = path("homeserver.db")?,
        log = path("log.yaml")?,
        media = path("media")?,
        key = path("signing.key")?,
        registrations = serde_json::to_string(registrations)?,
    ))
}

fn log_config(directory: &Path) -> String {
    format!(
        r"
version: 1
formatters: {{plain: {{format: '%(asctime)s %(levelname)s %(name)s %(message)s'}}}}
handlers: {{file: {{class: logging.FileHandler, filename: '{}', formatter: plain}}}}
root: {{level: WARNING, handlers: [file]}}
disable_existing_loggers: false
",
        directory.join("homeserver.log").display()
    )
}
