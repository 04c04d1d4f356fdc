//! The half of a session that is shared by the lanes of one login: send, look up, fetch.

mod actions;
mod chats;
mod history;
mod media;
mod missed;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use instagram::api;
use instagram::client::http::{CallError, HttpClient, SharedSession};
use instagram::client::realtime::Handle;
use instagram::command;
use instagram::error::ApiError;
use instagram::realtime::SendError;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::error::{Demand, RemoteError};
use super::{Network, decode};
use crate::domain::convert::to_remote::TextPart;
use crate::domain::event::{RemoteThread, RemoteUser};
use crate::domain::ids::{ClientContext, ItemId, LoginId, RemoteUserId, ThreadId, Timestamp};
use crate::runtime;

pub use actions::Target;
pub use chats::ChatChange;
pub use history::{Chats, Page};
pub use media::{Outgoing, OutgoingKind};

/// How long a send waits for a connection that is being made before it goes over HTTP.
const PATIENCE: Duration = Duration::from_secs(5);

/// Rest after Instagram has blocked an action: repeating it is what gets accounts flagged.
const COOLDOWN: Duration = Duration::from_secs(3600);

/// Pages of a thread that are searched at most for a send whose answer never came.
const SEARCH_DEPTH: usize = 100;

/// How far Instagram's clock and ours may be apart.
const SKEW_MS: i64 = 10 * 60 * 1000;

/// What a login can do. Outlives connections.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

struct Inner {
    login: LoginId,
    network: Network,
    http: HttpClient,
    session: SharedSession,
    connection: watch::Sender<Option<Handle>>,
    next_send: tokio::sync::Mutex<Option<Instant>>,
    blocked_until: Mutex<Option<Instant>>,
    doubt: Notify,
    proof: Counters,
}

#[derive(Default)]
struct Counters {
    connected_at: AtomicI64,
    last_inbound: AtomicI64,
    last_received: AtomicI64,
    last_sent: AtomicI64,
    unknown: AtomicU64,
    malformed: AtomicU64,
}

/// When things were last known to work. Zero times mean never since the start.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Subscribed since; none while there is no subscribed connection.
    pub connected_at: Option<Timestamp>,
    /// Any byte from Instagram, answers to pings included.
    pub last_inbound: Timestamp,
    /// A message sync.
    pub last_received: Timestamp,
    /// A send that Instagram confirmed.
    pub last_sent: Timestamp,
    /// Patches of unknown kinds.
    pub unknown: u64,
    /// Payloads that could not be read.
    pub malformed: u64,
}

impl Remote {
    pub(super) fn new(network: Network, http: HttpClient, login: LoginId, session: SharedSession) -> Self {
        Self {
            inner: Arc::new(Inner {
                login,
                network,
                http,
                session,
                connection: watch::Sender::new(None),
                next_send: tokio::sync::Mutex::default(),
                blocked_until: Mutex::default(),
                doubt: Notify::new(),
                proof: Counters::default(),
            }),
        }
    }

    /// Whose it is.
    pub fn login(&self) -> &LoginId {
        &self.inner.login
    }

    pub(super) fn session(&self) -> &SharedSession {
        &self.inner.session
    }

    /// The session's secrets, if they changed since this was last asked.
    pub fn changed_session(&self) -> Option<String> {
        self.inner.session.changed().then(|| self.session_json())
    }

    /// The session's secrets, for the store.
    pub fn session_json(&self) -> String {
        serde_json::to_string(&self.inner.session.snapshot()).expect("a session is strings and numbers")
    }

    pub(super) fn set_connection(&self, handle: Option<Handle>) {
        let now = if handle.is_some() { runtime::now().0 } else { 0 };
        self.inner.proof.connected_at.store(now, Ordering::Relaxed);
        self.inner.connection.send_replace(handle);
    }

    pub(super) fn note_inbound(&self) {
        self.inner.proof.last_inbound.store(runtime::now().0, Ordering::Relaxed);
    }

    pub(super) fn note_received(&self) {
        self.inner.proof.last_received.store(runtime::now().0, Ordering::Relaxed);
    }

