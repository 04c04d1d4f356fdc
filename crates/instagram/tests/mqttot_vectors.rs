//! The bytes of thrift and MQTToT equal those of independent implementations (each file names its source).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use instagram::mqttot::{
    ClientInfo, ConnAck, ConnectInfo, Decoder, Numbering, Packet, Publish, deflate, encode, inflate,
};
use instagram::thrift::{Struct, Value};
use serde_json::Value as Json;

fn cases(file: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

fn hex(value: &Json) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn decode_one(bytes: &[u8]) -> Packet {
    let mut input = BytesMut::from(bytes);
    let packet = Decoder::default().decode(&mut input).unwrap().unwrap();
    assert!(input.is_empty());
    packet
}

fn encode_one(packet: Packet) -> Vec<u8> {
    let mut output = BytesMut::new();
    encode(packet, &mut output).unwrap();
    output.to_vec()
}

fn connect_info(input: &Json, numbering: Numbering) -> ConnectInfo {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let info = &input["client_info"];
    let small = |value: &Json| value.as_i64().map(|number| i32::try_from(number).unwrap());
    ConnectInfo {
        client_identifier: text(&input["client_identifier"]),
        will_topic: text(&input["will_topic"]),
        will_message: text(&input["will_message"]),
        client_info: ClientInfo {
            user_id: info["user_id"].as_i64(),
            user_agent: text(&info["user_agent"]),
            client_capabilities: info["client_capabilities"].as_i64(),
            endpoint_capabilities: info["endpoint_capabilities"].as_i64(),
            publish_format: small(&info["publish_format"]),
            no_automatic_foreground: info["no_automatic_foreground"].as_bool(),
            make_user_available_in_foreground: info["make_user_available_in_foreground"].as_bool(),
            device_id: text(&info["device_id"]),
            is_initially_foreground: info["is_initially_foreground"].as_bool(),
            network_type: small(&info["network_type"]),
            network_subtype: small(&info["network_subtype"]),
            client_mqtt_session_id: info["client_mqtt_session_id"].as_i64(),
            client_ip_address: text(&info["client_ip_address"]),
            subscribe_topics: info["subscribe_topics"]
                .as_array()
                .map(|topics| topics.iter().map(|topic| small(topic).unwrap()).collect()),
            client_type: text(&info["client_type"]),
            app_id: info["app_id"].as_i64(),
            override_nectar_logging: info["override_nectar_logging"].as_bool(),
            connect_token_hash: text(&info["connect_token_hash"]),
            region_preference: text(&info["region_preference"]),
            device_secret: text(&info["device_secret"]),
            client_stack: info["client_stack"].as_i64().map(|number| i8::try_from(number).unwrap()),
            fbns_connection_key: info["fbns_connection_key"].as_i64(),
            fbns_connection_secret: text(&info["fbns_connection_secret"]),
            fbns_device_id: text(&info["fbns_device_id"]),
            fbns_device_secret: text(&info["fbns_device_secret"]),
            luid: info["luid"].as_i64().or_else(|| info["another_unknown"].as_i64()),
        },
        password: text(&input["password"]),
        get_diffs_requests: input["get_diffs_requests"]
            .as_array()
            .map(|list| list.iter().map(|entry| text(entry).unwrap()).collect()),
        zero_rating_token_hash: text(&input["zero_rating_token_hash"]),
        app_specific_info: input["app_specific_info"]
            .as_object()
            .map(|map| map.iter().map(|(key, value)| (key.clone(), text(value).unwrap())).collect()),
        numbering,
    }
}

#[test]
fn the_connect_struct_is_byte_equal_to_instagrapi_and_mautrix_and_reads_back() {
    for case in cases("thrift_connect_struct") {
        let name = &case["name"];
        let mut info = connect_info(&case["input"], Numbering::NineTen);
        let wire = hex(&case["output_hex"]);
        if let Some(pairs) = &mut info.app_specific_info {
            // JSON objects lose their order when parsed; the wire has it.
            pairs.sort_by_key(|(key, _)| wire.windows(key.len().max(1)).position(|part| part == key.as_bytes()));
        }
        let empty_map = info.app_specific_info.as_ref().is_some_and(Vec::is_empty);
        assert_eq!(HEXLOWER.encode(&info.encode()), case["output_hex"].as_str().unwrap(), "{name}");
        assert_eq!(ConnectInfo::decode(&hex(&case["output_hex"])).unwrap(), info, "{name}");
        if let Some(old) = case["outputs"]["mautrix_instagram"].as_str() {
            let mut info = ConnectInfo { numbering: Numbering::SevenEight, ..info };
            if info.app_specific_info.is_none() && info.zero_rating_token_hash.is_none() {
                info.numbering = Numbering::NineTen; // nothing on the wire tells
            }
            if !empty_map {
                assert_eq!(HEXLOWER.encode(&info.encode()), old, "{name}");
            }
            assert_eq!(ConnectInfo::decode(&HEXLOWER.decode(old.as_bytes()).unwrap()).unwrap(), info, "{name}");
        }
    }
}

#[test]
fn whole_connect_packets_of_other_clients_are_read_and_written_again() {
    for case in cases("connect_packets") {
        let name = case["name"].as_str().unwrap();
        let Packet::Connect(connect) = decode_one(&hex(&case["output_hex"])) else { panic!("{name}") };
        let thrift = hex(&case["thrift_hex"]);
        assert_eq!(connect.info, ConnectInfo::decode(&thrift).unwrap(), "{name}");
        if !name.contains("fbns") {
            assert_eq!(connect.info.encode(), thrift, "{name}");
            let old = name.contains("mautrix");
            assert_eq!(connect.info.numbering, if old { Numbering::SevenEight } else { Numbering::NineTen });
            assert!(connect.info.password.as_deref().unwrap().contains('='), "{name}");
        }
        assert_eq!(decode_one(&encode_one(Packet::Connect(connect.clone()))), Packet::Connect(connect), "{name}");
        assert_eq!(Struct::decode(&thrift).unwrap().encode().len(), thrift.len(), "{name}");
    }
}

#[test]
fn connack_keeps_its_code_and_whatever_follows() {
    for case in cases("connack") {
        let bytes = hex(&case["input"]["hex"]);
        let payload = Bytes::from(hex(&case["output"]["payload_hex"]));
        let code = u8::try_from(case["output"]["return_code"].as_u64().unwrap()).unwrap();
        let ack = Packet::ConnAck(ConnAck { flags: 0, code, payload });
        assert_eq!(decode_one(&bytes), ack);
        assert_eq!(encode_one(ack), bytes);
    }
}

#[test]
fn publish_packets_are_byte_equal() {
    for case in cases("publish_packets") {
        let name = &case["name"];
        let input = &case["input"];
        let payload = input.get("payload_zlib_hex").or(input.get("payload_hex")).unwrap();
        let quality = input["qos"].as_u64().unwrap();
        let packet = Packet::Publish(Publish {
            topic: input["topic"].as_str().unwrap().into(),
            packet_id: (quality == 1).then(|| u16::try_from(input["packet_id"].as_u64().unwrap()).unwrap()),
            duplicate: false,
            payload: Bytes::from(hex(payload)),
        });
        assert_eq!(encode_one(packet.clone()), hex(&case["output_hex"]), "{name}");
        assert_eq!(decode_one(&hex(&case["output_hex"])), packet, "{name}");
        if let Some(text) = input["payload_uncompressed"].as_str() {
            assert_eq!(inflate(&Bytes::from(hex(payload)), 1000).unwrap(), text, "{name}");
            assert_eq!(inflate(&Bytes::from(deflate(text.as_bytes())), 1000).unwrap(), text, "{name}");
        }
    }
}

#[test]
fn control_packets_are_byte_equal() {
    for case in cases("control_packets") {
        let packet = match case["name"].as_str().unwrap() {
            "puback_513" => Packet::PubAck(513),
            "pingreq" => Packet::PingReq,
            "disconnect" => Packet::Disconnect,
            "subscribe_fbns_76_pid1" => Packet::Subscribe { packet_id: 1, topics: vec!["76".into()] },
            other => panic!("a new case {other}"),
        };
        assert_eq!(encode_one(packet.clone()), hex(&case["output_hex"]));
        assert_eq!(decode_one(&hex(&case["output_hex"])), packet);
    }
}

#[test]
fn remaining_lengths_are_byte_equal() {
    for case in cases("remaining_length") {
        let Some(length) = usize::try_from(case["input"].as_u64().unwrap()).ok().filter(|n| *n <= 2_097_152) else {
            continue;
        };
        // A PUBLISH of quality 0 with an empty topic has a body of two bytes and the payload.
        let Some(payload) = length.checked_sub(2) else { continue };
        let publish =
            Publish { topic: String::new(), packet_id: None, duplicate: false, payload: vec![0; payload].into() };
        let bytes = encode_one(Packet::Publish(publish));
        let expected = hex(&case["output_hex"]);
        assert_eq!(bytes[1..=expected.len()], expected);
        assert_eq!(bytes.len(), 1 + expected.len() + length);
    }
}

#[test]
fn messages_wrapped_in_thrift_are_read() {
    for case in cases("incoming_thrift") {
        let name = &case["name"];
        let message = Struct::decode(&hex(&case["input"]["hex"])).unwrap();
        let topic = message.field(1).unwrap();
        match (&case["output"]["topic"], &case["output"]["hint"]) {
            (Json::Number(number), _) => assert_eq!(topic.integer(), number.as_i64(), "{name}"),
            (Json::String(text), _) | (_, Json::String(text)) => {
                assert_eq!(topic, &Value::from(text.as_str()), "{name}");
            }
            _ => panic!("{name}"),
        }
        if let Some(payload) = case["output"]["payload"].as_str() {
            assert_eq!(message.field(2), Some(&Value::from(payload)), "{name}");
        }
    }
}
