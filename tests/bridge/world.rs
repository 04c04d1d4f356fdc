//! One simulated Instagram, one homeserver, and the bridge between them as a child process that can be killed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use homeserver_sim::{Appservice, Homeserver, Options, User};
use instagram_sim::{Account, Sim, SimOptions};
use serde_json::Value;
use xtask::servers::free_port;

/// How long anything may take before a test fails. Machines under load are slow; a hang is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(150);

/// Everything a test needs, started together.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) homeserver: Homeserver,
    pub(crate) bridge: BridgeProcess,
    /// The user of most tests, who may use the bridge.
    pub(crate) anna: User,
    /// Anna's Instagram account.
    pub(crate) anna_account: Account,
    /// Somebody Anna talks to.
    pub(crate) bob: Account,
    management_room: String,
}

impl World {
    /// Starts everything and logs Anna in.
    pub(crate) async fn start() -> Self {
        Self::start_with(&Setup::default()).await
    }

    /// As [`World::start`], with differences.
    pub(crate) async fn start_with(setup: &Setup) -> Self {
        let mut world = Self::start_logged_out(setup).await;
        world.log_in_anna().await;
        world
    }

    /// Starts everything; nobody is logged in.
    pub(crate) async fn start_logged_out(setup: &Setup) -> Self {
        let sim = Sim::start(SimOptions { retention: setup.retention, ..SimOptions::default() }).await.unwrap();
        let port = free_port().unwrap();
        let appservice = Appservice {
            url: Some(format!("http://127.0.0.1:{port}")),
            puppet_token: Some("a-token-for-double-puppets".to_owned()),
            ..Appservice::default()
        };
        let options = Options {
            appservice: Some(appservice),
            first_retry: Duration::from_millis(200),
            forget_transactions: setup.forget_transactions,
            upload_limit: setup.upload_limit.unwrap_or(50 << 20),
            kept_media: setup.kept_media,
            ..Options::default()
        };
        let homeserver = Homeserver::start(options).await.unwrap();
        let anna = homeserver.register("anna", "secret").unwrap();
        let anna_account = sim.create_account("anna.alm", "Anna Alm").unwrap();
        let bob = sim.create_account("bob", "Bob Berg").unwrap();
        let bridge = BridgeProcess::prepare(&sim, &homeserver, port, setup);
        let mut world = Self { sim, homeserver, bridge, anna, anna_account, bob, management_room: String::new() };
        world.bridge.start();
        world.bridge.wait_until_ready().await;
        world
    }

    /// Has another Matrix user log in with another account.
    pub(crate) async fn log_in(&self, name: &str, account: &Account) -> User {
        let user = self.homeserver.register(name, "secret").unwrap();
        let room = self.homeserver.create_room(&user.id, &[]).unwrap();
        self.homeserver.invite(&room, &user.id, &self.bot()).unwrap();
        self.wait_for_bot(&room, 0).await;
        self.homeserver.send_text(&room, &user.id, &format!("login {}", account.sessionid)).unwrap();
        assert!(self.wait_for_bot(&room, 1).await.starts_with("Logged in"));
        self.sim.wait_for_subscription(account.pk, DEADLINE).await.unwrap();
        user
    }

    /// Invites the bot and logs in with Anna's session.
    pub(crate) async fn log_in_anna(&mut self) {
        let session = self.anna_account.sessionid.clone();
        let answer = self.command(&format!("login {session}")).await;
        assert!(answer.starts_with("Logged in"), "{answer}");
        self.sim.wait_for_subscription(self.anna_account.pk, DEADLINE).await.unwrap();
    }

    /// Says something to the bot as Anna and returns its answer.
    pub(crate) async fn command(&mut self, text: &str) -> String {
        if self.management_room.is_empty() {
            let room = self.homeserver.create_room(&self.anna.id, &[]).unwrap();
            self.homeserver.invite(&room, &self.anna.id, &self.bot()).unwrap();
            self.wait_for_bot(&room, 0).await;
            self.management_room = room;
        }
        let room = self.management_room.clone();
        let before = self.said_by(&room, &self.bot()).len();
        self.homeserver.send_text(&room, &self.anna.id, text).unwrap();
        self.wait_for_bot(&room, before).await
    }

    /// Repeats a command until its answer says something, since what it is about may be on its way.
    pub(crate) async fn until_answered(&mut self, text: &str, words: &str) -> String {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let answer = self.command(text).await;
            if answer.contains(words) {
                return answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited too long for {words}: {answer}");
        }
    }

