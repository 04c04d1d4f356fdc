//! A simulated Instagram, a small homeserver and the bridge between them, each a process; one user is logged in.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;
use xtask::servers::free_port;

use super::call::{Server, encode, string};
use super::programs::{Bridge, Programs, Simulator};

/// How long anything may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(180);

/// The same, as the control APIs want it.
pub(super) const DEADLINE_MS: u64 = 180_000;

/// An account of the simulated Instagram.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) pk: u64,
    pub(super) sessionid: String,
}

/// Everything a measurement needs. The processes end with it.
pub(super) struct World {
    pub(super) bridge: Bridge,
    /// The control API of the simulated Instagram.
    pub(super) instagram: Server,
    pub(super) homeserver: Server,
    pub(super) bridge_api: Server,
    /// The Matrix user, and her token.
    pub(super) anna: String,
    token: String,
    /// Her account.
    pub(super) account: Account,
    management_room: String,
    transactions: u64,
    _simulators: [Simulator; 2],
    _directory: TempDir,
}

impl World {
    /// Starts everything and logs Anna in.
    pub(super) async fn start(programs: &Programs) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("puppetgram-bench-").tempdir()?;
        let port = free_port()?;
        let homeserver_arguments =
            ["--as-token", "as_token", "--appservice-url", &format!("http://127.0.0.1:{port}")].map(str::to_owned);
        let homeserver = Simulator::start(&programs.homeserver, &homeserver_arguments).await?;
        let instagram = start_instagram(programs, directory.path()).await?;
        let address = string(&homeserver.ready, "address")?;
        let domain = string(&homeserver.ready, "server_name")?;
        let settings = Settings { homeserver: &address, domain: &domain, instagram: &instagram.ready };
        fs::write(directory.path().join("config.yaml"), settings.config(port, directory.path())?)?;
        let mut bridge = Bridge::new(&programs.bridge, directory.path(), port);
        let (matrix, control) = (Server::new(&address)?, Server::new(&string(&instagram.ready, "control_url")?)?);
        let anna = matrix.post("/_sim/user", &json!({"name": "anna", "password": "secret"})).await?;
        let account = new_account(&control, "anna.alm", "Anna Alm").await?;
        bridge.start()?;
        bridge.wait_until_ready().await?;
        let mut world = Self {
            bridge_api: Server::new(&bridge.address())?,
            bridge,
            instagram: control,
            homeserver: matrix,
            anna: string(&anna, "user_id")?,
            token: string(&anna, "access_token")?,
            account,
            management_room: String::new(),
            transactions: 0,
            _simulators: [homeserver, instagram],
            _directory: directory,
        };
        let trouble = |world: &Self| format!("nobody could be logged in\n{}", world.bridge.log_tail());
        let logged_in = world.log_in_first(&domain).await;
        logged_in.with_context(|| trouble(&world))?;
        Ok(world)
    }

    async fn log_in_first(&mut self, domain: &str) -> anyhow::Result<()> {
        let body = json!({"invite": [format!("@instagrambot:{domain}")], "is_direct": true});
        let made = self.as_anna(Method::POST, "/createRoom", &body).await?;
        self.management_room = string(&made, "room_id")?;
        self.wait_said(&self.management_room, 1).await?;
        let account = self.account.clone();
        self.log_in(&account).await?;
        self.wait_for_subscription(account.pk).await
    }

    /// Sends the `login` command for an account; the answer comes later.
    pub(super) async fn log_in(&mut self, account: &Account) -> anyhow::Result<()> {
        self.transactions += 1;
        let (room, txn) = (encode(&self.management_room), self.transactions);
        let body = json!({"msgtype": "m.text", "body": format!("login {}", account.sessionid)});
        self.as_anna(Method::PUT, &format!("/rooms/{room}/send/m.room.message/bench{txn}"), &body).await.map(drop)
    }

    /// A call of the client-server API.
    pub(super) async fn as_anna(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let path = format!("/_matrix/client/v3{path}");
        self.homeserver.call(method, &path, Some(&self.token), Some(body)).await
    }

    /// Waits until others than Anna have said so many things in a room.
    pub(super) async fn wait_said(&self, room: &str, count: usize) -> anyhow::Result<()> {
        let (room, anna) = (encode(room), encode(&self.anna));
        let path = format!("/_sim/wait?room={room}&not_sender={anna}&count={count}&timeout={DEADLINE_MS}");
        self.homeserver.get(&path).await.map(drop)
    }

    /// Waits until the bridge listens to an account's messages.
    pub(super) async fn wait_for_subscription(&self, pk: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while !self.is_subscribed(pk).await? {
            if Instant::now() > deadline {
                bail!("account {pk} is not connected");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    pub(super) async fn is_subscribed(&self, pk: u64) -> anyhow::Result<bool> {
        let answer = self.instagram.get(&format!("/accounts/{pk}/connections")).await?;
        Ok(answer["connections"].as_array().into_iter().flatten().any(|one| one["subscribed"] == true))
    }

    /// The connections of all accounts.
    pub(super) async fn connections(&self) -> anyhow::Result<u64> {
        let overview = self.instagram.get("/").await?;
        overview["stats"]["connections"].as_u64().context("no count of connections")
    }

    /// Another account.
    pub(super) async fn new_account(&self, username: &str) -> anyhow::Result<Account> {
        new_account(&self.instagram, username, username).await
    }

    /// Ends the bridge and waits until Instagram has noticed.
    pub(super) async fn stop_bridge(&mut self) -> anyhow::Result<()> {
        self.bridge.stop().await?;
        while self.connections().await? > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// Makes an account over the control API.
pub(super) async fn new_account(control: &Server, username: &str, full_name: &str) -> anyhow::Result<Account> {
    let made = control.post("/accounts", &json!({"username": username, "full_name": full_name})).await?;
    let pk = made["pk"].as_u64().context("an account without a number")?;
    Ok(Account { pk, sessionid: string(&made, "sessionid")? })
}

/// Starts a simulated Instagram that leaves its certificate in the directory.
pub(super) async fn start_instagram(programs: &Programs, directory: &Path) -> anyhow::Result<Simulator> {
    let arguments = ["--ca-dir".to_owned(), directory.display().to_string()];
    Simulator::start(&programs.instagram, &arguments).await
}

/// What a configuration of the bridge depends on.
pub(super) struct Settings<'a> {
    pub(super) homeserver: &'a str,
    pub(super) domain: &'a str,
    /// What the simulator said at its start.
    pub(super) instagram: &'a Value,
}

impl Settings<'_> {
    /// The defaults, but for the pacing that spares the real Instagram: it would be all that is measured.
    pub(super) fn config(&self, port: u16, directory: &Path) -> anyhow::Result<String> {
        let Self { homeserver, domain, instagram } = self;
        Ok(format!(
            r#"
homeserver: {{address: "{homeserver}", domain: "{domain}"}}
appservice: {{address: "http://127.0.0.1:{port}", hostname: 127.0.0.1, port: {port}, as_token: as_token, hs_token: hs_token}}
database:
  uri: "sqlite:{database}"
  secret_key: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
permissions: {{"{domain}": user}}
instagram:
  api_url: "{api}"
  upload_url: "{api}"
  realtime_address: "{realtime}"
  ca_file: "{ca}"
  media_hosts: ["{media}"]
  min_send_interval: 0ms
  jitter: 0.0
"#,
            database = directory.join("puppetgram.db").display(),
            api = string(instagram, "api_url")?,
            realtime = string(instagram, "realtime_address")?,
            ca = directory.join("ca.pem").display(),
            media = string(instagram, "media_host")?,
        ))
    }
}
