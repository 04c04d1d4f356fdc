//! One realtime connection: CONNECT, subscriptions, sends, the user's queue, faults.
//!
//! The task pulls from the user's queue whenever the socket takes more, so a slow reader costs no memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{HANDSHAKE, handshake, payload, thrift, wire};
use crate::{
    clock,
    command::{self, Outcome},
    connection::{ConnectionInfo, Order},
    fault::{CursorRefusal, Fault, Stage},
    shared::{RecordedRequest, Shared},
    world::Connection,
};

mod delivery;

/// Above this much unsent output neither queue nor socket are read.
const HIGH_WATER: usize = 1024 * 1024;
/// GraphQL subscription of direct typing.
const TYPING_SUBSCRIPTION: &str = "17867973967082385";

/// Runs a connection to its end.
pub(super) async fn run(shared: Arc<Shared>, mut stream: TlsStream<TcpStream>) {
    let mut input = BytesMut::with_capacity(16 * 1024);
    let connect = tokio::time::timeout(HANDSHAKE, read_connect(&mut stream, &mut input)).await;
    let Ok(Some(body)) = connect else { return };
    let mut answer = BytesMut::new();
    let hello = match handshake::read(body) {
        Ok(hello) => hello,
        Err(error) => {
            tracing::info!(reason = error.0, "CONNECT refused");
            wire::connack(&mut answer, 1);
            finish(stream, &answer).await;
            return;
        }
    };
    let admitted = shared.look(|world| handshake::check(world, &hello));
    let Some((pk, session, password)) = admitted else {
        tracing::info!(user_id = hello.user_id, "CONNECT with credentials that open no session");
        wire::connack(&mut answer, 5);
        finish(stream, &answer).await;
        return;
    };
    tracing::debug!(
        pk,
        numbering = ?hello.numbering,
        identifier = hello.client_identifier,
        topics = ?hello.topics,
        "connected"
    );
    let fault = shared.look(|world| world.take_fault(pk, Stage::Connect, ""));
    match fault {
        Some(Fault::CloseBeforeConnAck) => return,
        Some(Fault::IgnoreConnect) => {
            // Open, silent, until the client gives up.
            let mut ignored = [0u8; 1024];
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = async { while stream.read(&mut ignored).await.is_ok_and(|size| size > 0) {} } => {}
            }
            return;
        }
        Some(Fault::RefuseConnect { code }) => {
            wire::connack(&mut answer, code);
            finish(stream, &answer).await;
            return;
        }
        Some(Fault::CloseAfterConnAck) => {
            wire::connack(&mut answer, 0);
            finish(stream, &answer).await;
            return;
        }
        _ => {}
    }
    let info = Arc::new(ConnectionInfo {
        numbering: hello.numbering,
        password,
        keep_alive: hello.keep_alive,
        app_version: hello.app_version,
        delivered: AtomicI64::new(-1),
        frames_in: AtomicU64::new(0),
        publishes: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
    });
    let (sender, orders) = mpsc::channel(4096);
    let cancel = shared.stop.child_token();
    let connection =
        Connection { session: session.clone(), orders: sender, cancel: cancel.clone(), info: info.clone() };
    let registered = shared.act(|world| {
        let id = world.next_connection();
        let frames_left = match world.take_fault(pk, Stage::Frames, "") {
            Some(Fault::CloseAfter { frames }) => Some(frames),
            _ => None,
        };
        let account = world.accounts.get_mut(&pk)?;
        // A later connection of the same session closes the earlier one.
        for earlier in account.connections.values().filter(|earlier| earlier.session == session) {
            earlier.cancel.cancel();
        }
        account.connections.insert(id, connection);
        Some((id, frames_left, account.queue.watch()))
    });
    let Some((id, frames_left, head)) = registered else { return };
    let mut connection = Running::new(shared.clone(), pk, info, frames_left);
    wire::connack(&mut connection.out, 0);
    connection.drive(stream, input, orders, head, cancel).await;
    shared.act(|world| {
        if let Some(account) = world.accounts.get_mut(&pk) {
            account.connections.remove(&id);
        }
    });
    tracing::debug!(pk, "disconnected");
}