    pub(super) fn note_unknown(&self) {
        self.inner.proof.unknown.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_malformed(&self) {
        self.inner.proof.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// The evidence behind any claim of being connected.
    pub fn proof(&self) -> Proof {
        let proof = &self.inner.proof;
        let time = |at: &AtomicI64| Timestamp(at.load(Ordering::Relaxed));
        Proof {
            connected_at: Some(time(&proof.connected_at)).filter(|at| at.0 > 0),
            last_inbound: time(&proof.last_inbound),
            last_received: time(&proof.last_received),
            last_sent: time(&proof.last_sent),
            unknown: proof.unknown.load(Ordering::Relaxed),
            malformed: proof.malformed.load(Ordering::Relaxed),
        }
    }

    /// Ends the connection; the session's supervisor makes a new one.
    pub fn disconnect(&self) {
        if let Some(handle) = &*self.inner.connection.borrow() {
            handle.close();
        }
    }

    /// Waits until a request made it likely that the session is dead.
    pub async fn doubted(&self) {
        self.inner.doubt.notified().await;
    }

    /// Delivers one part to a thread.
    ///
    /// Safe to repeat: Instagram drops a second item with the same client context. `Err(Uncertain)` means that it may
    /// have arrived.
    pub async fn deliver(
        &self,
        thread: &ThreadId,
        part: &TextPart,
        context: &ClientContext,
    ) -> Result<ItemId, RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let outcome = match self.connected().await {
            Some(handle) => self.deliver_realtime(&handle, thread, part, context).await,
            None => Err(RemoteError::NotConnected),
        };
        match outcome {
            Err(RemoteError::NotConnected) => self.noted(self.deliver_http(thread, part, context).await),
            other => self.noted(other),
        }
    }

    async fn deliver_realtime(
        &self,
        handle: &Handle,
        thread: &ThreadId,
        part: &TextPart,
        context: &ClientContext,
    ) -> Result<ItemId, RemoteError> {
        let reply =
            part.reply_to.as_ref().and_then(|to| Some((to.item.as_str(), to.client_context.as_ref()?.as_str())));
        let mentions = texts(&part.mentions);
        let payload = command::send_text(thread.as_str(), &part.text, context.as_str(), reply, &mentions);
        let timeout = self.inner.network.pacing().answer_timeout;
        match handle.send(context.as_str(), payload, timeout).await {
            Ok(answer) => answer.item_id.map(ItemId::new).ok_or(RemoteError::Uncertain),
            Err(error) => Err(self.send_error(error)),
        }
    }

    fn send_error(&self, error: SendError) -> RemoteError {
        match error {
            SendError::NotSent => RemoteError::NotConnected,
            SendError::Uncertain => RemoteError::Uncertain,
            SendError::Rejected { status_code, message, error_code, exception } => {
                self.rejected(status_code, message.unwrap_or_default(), error_code, exception.as_deref())
            }
        }
    }

    /// Draws the conclusions from an outcome that reach beyond its request.
    fn noted<T>(&self, outcome: Result<T, RemoteError>) -> Result<T, RemoteError> {
        match &outcome {
            Ok(_) => self.inner.proof.last_sent.store(runtime::now().0, Ordering::Relaxed),
            Err(RemoteError::Blocked(_) | RemoteError::Barred) => {
                *self.inner.blocked_until.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + COOLDOWN);
            }
            Err(RemoteError::LoggedOut | RemoteError::ActionRequired(_)) => self.inner.doubt.notify_one(),
            Err(_) => {}
        }
        outcome
    }

    /// What a refusal on the realtime connection means (docs/protocol.md).
    fn rejected(
        &self,
        status: Option<u16>,
        message: String,
        error: Option<i64>,
        exception: Option<&str>,
    ) -> RemoteError {
        if exception == Some("ThreadUserIdDoesNotExist") {
            self.inner.doubt.notify_one();
            return RemoteError::Server("this session may be dead".into());
        }
        match (status, error) {
            (_, Some(1_404_006)) => RemoteError::Blocked(message),
            (Some(429), _) => RemoteError::RateLimited(Duration::from_secs(60)),
            (Some(status @ 500..), _) => RemoteError::Server(format!("status {status}")),
            _ => RemoteError::Rejected(message),
        }
    }

