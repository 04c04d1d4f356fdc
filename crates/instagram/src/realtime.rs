//! One realtime connection as a state machine: bytes, commands and time go in, bytes and events come out.
//!
//! Nothing here waits or reads a clock. [`crate::client::realtime`] runs it on a socket; tests run it on virtual time.
//! A value lives for one connection: after [`Event::Closed`] make a new one.
//!
//! What is promised:
//! - a message of the queue (topic 146) is acknowledged only by [`Command::Acknowledge`], everything else once its
//!   event has been taken;
//! - a payload without meaning is [`Event::Malformed`] and the connection goes on; only a lost frame closes it;
//! - every send ends exactly once, in [`Realtime::poll_sent`], and no send waits for the answer to another one.

mod event;
mod notice;
mod options;
mod receive;
mod sends;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::mqttot::{Connect, Decoder, Packet, deflate, encode};
use crate::subscription::{self, IrisRequest};
use crate::topic::Topic;

pub use event::{AckToken, Answer, CloseReason, Command, Event, SendError, Sent};
pub use notice::{Presence, Typing};
pub use options::RealtimeOptions;
use sends::Sends;

/// Buffers above this size are given back when they are empty.
const KEEP_BUFFER: usize = 8 << 10;

enum Phase {
    /// CONNECT is written, CONNACK awaited until then.
    Connecting(Instant),
    Open,
    Closed,
}

struct IrisSubscription {
    body: Bytes,
    attempts_left: u32,
    deadline: Instant,
}

/// The state machine of one connection.
pub struct Realtime {
    timing: Timing,
    identity: Identity,
    phase: Phase,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    events: VecDeque<(Event, Option<u16>)>,
    event_bytes: usize,
    sent: VecDeque<Sent>,
    sends: Sends,
    iris: Option<IrisSubscription>,
    ping_at: Instant,
    pong_by: Option<Instant>,
    reading: bool,
}

struct Timing {
    ping_every: Duration,
    pong_timeout: Duration,
    subscribe_timeout: Duration,
    subscribe_attempts: u32,
}

/// What is left of the options after CONNECT: nothing secret.
struct Identity {
    connection: i64,
    user_id: u64,
    app_version: String,
    timezone_offset: i32,
    client_subscription_id: String,
}