async fn read_connect(stream: &mut TlsStream<TcpStream>, input: &mut BytesMut) -> Option<bytes::Bytes> {
    loop {
        match wire::decode(input) {
            Ok(Some(wire::Packet::Connect(body))) => return Some(body),
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return None,
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}

async fn finish(mut stream: TlsStream<TcpStream>, answer: &[u8]) {
    let write = async {
        stream.write_all(answer).await.ok();
        stream.shutdown().await.ok();
    };
    tokio::time::timeout(Duration::from_secs(5), write).await.ok();
}

/// Writes part of the output, or flushes if there is none left. Says whether a flush is still to come.
async fn write_some(writer: &mut (impl AsyncWriteExt + Unpin), out: &mut BytesMut) -> std::io::Result<bool> {
    if out.is_empty() {
        writer.flush().await?;
        return Ok(false);
    }
    writer.write_buf(out).await?;
    Ok(true)
}

struct Running {
    shared: Arc<Shared>,
    pk: u64,
    info: Arc<ConnectionInfo>,
    out: BytesMut,
    packet_id: u16,
    /// Everything up to here was sent; `None` before the iris subscription.
    position: Option<i64>,
    /// Up to here it is replay, after it live.
    replay_until: i64,
    /// The envelope with this number is held back until then.
    held: Option<(i64, Instant)>,
    /// Publishes that come later.
    later: Vec<(Instant, &'static str, Vec<u8>)>,
    typing: bool,
    pubsub: bool,
    background: bool,
    stalled: bool,
    closing: bool,
    frames_left: Option<u32>,
}

impl Running {
    fn new(shared: Arc<Shared>, pk: u64, info: Arc<ConnectionInfo>, frames_left: Option<u32>) -> Running {
        Running {
            shared,
            pk,
            info,
            out: BytesMut::with_capacity(16 * 1024),
            packet_id: 0,
            position: None,
            replay_until: 0,
            held: None,
            later: Vec::new(),
            typing: false,
            pubsub: false,
            background: false,
            stalled: false,
            closing: frames_left == Some(0),
            frames_left,
        }
    }

    async fn drive(
        &mut self,
        stream: TlsStream<TcpStream>,
        mut input: BytesMut,
        mut orders: mpsc::Receiver<Order>,
        mut head: watch::Receiver<i64>,
        cancel: CancellationToken,
    ) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let patience = Duration::from_millis(1500 * u64::from(self.info.keep_alive.max(1)));
        let mut heard = Instant::now();
        let mut unflushed = false;
        self.packets(&mut input);
        loop {
            self.pull();
            if self.closing && self.out.is_empty() && !unflushed {
                tokio::time::timeout(Duration::from_secs(5), writer.shutdown()).await.ok();
                return;
            }
            let wake = self.next_wake(heard + patience);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                order = orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => return,
                },
                written = write_some(&mut writer, &mut self.out), if !self.stalled && (unflushed || !self.out.is_empty()) => {
                    match written {
                        Ok(more) => unflushed = more,
                        Err(_) => return,
                    }
                }
                received = reader.read_buf(&mut input), if !self.stalled && !self.closing && self.out.len() < HIGH_WATER => {
                    if !received.is_ok_and(|size| size > 0) {
                        return;
                    }
                    heard = Instant::now();
                    self.packets(&mut input);
                }
                changed = head.changed(), if !self.stalled => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    self.publish_due();
                    if !self.stalled && heard.elapsed() >= patience {
                        tracing::debug!(pk = self.pk, "idle connection dropped");
                        return;
                    }
                }
            }
        }
    }

    fn next_wake(&self, idle: Instant) -> Instant {
        if self.stalled {
            return Instant::now() + Duration::from_secs(3600);
        }
        // A hold only matters while the queue is being read at all.
        let reading = !self.background && !self.closing && self.out.len() < HIGH_WATER;
        let held = self.held.filter(|_| reading).map(|(_, until)| until);
        self.later.iter().map(|(at, ..)| *at).chain(held).fold(idle, Instant::min)
    }

    fn publish_due(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(at, ..)| *at <= now);
        self.later = later;
        let due: Vec<(Instant, &'static str, Vec<u8>)> = due;
        for (_, topic, payload) in due {
            self.publish(topic, &payload);
        }
    }

    fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        wire::publish(&mut self.out, topic, self.packet_id, payload);
        self.info.publishes.fetch_add(1, Ordering::Relaxed);
    }

    /// Handles every whole packet of the input.
    fn packets(&mut self, input: &mut BytesMut) {
        while !self.closing && !self.stalled {
            match wire::decode(input) {
                Ok(None) => return,
                Ok(Some(packet)) => self.packet(packet),
                Err(error) => {
                    tracing::info!(pk = self.pk, reason = error.0, "malformed packet from the client");
                    self.closing = true;
                }
            }
        }
    }

    fn packet(&mut self, packet: wire::Packet) {
        self.info.frames_in.fetch_add(1, Ordering::Relaxed);
        match packet {
            wire::Packet::Publish { topic, packet_id, payload } => self.client_publish(&topic, packet_id, &payload),
            wire::Packet::PubAck(_) => {
                self.info.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.shared.touch();
            }
            wire::Packet::PingReq => {
                let fault = self.shared.look(|world| world.take_fault(self.pk, Stage::Ping, ""));
                if fault.is_none() {
                    wire::pingresp(&mut self.out);
                }
            }
            wire::Packet::Subscribe { packet_id, topics } => wire::suback(&mut self.out, packet_id, topics),
            wire::Packet::Unsubscribe { packet_id } => wire::unsuback(&mut self.out, packet_id),
            wire::Packet::Disconnect => self.closing = true,
            wire::Packet::Connect(_) => {
                tracing::info!(pk = self.pk, "a second CONNECT");
                self.closing = true;
            }
        }
        if let Some(left) = &mut self.frames_left {
            *left = left.saturating_sub(1);
            self.closing |= *left == 0;
        }
    }

    fn client_publish(&mut self, topic: &str, packet_id: Option<u16>, payload: &[u8]) {
        if let Some(packet_id) = packet_id {
            let fault = self.shared.look(|world| world.take_fault(self.pk, Stage::PubAck, topic));
            if fault.is_none() {
                wire::puback(&mut self.out, packet_id);
            }
        }
        let Some(plain) = payload::inflate(payload) else {
            tracing::info!(pk = self.pk, topic, "a payload that does not inflate");
            return;
        };
        match topic {
            "132" => self.command(&plain),
            "134" => self.subscribe(&plain),
            "149" | "88" => self.subscriptions(topic, &plain),
            "102" => self.foreground(&plain),
            other => tracing::debug!(pk = self.pk, topic = other, "publish on a topic without meaning here"),
        }
    }

    fn command(&mut self, plain: &[u8]) {
        let Some(fields) = command::parse(plain) else {
            let answer = json!({ "status": "fail", "exception": "JSONDecodeError", "content": "not a JSON object" });
            self.publish("133", &payload::deflate(answer.to_string().as_bytes()));
            return;
        };
        self.shared.record(RecordedRequest::command(self.pk, plain));
        let get = |key: &str| fields.get(key).map(String::as_str).unwrap_or_default();
        let (thread, item) = (get("thread_id").to_owned(), get("item_id"));
        let pk = self.pk;
        match get("action") {
            "send_item" => self.send(&fields),
            // Neither of these is answered.
            "mark_visual_item_seen" => {
                if let Err(error) = self.shared.act(|world| world.see_visual(pk, &thread, item)) {
                    tracing::debug!(pk, %error, "mark_visual_item_seen");
                }
            }
            "mark_seen" => {
                if let Err(error) = self.shared.act(|world| world.mark_seen(pk, &thread, item)) {
                    tracing::debug!(pk, %error, "mark_seen");
                }
            }
            "indicate_activity" => {
                let active = get("activity_status") != "0";
                if let Err(error) = self.shared.act(|world| world.show_typing(pk, &thread, active)) {
                    tracing::debug!(pk, %error, "indicate_activity");
                }
            }
            _ => {
                let refusal = command::refusal(400, "unknown action", fields.get("client_context").map(String::as_str));
                self.publish("133", &payload::deflate(refusal.answer.to_string().as_bytes()));
            }
        }
    }

    fn send(&mut self, fields: &command::Fields) {
        let pk = self.pk;
        let context = fields.get("client_context").map(String::as_str);
        let (fault, outcome, echo_first) = self.shared.act(|world| {
            let fault = world.take_fault(pk, Stage::Send, "132");
            let echo_first = world.account(pk).is_ok_and(|account| account.options.echo_before_answer);
            let echo_at_us = match fault {
                Some(Fault::DelayEcho { ms }) => clock::now_us() + (ms as i64) * 1000,
                _ => 0,
            };
            let outcome = match &fault {
                Some(Fault::DropSend) => None,
                Some(Fault::RejectSend { status_code, message }) => {
                    Some(command::refusal(*status_code, message, context))
                }
                _ => Some(command::send_item(world, pk, fields, echo_at_us)),
            };
            (fault, outcome, echo_first)
        });
        let Some(Outcome { mut answer, .. }) = outcome else { return };
        match fault {
            Some(Fault::DropAnswer) => return,
            Some(Fault::CloseAfterSend) => {
                self.closing = true;
                return;
            }
            Some(Fault::AnonymousAnswer) => answer["payload"]["client_context"] = Value::Null,
            _ => {}
        }
        let bytes = payload::deflate(answer.to_string().as_bytes());
        if let Some(Fault::DelayAnswer { ms }) = fault {
            self.later.push((Instant::now() + Duration::from_millis(ms), "133", bytes));
            return;
        }
        if echo_first {
            self.pull();
        }
        self.publish("133", &bytes);
    }

    fn subscribe(&mut self, plain: &[u8]) {
        let request: Value = serde_json::from_slice(plain).unwrap_or_default();
        let seq_id = match &request["seq_id"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let pk = self.pk;
        let (fault, verdict, head) = self.shared.look(|world| {
            let fault = world.take_fault(pk, Stage::Subscribe, "");
            let queue = world.accounts.get(&pk).map(|account| &account.queue);
            let head = queue.map_or(0, |queue| queue.head());
            let verdict = match (seq_id, queue) {
                (Some(seq_id), Some(queue)) => queue.accepts(seq_id),
                _ => Err(CursorRefusal::Underflow),
            };
            (fault, verdict, head)
        });
        let verdict = match fault {
            Some(Fault::IgnoreSubscribe) => return,
            Some(Fault::RefuseCursor { reason }) => Err(reason),
            _ => verdict,
        };
        let answer = match verdict {
            Ok(()) => json!({
                "succeeded": true,
                "seq_id": seq_id,
                "error_type": null,
                "error_message": null,
                "subscribed_at_ms": clock::now_us() / 1000,
                "latest_seq_id": head,
            }),
            Err(refusal) => json!({
                "succeeded": false,
                "seq_id": null,
                "error_type": 1,
                "error_message": match refusal {
                    CursorRefusal::Underflow => "IrisQueueUnderflowException",
                    CursorRefusal::Overflow => "IrisQueueOverflowException",
                },
                "subscribed_at_ms": null,
                "latest_seq_id": null,
            }),
        };
        self.publish("135", &payload::deflate(answer.to_string().as_bytes()));
        self.position = if verdict.is_ok() { seq_id } else { None };
        self.replay_until = head;
        self.held = None;
        self.info.delivered.store(self.position.unwrap_or(-1), Ordering::Relaxed);
        self.shared.touch();
    }

    fn subscriptions(&mut self, topic: &str, plain: &[u8]) {
        let request: Value = serde_json::from_slice(plain).unwrap_or_default();
        for (key, wanted) in [("sub", true), ("unsub", false)] {
            for one in request[key].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if topic == "149" && one.contains(TYPING_SUBSCRIPTION) {
                    self.typing = wanted;
                }
                if topic == "88" && one == format!("ig/u/v1/{}", self.pk) {
                    self.pubsub = wanted;
                }
            }
        }
    }

    /// The server sends nothing to an app in the background.
    fn foreground(&mut self, plain: &[u8]) {
        let Some(state) = plain.split_first().and_then(|(_, rest)| thrift::read(rest)) else { return };
        if let Some(thrift::Tree::Bool(foreground)) = state.field(1) {
            self.background = !foreground;
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Publish { topic, payload } => self.publish(&topic, &payload),
            Order::Raw(bytes) => self.out.extend_from_slice(&bytes),
            Order::Stall => self.stalled = true,
            Order::Typing { thread, sender, active, at_us } => {
                let json = payload::typing(&thread, sender, active, at_us);
                if self.typing {
                    self.publish("149", &payload::deflate(&thrift::topic_message("direct", &json)));
                }
                if self.pubsub {
                    self.publish("88", &payload::deflate(&thrift::topic_message("direct", &json)));
                }
            }
        }
    }
}
