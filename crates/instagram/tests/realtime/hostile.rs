//! Garbage of every kind: reported, acknowledged, survived, and its neighbours delivered.

use bytes::Bytes;
use instagram::mqttot::{Packet, Publish, deflate};
use instagram::realtime::{CloseReason, Event, Typing};
use instagram::thrift::{Struct, Value};
use instagram::topic::Topic;
use serde_json::{Value as Json, json};

use crate::mutate::{mutations, places};
use crate::peer::{World, frame, pieces};

/// Puts garbage between two good pieces and returns what came of it.
fn between_neighbours(garbage: impl FnOnce(&mut World) -> Option<u16>) -> Vec<Event> {
    let mut world = World::connected();
    world.server_publishes("146", "[1]");
    let id = garbage(&mut world);
    world.server_publishes("146", "[2]");
    let mut events = world.events();
    let texts: Vec<_> = pieces(&events).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts.first().map(String::as_str), Some("[1]"));
    assert_eq!(texts.last().map(String::as_str), Some("[2]"));
    assert!(!world.client.is_closed());
    if let Some(id) = id {
        assert_eq!(world.client_acknowledges(), [id], "garbage is acknowledged once it was reported");
    }
    events.retain(|event| !matches!(event, Event::Sync { .. }));
    events
}

fn malformed(events: &[Event], expected: Option<Topic>) {
    let [Event::Malformed { topic, .. }] = events else { panic!("{events:?}") };
    assert_eq!(*topic, expected);
}

#[test]
fn truncated_and_corrupt_zlib_are_reported() {
    let good = deflate(b"[{\"event\":\"patch\"}]");
    let cut = good[..good.len() - 6].to_vec();
    malformed(&between_neighbours(|world| Some(world.server_publishes_raw("146", cut))), Some(Topic::MessageSync));
    let mut corrupt = good;
    corrupt[3] ^= 0xff;
    malformed(
        &between_neighbours(|world| Some(world.server_publishes_raw("133", corrupt))),
        Some(Topic::SendMessageResponse),
    );
}

#[test]
fn a_bomb_is_reported_and_ten_megabytes_are_delivered() {
    let bomb = deflate(&vec![0; 40 << 20]);
    malformed(&between_neighbours(|world| Some(world.server_publishes_raw("146", bomb))), Some(Topic::MessageSync));
    let large = format!("[\"{}\"]", "x".repeat(10 << 20));
    assert_eq!(
        between_neighbours(|world| {
            world.server_publishes("146", &large);
            None
        }),
        []
    );
    assert_eq!(
        between_neighbours(|world| {
            world.server_publishes_raw("146", large.clone());
            None
        }),
        []
    );
}

#[test]
fn hostile_nesting_is_reported() {
    for (topic, known) in [
        ("133", Topic::SendMessageResponse),
        ("135", Topic::SubIrisResponse),
        ("88", Topic::PubSub),
        ("149", Topic::RealtimeSub),
    ] {
        for deep in ["[".repeat(200_000), "{\"a\":".repeat(200_000)] {
            malformed(&between_neighbours(|world| Some(world.server_publishes(topic, &deep))), Some(known));
        }
        let thrift = vec![0x1c; 100_000];
        malformed(&between_neighbours(|world| Some(world.server_publishes_raw(topic, thrift))), Some(known));
    }
}

#[test]
fn unknown_topics_are_reported_with_a_bounded_name() {
    let events = between_neighbours(|world| Some(world.server_publishes("9999", "{}")));
    assert!(matches!(&events[..], [Event::UnknownTopic { topic, .. }] if topic == "9999"));
    let name = "é".repeat(20_000);
    let events = between_neighbours(|world| Some(world.server_publishes(&name, "{}")));
    assert!(matches!(&events[..], [Event::UnknownTopic { topic, .. }] if topic.chars().count() == 64));
}

#[test]
fn topics_that_make_other_clients_reconnect_are_notices() {
    for (topic, known) in [
        ("34", Topic::Notify),
        ("141", Topic::IrisServerReset),
        ("/notify_disconnect", Topic::NotifyDisconnect),
        ("150", Topic::RegionHint),
    ] {
        let events = between_neighbours(|world| Some(world.server_publishes(topic, "x")));
        assert!(matches!(events[..], [Event::Notice { topic, .. }] if topic == known));
    }
}

