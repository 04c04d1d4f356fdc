//! The iris queue over the wire: live delivery, replay, refused cursors, connections that replace each other.

use std::time::Duration;

use instagram_sim::{CursorRefusal, Fault, SimOptions};
use serde_json::json;

use crate::{
    DEADLINE,
    client::{Client, Frame, connect_packet},
    two_people, two_people_with,
};

#[tokio::test]
async fn what_came_while_away_is_replayed_in_order_then_live_goes_on() {
    let (sim, anna, bert, thread) = two_people().await;
    let cursor = sim.queue_head(bert.pk).unwrap();
    for index in 0..300 {
        sim.send_text(anna.pk, &thread, &format!("{index}")).unwrap();
    }
    let mut client = Client::connect(&sim, &bert).await;
    let answer = client.subscribe(cursor).await;
    assert_eq!(answer["latest_seq_id"], sim.queue_head(bert.pk).unwrap());
    let mut last = cursor;
    for index in 0..300 {
        let (seq_id, item) = client.next_item().await;
        assert!(seq_id > last);
        last = seq_id;
        assert_eq!(item["text"], format!("{index}"));
    }
    sim.send_text(anna.pk, &thread, "live").unwrap();
    let envelope = client.next("146").await;
    assert_eq!(envelope[0]["realtime"], true);
    let unacknowledged = |sim: &instagram_sim::Sim| {
        let details = sim.connection_details(bert.pk);
        (details[0].acknowledged == details[0].publishes).then_some(())
    };
    sim.wait_for("all publishes acknowledged", DEADLINE, unacknowledged).await.unwrap();
}

#[tokio::test]
async fn a_cursor_that_is_too_old_or_ahead_is_refused() {
    let options = SimOptions { retention: 10, ..SimOptions::default() };
    let (sim, anna, bert, thread) = two_people_with(options).await;
    let old = sim.queue_head(bert.pk).unwrap();
    for _ in 0..30 {
        sim.send_text(anna.pk, &thread, "x").unwrap();
    }
    let head = sim.queue_head(bert.pk).unwrap();
    let mut client = Client::connect(&sim, &bert).await;
    let answer = client.subscribe(old).await;
    assert_eq!(
        (&answer["succeeded"], &answer["error_message"]),
        (&json!(false), &json!("IrisQueueUnderflowException"))
    );
    assert_eq!(client.subscribe(head + 5).await["error_message"], "IrisQueueOverflowException");
    sim.inject(bert.pk, Fault::RefuseCursor { reason: CursorRefusal::Overflow }, 1).unwrap();
    assert_eq!(client.subscribe(head).await["error_message"], "IrisQueueOverflowException");
    assert_eq!(client.subscribe(head - 3).await["succeeded"], true);
    for _ in 0..3 {
        client.next_item().await;
    }
    sim.trim_queue(bert.pk, 0).unwrap();
    assert_eq!(client.subscribe(head - 1).await["succeeded"], false);
}

#[tokio::test]
async fn a_later_connection_of_the_same_session_closes_the_earlier_one_but_not_another_device() {
    let (sim, anna, ..) = two_people().await;
    let mut first = Client::connect(&sim, &anna).await;
    let phone = instagram_sim::Account { sessionid: sim.create_session(anna.pk).unwrap(), ..anna.clone() };
    let mut other = Client::connect(&sim, &phone).await;
    let _second = Client::connect(&sim, &anna).await;
    assert_eq!(first.read().await, None);
    sim.wait_for_connections(anna.pk, 2, DEADLINE).await.unwrap();
    other.write(&[0xc0, 0]).await;
    assert_eq!(other.read().await, Some(Frame(0xd0, vec![])));
}

#[tokio::test]
async fn wrong_passwords_are_answered_with_code_5() {
    let (sim, anna, bert, _) = two_people().await;
    let stolen = format!("sessionid={}", bert.sessionid);
    for password in ["sessionid=nonsense", "password", stolen.as_str()] {
        let mut client = Client::open(&sim).await;
        client.write(&connect_packet(anna.pk, password, 60)).await;
        assert_eq!(client.read().await, Some(Frame(0x20, vec![0, 5])), "{password}");
        assert_eq!(client.read().await, None);
    }
    sim.expire_session(anna.pk).unwrap();
    let mut client = Client::open(&sim).await;
    client.write(&connect_packet(anna.pk, &format!("sessionid={}", anna.sessionid), 60)).await;
    assert_eq!(client.read().await, Some(Frame(0x20, vec![0, 5])));
}

