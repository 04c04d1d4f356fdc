//! A bare MQTToT client for tests, written by hand from the protocol notes.

use std::{io::Read, sync::Arc, time::Duration};

use flate2::{Compression, read::ZlibDecoder, read::ZlibEncoder};
use instagram_sim::{Account, Sim};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::DEADLINE;

/// A frame from the server: its first byte and its body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame(pub(crate) u8, pub(crate) Vec<u8>);

pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
    packet_id: u16,
    /// Whether publishes of the server are acknowledged.
    pub(crate) acknowledge: bool,
}

pub(crate) fn tls(sim: &Sim) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sim.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ZlibEncoder::new(plain, Compression::best()).read_to_end(&mut out).unwrap();
    out
}

pub(crate) fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ZlibDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, header: u8, text: &str) {
    out.push(header);
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    varint(&mut out, body.len() as u64);
    out.extend_from_slice(body);
    out
}

/// A CONNECT packet with only the fields the server needs.
pub(crate) fn connect_packet(pk: u64, password: &str, keep_alive: u16) -> Vec<u8> {
    let mut thrift = Vec::new();
    text(&mut thrift, 0x18, "11111111-2222-4333-8");
    thrift.push(0x3c);
    thrift.push(0x16);
    varint(&mut thrift, pk << 1);
    thrift.push(0);
    text(&mut thrift, 0x18, password);
    thrift.push(0);
    let mut body = b"\x00\x06MQTToT\x03\xc2".to_vec();
    body.extend_from_slice(&keep_alive.to_be_bytes());
    body.extend_from_slice(&deflate(&thrift));
    frame(0x10, &body)
}

impl Client {
    /// TLS only.
    pub(crate) async fn open(sim: &Sim) -> Client {
        let stream = TcpStream::connect(sim.realtime_address()).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(tls(sim)).connect(name, stream).await.unwrap();
        Client { stream, packet_id: 0, acknowledge: true }
    }

    /// TLS, CONNECT and a good CONNACK.
    pub(crate) async fn connect(sim: &Sim, account: &Account) -> Client {
        let mut client = Client::open(sim).await;
        let password = format!("sessionid={}", account.sessionid);
        client.write(&connect_packet(account.pk, &password, 60)).await;
        assert_eq!(client.read().await, Some(Frame(0x20, vec![0, 0])));
        client
    }

    /// Connected and subscribed from the queue's head.
    pub(crate) async fn subscribed(sim: &Sim, account: &Account) -> Client {
        let mut client = Client::connect(sim, account).await;
        let answer = client.subscribe(sim.queue_head(account.pk).unwrap()).await;
        assert_eq!(answer["succeeded"], true);
        client
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next frame; `None` once the server has closed.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        tokio::time::timeout(DEADLINE, self.read_frame()).await.expect("the server says nothing")
    }

    async fn read_frame(&mut self) -> Option<Frame> {
        let first = self.stream.read_u8().await.ok()?;
        let mut length = 0usize;
        let mut shift = 0;
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        if self.acknowledge && first == 0x32 {
            let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
            if let Some(id) = body.get(2 + topic..4 + topic) {
                let ack = frame(0x40, id);
                self.stream.write_all(&ack).await.ok()?;
            }
        }
        Some(Frame(first, body))
    }

    /// Whether nothing arrives for a moment.
    pub(crate) async fn is_quiet(&mut self, moment: Duration) -> bool {
        tokio::time::timeout(moment, self.read_frame()).await.is_err()
    }

    /// Publishes JSON; gives the packet id.
    pub(crate) async fn publish(&mut self, topic: &str, body: &Value) -> u16 {
        self.publish_bytes(topic, &deflate(body.to_string().as_bytes())).await
    }

    pub(crate) async fn publish_bytes(&mut self, topic: &str, payload: &[u8]) -> u16 {
        let packet = self.publish_packet(topic, payload);
        self.write(&packet).await;
        self.packet_id
    }

    fn publish_packet(&mut self, topic: &str, payload: &[u8]) -> Vec<u8> {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        let mut body = (topic.len() as u16).to_be_bytes().to_vec();
        body.extend_from_slice(topic.as_bytes());
        body.extend_from_slice(&self.packet_id.to_be_bytes());
        body.extend_from_slice(payload);
        frame(0x32, &body)
    }

    /// The next publish on a topic, inflated; other frames are passed over.
    pub(crate) async fn next_bytes(&mut self, topic: &str) -> Option<Vec<u8>> {
        loop {
            let Frame(first, body) = self.read().await?;
            if first == 0x32 {
                let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
                if body.get(2..2 + length) == Some(topic.as_bytes()) {
                    return Some(inflate(&body[4 + length..]));
                }
            }
        }
    }

    pub(crate) async fn next(&mut self, topic: &str) -> Value {
        let bytes = self.next_bytes(topic).await.expect("the connection is open");
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(crate) async fn subscribe(&mut self, seq_id: i64) -> Value {
        let request = json!({ "seq_id": seq_id, "snapshot_at_ms": 1, "snapshot_app_version": "428.0.0.47.67" });
        self.publish("134", &request).await;
        self.next("135").await
    }

    /// The next item patch: sequence number and item.
    pub(crate) async fn next_item(&mut self) -> (i64, Value) {
        loop {
            for envelope in self.next("146").await.as_array().unwrap() {
                for patch in envelope["data"].as_array().unwrap() {
                    let path = patch["path"].as_str().unwrap_or_default();
                    if path.contains("/items/") && !path.contains("/reactions/") {
                        let item = serde_json::from_str(patch["value"].as_str().unwrap()).unwrap();
                        return (envelope["seq_id"].as_i64().unwrap(), item);
                    }
                }
            }
        }
    }

    /// The next patch whose path contains `part`: operation, path and decoded value.
    pub(crate) async fn next_patch(&mut self, part: &str) -> (String, String, Value) {
        loop {
            for envelope in self.next("146").await.as_array().unwrap() {
                for patch in envelope["data"].as_array().unwrap() {
                    let path = patch["path"].as_str().unwrap_or_default();
                    if path.contains(part) {
                        let value = patch["value"].as_str().map(|text| serde_json::from_str(text).unwrap());
                        return (patch["op"].as_str().unwrap().into(), path.into(), value.unwrap_or_default());
                    }
                }
            }
        }
    }

    pub(crate) async fn send_text(&mut self, thread: &str, text: &str, context: &str) {
        let packet = self.text_packet(thread, text, context);
        self.write(&packet).await;
    }

    /// The packet that sends a text.
    pub(crate) fn text_packet(&mut self, thread: &str, text: &str, context: &str) -> Vec<u8> {
        let command = json!({
            "action": "send_item", "item_type": "text", "thread_id": thread, "text": text,
            "client_context": context, "offline_threading_id": context,
        });
        self.publish_packet("132", &deflate(command.to_string().as_bytes()))
    }

    /// Reads this many frames without looking at them.
    pub(crate) async fn pass_over(&mut self, mut frames: usize) {
        let mut input = bytes::BytesMut::new();
        while frames > 0 {
            while input.len() >= 2 {
                let (length, header) = match input[1] {
                    low if low < 0x80 => (usize::from(low), 2),
                    low if input.len() > 2 => (usize::from(low & 0x7f) | usize::from(input[2]) << 7, 3),
                    _ => break,
                };
                if input.len() < header + length {
                    break;
                }
                bytes::Buf::advance(&mut input, header + length);
                frames -= 1;
            }
            if frames > 0 {
                assert!(self.stream.read_buf(&mut input).await.unwrap() > 0);
            }
        }
    }
}
