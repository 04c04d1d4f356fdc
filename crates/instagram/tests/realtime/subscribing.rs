//! The subscription to the queue: asked for until answered, refused when the cursor is useless.

use std::time::Duration;

use instagram::realtime::{CloseReason, Command, Event};

use crate::peer::World;

const SECOND: Duration = Duration::from_secs(1);
const ACCEPTED: &str = r#"{"succeeded":true,"seq_id":12,"error_type":null,"error_message":null,"latest_seq_id":15}"#;
const REFUSED: &str =
    r#"{"succeeded":false,"seq_id":null,"error_type":1,"error_message":"IrisQueueUnderflowException"}"#;
const SUBSCRIBE: Command = Command::SubscribeIris { seq_id: 12, snapshot_at_ms: 1_767_225_600_123 };

#[test]
fn the_cursor_is_asked_for_and_the_answer_is_an_event() {
    let mut world = World::connected();
    world.command(SUBSCRIBE);
    let published = world.client_publishes();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].0, "134");
    assert_eq!(
        published[0].2,
        r#"{"seq_id":12,"snapshot_at_ms":1767225600123,"snapshot_app_version":"428.0.0.47.67","timezone_offset":0,"subscription_type":"message"}"#
    );
    let id = world.server_publishes("135", ACCEPTED);
    assert_eq!(world.events(), [Event::Subscribed { latest_seq_id: Some(15) }]);
    assert_eq!(world.client_acknowledges(), [id]);
    world.pass_with_pongs(SECOND * 600);
    assert!(!world.client.is_closed());
}

#[test]
fn a_subscription_before_connack_waits_for_it() {
    let mut world = World::new();
    world.command(SUBSCRIBE);
    world.client_says();
    world.server_says(instagram::mqttot::Packet::ConnAck(instagram::mqttot::ConnAck::code(0)));
    let topics: Vec<_> = world.client_publishes().into_iter().map(|(topic, _, _)| topic).collect();
    assert_eq!(topics, ["149", "88", "134"]);
}

#[test]
fn a_refused_cursor_is_an_event_and_a_new_one_can_be_tried() {
    let mut world = World::connected();
    world.command(SUBSCRIBE);
    world.server_publishes("135", REFUSED);
    let message = Some("IrisQueueUnderflowException".to_owned());
    assert_eq!(world.events(), [Event::CursorRefused { error_type: Some(1), message }]);
    world.command(Command::SubscribeIris { seq_id: 99, snapshot_at_ms: 1 });
    assert!(world.client_publishes().last().unwrap().2.contains("\"seq_id\":99"));
    world.server_publishes("135", ACCEPTED);
    assert_eq!(world.events(), [Event::Subscribed { latest_seq_id: Some(15) }]);
}

#[test]
fn an_unanswered_subscription_is_repeated_four_times_and_then_the_connection_is_given_up() {
    let mut world = World::connected();
    world.command(SUBSCRIBE);
    let others = world.pass_with_pongs(SECOND * 99);
    assert_eq!(others.len(), 5, "{others:?}");
    assert!(!world.client.is_closed());
    world.pass_with_pongs(SECOND * 2);
    assert_eq!(world.events().last(), Some(&Event::Closed { reason: CloseReason::SubscribeTimeout }));
}

#[test]
fn the_second_answer_to_a_repeated_subscription_is_ignored() {
    let mut world = World::connected();
    world.command(SUBSCRIBE);
    world.pass_with_pongs(SECOND * 25);
    world.events();
    world.server_publishes("135", ACCEPTED);
    let second = world.server_publishes("135", ACCEPTED);
    assert_eq!(world.events(), [Event::Subscribed { latest_seq_id: Some(15) }]);
    assert!(world.client_acknowledges().contains(&second));
}

#[test]
fn an_unreadable_answer_is_reported_and_the_subscription_repeated() {
    let mut world = World::connected();
    world.command(SUBSCRIBE);
    world.server_publishes("135", "<html>");
    assert!(matches!(world.events()[..], [Event::Malformed { .. }]));
    world.client_says();
    let others = world.pass_with_pongs(SECOND * 21);
    assert_eq!(others.len(), 1);
}
