//! Runs [`Realtime`] on a TLS socket: one task per connection, a handle for commands, a stream of events.
//!
//! The driver is the only one that touches the socket. When the consumer is behind it stops reading, so that the
//! server feels the pressure, but goes on pinging and sending.

mod connector;
mod driver;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::realtime::{AckToken, Answer, Command, Event, Realtime, RealtimeOptions, SendError};

/// Events waiting for the consumer.
const EVENTS: usize = 16;

/// Where to connect.
#[derive(Clone)]
pub struct ConnectOptions {
    /// `host:port`.
    pub address: String,
    /// Name in the certificate, usually the host.
    pub server_name: String,
    /// Roots and provider (see [`crate::client::tls`]).
    pub tls: Arc<ClientConfig>,
    /// `http://`, `socks5://` or `socks5h://`, with user and password if needed. Names are resolved by the proxy.
    pub proxy: Option<Url>,
}

/// Why there is no connection. Says nothing about addresses or secrets.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address is not `host:port`, or the server name is none.
    #[error("the realtime address is not of the form host:port")]
    Address,
    /// The proxy's address makes no sense.
    #[error("the proxy is not usable: {0}")]
    ProxyAddress(&'static str),
    /// The proxy refused or could not be reached.
    #[error("the proxy did not open a connection: {0}")]
    Proxy(String),
    /// No server there.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The certificate or the handshake failed.
    #[error("the secure connection failed: {0}")]
    Tls(String),
    /// It took too long.
    #[error("the connection was not made in time")]
    Timeout,
}

/// Opens a connection and begins the MQTToT session on it. The caller spawns the future, which ends after
/// [`Event::Closed`] has been delivered; until it runs, nothing happens.
///
/// [`RealtimeOptions::connect_timeout`] bounds this call, and CONNACK another time.
pub async fn connect(
    options: &ConnectOptions,
    realtime: RealtimeOptions,
) -> Result<(Handle, Events, impl Future<Output = ()> + Send + use<>), ConnectError> {
    let stream = timeout(realtime.connect_timeout, async {
        let name = ServerName::try_from(options.server_name.clone()).map_err(|_| ConnectError::Address)?;
        let socket = connector::open(&options.address, options.proxy.as_ref()).await?;
        TlsConnector::from(Arc::clone(&options.tls))
            .connect(name, socket)
            .await
            .map_err(|error| ConnectError::Tls(error.to_string()))
    })
    .await
    .map_err(|_| ConnectError::Timeout)??;
    Ok(attach(stream, &realtime))
}

/// Begins the MQTToT session on a stream that is open already.
pub fn attach<S>(stream: S, options: &RealtimeOptions) -> (Handle, Events, impl Future<Output = ()> + Send + use<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let now = Instant::now();
    let shared = Arc::new(Shared {
        requests: Mutex::new(Requests { closed: false, waiting: VecDeque::new() }),
        wake: Notify::new(),
        started: now,
        last_inbound_ms: AtomicU64::new(0),
    });
    let (sender, receiver) = mpsc::channel(EVENTS);
    let machine = Realtime::new(options, now.into_std());
    let driver = driver::drive(stream, machine, Arc::clone(&shared), sender);
    (Handle { shared }, Events { receiver }, driver)
}

/// Gives commands to a connection. Cheap to clone; harmless once the connection is closed.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Asks for the queue from this point on; the answer is an event.
    pub fn subscribe(&self, seq_id: i64, snapshot_at_ms: i64) {
        self.command(Command::SubscribeIris { seq_id, snapshot_at_ms });
    }

    /// Sends a command of topic 132 and waits for its answer, or for its echo (see [`Handle::confirm`]).
    ///
    /// Many may be under way at once; none waits for the answer to another.
    pub async fn send(&self, client_context: &str, payload: Vec<u8>, timeout: Duration) -> Result<Answer, SendError> {
        let deadline = (Instant::now() + timeout).into_std();
        let (done, answer) = oneshot::channel();
        let command = Command::Send { payload, client_context: client_context.to_owned(), deadline };
        if !self.shared.push(Request { command, done: Some(done) }) {
            return Err(SendError::NotSent);
        }
        // The driver was dropped: nobody knows how far the message got.
        answer.await.unwrap_or(Err(SendError::Uncertain))
    }

    /// Sends a command of topic 132 that may never be answered: typing, read receipts.
    pub fn tell(&self, payload: Vec<u8>) {
        self.command(Command::Tell { payload });
    }

    /// Acknowledges a message of the queue, once it is stored.
    pub fn acknowledge(&self, token: AckToken) {
        self.command(Command::Acknowledge(token));
    }

    /// Ends a waiting send successfully, because its echo arrived. Does nothing if there is none.
    pub fn confirm(&self, client_context: &str, item_id: &str) {
        self.command(Command::Confirm { client_context: client_context.to_owned(), item_id: item_id.to_owned() });
    }

    /// Ends the connection in order; `Closed` follows.
    pub fn close(&self) {
        self.command(Command::Close);
    }

    /// When the server was last heard of.
    pub fn last_inbound(&self) -> Instant {
        self.shared.started + Duration::from_millis(self.shared.last_inbound_ms.load(Ordering::Relaxed))
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    fn command(&self, command: Command) {
        self.shared.push(Request { command, done: None });
    }
}

/// The events of a connection.
pub struct Events {
    receiver: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event; `None` after `Closed`. Dropping the future loses nothing; dropping `Events` ends the
    /// connection.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

struct Request {
    command: Command,
    done: Option<oneshot::Sender<Result<Answer, SendError>>>,
}

struct Requests {
    closed: bool,
    // Bounded by what the driver accepts: it takes all of them whenever it runs, and refuses sends beyond its queue.
    waiting: VecDeque<Request>,
}

/// Between the handles and the driver.
struct Shared {
    requests: Mutex<Requests>,
    wake: Notify,
    started: Instant,
    last_inbound_ms: AtomicU64,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns false when the connection is over.
    fn push(&self, request: Request) -> bool {
        let mut requests = self.lock();
        if requests.closed {
            return false;
        }
        requests.waiting.push_back(request);
        drop(requests);
        self.wake.notify_one();
        true
    }

    fn take(&self) -> VecDeque<Request> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// No more requests; returns those nobody has taken.
    fn close(&self) -> VecDeque<Request> {
        let mut requests = self.lock();
        requests.closed = true;
        std::mem::take(&mut requests.waiting)
    }

    fn heard(&self, now: Instant) {
        let ms = u64::try_from((now - self.started).as_millis()).unwrap_or(u64::MAX);
        self.last_inbound_ms.store(ms, Ordering::Relaxed);
    }
}
