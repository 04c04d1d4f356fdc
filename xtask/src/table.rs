//! One list of everything that people say and do, in both directions, with what it becomes on the other side: the
//! events in the room, field by field, and the requests that Instagram gets.
//!
//! `tests/table.json` holds what is expected. The tests compare every line with it, and `cargo xtask demo --script --all`
//! prints the list.

mod around;
mod in_app;
mod in_client;
mod record;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use instagram_sim::kinds::Kind;
use instagram_sim::{Account, AccountOptions, Sim};
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
    /// Somebody without an account at Instagram.
    pub(crate) guest: &'a Client,
    pub(crate) account: &'a Account,
    pub(crate) bob: Account,
    pub(crate) carol: Account,
    pub(crate) dora: Account,
    pub(crate) bot: String,
    pub(crate) domain: String,
    direct: Place,
    group: Place,
    /// Anna's room with the bot.
    management: Place,
    /// A room of Anna that has nothing to do with the bridge.
    elsewhere: Place,
    /// A group that Anna does not stay in.
    former: Place,
    /// Three chats that strangers have begun.
    requests: [Place; 3],
    names: Names,
}

type Doing<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// One thing to do. The name says where, see [`Ground::place_of`].
pub(crate) struct Deed {
    name: &'static str,
    act: Act,
    /// What has to be seen besides the next message; for what does not keep the order of messages.
    until: Option<Until>,
}

