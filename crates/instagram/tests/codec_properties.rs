//! What is written is read back, in pieces of any size, and no input makes the codecs panic.

use bytes::{Bytes, BytesMut};
use instagram::mqttot::{ConnAck, Connect, ConnectInfo, Decoder, Numbering, Packet, Publish, deflate, encode, inflate};
use instagram::thrift::{Kind, Struct, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<i16>().prop_map(Value::I16),
        any::<i32>().prop_map(Value::I32),
        any::<i64>().prop_map(Value::I64),
        any::<i32>().prop_map(|number| Value::Double(number.into())),
        vec(any::<u8>(), 0..200).prop_map(Value::Binary),
    ]
}

fn structure(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Struct> {
    vec((any::<i16>(), values), 0..8).prop_map(|fields| {
        let mut structure = Struct::new();
        for (id, value) in fields {
            structure.push(id, value);
        }
        structure
    })
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 32, 6, |inner| {
        prop_oneof![
            vec(any::<i32>(), 0..20)
                .prop_map(|list| Value::List(Kind::I32, list.into_iter().map(Value::I32).collect())),
            vec(any::<bool>(), 0..20)
                .prop_map(|list| Value::Set(Kind::Bool, list.into_iter().map(Value::Bool).collect())),
            vec(("[a-zé]{0,4}", "[a-z]{0,4}"), 0..6).prop_map(|pairs| Value::Map(
                Kind::Binary,
                Kind::Binary,
                pairs.iter().map(|(key, value)| (Value::from(key.as_str()), Value::from(value.as_str()))).collect()
            )),
            structure(inner).prop_map(Value::Struct),
        ]
    })
}

fn connect() -> impl Strategy<Value = Packet> {
    let strings = (option::of(".{0,30}"), option::of(".{0,30}"), option::of(vec(".{0,5}", 0..4)));
    let pairs = vec((".{0,20}", ".{0,20}"), 0..20);
    (any::<u16>(), strings, pairs, any::<bool>(), vec(any::<i32>(), 0..30)).prop_map(
        |(keep_alive, (identifier, password, requests), pairs, old, topics)| {
            let numbering = if old { Numbering::SevenEight } else { Numbering::NineTen };
            let mut info = ConnectInfo {
                client_identifier: identifier,
                password,
                get_diffs_requests: requests,
                app_specific_info: Some(pairs),
                numbering,
                ..ConnectInfo::default()
            };
            info.client_info.subscribe_topics = Some(topics);
            Packet::Connect(Box::new(Connect { keep_alive, info }))
        },
    )
}

fn packet() -> impl Strategy<Value = Packet> {
    let publish = ("[ -~]{0,40}", option::of(1..=u16::MAX), any::<bool>(), vec(any::<u8>(), 0..300));
    prop_oneof![
        connect(),
        (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..150))
            .prop_map(|(flags, code, payload)| Packet::ConnAck(ConnAck { flags, code, payload: payload.into() })),
        publish.prop_map(|(topic, packet_id, duplicate, payload)| Packet::Publish(Publish {
            topic,
            packet_id,
            duplicate,
            payload: payload.into()
        })),
        any::<u16>().prop_map(Packet::PubAck),
        (any::<u16>(), vec("[a-z0-9]{1,9}", 1..4))
            .prop_map(|(packet_id, topics)| Packet::Subscribe { packet_id, topics }),
        (any::<u16>(), 1..5usize).prop_map(|(packet_id, topics)| Packet::SubAck { packet_id, topics }),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
        Just(Packet::Disconnect),
    ]
}

/// Feeds `stream` in pieces whose sizes go round through `sizes`.
fn decode_in_pieces(stream: &[u8], sizes: &[usize]) -> Vec<Packet> {
    let mut decoder = Decoder::default();
    let (mut input, mut packets, mut rest) = (BytesMut::new(), Vec::new(), stream);
    for size in sizes.iter().cycle() {
        while let Ok(Some(packet)) = decoder.decode(&mut input) {
            packets.push(packet);
        }
        if rest.is_empty() {
            return packets;
        }
        let (piece, tail) = rest.split_at((*size).min(rest.len()));
        input.extend_from_slice(piece);
        rest = tail;
    }
    packets
}

