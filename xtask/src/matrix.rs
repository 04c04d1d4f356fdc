//! A small Matrix client for tests: what a person at a homeserver sees, in the order the homeserver shows it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A logged-in user. The connection ends when this is dropped.
pub struct Client {
    api: Api,
    user_id: String,
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<u64>,
    transactions: AtomicU64,
    _sync: JoinSet<()>,
}

/// What came by `/sync`.
#[derive(Debug, Default)]
pub struct Seen {
    rooms: HashMap<String, Room>,
    invites: HashSet<String>,
}

#[derive(Debug, Default)]
struct Room {
    events: Vec<Value>,
    state: Vec<Value>,
    ephemeral: Vec<Value>,
}

impl Seen {
    /// The rooms the user has joined.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.keys().map(String::as_str)
    }

    /// The rooms the user is invited to and has not joined.
    pub fn invites(&self) -> impl Iterator<Item = &str> {
        self.invites.iter().map(String::as_str)
    }

    /// The events of a room since the user joined it, oldest first.
    pub fn events(&self, room: &str) -> &[Value] {
        self.rooms.get(room).map_or(&[], |room| &room.events)
    }

    /// The receipts and typing notices of a room, oldest first.
    pub fn ephemeral(&self, room: &str) -> &[Value] {
        self.rooms.get(room).map_or(&[], |room| &room.ephemeral)
    }

    /// The newest content of a state event.
    pub fn state(&self, room: &str, kind: &str, key: &str) -> Option<&Value> {
        let room = self.rooms.get(room)?;
        let all = room.events.iter().rev().chain(room.state.iter().rev());
        let mut matching = all.filter(|event| event["type"] == kind && event["state_key"] == key);
        matching.next().map(|event| &event["content"])
    }

    /// What a user said in a room, oldest first.
    pub fn said_by(&self, room: &str, user: &str) -> Vec<String> {
        texts(self.events(room), user)
    }
}

fn texts(events: &[Value], user: &str) -> Vec<String> {
    let of_user = events.iter().filter(|event| event["type"] == "m.room.message" && event["sender"] == user);
    of_user.map(|event| event["content"]["body"].as_str().unwrap_or_default().to_owned()).collect()
}

impl Client {
    /// Logs in with a password and begins to follow the user's rooms.
    pub async fn login(homeserver: &str, name: &str, password: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let mut api = Api { http, base: homeserver.trim_end_matches('/').to_owned(), token: String::new() };
        let identifier = json!({"type": "m.id.user", "user": name});
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": password});
        let answer = api.call(Method::POST, "v3/login", Some(&body)).await?;
        api.token = answer["access_token"].as_str().context("login gave no token")?.to_owned();
        let user_id = answer["user_id"].as_str().context("login gave no user id")?.to_owned();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (changes, changed) = watch::channel(0);
        let mut sync = JoinSet::new();
        sync.spawn(follow(api.clone(), seen.clone(), changes));
        Ok(Self { api, user_id, seen, changed, transactions: AtomicU64::new(0), _sync: sync })
    }

    /// The user's full id.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Makes a room and invites people to it.
    pub async fn create_room(&self, invite: &[&str]) -> anyhow::Result<String> {
        let body = json!({"preset": "private_chat", "is_direct": true, "invite": invite});
        let answer = self.api.call(Method::POST, "v3/createRoom", Some(&body)).await?;
        Ok(answer["room_id"].as_str().context("no room id")?.to_owned())
    }

    /// Invites somebody.
    pub async fn invite(&self, room: &str, user: &str) -> anyhow::Result<()> {
        let path = format!("v3/rooms/{}/invite", encode(room));
        self.api.call(Method::POST, &path, Some(&json!({"user_id": user}))).await.map(drop)
    }

    /// Joins a room, by invitation for example.
    pub async fn join(&self, room: &str) -> anyhow::Result<()> {
        self.api.call(Method::POST, &format!("v3/join/{}", encode(room)), Some(&json!({}))).await.map(drop)
    }

    /// Sends a text and returns its event id. Safe to repeat: every call has one transaction id.
    pub async fn send(&self, room: &str, text: &str) -> anyhow::Result<String> {
        self.send_content(room, &json!({"msgtype": "m.text", "body": text})).await
    }

    /// Sends any message and returns its event id.
    pub async fn send_content(&self, room: &str, content: &Value) -> anyhow::Result<String> {
        self.send_event(room, "m.room.message", content).await
    }

    /// Sends any event and returns its id.
    pub async fn send_event(&self, room: &str, kind: &str, content: &Value) -> anyhow::Result<String> {
        let transaction = self.transactions.fetch_add(1, Ordering::Relaxed);
        let path = format!("v3/rooms/{}/send/{kind}/test-{transaction}", encode(room));
        let answer = self.api.call(Method::PUT, &path, Some(content)).await?;
        Ok(answer["event_id"].as_str().context("no event id")?.to_owned())
    }

