//! Connecting, staying alive, ending.

use std::time::Duration;

use instagram::mqttot::{ConnAck, ConnectInfo, Packet};
use instagram::realtime::{CloseReason, Command, Event, Realtime};

use crate::peer::{World, frame, options, pieces};

const SECOND: Duration = Duration::from_secs(1);

fn closed(reason: CloseReason) -> Event {
    Event::Closed { reason }
}

#[test]
fn the_first_packet_is_a_connect_in_the_background_with_the_session() {
    let packets = World::new().client_says();
    let [Packet::Connect(connect)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(connect.keep_alive, 60);
    let ConnectInfo { client_identifier, client_info, password, .. } = &connect.info;
    assert_eq!(client_identifier.as_deref(), Some("0a1b2c3d-1111-4222-8"));
    assert_eq!(password.as_deref(), Some("sessionid=777%3Asecret%3A7"));
    assert_eq!(client_info.no_automatic_foreground, Some(true));
    assert_eq!(client_info.make_user_available_in_foreground, Some(false));
    assert_eq!(client_info.is_initially_foreground, Some(false));
    assert_eq!(client_info.subscribe_topics, Some(vec![88, 135, 149, 150, 133, 146]));
}

#[test]
fn without_a_sessionid_the_bearer_is_the_password() {
    let mut options = options();
    options.sessionid.clear();
    options.bearer = Some("Bearer IGT:2:abc".into());
    assert_eq!(options.connect_info().password.as_deref(), Some("authorization=Bearer IGT:2:abc"));
}

#[test]
fn after_connack_the_client_subscribes_to_typing_and_presence() {
    let mut world = World::new();
    world.client_says();
    world.server_says(Packet::ConnAck(ConnAck::code(0)));
    assert_eq!(world.events(), [Event::Connected]);
    let published = world.client_publishes();
    let topics: Vec<_> = published.iter().map(|(topic, id, _)| (topic.as_str(), *id)).collect();
    assert_eq!(topics, [("149", 1), ("88", 2)]);
    assert!(published[0].2.contains("1/graphqlsubscriptions/17867973967082385/"));
    assert_eq!(published[1].2, r#"{"sub":["ig/u/v1/777","ig/live_notification_subscribe/777"]}"#);
}

#[test]
fn a_connack_with_a_payload_is_accepted_byte_by_byte() {
    let mut world = World::new();
    let ack = ConnAck { flags: 0, code: 0, payload: vec![7; 300].into() };
    for byte in frame(Packet::ConnAck(ack)) {
        world.client.handle_input(world.now, &[byte]);
    }
    assert_eq!(world.events(), [Event::Connected]);
}

#[test]
fn a_refused_connect_names_the_code() {
    for code in [1, 3, 4, 5, 19] {
        let mut world = World::new();
        world.server_says(Packet::ConnAck(ConnAck::code(code)));
        assert_eq!(world.events(), [closed(CloseReason::ConnAckRefused(code))]);
        assert_eq!(CloseReason::ConnAckRefused(code).suggests_logout(), code == 4 || code == 5);
        assert_eq!(world.client.poll_timeout(), None);
    }
}

#[test]
fn a_server_that_never_answers_connect_is_given_up() {
    let mut world = World::new();
    world.pass(SECOND * 19);
    assert_eq!(world.events(), []);
    world.pass(SECOND);
    assert_eq!(world.events(), [closed(CloseReason::ConnectTimeout)]);
}

#[test]
fn a_server_that_stops_answering_is_noticed_within_a_minute() {
    let mut world = World::connected();
    world.pass_with_pongs(SECOND * 300);
    assert!(world.events().iter().all(|event| *event == Event::Alive));
    let since = world.now;
    while !world.client.is_closed() {
        world.pass(SECOND);
    }
    assert!(world.now - since <= SECOND * 36, "{:?}", world.now - since);
    assert_eq!(world.events(), [closed(CloseReason::PongTimeout)]);
}

#[test]
fn any_sign_of_life_after_a_ping_will_do() {
    let mut world = World::connected();
    for _ in 0..100 {
        world.pass(SECOND * 10);
        world.server_publishes("150", "ASH");
    }
    assert!(!world.client.is_closed());
}

#[test]
fn while_the_driver_does_not_read_silence_proves_nothing() {
    let mut world = World::connected();
    world.client.set_reading(world.now, false);
    world.pass(SECOND * 600);
    assert!(!world.client.is_closed());
    let pings = world.client_says().iter().filter(|packet| **packet == Packet::PingReq).count();
    assert_eq!(pings, 30);
    world.client.set_reading(world.now, true);
    world.pass(SECOND * 14);
    assert!(!world.client.is_closed());
    world.pass(SECOND * 2);
    assert_eq!(world.events(), [closed(CloseReason::PongTimeout)]);
}

#[test]
fn pings_of_the_server_are_answered_and_its_farewell_is_the_end() {
    let mut world = World::connected();
    world.server_says(Packet::PingReq);
    assert_eq!(world.client_says(), [Packet::PingResp]);
    world.server_says(Packet::Disconnect);
    assert_eq!(world.events(), [closed(CloseReason::ServerDisconnect)]);
}

#[test]
fn closing_says_goodbye() {
    let mut world = World::connected();
    world.command(Command::Close);
    assert_eq!(world.client_says(), [Packet::Disconnect]);
    assert_eq!(world.events(), [closed(CloseReason::Requested)]);
    world.command(Command::Close);
    world.client.handle_disconnected();
    assert_eq!(world.events(), []);
}

#[test]
fn a_message_is_acknowledged_when_the_consumer_says_so_and_not_before() {
    let mut world = World::connected();
    let first = world.server_publishes("146", "[1]");
    let second = world.server_publishes("/ig_message_sync", "[2]");
    let events = world.events();
    let pieces = pieces(&events);
    assert_eq!(pieces.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["[1]", "[2]"]);
    assert!(world.client_acknowledges().is_empty());
    world.command(Command::Acknowledge(pieces[1].0));
    world.command(Command::Acknowledge(pieces[0].0));
    assert_eq!(world.client_acknowledges(), [second, first]);
}

#[test]
fn a_token_of_another_connection_acknowledges_nothing() {
    let mut old = World::connected();
    old.server_publishes("146", "[1]");
    let token = pieces(&old.events())[0].0;
    let mut options = options();
    options.client_mqtt_session_id += 1;
    let mut world = World::connected_with(&options);
    world.command(Command::Acknowledge(token));
    assert_eq!(world.client_says(), []);
}

#[test]
fn idle_connections_keep_no_large_buffers() {
    let mut world = World::connected();
    world.server_publishes_raw("146", vec![b'['; 3 << 20]);
    world.events();
    assert!(world.client.input_buffer().capacity() <= 8 << 10);
    assert_eq!(world.client.backlog(), (0, 0));
    assert!(size_of::<Realtime>() < 2 << 10);
}

#[test]
fn the_options_do_not_show_their_secrets() {
    let mut options = options();
    options.bearer = Some("Bearer IGT:2:hidden".into());
    let shown = format!("{options:?} {:?}", options.connect_info());
    assert!(!shown.contains("secret") && !shown.contains("hidden"), "{shown}");
}