proptest! {
    #[test]
    fn a_struct_comes_back_from_its_bytes(structure in structure(value())) {
        prop_assert_eq!(Struct::decode(&structure.encode()).unwrap(), structure);
    }

    #[test]
    fn no_bytes_make_thrift_panic(input in vec(any::<u8>(), 0..400)) {
        if let Ok(structure) = Struct::decode(&input) {
            // What was read can be written, and reads the same.
            let again = Struct::decode(&structure.encode());
            prop_assert!(again.is_ok());
        }
        let _ = ConnectInfo::decode(&input);
    }

    #[test]
    fn packets_come_back_from_pieces_of_any_size(
        packets in vec(packet(), 1..8),
        sizes in vec(1..40usize, 1..5),
    ) {
        let mut stream = BytesMut::new();
        for packet in packets.clone() {
            encode(packet, &mut stream).unwrap();
        }
        prop_assert_eq!(decode_in_pieces(&stream, &sizes), packets);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_run_in_circles(
        input in vec(any::<u8>(), 0..600),
        sizes in vec(1..40usize, 1..5),
    ) {
        let packets = decode_in_pieces(&input, &sizes);
        prop_assert!(packets.len() * 2 <= input.len());
    }

    #[test]
    fn a_whole_frame_of_nonsense_does_not_harm_its_neighbours(
        first in 0x10..0xf0u8,
        body in vec(any::<u8>(), 0..127),
    ) {
        let good = Packet::Publish(Publish { topic: "146".into(), packet_id: Some(7), duplicate: false, payload: Bytes::new() });
        let mut stream = BytesMut::new();
        encode(good.clone(), &mut stream).unwrap();
        stream.extend_from_slice(&[first, body.len() as u8]);
        stream.extend_from_slice(&body);
        encode(good.clone(), &mut stream).unwrap();
        let packets = decode_in_pieces(&stream, &[1000]);
        prop_assert_eq!(packets.len(), 3);
        prop_assert_eq!(&packets[0], &good);
        prop_assert_eq!(&packets[2], &good);
    }

    #[test]
    fn payloads_come_back_and_broken_ones_do_not_panic(
        text in vec(any::<u8>(), 0..2000),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let packed = deflate(&text);
        prop_assert_eq!(inflate(&Bytes::from(packed.clone()), 2000).unwrap(), &text[..]);
        let mut broken = packed;
        let at = flip.0.index(broken.len());
        broken[at] ^= flip.1;
        let _ = inflate(&Bytes::from(broken), 2000);
    }
}

#[test]
fn an_oversized_packet_is_skipped_and_what_follows_is_read() {
    let publish = |payload: usize| {
        Packet::Publish(Publish {
            topic: "146".into(),
            packet_id: Some(9),
            duplicate: false,
            payload: vec![0; payload].into(),
        })
    };
    let mut stream = BytesMut::new();
    encode(publish(10), &mut stream).unwrap();
    encode(publish(100_000), &mut stream).unwrap();
    encode(publish(20), &mut stream).unwrap();
    let mut decoder = Decoder::new(1000);
    let (mut input, mut packets) = (BytesMut::new(), Vec::new());
    for piece in stream.chunks(777) {
        input.extend_from_slice(piece);
        assert!(input.len() < 2000);
        while let Some(packet) = decoder.decode(&mut input).unwrap() {
            packets.push(packet);
        }
    }
    assert_eq!(packets.len(), 3);
    assert_eq!((&packets[0], &packets[2]), (&publish(10), &publish(20)));
    let Packet::Malformed(malformed) = &packets[1] else { panic!("{:?}", packets[1]) };
    assert_eq!(malformed.packet_id, Some(9));
}

#[test]
fn a_length_of_five_bytes_and_a_reserved_type_lose_the_frame() {
    for bytes in [&[0x30, 0xff, 0xff, 0xff, 0xff, 0x01][..], &[0x00, 0x00], &[0xf0, 0x00]] {
        assert!(Decoder::default().decode(&mut BytesMut::from(bytes)).is_err());
    }
}

#[test]
fn a_packet_that_cannot_be_written_leaves_nothing_behind() {
    let mut output = BytesMut::new();
    let zero = Publish { topic: "1".into(), packet_id: Some(0), duplicate: false, payload: Bytes::new() };
    let long = Publish { topic: "x".repeat(70_000), packet_id: None, duplicate: false, payload: Bytes::new() };
    assert!(encode(Packet::Publish(zero), &mut output).is_err());
    assert!(encode(Packet::Publish(long), &mut output).is_err());
    assert!(output.is_empty());
}