    async fn deliver_http(
        &self,
        thread: &ThreadId,
        part: &TextPart,
        context: &ClientContext,
    ) -> Result<ItemId, RemoteError> {
        let request = api::BroadcastText {
            thread_id: thread.as_str().to_owned(),
            text: part.text.clone(),
            client_context: context.as_str().to_owned(),
            reply_to: part.reply_to.as_ref().and_then(|to| {
                let client_context = to.client_context.as_ref()?.as_str().to_owned();
                Some(api::ReplyTo { item_id: to.item.as_str().to_owned(), client_context })
            }),
            mentions: texts(&part.mentions),
        };
        match self.inner.http.call(&self.inner.session, request).await {
            Ok(sent) => Ok(ItemId::new(sent.item_id)),
            Err(CallError::Transport(_)) => Err(RemoteError::Uncertain),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks for a send in the thread, back to the time before which it cannot have been made. Others may have written
    /// a lot meanwhile.
    pub async fn find_sent(
        &self,
        thread: &ThreadId,
        context: &ClientContext,
        not_before: Timestamp,
    ) -> Result<Option<ItemId>, RemoteError> {
        let oldest_us = not_before.0.saturating_sub(SKEW_MS).saturating_mul(1000);
        let mut cursor = None;
        for _ in 0..SEARCH_DEPTH {
            let page = self.thread_page(thread, cursor).await?;
            let found = page.items.iter().find(|item| item.client_contexts().contains(&context.as_str()));
            if let Some(item) = found {
                return Ok(Some(ItemId::new(&item.item_id)));
            }
            let is_old = page.items.iter().any(|item| item.timestamp_us.is_some_and(|at| at < oldest_us));
            cursor = page.oldest_cursor.clone().filter(|_| page.has_older && !is_old);
            if cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// Fetches a thread as a room shows it.
    pub async fn thread(&self, thread: &ThreadId) -> Result<RemoteThread, RemoteError> {
        Ok(decode::to_thread(&self.thread_page(thread, None).await?))
    }

    /// Fetches a user as a ghost shows it.
    pub async fn user(&self, user: &RemoteUserId) -> Result<RemoteUser, RemoteError> {
        let user = self.call(api::UserInfo { user_id: user.as_str().to_owned() }).await?;
        Ok(decode::to_user(&user))
    }

    /// Fetches a picture of at most `limit` bytes: the bytes and their media type.
    pub async fn download(&self, url: &str, limit: u64) -> Result<(Bytes, String), RemoteError> {
        let file = self.inner.http.download(url, limit).await?;
        Ok((file.bytes, file.content_type.unwrap_or_else(|| "application/octet-stream".into())))
    }

    /// Ends the session at Instagram.
    pub async fn log_out(&self) -> Result<(), RemoteError> {
        self.call(api::Logout).await.map(drop)
    }

    /// Asks whether the session is alive.
    pub async fn verify(&self) -> Result<(), RemoteError> {
        match self.inner.http.call(&self.inner.session, api::CurrentUser).await {
            // There is always a current user.
            Err(CallError::Api(ApiError::MaskedChallenge)) => Err(RemoteError::ActionRequired(Demand::SecurityCheck)),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    async fn thread_page(
        &self,
        thread: &ThreadId,
        cursor: Option<String>,
    ) -> Result<instagram::thread::Thread, RemoteError> {
        let request = api::GetThread { thread_id: thread.as_str().to_owned(), cursor, limit: 20 };
        match self.inner.http.call(&self.inner.session, request).await {
            // It hides a challenge, or there is no such thread: another endpoint can tell.
            Err(CallError::Api(ApiError::MaskedChallenge)) => {
                self.verify().await?;
                Err(RemoteError::NotFound)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn call<E: api::Endpoint>(&self, endpoint: E) -> Result<E::Answer, RemoteError> {
        Ok(self.inner.http.call(&self.inner.session, endpoint).await?)
    }

    fn check_cooldown(&self) -> Result<(), RemoteError> {
        let until = *self.inner.blocked_until.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            Some(until) if Instant::now() < until => {
                let left = i64::try_from((until - Instant::now()).as_millis()).unwrap_or_default();
                Err(RemoteError::Resting { until: Timestamp(runtime::now().0.saturating_add(left)) })
            }
            _ => Ok(()),
        }
    }

    /// Keeps the configured distance to the previous send of this login.
    async fn pace(&self) {
        let pacing = self.inner.network.pacing();
        if pacing.between_sends.is_zero() {
            return;
        }
        let mut next = self.inner.next_send.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        *next = Some(Instant::now() + runtime::with_jitter(pacing.between_sends, pacing.jitter));
    }

    /// A pause between the pages of a long look.
    async fn rest(&self) {
        let pacing = self.inner.network.pacing();
        tokio::time::sleep(runtime::with_jitter(pacing.between_sends, pacing.jitter)).await;
    }

    /// The connection, if there is one or one comes soon.
    async fn connected(&self) -> Option<Handle> {
        let mut connection = self.inner.connection.subscribe();
        let handle = tokio::time::timeout(PATIENCE, connection.wait_for(Option::is_some)).await;
        handle.ok()?.ok()?.clone()
    }
}

fn texts(users: &[RemoteUserId]) -> Vec<String> {
    users.iter().map(|user| user.as_str().to_owned()).collect()
}
