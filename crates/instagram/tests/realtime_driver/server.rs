//! The server's end of a connection: reads packets, writes packets.

use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use instagram::client::realtime::{Events, Handle};
use instagram::mqttot::{ConnAck, Decoder, Packet, Publish, deflate, encode, inflate};
use instagram::realtime::{Event, RealtimeOptions};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;

pub(crate) fn options() -> RealtimeOptions {
    RealtimeOptions::new(777, "777%3Asecret", "0a1b2c3d-1111-4222-8333-444455556666", "UA", "428.0.0.47.67")
}

#[expect(clippy::disallowed_methods, reason = "the task of a test needs no tracking")]
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(future)
}

pub(crate) struct Server<S> {
    pub(crate) stream: S,
    decoder: Decoder,
    input: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    pub(crate) fn new(stream: S) -> Server<S> {
        Server { stream, decoder: Decoder::default(), input: BytesMut::new() }
    }

    /// The next packet; `None` when the client has closed.
    pub(crate) async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.input).unwrap() {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next command of topic 132, acknowledged and parsed; answers pings on the way.
    pub(crate) async fn read_command(&mut self) -> Json {
        loop {
            match self.read().await.expect("the client has closed") {
                Packet::PingReq => self.write(Packet::PingResp).await,
                Packet::Publish(publish) => {
                    self.write(Packet::PubAck(publish.packet_id.unwrap())).await;
                    if publish.topic == "132" {
                        return serde_json::from_slice(&inflate(&publish.payload, 1 << 20).unwrap()).unwrap();
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) async fn write(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(packet, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub(crate) async fn publish(&mut self, topic: &str, packet_id: u16, text: &str) {
        let publish = Publish {
            topic: topic.into(),
            packet_id: Some(packet_id),
            duplicate: false,
            payload: deflate(text.as_bytes()).into(),
        };
        self.write(Packet::Publish(publish)).await;
    }

    pub(crate) async fn answer(&mut self, command: &Json) {
        let context = command["client_context"].as_str().unwrap();
        let answer = format!(
            r#"{{"status_code":"200","status":"ok","payload":{{"client_context":"{context}","item_id":"item of {context}","timestamp":"5"}}}}"#
        );
        self.publish("133", 1, &answer).await;
    }

    /// Takes CONNECT and accepts it.
    pub(crate) async fn accept(&mut self) {
        assert!(matches!(self.read().await, Some(Packet::Connect(_))));
        self.write(Packet::ConnAck(ConnAck::code(0))).await;
    }
}

/// A connection through memory, accepted; its driver runs as a task.
pub(crate) async fn connected(
    options: &RealtimeOptions,
) -> (Handle, Events, JoinHandle<()>, Server<tokio::io::DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(4 << 10);
    let (handle, mut events, driver) = instagram::client::realtime::attach(ours, options);
    let driver = spawn(driver);
    let mut server = Server::new(theirs);
    server.accept().await;
    assert_eq!(within(events.next()).await, Some(Event::Connected));
    (handle, events, driver, server)
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(600), future).await.expect("in time")
}
