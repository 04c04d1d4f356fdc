//! Sends: many at once, each with its own fate.

use std::time::Duration;

use instagram::mqttot::Packet;
use instagram::realtime::{Answer, Command, Event, SendError, Sent};

use crate::peer::{World, options};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

fn sent(client_context: &str, item_id: &str) -> Sent {
    let answer = Answer { item_id: Some(item_id.into()), timestamp_us: Some(1_767_225_600_123_456) };
    Sent { client_context: client_context.into(), result: Ok(answer) }
}

fn failed(client_context: &str, error: SendError) -> Sent {
    Sent { client_context: client_context.into(), result: Err(error) }
}

#[test]
fn answers_find_their_sends_in_any_order() {
    let mut world = World::connected();
    for context in ["1", "2", "3"] {
        world.send(context, LONG);
    }
    let published = world.client_publishes();
    assert_eq!(published.len(), 3);
    assert!(published.iter().all(|(topic, _, _)| topic == "132"));
    world.server_answers("3", "i3");
    world.server_answers("1", "i1");
    world.server_answers("2", "i2");
    assert_eq!(world.sent(), [sent("3", "i3"), sent("1", "i1"), sent("2", "i2")]);
    assert_eq!(world.events(), []);
}

#[test]
fn a_send_that_is_never_answered_keeps_nobody_waiting_and_ends_as_uncertain() {
    let mut world = World::connected();
    world.send("silent", SECOND * 10);
    for n in 0..200 {
        let context = n.to_string();
        world.send(&context, LONG);
        assert_eq!(world.client_publishes().last().unwrap().2, format!(r#"{{"client_context":"{context}"}}"#));
        world.server_answers(&context, "i");
        assert_eq!(world.sent(), [sent(&context, "i")]);
    }
    world.pass(SECOND * 10);
    assert_eq!(world.sent(), [failed("silent", SendError::Uncertain)]);
}

#[test]
fn a_refusal_carries_its_reason() {
    let mut world = World::connected();
    world.send("1", LONG);
    world.server_publishes(
        "133",
        r#"{"status_code":"404","payload":{"client_context":"1","message":"target item is not supported"},"status":"fail"}"#,
    );
    let error = SendError::Rejected {
        status_code: Some(404),
        message: Some("target item is not supported".into()),
        error_code: None,
        exception: None,
    };
    assert_eq!(world.sent(), [failed("1", error)]);
}

#[test]
fn an_answer_without_a_context_belongs_to_the_only_send() {
    let mut world = World::connected();
    world.send("1", LONG);
    world.server_publishes("133", r#"{"status":"fail","exception":"ThreadUserIdDoesNotExist","content":"x"}"#);
    let [Sent { client_context, result: Err(SendError::Rejected { exception, .. }) }] = &world.sent()[..] else {
        panic!("no refusal")
    };
    assert_eq!((client_context.as_str(), exception.as_deref()), ("1", Some("ThreadUserIdDoesNotExist")));
}

#[test]
fn an_answer_without_a_context_is_nobodys_when_several_may_be_meant() {
    let refusal = r#"{"status":"fail","message":"no"}"#;
    let mut world = World::connected();
    world.send("1", LONG);
    world.send("2", LONG);
    world.server_publishes("133", refusal);
    assert!(matches!(world.events()[..], [Event::StrayReply(_)]));
    assert_eq!(world.sent(), []);

    let mut world = World::connected();
    world.send("given up", SECOND);
    world.pass(SECOND);
    assert_eq!(world.sent().len(), 1);
    world.send("2", LONG);
    world.server_publishes("133", refusal);
    assert!(matches!(world.events()[..], [Event::StrayReply(_)]));
    assert_eq!(world.sent(), []);

    let mut world = World::connected();
    world.command(Command::Tell { payload: b"{}".to_vec() });
    world.send("3", LONG);
    world.server_publishes("133", refusal);
    assert_eq!(world.sent(), []);
}

#[test]
fn an_echo_is_as_good_as_an_answer_and_the_answer_behind_it_is_no_surprise() {
    let mut world = World::connected();
    world.send("1", LONG);
    world.client_says();
    world.command(Command::Confirm { client_context: "1".into(), item_id: "i1".into() });
    let answer = Answer { item_id: Some("i1".into()), timestamp_us: None };
    assert_eq!(world.sent(), [Sent { client_context: "1".into(), result: Ok(answer) }]);
    world.server_answers("1", "i1");
    world.command(Command::Confirm { client_context: "1".into(), item_id: "i1".into() });
    assert_eq!((world.sent(), world.events()), (vec![], vec![]));
}

#[test]
fn a_repeated_send_takes_the_answer_to_the_first_attempt() {
    let mut world = World::connected();
    world.send("1", SECOND);
    world.pass(SECOND);
    assert_eq!(world.sent(), [failed("1", SendError::Uncertain)]);
    world.send("1", LONG);
    world.server_answers("1", "i1");
    assert_eq!(world.sent(), [sent("1", "i1")]);
}

#[test]
fn beyond_the_window_sends_wait_and_beyond_the_queue_they_are_refused() {
    let mut options = options();
    (options.send_window, options.send_queue) = (4, 3);
    let mut world = World::connected_with(&options);
    for n in 0..9 {
        world.send(&n.to_string(), LONG);
    }
    let published = world.client_publishes();
    assert_eq!(published.len(), 4);
    assert_eq!(world.sent(), [failed("7", SendError::NotSent), failed("8", SendError::NotSent)]);
    for (_, id, _) in published {
        world.server_says(Packet::PubAck(id));
    }
    let more: Vec<_> = world.client_publishes().into_iter().map(|(_, _, text)| text).collect();
    assert_eq!(more, [r#"{"client_context":"4"}"#, r#"{"client_context":"5"}"#, r#"{"client_context":"6"}"#]);
}

#[test]
fn a_send_whose_time_is_up_in_the_queue_was_not_sent_and_never_leaves() {
    let mut options = options();
    options.send_window = 1;
    let mut world = World::connected_with(&options);
    world.send("1", LONG);
    world.send("2", SECOND);
    world.pass(SECOND);
    assert_eq!(world.sent(), [failed("2", SendError::NotSent)]);
    world.client_says();
    world.server_answers("1", "i1");
    assert_eq!(world.client_publishes(), []);
}

#[test]
fn sends_go_on_when_the_server_acknowledges_nothing_but_answers() {
    let mut world = World::connected();
    for n in 0..500 {
        let context = n.to_string();
        world.send(&context, LONG);
        assert_eq!(world.client_publishes().len(), 1, "{n}");
        world.server_answers(&context, "i");
    }
    assert_eq!(world.sent().len(), 500);
}

#[test]
fn a_full_window_opens_by_itself_when_the_server_says_nothing_at_all() {
    let mut options = options();
    options.send_window = 2;
    let mut world = World::connected_with(&options);
    for n in 0..4 {
        world.send(&n.to_string(), SECOND * 100);
    }
    world.client_says();
    let others = world.pass_with_pongs(SECOND * 31);
    assert_eq!(others.len(), 2, "{others:?}");
}

#[test]
fn at_the_end_what_left_is_uncertain_and_what_did_not_is_not_sent() {
    let mut options = options();
    options.send_window = 2;
    let mut world = World::connected_with(&options);
    for context in ["1", "2", "3"] {
        world.send(context, LONG);
    }
    world.client.handle_disconnected();
    world.send("4", LONG);
    let mut ended = world.sent();
    ended.sort_by(|a, b| a.client_context.cmp(&b.client_context));
    assert_eq!(
        ended,
        [
            failed("1", SendError::Uncertain),
            failed("2", SendError::Uncertain),
            failed("3", SendError::NotSent),
            failed("4", SendError::NotSent)
        ]
    );
}

#[test]
fn stray_and_doubled_acknowledgements_are_nothing() {
    let mut world = World::connected();
    for id in [0, 1, 1, 64, 65, u16::MAX] {
        world.server_says(Packet::PubAck(id));
    }
    world.send("1", LONG);
    world.server_answers("1", "i1");
    world.server_answers("1", "i1");
    assert_eq!(world.sent(), [sent("1", "i1")]);
    assert!(matches!(world.events()[..], [Event::StrayReply(_)]));
}