impl Realtime {
    /// A connection whose socket has just been opened; CONNECT is the first thing to transmit.
    pub fn new(options: &RealtimeOptions, now: Instant) -> Realtime {
        let mut realtime = Realtime {
            timing: Timing {
                ping_every: options.ping_every,
                pong_timeout: options.pong_timeout,
                subscribe_timeout: options.subscribe_timeout,
                subscribe_attempts: options.subscribe_attempts.max(1),
            },
            identity: Identity {
                connection: options.client_mqtt_session_id,
                user_id: options.user_id,
                app_version: options.app_version.clone(),
                timezone_offset: options.timezone_offset,
                client_subscription_id: options.client_subscription_id.clone(),
            },
            phase: Phase::Connecting(now + options.connect_timeout),
            decoder: Decoder::new(options.max_packet),
            input: BytesMut::new(),
            output: BytesMut::new(),
            events: VecDeque::new(),
            event_bytes: 0,
            sent: VecDeque::new(),
            sends: Sends::new(options.send_window, options.send_queue),
            iris: None,
            ping_at: now + options.ping_every,
            pong_by: None,
            reading: true,
        };
        let keep_alive = u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX);
        let connect = Connect { keep_alive, info: options.connect_info() };
        realtime.write(Packet::Connect(Box::new(connect)));
        realtime
    }

    /// Takes bytes from the server, in pieces of any size.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.handle_filled(now);
    }

    /// The buffer to read the socket into; call [`Realtime::handle_filled`] afterwards.
    pub fn input_buffer(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Takes what was read into [`Realtime::input_buffer`].
    pub fn handle_filled(&mut self, now: Instant) {
        self.pong_by = None;
        while !self.is_closed() {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(packet)) => self.receive(now, packet),
                Ok(None) => break,
                Err(error) => self.close(CloseReason::Protocol(error.to_string())),
            }
        }
        self.pump(now);
        if self.input.is_empty() && self.input.capacity() > KEEP_BUFFER {
            self.input = BytesMut::new();
        }
    }

    /// The server closed the socket, or the socket failed.
    pub fn handle_disconnected(&mut self) {
        self.close(CloseReason::PeerClosed);
    }

    /// Whether the driver reads the socket. While it does not, a missing pong proves nothing.
    pub fn set_reading(&mut self, now: Instant, reading: bool) {
        if reading && !self.reading && self.pong_by.is_some() {
            self.pong_by = Some(now + self.timing.pong_timeout);
        }
        self.reading = reading;
    }

    /// Does what is due; call it at [`Realtime::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Connecting(deadline) = self.phase
            && now >= deadline
        {
            return self.close(CloseReason::ConnectTimeout);
        }
        if self.is_closed() {
            return;
        }
        if self.reading && self.pong_by.is_some_and(|deadline| now >= deadline) {
            return self.close(CloseReason::PongTimeout);
        }
        if self.is_open() && now >= self.ping_at {
            self.ping_at = now + self.timing.ping_every;
            self.pong_by.get_or_insert(now + self.timing.pong_timeout);
            self.write(Packet::PingReq);
        }
        if self.is_open() && self.iris.as_ref().is_some_and(|iris| now >= iris.deadline) {
            self.retry_subscription(now);
        }
        for (client_context, error) in self.sends.expire(now) {
            self.end_send(client_context, Err(error));
        }
        self.pump(now);
    }

    /// Carries out a command. On a closed connection sends end as `NotSent`, the rest is ignored.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Send { client_context, .. } if self.is_closed() => {
                self.end_send(client_context, Err(SendError::NotSent));
            }
            _ if self.is_closed() => {}
            Command::SubscribeIris { seq_id, snapshot_at_ms } => self.subscribe(now, seq_id, snapshot_at_ms),
            Command::Send { payload, client_context, deadline } => {
                let payload = Bytes::from(deflate(&payload));
                if let Err(refused) = self.sends.add(client_context, payload, deadline) {
                    self.sent.push_back(refused);
                }
            }
            Command::Tell { payload } => self.sends.tell(now, deflate(&payload).into()),
            Command::Confirm { client_context, item_id } => {
                if self.sends.settle(now, &client_context) {
                    let answer = Answer { item_id: Some(item_id), timestamp_us: None };
                    self.end_send(client_context, Ok(answer));
                }
            }
            Command::Acknowledge(AckToken { connection, packet_id: Some(packet_id) })
                if connection == self.identity.connection =>
            {
                self.write(Packet::PubAck(packet_id));
            }
            Command::Acknowledge(_) => {}
            Command::Close => {
                self.write(Packet::Disconnect);
                self.close(CloseReason::Requested);
            }
        }
        self.pump(now);
    }

    /// Bytes for the server, everything that is ready.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        if self.output.is_empty() {
            return None;
        }
        let bytes = self.output.split().freeze();
        if self.output.capacity() > KEEP_BUFFER {
            self.output = BytesMut::new();
        }
        Some(bytes)
    }

    /// The next event. Taking it acknowledges its message, except for [`Event::Sync`].
    pub fn poll_event(&mut self) -> Option<Event> {
        let (event, acknowledge) = self.events.pop_front()?;
        if let Event::Sync { payload, .. } = &event {
            self.event_bytes -= payload.len();
        }
        if let (Some(packet_id), false) = (acknowledge, self.is_closed()) {
            self.write(Packet::PubAck(packet_id));
        }
        if self.events.is_empty() && self.events.capacity() > 64 {
            self.events = VecDeque::new();
        }
        Some(event)
    }

    /// The next send that is over. Separate from the events, so that a consumer who is slow with those does not keep
    /// the sends waiting.
    pub fn poll_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// When to call [`Realtime::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Closed => return None,
            Phase::Connecting(deadline) => deadline,
            Phase::Open => self.ping_at,
        };
        let pong = self.pong_by.filter(|_| self.reading);
        let iris = self.iris.as_ref().filter(|_| self.is_open()).map(|iris| iris.deadline);
        [pong, iris, self.sends.next_deadline()].into_iter().flatten().chain([phase]).min()
    }

    /// Events waiting to be taken, and the bytes of their payloads: a driver stops reading when there are many.
    pub fn backlog(&self) -> (usize, usize) {
        (self.events.len(), self.event_bytes)
    }

    /// Whether the end has been reached (its event may still be waiting).
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn open(&mut self, now: Instant) {
        self.phase = Phase::Open;
        self.ping_at = now + self.timing.ping_every;
        self.push(Event::Connected);
        let graphql = subscription::graphql(self.identity.user_id, &self.identity.client_subscription_id);
        let skywalker = subscription::skywalker(self.identity.user_id);
        if let Some(iris) = &mut self.iris {
            iris.deadline = now + self.timing.subscribe_timeout;
            self.sends.control(Topic::SubIris, iris.body.clone());
        }
        self.sends.control(Topic::PubSub, deflate(&skywalker).into());
        self.sends.control(Topic::RealtimeSub, deflate(&graphql).into());
    }

    fn subscribe(&mut self, now: Instant, seq_id: i64, snapshot_at_ms: i64) {
        let request = IrisRequest {
            seq_id,
            snapshot_at_ms,
            snapshot_app_version: &self.identity.app_version,
            timezone_offset: self.identity.timezone_offset,
            subscription_type: "message",
        };
        let body = Bytes::from(deflate(&request.encode()));
        if self.is_open() {
            self.sends.control(Topic::SubIris, body.clone());
        }
        self.iris = Some(IrisSubscription {
            body,
            attempts_left: self.timing.subscribe_attempts - 1,
            deadline: now + self.timing.subscribe_timeout,
        });
    }

    fn retry_subscription(&mut self, now: Instant) {
        let Some(iris) = self.iris.as_mut() else { return };
        let Some(left) = iris.attempts_left.checked_sub(1) else {
            return self.close(CloseReason::SubscribeTimeout);
        };
        iris.attempts_left = left;
        iris.deadline = now + self.timing.subscribe_timeout;
        self.sends.control(Topic::SubIris, iris.body.clone());
    }

    /// Publishes what the window allows.
    fn pump(&mut self, now: Instant) {
        if self.is_open()
            && let Err(error) = self.sends.publish(now, &mut self.output)
        {
            self.close(CloseReason::Protocol(error.to_string()));
        }
    }

    fn write(&mut self, packet: Packet) {
        // Only a payload of 256 MiB or packet id 0 cannot be written; neither gets here.
        if let Err(error) = encode(packet, &mut self.output) {
            self.close(CloseReason::Protocol(error.to_string()));
        }
    }

    fn push(&mut self, event: Event) {
        self.events.push_back((event, None));
    }

    fn end_send(&mut self, client_context: String, result: Result<Answer, SendError>) {
        self.sent.push_back(Sent { client_context, result });
    }

    fn close(&mut self, reason: CloseReason) {
        if self.is_closed() {
            return;
        }
        self.phase = Phase::Closed;
        self.iris = None;
        self.input = BytesMut::new();
        for (client_context, error) in self.sends.close() {
            self.end_send(client_context, Err(error));
        }
        self.push(Event::Closed { reason });
    }
}