#[test]
fn whole_frames_without_sense_are_reported() {
    let frames: [&[u8]; 7] = [
        &[0x32, 0x04, 0x00, 0x09, b'1', b'4'],       // a topic longer than the packet
        &[0x36, 0x05, 0x00, 0x01, b'1', 0x00, 0x01], // quality 3
        &[0x34, 0x05, 0x00, 0x01, b'1', 0x00, 0x01], // quality 2
        &[0x40, 0x00],                               // an acknowledgement of nothing
        &[0x20, 0x01, 0x00],                         // half a CONNACK
        &[0x10, 0x02, 0x00, 0x00],                   // CONNECT from a server
        &[0x82, 0x01, 0x00],                         // SUBSCRIBE from a server, broken
    ];
    for bytes in frames {
        malformed(
            &between_neighbours(|world| {
                world.client.handle_input(world.now, bytes);
                None
            }),
            None,
        );
    }
    // With quality 1 and a readable packet id it is even acknowledged.
    let bad_topic = [0x32, 0x05, 0x00, 0x01, 0xff, 0x00, 0x63];
    malformed(
        &between_neighbours(|world| {
            world.client.handle_input(world.now, &bad_topic);
            Some(99)
        }),
        None,
    );
}

#[test]
fn only_a_lost_frame_ends_the_connection() {
    for bytes in [&[0x30, 0xff, 0xff, 0xff, 0xff, 0x01][..], &[0x00, 0x00], b"\xf0\x00"] {
        let mut world = World::connected();
        world.client.handle_input(world.now, bytes);
        assert!(matches!(world.events()[..], [Event::Closed { reason: CloseReason::Protocol(_) }]));
    }
}

#[test]
fn messages_of_quality_zero_are_delivered_and_not_acknowledged() {
    let mut world = World::connected();
    let publish =
        Publish { topic: "146".into(), packet_id: None, duplicate: false, payload: Bytes::from_static(b"[]") };
    world.server_says(Packet::Publish(publish));
    let events = world.events();
    world.command(instagram::realtime::Command::Acknowledge(pieces(&events)[0].0));
    assert_eq!(world.client_says(), []);
}

#[test]
fn a_message_delivered_twice_is_two_events() {
    let mut world = World::connected();
    let publish = |duplicate| {
        frame(Packet::Publish(Publish {
            topic: "146".into(),
            packet_id: Some(5),
            duplicate,
            payload: deflate(b"[1]").into(),
        }))
    };
    let both = [publish(false), publish(true)].concat();
    world.client.handle_input(world.now, &both);
    assert_eq!(pieces(&world.events()).len(), 2);
}

#[test]
fn typing_comes_through_both_topics() {
    let json = r#"{"event":"patch","data":[{"op":"add","path":"/direct_v2/threads/3402/activity_indicator_id/74","value":"{\"timestamp\":5,\"sender_id\":\"222\",\"ttl\":12000,\"activity_status\":1}"}]}"#;
    let mut message = Struct::new();
    message.push(1, Value::I32(3));
    message.push(2, Value::from(json));
    let mut world = World::connected();
    world.server_publishes_raw("88", deflate(&message.encode()));
    world.server_publishes("149", json);
    let typing = Event::Typing(Typing {
        thread_id: "3402".into(),
        activity_id: "74".into(),
        user_id: "222".into(),
        active: true,
        timestamp_us: Some(5),
        ttl_ms: Some(12_000),
    });
    assert_eq!(world.events(), [typing.clone(), typing]);
}

/// Every part of a typing notice missing or of another type.
#[test]
fn no_change_of_a_typing_notice_ends_anything() {
    let value = json!({"timestamp": 5, "sender_id": "222", "ttl": 12_000, "activity_status": 1});
    let notice = |value: &Json| {
        json!({"event": "patch", "data": [{"op": "add", "path": "/direct_v2/threads/3402/activity_indicator_id/74",
            "value": value.to_string()}]})
    };
    let mut notices: Vec<(String, Json)> = Vec::new();
    for (document, is_value) in [(notice(&value), false), (value.clone(), true)] {
        let mut all = Vec::new();
        places(&document, "", &mut all);
        for (what, mutated) in all.iter().flat_map(|place| mutations(&document, place)) {
            notices.push((what, if is_value { notice(&mutated) } else { mutated }));
        }
    }
    assert!(notices.len() > 100);
    for (what, notice) in notices {
        for topic in ["88", "149"] {
            let json = notice.to_string();
            let events = between_neighbours(|world| {
                if topic == "149" {
                    return Some(world.server_publishes(topic, &json));
                }
                let mut message = Struct::new();
                message.push(1, Value::I32(3));
                message.push(2, Value::from(json.as_str()));
                Some(world.server_publishes_raw(topic, deflate(&message.encode())))
            });
            let is_harmless =
                |event: &Event| matches!(event, Event::Typing(_) | Event::Malformed { .. } | Event::Notice { .. });
            assert!(events.iter().all(is_harmless), "{what}: {events:?}");
        }
    }
}