#[tokio::test]
async fn an_idle_connection_is_dropped_after_one_and_a_half_keep_alives() {
    let (sim, anna, ..) = two_people().await;
    let mut client = Client::open(&sim).await;
    client.write(&connect_packet(anna.pk, &format!("sessionid={}", anna.sessionid), 1)).await;
    assert_eq!(client.read().await, Some(Frame(0x20, vec![0, 0])));
    let started = tokio::time::Instant::now();
    assert_eq!(client.read().await, None);
    assert!(started.elapsed() >= Duration::from_millis(1400));
}

#[tokio::test]
async fn stalled_connections_stay_open_and_silent_cut_ones_close() {
    let (sim, anna, bert, thread) = two_people().await;
    let mut client = Client::subscribed(&sim, &anna).await;
    assert_eq!(sim.stall_connections(anna.pk).unwrap(), 1);
    // Whatever was answered before the stall took hold is passed over.
    while !client.is_quiet(Duration::from_millis(50)).await {}
    sim.send_text(bert.pk, &thread, "unseen").unwrap();
    client.write(&[0xc0, 0]).await;
    assert!(client.is_quiet(Duration::from_millis(200)).await);
    assert_eq!(sim.connections(anna.pk), 1);
    sim.cut_connections(anna.pk).unwrap();
    assert_eq!(client.read().await, None);
    sim.wait_for_connections(anna.pk, 0, DEADLINE).await.unwrap();
}

#[tokio::test]
async fn an_app_in_the_background_gets_nothing_until_it_is_back() {
    let (sim, anna, bert, thread) = two_people().await;
    let mut client = Client::subscribed(&sim, &bert).await;
    // One zero byte, then {1: foreground, 2: foreground}.
    client.publish_bytes("102", &crate::client::deflate(&[0, 0x12, 0x12, 0])).await;
    assert!(matches!(client.read().await, Some(Frame(0x40, _))));
    sim.send_text(anna.pk, &thread, "wait").unwrap();
    assert!(client.is_quiet(Duration::from_millis(100)).await);
    client.publish_bytes("102", &crate::client::deflate(&[0, 0x11, 0x11, 0])).await;
    assert_eq!(client.next_item().await.1["text"], "wait");
}

#[tokio::test]
async fn a_connection_that_lags_behind_what_is_kept_is_closed_rather_than_given_a_gap() {
    let options = SimOptions { retention: 10, ..SimOptions::default() };
    let (sim, anna, bert, thread) = two_people_with(options).await;
    let mut client = Client::subscribed(&sim, &bert).await;
    client.publish_bytes("102", &crate::client::deflate(&[0, 0x12, 0x12, 0])).await;
    assert!(matches!(client.read().await, Some(Frame(0x40, _))));
    for _ in 0..30 {
        sim.send_text(anna.pk, &thread, "x").unwrap();
    }
    client.publish_bytes("102", &crate::client::deflate(&[0, 0x11, 0x11, 0])).await;
    assert!(matches!(client.read().await, Some(Frame(0x40, _))));
    assert_eq!(client.read().await, None);
}

#[tokio::test]
async fn groups_and_first_messages_announce_their_thread() {
    let (sim, anna, bert, _) = two_people().await;
    let cleo = sim.create_account("cleo", "Cleo").unwrap();
    let mut client = Client::subscribed(&sim, &cleo).await;
    let group = sim.create_thread(&[anna.pk, bert.pk, cleo.pk], Some("Trio")).unwrap();
    let item = sim.send_text(anna.pk, &group, "hello all").unwrap();
    let envelope = client.next("146").await;
    let patch = &envelope[0]["data"][0];
    assert_eq!(patch["path"], format!("/direct_v2/inbox/threads/{group}"));
    let thread: serde_json::Value = serde_json::from_str(patch["value"].as_str().unwrap()).unwrap();
    assert_eq!((&thread["is_group"], &thread["thread_title"]), (&json!(true), &json!("Trio")));
    assert_eq!(thread["users"].as_array().unwrap().len(), 2);
    assert_eq!(client.next_item().await.1["item_id"], item);
    sim.unsend(anna.pk, &group, &item).unwrap();
    let envelope = client.next("146").await;
    assert_eq!(envelope[0]["data"][0]["op"], "remove");
}
