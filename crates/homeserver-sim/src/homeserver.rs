//! The handle that tests and the program hold: start, misbehave, look, end.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context, bail};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    api, clock,
    event::{Draft, Event},
    fault::Fault,
    ids,
    options::Options,
    push,
    sim::{Listening, Sim},
    world::{CreateRoom, content},
};

/// A running homeserver; dropping it ends it.
pub struct Homeserver {
    sim: Arc<Sim>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

/// An account, with the token that a Matrix client needs to act for it.
#[derive(Clone, Debug)]
pub struct User {
    /// As `@alice:sim.test`.
    pub id: String,
    /// Access token.
    pub token: String,
}

impl Homeserver {
    /// Starts a homeserver on the current runtime; it answers when this returns.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let _installed_already = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(options.listen).await.context("the homeserver cannot listen")?;
        let address = listener.local_addr()?;
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).http1_only().build()?;
        let sim = Arc::new(Sim::new(options));
        let mut tasks = vec![clock::spawn(serve(sim.clone(), listener, address, http.clone()))];
        if sim.options.appservice.is_some() {
            tasks.push(clock::spawn(push::run(sim.clone(), http)));
        }
        Ok(Self { sim, address, tasks })
    }

    /// Base address of the client-server API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The server name in ids.
    pub fn server_name(&self) -> &str {
        &self.sim.options.server_name
    }

    /// Says where the application service listens.
    pub fn set_appservice_url(&self, url: Option<&str>) {
        *self.sim.appservice_url.lock().unwrap_or_else(PoisonError::into_inner) = url.map(str::to_owned);
        self.sim.retry_now.notify_one();
    }

    /// Answers 503 to every request until [`Homeserver::resume`].
    pub fn pause(&self) {
        self.sim.paused.store(true, Ordering::Relaxed);
    }

    /// Ends [`Homeserver::pause`].
    pub fn resume(&self) {
        self.sim.paused.store(false, Ordering::Relaxed);
    }

    /// Closes port and connections until [`Homeserver::open`].
    pub fn close(&self) {
        self.sim.listening.send_replace(Listening::Closed);
    }

    /// Ends [`Homeserver::close`]: listens on the same port again.
    pub fn open(&self) {
        self.sim.listening.send_replace(Listening::Open);
    }

    /// Lets the next `count` requests whose path contains the text go wrong.
    pub fn inject(&self, path_contains: &str, count: u32, fault: Fault) {
        self.sim.faults.add(path_contains, count, fault);
    }

    /// Forgets every transaction id, as Synapse does after an hour or a restart.
    pub fn forget_transactions(&self) {
        self.sim.world().transactions.clear();
    }

    /// Lets a transaction that waits for its next attempt go out now.
    pub fn retry_transactions(&self) {
        self.sim.retry_now.notify_one();
    }

    /// Makes an ordinary account.
    pub fn register(&self, localpart: &str, password: &str) -> anyhow::Result<User> {
        self.sim.change(|world| {
            let id =
                world.register(localpart, Some(password.to_owned())).map_err(|error| anyhow::anyhow!(error.error))?;
            let (token, _) = world.make_token(&id);
            Ok(User { id: id.to_string(), token })
        })
    }

    /// Makes a room in which the users are joined at once.
    pub fn create_room(&self, creator: &str, members: &[&str]) -> anyhow::Result<String> {
        let now = clock::now_ms();
        self.sim.change(|world| {
            let request = CreateRoom {
                invite: members.iter().map(|&member| member.to_owned()).collect(),
                ..CreateRoom::default()
            };
            let room =
                world.create_room(&creator.into(), &request, now).map_err(|error| anyhow::anyhow!(error.error))?;
            for &member in members {
                world.join(&room, &member.into(), now).map_err(|error| anyhow::anyhow!(error.error))?;
            }
            Ok(room.to_string())
        })
    }

    /// Invites a user in the name of another.
    pub fn invite(&self, room: &str, sender: &str, user: &str) -> anyhow::Result<()> {
        let now = clock::now_ms();
        let invited = self.sim.change(|world| world.invite(room, &sender.into(), user, false, now));
        invited.map_err(|error| anyhow::anyhow!(error.error))
    }

    /// Joins a user.
    pub fn join(&self, room: &str, user: &str) -> anyhow::Result<()> {
        let now = clock::now_ms();
        let joined = self.sim.change(|world| world.join(room, &user.into(), now));
        joined.map(drop).map_err(|error| anyhow::anyhow!(error.error))
    }

    /// Lets a joined user send an event; gives its id.
    pub fn send(&self, room: &str, sender: &str, event_type: &str, event: &Value) -> anyhow::Result<String> {
        let draft = Draft {
            sender: sender.into(),
            kind: event_type.into(),
            state_key: None,
            content: content(event),
            at: clock::now_ms(),
        };
        let sent = self.sim.change(|world| world.send(room, draft, None));
        sent.map(|id| id.to_string()).map_err(|error| anyhow::anyhow!(error.error))
    }

    /// Lets a joined user set a state event; gives its id.
    pub fn set_state(
        &self,
        room: &str,
        sender: &str,
        event_type: &str,
        key: &str,
        event: &Value,
    ) -> anyhow::Result<String> {
        let draft = Draft {
            sender: sender.into(),
            kind: event_type.into(),
            state_key: Some(key.into()),
            content: content(event),
            at: clock::now_ms(),
        };
        let sent = self.sim.change(|world| world.send(room, draft, None));
        sent.map(|id| id.to_string()).map_err(|error| anyhow::anyhow!(error.error))
    }

    /// Lets a joined user send a text; gives the event's id.
    pub fn send_text(&self, room: &str, sender: &str, body: &str) -> anyhow::Result<String> {
        self.send(room, sender, "m.room.message", &json!({ "msgtype": "m.text", "body": body }))
    }

    /// Puts a file into the media store; gives its address.
    pub fn add_media(&self, bytes: impl Into<axum::body::Bytes>, content_type: &str) -> String {
        let id = ids::random("", 24);
        let uri = format!("mxc://{}/{id}", self.server_name());
        let medium = crate::world::Medium { bytes: Some(bytes.into()), content_type: content_type.to_owned() };
        self.sim.world().media.insert(id, medium);
        uri
    }

    /// A file of the media store and its type.
    pub fn media(&self, uri: &str) -> Option<(axum::body::Bytes, String)> {
        let id = uri.rsplit('/').next()?;
        let medium = self.sim.world().media.get(id).cloned()?;
        Some((medium.bytes?, medium.content_type))
    }

    /// Lets a joined user redact an event; gives the redaction's id.
    pub fn redact(&self, room: &str, sender: &str, event: &str) -> anyhow::Result<String> {
        let draft = Draft {
            sender: sender.into(),
            kind: "m.room.redaction".into(),
            state_key: None,
            content: content(&json!({ "redacts": event })),
            at: clock::now_ms(),
        };
        let sent = self.sim.change(|world| world.redact(room, event, draft, None));
        sent.map(|id| id.to_string()).map_err(|error| anyhow::anyhow!(error.error))
    }

    /// Lets a joined user read up to an event.
    pub fn mark_read(&self, room: &str, user: &str, event: &str) -> anyhow::Result<()> {
        let read = self.sim.change(|world| world.set_receipt(room, &user.into(), event, clock::now_ms()));
        read.map_err(|error| anyhow::anyhow!(error.error))
    }

    /// Lets a joined user type, or stop.
    pub fn set_typing(&self, room: &str, user: &str, typing: bool) -> anyhow::Result<()> {
        let until = typing.then(|| clock::now_ms() + 30_000);
        self.sim
            .change(|world| world.set_typing(room, &user.into(), until))
            .map_err(|error| anyhow::anyhow!(error.error))
    }

    /// What a user has stored about a room.
    pub fn room_data(&self, room: &str, user: &str, kind: &str) -> Option<Value> {
        self.sim.world().accounts.get(user)?.data.get(&format!("{room}/{kind}")).cloned()
    }

    /// What a user has stored about themselves.
    pub fn data(&self, user: &str, kind: &str) -> Option<Value> {
        self.sim.world().accounts.get(user)?.data.get(kind).cloned()
    }

    /// Stores something about a user, as their client would.
    pub fn set_data(&self, user: &str, kind: &str, content: Value) {
        self.sim.change(|world| {
            if let Some(account) = world.accounts.get_mut(user) {
                account.data.insert(kind.to_owned(), content);
            }
        });
    }

    /// The event that a user has read up to.
    pub fn receipt_of(&self, room: &str, user: &str) -> Option<String> {
        self.sim.world().rooms.get(room)?.receipts.get(user).map(|(event, _)| event.to_string())
    }

    /// Who types in a room now.
    pub fn typing_in(&self, room: &str) -> Vec<String> {
        let now = clock::now_ms();
        let world = self.sim.world();
        let typing = world.rooms.get(room).map(|room| room.typing.iter());
        typing.into_iter().flatten().filter(|(_, until)| **until > now).map(|(user, _)| user.to_string()).collect()
    }

    /// Every event of a room, oldest first, in the client format.
    pub fn events(&self, room: &str) -> Vec<Value> {
        let world = self.sim.world();
        let timeline = world.rooms.get(room).map(|room| room.timeline.as_slice()).unwrap_or_default();
        timeline.iter().filter_map(|event| serde_json::from_str(event.json()).ok()).collect()
    }

    /// The content of a state event as it is now.
    pub fn state(&self, room: &str, event_type: &str, key: &str) -> Option<Value> {
        let world = self.sim.world();
        let event = world.rooms.get(room)?.state_event(event_type, key)?;
        serde_json::from_str(event.content.get()).ok()
    }

    /// The ids of all rooms, sorted.
    pub fn rooms(&self) -> Vec<String> {
        let mut rooms: Vec<String> = self.sim.world().rooms.keys().map(|room| room.to_string()).collect();
        rooms.sort();
        rooms
    }

    /// The rooms a user is joined or invited to, sorted.
    pub fn rooms_of(&self, user: &str) -> Vec<String> {
        let world = self.sim.world();
        let of_user = |room: &&crate::room::Room| {
            use crate::room::Membership::{Invite, Join};
            matches!(room.membership(user), Some(Join | Invite))
        };
        let mut rooms: Vec<String> = world.rooms.values().filter(of_user).map(|room| room.id.to_string()).collect();
        rooms.sort();
        rooms
    }

    /// What `GET /profile` gives: display name and avatar.
    pub fn profile(&self, user: &str) -> Option<(Option<String>, Option<String>)> {
        let world = self.sim.world();
        let account = world.accounts.get(user)?;
        Some((account.displayname.clone(), account.avatar_url.clone()))
    }

    /// Waits until a condition on the server holds, looking again after every change.
    pub async fn wait_until<T>(
        &self,
        deadline: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut changed = self.sim.subscribe();
        let looking = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = look(self) {
                    return found;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(deadline, looking).await {
            Ok(found) => Ok(found),
            Err(_) => bail!("nothing of the kind happened on the homeserver within {deadline:?}"),
        }
    }

    /// Waits until a room has so many messages; gives their contents.
    pub async fn wait_for_messages(&self, room: &str, count: usize, deadline: Duration) -> anyhow::Result<Vec<Value>> {
        let enough = |homeserver: &Self| {
            let world = homeserver.sim.world();
            world.rooms.get(room).filter(|room| room.messages >= count).map(drop)
        };
        self.wait_until(deadline, enough).await.with_context(|| format!("waiting for {count} messages in {room}"))?;
        let is_message = |event: &Value| event["type"] == "m.room.message";
        Ok(self.events(room).into_iter().filter(is_message).collect())
    }

    /// Requests answered so far, by method and path template.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.sim.requests()
    }

    /// Counters: requests by endpoint, transactions, events.
    pub fn stats(&self) -> Value {
        api::control::stats_of(&self.sim)
    }

    /// Lets a joined user write `count` texts, `{prefix}0` and so on, in turn over the rooms; gives the event ids.
    pub fn burst(&self, sender: &str, rooms: &[String], count: usize, prefix: &str) -> anyhow::Result<Vec<String>> {
        api::control::burst(&self.sim, sender, rooms, count, prefix).map_err(|error| anyhow::anyhow!(error.error))
    }

    /// A token for a user that exists already.
    pub fn log_in(&self, user: &str) -> User {
        let (token, _) = self.sim.change(|world| world.make_token(&user.into()));
        User { id: user.to_owned(), token }
    }

    /// Pushes something as an event to the application service that may not be one at all.
    pub fn push_raw(&self, room: &str, sender: &str, event_type: &str, event: &Value) {
        let draft = Draft {
            sender: sender.into(),
            kind: event_type.into(),
            state_key: None,
            content: content(event),
            at: clock::now_ms(),
        };
        self.sim.change(|world| {
            let position = world.next_position();
            let event = Event::new(ids::random("$", 43).into(), room.into(), position, draft);
            world.outgoing.push_back(Arc::new(event));
        });
    }
}

impl Drop for Homeserver {
    fn drop(&mut self) {
        self.sim.listening.send_replace(Listening::Ended);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Serves until the end, with closed times in between.
async fn serve(sim: Arc<Sim>, first: TcpListener, address: SocketAddr, http: reqwest::Client) {
    let router = api::router(sim.clone(), http);
    let mut next = Some(first);
    loop {
        let mut listening = sim.listening.subscribe();
        if let Some(listener) = next.take() {
            let mut until_closed = listening.clone();
            let closed = async move {
                let _ended = until_closed.wait_for(|state| *state != Listening::Open).await;
            };
            let listener = listener.tap_io(|socket| {
                let _without = socket.set_nodelay(true);
            });
            let _ended = axum::serve(listener, router.clone()).with_graceful_shutdown(closed).await;
        }
        match listening.wait_for(|state| *state != Listening::Closed).await {
            Ok(state) if *state == Listening::Open => {}
            _ => return,
        }
        match TcpListener::bind(address).await {
            Ok(listener) => next = Some(listener),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