    async fn wait_for_bot(&self, room: &str, before: usize) -> String {
        let bot = self.bot();
        self.until("the bot's answer", |world| world.said_by(room, &bot).get(before).cloned()).await
    }

    /// The management room, once there was a command.
    pub(crate) fn management_room(&self) -> &str {
        &self.management_room
    }

    /// The bridge bot's user id.
    pub(crate) fn bot(&self) -> String {
        format!("@instagrambot:{}", self.homeserver.server_name())
    }

    /// A ghost's user id.
    pub(crate) fn ghost(&self, account: &Account) -> String {
        format!("@instagram_{}:{}", account.pk, self.homeserver.server_name())
    }

    /// A direct chat of Anna and somebody else.
    pub(crate) fn chat_with(&self, other: &Account) -> String {
        self.sim.create_thread(&[self.anna_account.pk, other.pk], None).unwrap()
    }

    /// Has Bob write, and waits for the portal that makes; Anna joins it.
    pub(crate) async fn portal_of(&self, thread: &str, other: &Account) -> String {
        self.sim.send_text(other.pk, thread, "first").unwrap();
        let ghost = self.ghost(other);
        let found = |world: &Self| {
            world.homeserver.rooms().into_iter().find(|room| {
                let state = world.homeserver.state(room, "m.bridge", &format!("dev.puppetgram://instagram/{thread}"));
                state.is_some() && world.said_by(room, &ghost).contains(&"first".to_owned())
            })
        };
        let room = self.until("the portal", found).await;
        let invited = |world: &Self| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
        self.until("Anna's invitation", invited).await;
        self.homeserver.join(&room, &self.anna.id).unwrap();
        room
    }

    /// Waits until nothing is left to do of what the bridge has heard.
    pub(crate) async fn until_idle(&self) {
        let address = format!("{}/_puppetgram/metrics", self.bridge.address());
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            // It may just be starting.
            let text = match reqwest::get(&address).await {
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text.lines().any(|line| line == "puppetgram_inbox_pending 0") {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "rows are left: {}", self.bridge.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What a user said in a room, in the order of the room.
    pub(crate) fn said_by(&self, room: &str, user: &str) -> Vec<String> {
        let of_user = |event: &Value| event["type"] == "m.room.message" && event["sender"] == user;
        let body = |event: Value| event["content"]["body"].as_str().unwrap_or_default().to_owned();
        self.homeserver.events(room).into_iter().filter(of_user).map(body).collect()
    }

    /// The first message event with this text.
    pub(crate) fn event(&self, room: &str, body: &str) -> Option<Value> {
        self.homeserver.events(room).into_iter().find(|event| event["content"]["body"] == body)
    }

    /// The texts somebody wrote in a thread, in the order of the thread.
    pub(crate) fn written_by(&self, thread: &str, account: &Account) -> Vec<String> {
        let items = self.sim.thread_items(thread).unwrap().into_iter();
        items.filter(|item| item.sender == account.pk).filter_map(|item| item.text).collect()
    }

    /// Waits for something to become true.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited too long for {what}\n{}", self.bridge.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a user has said as many things as expected, then compares.
    pub(crate) async fn expect_said(&self, room: &str, user: &str, expected: &[String]) {
        self.until("messages in the room", |world| (world.said_by(room, user).len() >= expected.len()).then_some(()))
            .await;
        assert_same(&self.said_by(room, user), expected);
    }

    /// Waits until as many texts are in the thread as expected, then compares.
    pub(crate) async fn expect_written(&self, thread: &str, account: &Account, expected: &[String]) {
        let enough = |world: &Self| (world.written_by(thread, account).len() >= expected.len()).then_some(());
        self.until("texts in the thread", enough).await;
        assert_same(&self.written_by(thread, account), expected);
    }
}

/// Lost, doubled and reordered are different faults: say which.
pub(crate) fn assert_same(actual: &[String], expected: &[String]) {
    if actual == expected {
        return;
    }
    let lost: Vec<_> = expected.iter().filter(|text| !actual.contains(text)).collect();
    let mut doubled: Vec<_> =
        actual.iter().filter(|text| actual.iter().filter(|other| other == text).count() > 1).collect();
    doubled.dedup();
    let first = actual.iter().zip(expected).position(|(a, b)| a != b);
    panic!("lost {lost:?}, doubled {doubled:?}, first difference at {first:?}: {actual:?}");
}

/// How a world differs from the usual one.
pub(crate) struct Setup {
    /// Envelopes the simulator keeps for replay.
    pub(crate) retention: usize,
    /// The homeserver forgets transaction ids at once.
    pub(crate) forget_transactions: bool,
    /// Largest upload that the homeserver takes, in bytes.
    pub(crate) upload_limit: Option<usize>,
    /// The homeserver forgets uploads that are larger than so many bytes: tests of many files need not keep them.
    pub(crate) kept_media: usize,
    /// Further lines for the `instagram:` section.
    pub(crate) instagram: String,
    /// Lines of the `bridge:` section.
    pub(crate) bridge: String,
    /// Further sections.
    pub(crate) sections: String,
    /// Environment of the bridge.
    pub(crate) environment: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            retention: 20_000,
            forget_transactions: false,
            upload_limit: None,
            kept_media: 50 << 20,
            instagram: String::new(),
            bridge: String::new(),
            sections: String::new(),
            environment: Vec::new(),
        }
    }
}

/// The bridge as a process.
pub(crate) struct BridgeProcess {
    directory: tempfile::TempDir,
    port: u16,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl BridgeProcess {
    fn prepare(sim: &Sim, homeserver: &Homeserver, port: u16, setup: &Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        fs::write(&ca, sim.ca_pem()).unwrap();
        let config = config(sim, homeserver, port, &ca, directory.path(), setup);
        fs::write(directory.path().join("config.yaml"), config).unwrap();
        Self { directory, port, environment: setup.environment.clone(), child: None }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Forgets how much memory it has held at most, and gives what it holds now, in KiB.
    pub(crate) fn forget_peak(&self) -> u64 {
        // https://docs.kernel.org/filesystems/proc.html: 5 resets the peak of the resident set to its present size.
        fs::write(format!("/proc/{}/clear_refs", self.child.as_ref().unwrap().id()), "5").unwrap();
        self.memory_kib("VmRSS:")
    }

    /// The most memory that it has held since the peak was forgotten, in KiB: also what was let go before anybody looked.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, which: &str) -> u64 {
        let id = self.child.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Where config, database and log are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("bridge.log")
    }

    /// Changes its configuration, for the next start.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let path = self.directory.path().join("config.yaml");
        let config = fs::read_to_string(&path).unwrap();
        assert!(config.contains(from), "{config}");
        fs::write(path, config.replacen(from, to, 1)).unwrap();
    }

