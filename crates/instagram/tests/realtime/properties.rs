//! Random lives of a connection: nothing panics, nothing is lost, time always moves on.

use std::time::Duration;

use instagram::mqttot::{Packet, Publish, deflate};
use instagram::realtime::{Command, Event};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::peer::{World, frame, pieces};

#[derive(Debug, Clone)]
enum Action {
    Input(Vec<u8>),
    Answer(u8),
    Ack(u16),
    Sync,
    Subscribe,
    Send(u8, u16),
    Confirm(u8),
    Tell,
    Pass(u16),
    Reading(bool),
    Disconnect,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..30).prop_map(Action::Input),
        4 => (0..20u8).prop_map(Action::Answer),
        4 => (0..70u16).prop_map(Action::Ack),
        4 => Just(Action::Sync),
        1 => Just(Action::Subscribe),
        8 => (0..20u8, 1..200u16).prop_map(|(context, seconds)| Action::Send(context, seconds)),
        2 => (0..20u8).prop_map(Action::Confirm),
        1 => Just(Action::Tell),
        4 => (0..60u16).prop_map(Action::Pass),
        1 => any::<bool>().prop_map(Action::Reading),
        1 => Just(Action::Disconnect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn good_messages_arrive_in_order_whatever_is_between_them_and_however_they_are_cut(
        plan in vec((any::<bool>(), any::<bool>()), 1..30),
        sizes in vec(1..50usize, 1..6),
    ) {
        let mut world = World::connected();
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (n, (doubled, broken)) in plan.into_iter().enumerate() {
            let text = format!("[{n}]");
            let mut payload = deflate(text.as_bytes());
            if broken {
                payload.truncate(payload.len() - 5);
            }
            for _ in 0..=usize::from(doubled) {
                let publish = Publish { topic: "146".into(), packet_id: Some(n as u16 + 1), duplicate: false, payload: payload.clone().into() };
                stream.extend_from_slice(&frame(Packet::Publish(publish)));
                if !broken {
                    expected.push(text.clone());
                }
            }
        }
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*size).min(rest.len()));
            world.client.handle_input(world.now, piece);
            rest = tail;
        }
        let got: Vec<_> = pieces(&world.events()).into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(got, expected);
        prop_assert!(!world.client.is_closed());
    }

    #[test]
    fn every_send_ends_exactly_once_and_closed_is_the_last_event(actions in vec(action(), 0..120)) {
        let mut world = World::connected();
        let mut started = [0usize; 20];
        let mut ended = [0usize; 20];
        let mut events = Vec::new();
        for action in actions {
            match action {
                Action::Input(bytes) => world.client.handle_input(world.now, &bytes),
                Action::Answer(context) => world.server_answers(&context.to_string(), "i"),
                Action::Ack(id) => world.server_says(Packet::PubAck(id)),
                Action::Sync => drop(world.server_publishes("146", "[]")),
                Action::Subscribe => world.command(Command::SubscribeIris { seq_id: 1, snapshot_at_ms: 1 }),
                Action::Send(context, seconds) => {
                    started[usize::from(context)] += 1;
                    world.send(&context.to_string(), Duration::from_secs(seconds.into()));
                }
                Action::Confirm(context) => {
                    world.command(Command::Confirm { client_context: context.to_string(), item_id: "i".into() });
                }
                Action::Tell => world.command(Command::Tell { payload: b"{}".to_vec() }),
                Action::Pass(seconds) => world.pass(Duration::from_secs(seconds.into())),
                Action::Reading(reading) => world.client.set_reading(world.now, reading),
                Action::Disconnect => world.client.handle_disconnected(),
            }
            for packet in world.client_says() {
                if packet == Packet::PingReq {
                    world.server_says(Packet::PingResp);
                }
            }
            events.extend(world.events());
            for sent in world.sent() {
                ended[sent.client_context.parse::<usize>().unwrap()] += 1;
            }
        }
        world.client.handle_disconnected();
        events.extend(world.events());
        for sent in world.sent() {
            ended[sent.client_context.parse::<usize>().unwrap()] += 1;
        }
        prop_assert_eq!(started, ended);
        let closed: Vec<_> = events.iter().map(|event| matches!(event, Event::Closed { .. })).collect();
        prop_assert_eq!(closed.iter().filter(|closed| **closed).count(), 1);
        prop_assert!(closed.last().unwrap());
        prop_assert_eq!(world.client.poll_timeout(), None);
    }
}
