//! The bridge as a child process that can be killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use instagram_sim::Sim;
use xtask::servers::SERVER_NAME;

use crate::world::DEADLINE;

/// The bridge, its config and its database.
pub(crate) struct Bridge {
    directory: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Bridge {
    /// Writes the registration for the homeserver. The config follows once there are addresses to write.
    pub(crate) fn prepare() -> Self {
        let bridge =
            Self { directory: tempfile::tempdir().unwrap(), port: xtask::servers::free_port().unwrap(), child: None };
        fs::write(bridge.registration(), registration(bridge.port)).unwrap();
        fs::write(bridge.puppet_registration(), PUPPET_REGISTRATION).unwrap();
        bridge
    }

    /// The file Synapse reads.
    pub(crate) fn registration(&self) -> PathBuf {
        self.directory.path().join("registration.yaml")
    }

    /// The file by which Synapse lets the bridge act as its users.
    pub(crate) fn puppet_registration(&self) -> PathBuf {
        self.directory.path().join("double-puppet.yaml")
    }

    /// From the next start on the bridge acts as its users.
    pub(crate) fn allow_puppets(&self) {
        let path = self.directory.path().join("config.yaml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(path, config + "double_puppet:\n  as_token: token_of_the_puppets\n").unwrap();
    }

    /// Writes the config.
    pub(crate) fn configure(&self, sim: &Sim, homeserver: &str) {
        let directory = self.directory.path();
        fs::write(directory.join("ca.pem"), sim.ca_pem()).unwrap();
        fs::write(directory.join("config.yaml"), config(sim, homeserver, self.port, directory)).unwrap();
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_puppetgram"))
            .args(["run", "--config"])
            .arg(self.directory.path().join("config.yaml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until the listener answers.
    pub(crate) async fn wait_until_ready(&mut self) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the bridge ended: {}", self.log_tail());
            assert!(tokio::time::Instant::now() < deadline, "the bridge is not ready: {}", self.log_tail());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Ends the process as a power failure would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().unwrap();
        }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("bridge.log")
    }

    /// The end of what the process has written.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What `puppetgram register --double-puppet` writes for this server.
const PUPPET_REGISTRATION: &str = r#"
id: instagram-double-puppet
url: null
as_token: "token_of_the_puppets"
hs_token: "token_nobody_uses"
sender_localpart: "puppets_sender_nobody_uses"
rate_limited: false
namespaces:
  users:
    - {exclusive: false, regex: "@.*:synapse\\.test"}
  aliases: []
  rooms: []
"#;

fn registration(port: u16) -> String {
    let domain = SERVER_NAME.replace('.', r"\\.");
    format!(
        r##"
id: instagram
url: "http://127.0.0.1:{port}"
as_token: "as_token"
hs_token: "hs_token"
sender_localpart: "instagram_sender_nobody_uses"
rate_limited: false
receive_ephemeral: true
io.element.msc4190: true
namespaces:
  users:
    - {{exclusive: true, regex: "@instagram_.*:{domain}"}}
    - {{exclusive: true, regex: "@instagrambot:{domain}"}}
  aliases:
    - {{exclusive: true, regex: "#instagram_.*:{domain}"}}
  rooms: []
"##
    )
}

fn config(sim: &Sim, homeserver: &str, port: u16, directory: &Path) -> String {
    format!(
        r#"
homeserver:
  address: {homeserver}
  domain: {SERVER_NAME}
appservice:
  address: http://127.0.0.1:{port}
  hostname: 127.0.0.1
  port: {port}
  as_token: as_token
  hs_token: hs_token
database:
  uri: sqlite:{database}
  secret_key: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
permissions:
  "{SERVER_NAME}": user
instagram:
  api_url: {api}
  upload_url: {api}
  realtime_address: {realtime}
  ca_file: {ca}
  media_hosts: ["{media}"]
  min_send_interval: 0s
media:
  ffmpeg: /nowhere/ffmpeg
logging:
  level: debug
"#,
        database = directory.join("puppetgram.db").display(),
        api = sim.api_url(),
        realtime = sim.realtime_address(),
        ca = directory.join("ca.pem").display(),
        media = sim.media_host(),
    )
}
