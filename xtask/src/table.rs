//! One list of everything that people say and do, in both directions, with what it becomes on the other side: the
//! events in the room, field by field, and the requests that Instagram gets.
//!
//! `tests/table.json` holds what is expected. The tests compare every line with it, and `cargo xtask demo --script --all`
//! prints the list.

mod in_app;
mod in_client;
mod record;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use instagram_sim::kinds::Kind;
use instagram_sim::{Account, Sim};
use serde_json::Value;
use tokio::time::Instant;

use crate::matrix::Client;

pub use record::{Names, event};

/// How long one line may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// What happened to one line.
#[derive(Debug)]
pub struct Line {
    /// What was done, and where.
    pub name: String,
    /// Where it had to arrive: `matrix` or `instagram`.
    pub towards: &'static str,
    /// How long until the next message was there too.
    pub latency: Duration,
    /// What it became: `matrix`, a list of events, and `instagram`, a list of requests.
    pub record: Value,
}

impl Line {
    /// What it became, in a few words.
    pub fn becomes(&self) -> String {
        let side = |side: &str| -> Vec<String> {
            self.record[side].as_array().into_iter().flatten().filter_map(in_a_word).map(str::to_owned).collect()
        };
        let mut all = side(self.towards);
        if all.is_empty() {
            // The answer to what cannot be.
            all = side("matrix");
        }
        if all.is_empty() { "nothing".to_owned() } else { all.join(" + ") }
    }
}

/// What an event or a request of a record is called.
fn in_a_word(one: &Value) -> Option<&str> {
    if let Some(request) = one["request"].as_str() {
        let command = one["fields"]["item_type"].as_str().or(one["fields"]["action"].as_str());
        let last = request.rsplit(['/', ' ']).find(|part| !part.is_empty() && *part != "…");
        return command.filter(|_| request.starts_with("PUBLISH")).or(last);
    }
    let content = &one["content"];
    let is_edit = content["m.relates_to"]["rel_type"] == "m.replace";
    if is_edit { Some("m.replace") } else { content["msgtype"].as_str().or(one["type"].as_str()) }
}

/// What every line has to become.
///
/// # Errors
/// When the file is no JSON.
pub fn expected() -> anyhow::Result<BTreeMap<String, Value>> {
    Ok(serde_json::from_str(include_str!("../../tests/table.json"))?)
}

/// A chat on both sides.
pub(crate) struct Place {
    pub(crate) thread: String,
    pub(crate) room: String,
    /// What Bob said first: event and item.
    pub(crate) theirs: (String, String),
    /// What Anna said then.
    pub(crate) own: (String, String),
}

/// Everybody and everything that a line needs.
pub(crate) struct Ground<'a> {
    pub(crate) sim: &'a Sim,
    pub(crate) anna: &'a Client,
    pub(crate) account: &'a Account,
    pub(crate) bob: Account,
    pub(crate) dora: Account,
    pub(crate) direct: Place,
    pub(crate) group: Place,
    pub(crate) domain: String,
    names: Names,
}

