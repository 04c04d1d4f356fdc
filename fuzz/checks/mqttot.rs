//! No bytes make the packet decoder or a connection panic, in whatever pieces they arrive.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use instagram::mqttot::{ConnAck, Decoder, Packet, encode, inflate};
use instagram::realtime::{Command, Event, Realtime, RealtimeOptions};

/// Panics when the codec or the state machine misbehaves on `data`, whose first byte is the size of the pieces.
pub(crate) fn check(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    decoder(stream, size);
    connection(stream, size);
    let _ = inflate(&Bytes::copy_from_slice(stream), 1 << 20);
}

fn decoder(stream: &[u8], size: usize) {
    let mut decoder = Decoder::new(1 << 16);
    let mut input = BytesMut::new();
    for piece in stream.chunks(size) {
        input.extend_from_slice(piece);
        loop {
            let before = input.len();
            match decoder.decode(&mut input) {
                Ok(Some(packet)) => {
                    assert!(input.len() < before, "a packet of no bytes");
                    reread(packet);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// A packet that was read can be written and reads the same, unless its packet id is 0.
fn reread(packet: Packet) {
    let mut bytes = BytesMut::new();
    if matches!(packet, Packet::Malformed(_)) || encode(packet.clone(), &mut bytes).is_err() {
        return;
    }
    let again = Decoder::default().decode(&mut bytes).expect("own output has a frame");
    assert_eq!(again, Some(packet));
    assert!(bytes.is_empty());
}

fn connection(stream: &[u8], size: usize) {
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the start")]
    let mut now = Instant::now();
    let options = RealtimeOptions::new(1, "s", "0a1b2c3d-1111-4222-8333-444455556666", "UA", "1");
    let mut client = Realtime::new(&options, now);
    let mut connack = BytesMut::new();
    encode(Packet::ConnAck(ConnAck::code(0)), &mut connack).expect("a plain packet");
    client.handle_input(now, &connack);
    client.handle_command(now, Command::SubscribeIris { seq_id: 1, snapshot_at_ms: 1 });
    for context in ["1", "2"] {
        let deadline = now + Duration::from_secs(9);
        client.handle_command(
            now,
            Command::Send { payload: b"{}".to_vec(), client_context: context.to_owned(), deadline },
        );
    }
    let mut sent = 0;
    for piece in stream.chunks(size) {
        client.handle_input(now, piece);
        now += Duration::from_secs(1);
        if client.poll_timeout().is_some_and(|due| due <= now) {
            client.handle_timeout(now);
        }
        while let Some(event) = client.poll_event() {
            if let Event::Sync { ack, .. } = event {
                client.handle_command(now, Command::Acknowledge(ack));
            }
        }
        while client.poll_transmit().is_some() {}
        sent += std::iter::from_fn(|| client.poll_sent()).count();
    }
    client.handle_disconnected();
    sent += std::iter::from_fn(|| client.poll_sent()).count();
    assert_eq!(sent, 2, "every send ends exactly once");
    assert!(client.is_closed());
}