type Until = Box<dyn Fn(&Ground<'_>, &Place) -> bool + Send + Sync>;

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

    fn until(self, until: impl Fn(&Ground<'_>, &Place) -> bool + Send + Sync + 'static) -> Self {
        Self { until: Some(Box::new(until)), ..self }
    }
}

/// Does everything on the list. `account` is logged in at the bridge by Anna, the guest has no login; `bot` is the
/// bridge's bot.
///
/// # Errors
/// When something never arrives: the error names it.
pub async fn play(
    sim: &Sim,
    (anna, guest): (&Client, &Client),
    account: &Account,
    bot: &str,
) -> anyhow::Result<Vec<Line>> {
    let ground = Ground::set(sim, (anna, guest), account, bot).await?;
    let mut lines = Vec::new();
    for kind in instagram_sim::kinds::all() {
        lines.push(ground.item(kind).await.with_context(|| kind.name)?);
    }
    for deed in in_app::deeds().into_iter().chain(in_client::deeds()).chain(around::deeds()) {
        lines.push(ground.deed(&deed).await.with_context(|| deed.name)?);
    }
    Ok(lines)
}

impl<'a> Ground<'a> {
    async fn set(
        sim: &'a Sim,
        (anna, guest): (&'a Client, &'a Client),
        account: &'a Account,
        bot: &str,
    ) -> anyhow::Result<Self> {
        let domain = anna.user_id().split_once(':').map_or("", |(_, domain)| domain).to_owned();
        let bob = sim.create_account("bob.everything", "Bob")?;
        let carol = sim.create_account("carol.everything", "Carol")?;
        let dora = sim.create_account("dora.everything", "Dora")?;
        let direct = place(sim, anna, account, &[&bob], None).await?;
        let group = place(sim, anna, account, &[&bob, &carol], Some("Friends")).await?;
        let former = place(sim, anna, account, &[&bob, &carol], Some("Colleagues")).await?;
        let management = room_only(anna.create_room(&[bot]).await?);
        let welcomed = |seen: &crate::matrix::Seen| (!seen.said_by(&management.room, bot).is_empty()).then_some(());
        anna.wait_for(DEADLINE, welcomed).await.context("the bot did not come to its room")?;
        let elsewhere = room_only(anna.create_room(&[]).await?);
        sim.set_options(account.pk, AccountOptions { requests_are_pending: true, ..AccountOptions::default() })?;
        let eve = sim.create_account("eve.everything", "Eve")?;
        let frank = sim.create_account("frank.everything", "Frank")?;
        let gina = sim.create_account("gina.everything", "Gina")?;
        let requests = [
            begin(sim, anna, &[&eve, account], None, "May I ask something?").await?,
            begin(sim, anna, &[&frank, account], None, "Buy my lamps!").await?,
            begin(sim, anna, &[&gina, account], None, "Do you remember me?").await?,
        ];
        sim.set_options(account.pk, AccountOptions::default())?;
        let mut names = Names::default();
        names.add(bot, "BOT");
        names.add(anna.user_id(), "ANNA");
        names.add(guest.user_id(), "GUEST");
        for (person, name) in [
            (account, "ANNA"),
            (&bob, "BOB"),
            (&carol, "CAROL"),
            (&dora, "DORA"),
            (&eve, "EVE"),
            (&frank, "FRANK"),
            (&gina, "GINA"),
        ] {
            names.add(&format!("@instagram_{}:{domain}", person.pk), &format!("GHOST OF {name}"));
            names.add(&person.pk.to_string(), &format!("PK OF {name}"));
        }
        let [request, another, third] = &requests;
        for (place, name) in [
            (&direct, "DIRECT"),
            (&group, "GROUP"),
            (&former, "FORMER GROUP"),
            (request, "REQUEST"),
            (another, "ANOTHER REQUEST"),
            (third, "THIRD REQUEST"),
        ] {
            names.add(&place.thread, &format!("{name} THREAD"));
            names.add(&place.room, &format!("{name} ROOM"));
        }
        names.add(&format!(":{domain}"), ":SERVER");
        names.add(sim.api_url().as_str().trim_end_matches('/'), "https://instagram");
        let bot = bot.to_owned();
        Ok(Self {
            sim,
            anna,
            guest,
            account,
            bob,
            carol,
            dora,
            bot,
            domain,
            direct,
            group,
            former,
            management,
            elsewhere,
            requests,
            names,
        })
    }

    /// Where something is done, and whether messages before and after it tell when it is done: they do in chats that
    /// are open.
    fn place_of(&self, name: &str) -> (&Place, bool) {
        let [request, another, third] = &self.requests;
        match name.split_once(": ").map(|(place, _)| place) {
            Some("group") => (&self.group, true),
            Some("last in the group") => (&self.group, false),
            Some("former group") => (&self.former, false),
            Some("to the bot") => (&self.management, false),
            Some("elsewhere") => (&self.elsewhere, false),
            Some("request") => (request, false),
            Some("another request") => (another, false),
            Some("third request") => (third, false),
            _ => (&self.direct, true),
        }
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
        let (place, is_open) = self.place_of(deed.name);
        let mark = self.mark(place);
        let started = Instant::now();
        let (name, towards) = match &deed.act {
            Act::InApp(act) => {
                act(self, place)?;
                if is_open {
                    self.fence_from_app(place).await?;
                }
                (format!("in the app: {}", deed.name), "matrix")
            }
            Act::InClient(act) => {
                act(self, place).await?;
                if is_open {
                    self.fence_from_client(place).await?;
                }
                (format!("in the client: {}", deed.name), "instagram")
            }
        };
        if let Some(until) = &deed.until {
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
        if is_open {
            self.fence_from_app(place).await?;
        }
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
        record::of(&self.names, &[self.anna.user_id(), self.guest.user_id()], events, requests[mark.requests..].iter())
    }
}

/// Where the lists ended before something was done.
#[derive(Clone, Copy)]
struct Mark {
    events: usize,
    ephemeral: usize,
    requests: usize,
}

/// A room that shows no chat.
fn room_only(room: String) -> Place {
    Place { thread: String::new(), room, theirs: Default::default(), own: Default::default() }
}

/// A chat in which Bob and Anna have said something.
async fn place(
    sim: &Sim,
    anna: &Client,
    account: &Account,
    others: &[&Account],
    title: Option<&str>,
) -> anyhow::Result<Place> {
    let members: Vec<&Account> = [account].into_iter().chain(others.iter().copied()).collect();
    let first = format!("Here begins {}", title.unwrap_or("a chat"));
    let begun = begin(sim, anna, &members, title, &first).await?;
    let own = anna.send(&begun.room, "Anna is here").await?;
    let items = sim.wait_for_items(&begun.thread, 2, DEADLINE).await?;
    Ok(Place { own: (own, items[1].item_id.clone()), ..begun })
}

/// A chat in which somebody has said something to Anna, who is in its room.
async fn begin(
    sim: &Sim,
    anna: &Client,
    members: &[&Account],
    title: Option<&str>,
    first: &str,
) -> anyhow::Result<Place> {
    let pks: Vec<u64> = members.iter().map(|member| member.pk).collect();
    let thread = sim.create_thread(&pks, title)?;
    let other = if first.starts_with("Here begins") { pks[1] } else { pks[0] };
    let item = sim.send_text(other, &thread, first)?;
    let event_of = |room: &str| {
        let seen = anna.seen();
        let found = seen.events(room).iter().find(|event| event["content"]["body"] == first)?;
        Some(found["event_id"].as_str()?.to_owned())
    };
    let deadline = Instant::now() + DEADLINE;
    loop {
        ensure!(Instant::now() < deadline, "no room for the chat");
        let invites: Vec<String> = anna.seen().invites().map(ToOwned::to_owned).collect();
        for room in invites {
            anna.join(&room).await?;
        }
        let rooms: Vec<String> = anna.seen().rooms().map(ToOwned::to_owned).collect();
        if let Some((room, event)) = rooms.iter().find_map(|room| Some((room.clone(), event_of(room)?))) {
            return Ok(Place { thread, room, theirs: (event, item), own: Default::default() });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