type Doing<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// One thing to do. The name says where: `group: …` is done in the group, everything else in the direct chat.
pub(crate) struct Deed {
    name: &'static str,
    act: Act,
    /// What has to be seen besides the next message; for what does not keep the order of messages.
    until: Option<fn(&Ground<'_>, &Place) -> bool>,
}

enum Act {
    InApp(fn(&Ground<'_>, &Place) -> anyhow::Result<()>),
    InClient(for<'a> fn(&'a Ground<'_>, &'a Place) -> Doing<'a>),
}

impl Deed {
    fn in_app(name: &'static str, act: fn(&Ground<'_>, &Place) -> anyhow::Result<()>) -> Self {
        Self { name, act: Act::InApp(act), until: None }
    }

    fn in_client(name: &'static str, act: for<'a> fn(&'a Ground<'_>, &'a Place) -> Doing<'a>) -> Self {
        Self { name, act: Act::InClient(act), until: None }
    }

    fn until(self, until: fn(&Ground<'_>, &Place) -> bool) -> Self {
        Self { until: Some(until), ..self }
    }
}

/// Does everything on the list. `account` is logged in at the bridge by Anna; `bot` is the bridge's bot.
///
/// # Errors
/// When something never arrives: the error names it.
pub async fn play(sim: &Sim, anna: &Client, account: &Account, bot: &str) -> anyhow::Result<Vec<Line>> {
    let ground = Ground::set(sim, anna, account, bot).await?;
    let mut lines = Vec::new();
    for kind in instagram_sim::kinds::all() {
        lines.push(ground.item(kind).await.with_context(|| kind.name)?);
    }
    for deed in in_app::deeds().into_iter().chain(in_client::deeds()) {
        lines.push(ground.deed(&deed).await.with_context(|| deed.name)?);
    }
    Ok(lines)
}

impl<'a> Ground<'a> {
    async fn set(sim: &'a Sim, anna: &'a Client, account: &'a Account, bot: &str) -> anyhow::Result<Self> {
        let domain = anna.user_id().split_once(':').map_or("", |(_, domain)| domain).to_owned();
        let bob = sim.create_account("bob.everything", "Bob")?;
        let carol = sim.create_account("carol.everything", "Carol")?;
        let dora = sim.create_account("dora.everything", "Dora")?;
        let direct = place(sim, anna, account, &[&bob], None).await?;
        let group = place(sim, anna, account, &[&bob, &carol], Some("Friends")).await?;
        let mut names = Names::default();
        names.add(bot, "BOT");
        names.add(anna.user_id(), "ANNA");
        for (person, name) in [(account, "ANNA"), (&bob, "BOB"), (&carol, "CAROL"), (&dora, "DORA")] {
            names.add(&format!("@instagram_{}:{domain}", person.pk), &format!("GHOST OF {name}"));
            names.add(&person.pk.to_string(), &format!("PK OF {name}"));
        }
        for (place, name) in [(&direct, "DIRECT"), (&group, "GROUP")] {
            names.add(&place.thread, &format!("{name} THREAD"));
            names.add(&place.room, &format!("{name} ROOM"));
        }
        names.add(&format!(":{domain}"), ":SERVER");
        names.add(sim.api_url().as_str().trim_end_matches('/'), "https://instagram");
        Ok(Self { sim, anna, account, bob, dora, direct, group, domain, names })
    }

    /// Bob sends an item of a kind.
    async fn item(&self, kind: Kind) -> anyhow::Result<Line> {
        let place = &self.direct;
        let mark = self.mark(place);
        let started = Instant::now();
        self.sim.send_item(self.bob.pk, &place.thread, kind.item(self.sim))?;
        self.fence_from_app(place).await?;
        let (name, latency) = (format!("item: {}", kind.name), started.elapsed());
        Ok(Line { name, towards: "matrix", latency, record: self.record(place, mark, false) })
    }

    async fn deed(&self, deed: &Deed) -> anyhow::Result<Line> {
        let place = if deed.name.starts_with("group: ") { &self.group } else { &self.direct };
        let mark = self.mark(place);
        let started = Instant::now();
        let (name, towards) = match &deed.act {
            Act::InApp(act) => {
                act(self, place)?;
                self.fence_from_app(place).await?;
                (format!("in the app: {}", deed.name), "matrix")
            }
            Act::InClient(act) => {
                act(self, place).await?;
                self.fence_from_client(place).await?;
                (format!("in the client: {}", deed.name), "instagram")
            }
        };
        if let Some(until) = deed.until {
            let seen = self.anna.wait_for(DEADLINE, |_| None::<()>);
            let looked = async {
                while !until(self, place) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                () = looked => {}
                _ = seen => anyhow::bail!("it never came"),
            }
        }
        let latency = started.elapsed();
        // What came too late or too often is in the record as well.
        self.fence_from_app(place).await?;
        // Receipts and typing keep no order: they count where they were waited for.
        let with_ephemeral = towards == "matrix" && deed.until.is_some();
        Ok(Line { name, towards, latency, record: self.record(place, mark, with_ephemeral) })
    }

    /// What comes after in the room is after everything that came before in the app.
    async fn fence_from_app(&self, place: &Place) -> anyhow::Result<()> {
        let text = format!("⟨app {}⟩", self.sim.item_count(&place.thread)?);
        self.sim.send_text(self.bob.pk, &place.thread, &text)?;
        let came = self.anna.wait_for(DEADLINE, |seen| {
            seen.events(&place.room).iter().any(|event| event["content"]["body"] == text.as_str()).then_some(())
        });
        came.await.context("the message after it never came to the room")
    }

    /// What comes after in the app is after everything that came before in the room.
    async fn fence_from_client(&self, place: &Place) -> anyhow::Result<()> {
        let text = format!("⟨client {}⟩", self.anna.seen().events(&place.room).len());
        self.anna.send(&place.room, &text).await?;
        let came = self.sim.wait_for("the message after it", DEADLINE, |sim| {
            let items = sim.thread_items(&place.thread).ok()?;
            items.iter().any(|item| item.text.as_deref() == Some(text.as_str())).then_some(())
        });
        Ok(came.await?)
    }

    fn mark(&self, place: &Place) -> Mark {
        let seen = self.anna.seen();
        Mark {
            events: seen.events(&place.room).len(),
            ephemeral: seen.ephemeral(&place.room).len(),
            requests: self.sim.recorded_requests().len(),
        }
    }

    fn record(&self, place: &Place, mark: Mark, with_ephemeral: bool) -> Value {
        let seen = self.anna.seen();
        let ephemeral = seen.ephemeral(&place.room)[mark.ephemeral..].iter().filter(|_| with_ephemeral);
        // Nobody types any more: that may come at any time.
        let ephemeral = ephemeral.filter(|event| event["content"]["user_ids"] != serde_json::json!([]));
        let events = seen.events(&place.room)[mark.events..].iter().chain(ephemeral);
        let requests = self.sim.recorded_requests();
        record::of(&self.names, self.anna.user_id(), events, requests[mark.requests..].iter())
    }
}

/// Where the lists ended before something was done.
#[derive(Clone, Copy)]
struct Mark {
    events: usize,
    ephemeral: usize,
    requests: usize,
}

/// A chat in which Bob and Anna have said something.
async fn place(
    sim: &Sim,
    anna: &Client,
    account: &Account,
    others: &[&Account],
    title: Option<&str>,
) -> anyhow::Result<Place> {
    let members: Vec<u64> = [account.pk].into_iter().chain(others.iter().map(|other| other.pk)).collect();
    let thread = sim.create_thread(&members, title)?;
    let first = format!("Here begins {}", title.unwrap_or("a chat"));
    sim.send_text(others[0].pk, &thread, &first)?;
    let event_of = |text: &str, room: &str| {
        let seen = anna.seen();
        let found = seen.events(room).iter().find(|event| event["content"]["body"] == text)?;
        Some(found["event_id"].as_str()?.to_owned())
    };
    let deadline = Instant::now() + DEADLINE;
    let (room, theirs) = loop {
        ensure!(Instant::now() < deadline, "no room for the chat");
        let invites: Vec<String> = anna.seen().invites().map(ToOwned::to_owned).collect();
        for room in invites {
            anna.join(&room).await?;
        }
        let rooms: Vec<String> = anna.seen().rooms().map(ToOwned::to_owned).collect();
        if let Some(found) = rooms.iter().find_map(|room| Some((room.clone(), event_of(&first, room)?))) {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let own = anna.send(&room, "Anna is here").await?;
    let items = sim.wait_for_items(&thread, 2, DEADLINE).await?;
    Ok(Place { thread, room, theirs: (theirs, items[0].item_id.clone()), own: (own, items[1].item_id.clone()) })
}
