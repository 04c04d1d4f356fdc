//! One message at a time through a real Synapse, beside the floor: a plain user's send seen in another user's sync.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::time::Instant;
use xtask::matrix::Client;
use xtask::servers::{SERVER_NAME, Synapse, free_port};

use super::Effort;
use super::call::{Server, string};
use super::latency::{PAUSE, WARM_UP, report_latencies};
use super::programs::{Bridge, Programs, Simulator};
use super::report::Report;
use super::world::{Account, DEADLINE, DEADLINE_MS, Settings, new_account, start_instagram};

pub(super) async fn measure(programs: &Programs, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let world = SynapseWorld::start(programs).await?;
    let (mut floor, mut to_matrix, mut to_instagram) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + effort.probes {
        let one = [world.floor(round).await?, world.inward(round).await?, world.outward(round).await?];
        if round >= WARM_UP {
            floor.push(one[0]);
            to_matrix.push(one[1]);
            to_instagram.push(one[2]);
        }
    }
    report_latencies(report, "Synapse", &floor, &to_matrix, &to_instagram);
    Ok(())
}

/// Synapse, a simulated Instagram, the bridge, and two people at Synapse.
struct SynapseWorld {
    anna: Client,
    /// Somebody without Instagram.
    carl: Client,
    /// Where Anna and Carl talk.
    plain_room: String,
    /// The portal of Anna's chat.
    portal: String,
    thread: String,
    /// Anna's account, and the one she talks to.
    account: Account,
    bob: Account,
    ghost: String,
    control: Server,
    _bridge: Bridge,
    _instagram: Simulator,
    _synapse: Synapse,
    _directory: tempfile::TempDir,
}

impl SynapseWorld {
    async fn start(programs: &Programs) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("puppetgram-bench-").tempdir()?;
        let port = free_port()?;
        let instagram = start_instagram(programs, directory.path()).await?;
        let write_config = |homeserver: &str| {
            let settings = Settings { homeserver, domain: SERVER_NAME, instagram: &instagram.ready };
            anyhow::Ok(fs::write(directory.path().join("config.yaml"), settings.config(port, directory.path())?)?)
        };
        // The registration has to be there before Synapse starts and has an address.
        write_config("http://127.0.0.1:1")?;
        let registration = directory.path().join("registration.yaml");
        let mut register = Command::new(&programs.bridge);
        register.arg("register").arg("--config").arg(directory.path().join("config.yaml"));
        let registered = register.arg("--output").arg(&registration).output()?;
        ensure!(registered.status.success(), "no registration: {}", String::from_utf8_lossy(&registered.stderr));
        let synapse = Synapse::start(&[registration]).await?;
        write_config(&synapse.url())?;
        let mut bridge = Bridge::new(&programs.bridge, directory.path(), port);
        bridge.start()?;
        bridge.wait_until_ready().await?;

        let mut clients = Vec::new();
        for name in ["anna", "carl"] {
            synapse.register_user(name, "secret").await?;
            clients.push(Client::login(&synapse.url(), name, "secret").await?);
        }
        let (carl, anna) = clients.pop().zip(clients.pop()).context("two clients")?;
        let plain_room = anna.create_room(&[carl.user_id()]).await?;
        carl.join(&plain_room).await?;

        let control = Server::new(&string(&instagram.ready, "control_url")?)?;
        let account = new_account(&control, "anna.alm", "Anna Alm").await?;
        let bob = new_account(&control, "bob", "Bob Berg").await?;
        let made = control.post("/threads", &json!({"members": [account.pk, bob.pk]})).await?;
        let thread = string(&made, "thread_id")?;
        let ghost = format!("@instagram_{}:{SERVER_NAME}", bob.pk);
        log_in(&anna, &account).await.with_context(|| bridge.log_tail())?;
        control.post(&format!("/threads/{thread}/texts"), &json!({"from": bob.pk, "text": "first"})).await?;
        let known = [plain_room.clone()];
        let invited = anna.wait_for(DEADLINE, |seen| {
            seen.invites().find(|room| !known.iter().any(|known| known == room)).map(str::to_owned)
        });
        let portal = invited.await.with_context(|| bridge.log_tail())?;
        anna.join(&portal).await?;
        let world = Self {
            anna,
            carl,
            plain_room,
            portal,
            thread,
            account,
            bob,
            ghost,
            control,
            _bridge: bridge,
            _instagram: instagram,
            _synapse: synapse,
            _directory: directory,
        };
        Ok(world)
    }

    async fn seen(&self, client: &Client, room: &str, user: &str, text: &str) -> anyhow::Result<Instant> {
        let said = |event: &serde_json::Value| event["sender"] == user && event["content"]["body"] == text;
        client.wait_for(DEADLINE, |seen| seen.events(room).iter().rev().any(said).then_some(())).await?;
        Ok(Instant::now())
    }

    async fn floor(&self, round: usize) -> anyhow::Result<f64> {
        tokio::time::sleep(PAUSE).await;
        let text = format!("floor {round}");
        let started = Instant::now();
        let (_, arrived) = tokio::try_join!(
            self.carl.send(&self.plain_room, &text),
            self.seen(&self.anna, &self.plain_room, self.carl.user_id(), &text)
        )?;
        Ok(milliseconds(arrived - started))
    }

    async fn inward(&self, round: usize) -> anyhow::Result<f64> {
        tokio::time::sleep(PAUSE).await;
        let text = format!("inward {round}");
        let body = json!({"from": self.bob.pk, "text": text});
        let path = format!("/threads/{}/texts", self.thread);
        let started = Instant::now();
        let (_, arrived) =
            tokio::try_join!(self.control.post(&path, &body), self.seen(&self.anna, &self.portal, &self.ghost, &text))?;
        Ok(milliseconds(arrived - started))
    }

    async fn outward(&self, round: usize) -> anyhow::Result<f64> {
        tokio::time::sleep(PAUSE).await;
        let path = format!(
            "/threads/{}/wait?from={}&count={}&timeout_ms={DEADLINE_MS}",
            self.thread,
            self.account.pk,
            round + 1
        );
        let arrival = async {
            self.control.get(&path).await?;
            anyhow::Ok(Instant::now())
        };
        let text = format!("outward {round}");
        let started = Instant::now();
        let (_, arrived) = tokio::try_join!(self.anna.send(&self.portal, &text), arrival)?;
        Ok(milliseconds(arrived - started))
    }
}

async fn log_in(anna: &Client, account: &Account) -> anyhow::Result<()> {
    let bot = format!("@instagrambot:{SERVER_NAME}");
    let room = anna.create_room(&[&bot]).await?;
    anna.wait_for(DEADLINE, |seen| (!seen.said_by(&room, &bot).is_empty()).then_some(())).await?;
    anna.send(&room, &format!("login {}", account.sessionid)).await?;
    let logged_in = |text: &String| text.starts_with("Logged in");
    anna.wait_for(DEADLINE, |seen| seen.said_by(&room, &bot).iter().any(logged_in).then_some(())).await?;
    // The answer comes with the login; its subscription a moment later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
