//! The world of these tests: a client, a server that does what the test says, and a clock that the test moves.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use instagram::mqttot::{ConnAck, Decoder, Packet, Publish, deflate, encode, inflate};
use instagram::realtime::{AckToken, Command, Event, Realtime, RealtimeOptions, Sent};

/// Client and server with nothing but memory between them.
pub(crate) struct World {
    pub(crate) client: Realtime,
    pub(crate) now: Instant,
    decoder: Decoder,
    from_client: BytesMut,
    next_id: u16,
}

pub(crate) fn options() -> RealtimeOptions {
    let mut options =
        RealtimeOptions::new(777, "777%3Asecret%3A7", "0a1b2c3d-1111-4222-8333-444455556666", "UA", "428.0.0.47.67");
    options.client_mqtt_session_id = 4711;
    options.client_subscription_id = "11111111-2222-4333-8444-555555555555".into();
    options
}

impl World {
    /// CONNECT is on its way.
    pub(crate) fn new() -> World {
        World::with(&options())
    }

    pub(crate) fn with(options: &RealtimeOptions) -> World {
        #[expect(clippy::disallowed_methods, reason = "any moment will do as the start of virtual time")]
        let now = Instant::now();
        let client = Realtime::new(options, now);
        World { client, now, decoder: Decoder::default(), from_client: BytesMut::new(), next_id: 0 }
    }

    /// The server has accepted the client; its first packets are taken.
    pub(crate) fn connected() -> World {
        World::connected_with(&options())
    }

    pub(crate) fn connected_with(options: &RealtimeOptions) -> World {
        let mut world = World::with(options);
        world.server_says(Packet::ConnAck(ConnAck::code(0)));
        assert_eq!(world.client.poll_event(), Some(Event::Connected));
        for packet in world.client_says() {
            if let Packet::Publish(Publish { packet_id: Some(id), .. }) = packet {
                world.server_says(Packet::PubAck(id));
            }
        }
        world
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.client.handle_command(self.now, command);
    }

    /// What the client has written since the last call.
    pub(crate) fn client_says(&mut self) -> Vec<Packet> {
        while let Some(bytes) = self.client.poll_transmit() {
            self.from_client.extend_from_slice(&bytes);
        }
        let mut packets = Vec::new();
        while let Some(packet) = self.decoder.decode(&mut self.from_client).unwrap() {
            packets.push(packet);
        }
        packets
    }

    /// The messages among what the client has written: topic, packet id, inflated payload.
    pub(crate) fn client_publishes(&mut self) -> Vec<(String, u16, String)> {
        self.client_says()
            .into_iter()
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .map(|publish| {
                assert_eq!(publish.payload[..2], [0x78, 0xda]);
                let text = String::from_utf8(inflate(&publish.payload, 1 << 20).unwrap().to_vec()).unwrap();
                (publish.topic, publish.packet_id.unwrap(), text)
            })
            .collect()
    }

    /// The packet ids the client has acknowledged since the last call, whatever else it wrote.
    pub(crate) fn client_acknowledges(&mut self) -> Vec<u16> {
        self.client_says()
            .into_iter()
            .filter_map(|packet| match packet {
                Packet::PubAck(id) => Some(id),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn server_says(&mut self, packet: Packet) {
        let bytes = frame(packet);
        self.client.handle_input(self.now, &bytes);
    }

    /// A message of quality 1 with this raw payload. Returns its packet id.
    pub(crate) fn server_publishes_raw(&mut self, topic: &str, payload: impl Into<Bytes>) -> u16 {
        self.next_id += 1;
        let packet_id = self.next_id;
        let publish =
            Publish { topic: topic.into(), packet_id: Some(packet_id), duplicate: false, payload: payload.into() };
        self.server_says(Packet::Publish(publish));
        packet_id
    }

    /// A message of quality 1 with this text, compressed. Returns its packet id.
    pub(crate) fn server_publishes(&mut self, topic: &str, text: &str) -> u16 {
        self.server_publishes_raw(topic, deflate(text.as_bytes()))
    }

    /// The answer to a command.
    pub(crate) fn server_answers(&mut self, client_context: &str, item_id: &str) {
        self.server_publishes(
            "133",
            &format!(
                r#"{{"action":"item_ack","status_code":"200","payload":{{"client_context":"{client_context}","item_id":"{item_id}","timestamp":"1767225600123456"}},"status":"ok"}}"#
            ),
        );
    }

    pub(crate) fn send(&mut self, client_context: &str, timeout: Duration) {
        let payload = format!(r#"{{"client_context":"{client_context}"}}"#).into_bytes();
        let deadline = self.now + timeout;
        self.command(Command::Send { payload, client_context: client_context.into(), deadline });
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        std::iter::from_fn(|| self.client.poll_sent()).collect()
    }

    /// Moves the clock, stopping wherever the client wants to be called.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            let next = self.client.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "the client wants to be called again at once");
        }
        self.now = end;
    }

    /// Moves the clock while the server answers pings.
    pub(crate) fn pass_with_pongs(&mut self, time: Duration) -> Vec<Packet> {
        let end = self.now + time;
        let mut others = Vec::new();
        while self.now < end && !self.client.is_closed() {
            self.pass(Duration::from_secs(1).min(end - self.now));
            for packet in self.client_says() {
                match packet {
                    Packet::PingReq => self.server_says(Packet::PingResp),
                    other => others.push(other),
                }
            }
        }
        others
    }
}

pub(crate) fn frame(packet: Packet) -> Bytes {
    let mut bytes = BytesMut::new();
    encode(packet, &mut bytes).unwrap();
    bytes.freeze()
}

/// The payloads among the events, in order, with their tokens.
pub(crate) fn pieces(events: &[Event]) -> Vec<(AckToken, String)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Sync { ack, payload } => Some((*ack, String::from_utf8(payload.to_vec()).unwrap())),
            _ => None,
        })
        .collect()
}