    /// Starts the process, with nothing in its environment but what the setup says.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts the process with additional environment variables.
    pub(crate) fn start_with(&mut self, environment: &[(&str, &str)]) {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_puppetgram"))
            .args(["run", "--config"])
            .arg(self.directory.path().join("config.yaml"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied())
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
        while !self.answers().await {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the bridge ended: {}", self.log_tail());
            assert!(tokio::time::Instant::now() < deadline, "the bridge is not ready: {}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn answers(&self) -> bool {
        tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
    }

    /// Ends the process as a power failure would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().unwrap();
        }
    }

    /// Waits for the process to end by itself; true if it was killed by a signal.
    pub(crate) async fn wait_for_death(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                self.child = None;
                return status.signal().is_some();
            }
            assert!(tokio::time::Instant::now() < deadline, "the bridge lives on: {}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// True while the process runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Everything the process has written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The end of it.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for BridgeProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            std::io::stderr().write_all(self.log_tail().as_bytes()).ok();
        }
    }
}

fn config(sim: &Sim, homeserver: &Homeserver, port: u16, ca: &Path, directory: &Path, setup: &Setup) -> String {
    let Setup { instagram, bridge, sections, .. } = setup;
    // Whether a converter is in the search path must make no difference.
    let converter = if sections.contains("media:") { "" } else { "media:\n  ffmpeg: /nowhere/ffmpeg" };
    let domain = homeserver.server_name();
    format!(
        r#"
homeserver:
  address: {homeserver}
  domain: {domain}
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
  "@anna:{domain}": user
  "@carol:{domain}": user
  "@admin:{domain}": admin
instagram:
  api_url: {api}
  upload_url: {api}
  realtime_address: {realtime}
  ca_file: {ca}
  media_hosts: ["{media}"]
  min_send_interval: 0s
  jitter: 0
{instagram}
bridge:
  command_prefix: "!ig"
{bridge}
{converter}
{sections}
logging:
  level: debug
"#,
        homeserver = homeserver.url(),
        database = directory.join("puppetgram.db").display(),
        api = sim.api_url(),
        realtime = sim.realtime_address(),
        ca = ca.display(),
        media = sim.media_host(),
    )
}