    /// Removes an event.
    pub async fn redact(&self, room: &str, event: &str) -> anyhow::Result<()> {
        let transaction = self.transactions.fetch_add(1, Ordering::Relaxed);
        let path = format!("v3/rooms/{}/redact/{}/test-{transaction}", encode(room), encode(event));
        self.api.call(Method::PUT, &path, Some(&json!({}))).await.map(drop)
    }

    /// Sets a state event with an empty key.
    pub async fn set_state(&self, room: &str, kind: &str, content: &Value) -> anyhow::Result<()> {
        let path = format!("v3/rooms/{}/state/{kind}", encode(room));
        self.api.call(Method::PUT, &path, Some(content)).await.map(drop)
    }

    /// Uploads a file and returns its address.
    pub async fn upload(&self, bytes: &'static [u8], content_type: &str) -> anyhow::Result<String> {
        let request = self.api.http.post(format!("{}/_matrix/media/v3/upload", self.api.base));
        let request = request.bearer_auth(&self.api.token).header("content-type", content_type).body(bytes);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["content_uri"].as_str().context("no address")?.to_owned())
    }

    /// Removes somebody.
    pub async fn kick(&self, room: &str, user: &str) -> anyhow::Result<()> {
        let path = format!("v3/rooms/{}/kick", encode(room));
        self.api.call(Method::POST, &path, Some(&json!({"user_id": user}))).await.map(drop)
    }

    /// Shows that the user has read up to an event.
    pub async fn mark_read(&self, room: &str, event: &str) -> anyhow::Result<()> {
        let path = format!("v3/rooms/{}/receipt/m.read/{}", encode(room), encode(event));
        self.api.call(Method::POST, &path, Some(&json!({}))).await.map(drop)
    }

    /// Shows that the user types, or has stopped.
    pub async fn set_typing(&self, room: &str, typing: bool) -> anyhow::Result<()> {
        let path = format!("v3/rooms/{}/typing/{}", encode(room), encode(&self.user_id));
        self.api.call(Method::PUT, &path, Some(&json!({"typing": typing, "timeout": 20_000}))).await.map(drop)
    }

    /// All texts of a user in a room, oldest first, as the homeserver's history has them; independent of `/sync`.
    pub async fn messages(&self, room: &str, user: &str) -> anyhow::Result<Vec<String>> {
        Ok(texts(&self.history(room).await?, user))
    }

    /// All events of a room, oldest first.
    pub async fn history(&self, room: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("v3/rooms/{}/messages?dir=f&limit=500{from}", encode(room));
            let page = self.api.call(Method::GET, &path, None).await?;
            all.extend(page["chunk"].as_array().context("no chunk")?.iter().cloned());
            let Some(end) = page["end"].as_str() else { return Ok(all) };
            from = format!("&from={}", encode(end));
        }
    }

    /// What came so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Waits until `look` finds something in what came.
    pub async fn wait_for<T>(&self, deadline: Duration, mut look: impl FnMut(&Seen) -> Option<T>) -> anyhow::Result<T> {
        let mut changed = self.changed.clone();
        let found = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.seen()) {
                    return Ok(found);
                }
                changed.changed().await.context("the client has ended")?;
            }
        };
        tokio::time::timeout(deadline, found).await.context("the deadline has passed")?
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("{}/_matrix/client/{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer: Value = response.json().await.with_context(|| format!("{path}: {status}, no JSON"))?;
        if !status.is_success() {
            bail!("{path}: {status} {answer}");
        }
        Ok(answer)
    }
}

/// Follows `/sync` for ever; a homeserver that is away is asked again.
async fn follow(api: Api, seen: Arc<Mutex<Seen>>, changes: watch::Sender<u64>) {
    let filter = encode(r#"{"room":{"timeline":{"limit":5000}},"presence":{"types":[]}}"#);
    let mut since = String::new();
    loop {
        let path = format!("v3/sync?timeout=20000&filter={filter}{since}");
        let Ok(answer) = api.call(Method::GET, &path, None).await else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let Some(next) = answer["next_batch"].as_str() else { continue };
        since = format!("&since={}", encode(next));
        store(&mut lock(&seen), &answer);
        changes.send_modify(|count| *count += 1);
    }
}

fn store(seen: &mut Seen, answer: &Value) {
    let entries = |kind: &str| answer["rooms"][kind].as_object().into_iter().flatten();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for (id, joined) in entries("join") {
        seen.invites.remove(id);
        let room = seen.rooms.entry(id.clone()).or_default();
        room.state.extend(list(&joined["state"]["events"]));
        room.events.extend(list(&joined["timeline"]["events"]));
        room.ephemeral.extend(list(&joined["ephemeral"]["events"]));
    }
    for (id, _) in entries("invite") {
        seen.invites.insert(id.clone());
    }
    for (id, _) in entries("leave") {
        seen.invites.remove(id);
    }
}

/// Percent-encodes one part of a path or query.
fn encode(part: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    part.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
