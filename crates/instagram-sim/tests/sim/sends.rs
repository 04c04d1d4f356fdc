//! Sends over the realtime connection: answers, echoes, doubles.

use instagram_sim::{AccountOptions, Fault};
use serde_json::json;

use crate::{
    DEADLINE,
    client::{Client, Frame},
    two_people,
};

#[tokio::test]
async fn a_text_is_answered_echoed_and_delivered_to_the_other() {
    let (sim, anna, bert, thread) = two_people().await;
    let mut from = Client::subscribed(&sim, &anna).await;
    let mut to = Client::subscribed(&sim, &bert).await;
    from.send_text(&thread, "hej 🎉\nrad två", "7412345678901234567").await;
    let answer = from.next("133").await;
    assert_eq!(answer["status"], "ok");
    assert_eq!(answer["payload"]["client_context"], "7412345678901234567");
    let (_, echo) = from.next_item().await;
    let (_, item) = to.next_item().await;
    assert_eq!(echo["item_id"], answer["payload"]["item_id"]);
    assert_eq!((&echo["is_sent_by_viewer"], &item["is_sent_by_viewer"]), (&json!(true), &json!(false)));
    assert_eq!(item["text"], "hej 🎉\nrad två");
    assert_eq!(item["user_id"], anna.pk);
    assert_eq!(item["item_id"].as_str().unwrap().len(), 35);
    assert_eq!(sim.thread_items(&thread).unwrap()[0].client_context.as_deref(), Some("7412345678901234567"));
}

#[tokio::test]
async fn the_same_client_context_twice_makes_one_item_and_the_same_answer() {
    let (sim, anna, _, thread) = two_people().await;
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&thread, "once", "1").await;
    let first = client.next("133").await;
    client.send_text(&thread, "once", "1").await;
    let second = client.next("133").await;
    assert_eq!(first["payload"], second["payload"]);
    assert_eq!(sim.item_count(&thread).unwrap(), 1);
    assert_eq!(sim.stats().duplicates_refused, 1);
}

#[tokio::test]
async fn the_echo_comes_before_the_answer_where_asked() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "first, so that the thread is known").unwrap();
    for echo_before_answer in [false, true] {
        sim.set_options(anna.pk, AccountOptions { echo_before_answer, ..AccountOptions::default() }).unwrap();
        let mut client = Client::subscribed(&sim, &anna).await;
        client.send_text(&thread, "x", if echo_before_answer { "1" } else { "2" }).await;
        let mut topics = Vec::new();
        while topics.len() < 2 {
            let Some(Frame(0x32, body)) = client.read().await else { continue };
            topics.push(String::from_utf8(body[2..5].to_vec()).unwrap());
        }
        let expected = if echo_before_answer { ["146", "133"] } else { ["133", "146"] };
        assert_eq!(topics, expected);
    }
}

#[tokio::test]
async fn a_send_to_a_thread_one_is_not_in_is_refused() {
    let (sim, anna, bert, _) = two_people().await;
    let cleo = sim.create_account("cleo", "Cleo").unwrap();
    let secret = sim.create_thread(&[bert.pk, cleo.pk], None).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&secret, "let me in", "1").await;
    let answer = client.next("133").await;
    assert_eq!((&answer["status"], &answer["status_code"]), (&json!("fail"), &json!("404")));
    assert_eq!(sim.item_count(&secret).unwrap(), 0);
}

#[tokio::test]
async fn a_reply_needs_the_item_and_its_client_context() {
    let (sim, anna, bert, thread) = two_people().await;
    let target = sim.send_text(bert.pk, &thread, "question").unwrap();
    let context = sim.thread_items(&thread).unwrap()[0].client_context.clone().unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    for (given, is_reply) in [(Some(context.as_str()), true), (None, false), (Some("wrong"), false)] {
        let command = json!({
            "action": "send_item", "item_type": "text", "thread_id": thread, "text": "answer",
            "client_context": format!("{given:?}"), "replied_to_item_id": target, "replied_to_client_context": given,
        });
        client.publish("132", &command).await;
        let (_, item) = client.next_item().await;
        assert_eq!(item["replied_to_message"]["item_id"] == json!(target), is_reply, "{given:?}");
    }
}

#[tokio::test]
async fn typing_reaches_the_others_twice_as_thrift() {
    let (sim, anna, bert, thread) = two_people().await;
    let mut watching = Client::subscribed(&sim, &bert).await;
    let graphql =
        format!("1/graphqlsubscriptions/17867973967082385/{{\"input_data\":{{\"user_id\":\"{}\"}}}}", bert.pk);
    watching.publish("149", &json!({ "sub": [graphql] })).await;
    watching.publish("88", &json!({ "sub": [format!("ig/u/v1/{}", bert.pk)] })).await;
    watching.subscribe(sim.queue_head(bert.pk).unwrap()).await;
    let mut typist = Client::connect(&sim, &anna).await;
    let command = json!({ "action": "indicate_activity", "thread_id": thread, "activity_status": "1" });
    typist.publish("132", &command).await;
    for topic in ["149", "88"] {
        let bytes = watching.next_bytes(topic).await.unwrap();
        assert!(bytes.starts_with(b"\x18\x06direct\x18"), "{topic}");
        assert!(
            String::from_utf8_lossy(&bytes).contains(&format!("/direct_v2/threads/{thread}/activity_indicator_id/"))
        );
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_the_echo_and_later_answers() {
    let (sim, anna, _, thread) = two_people().await;
    sim.inject(anna.pk, Fault::DropAnswer, 1).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&thread, "unanswered", "1").await;
    client.send_text(&thread, "answered", "2").await;
    assert_eq!(client.next("133").await["payload"]["client_context"], "2");
    assert_eq!(client.next_item().await.1["client_context"], "1");
    assert_eq!(client.next_item().await.1["client_context"], "2");
}

#[tokio::test]
async fn a_late_answer_does_not_hold_up_others() {
    let (sim, anna, _, thread) = two_people().await;
    sim.inject(anna.pk, Fault::DelayAnswer { ms: 300 }, 1).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&thread, "late", "1").await;
    client.send_text(&thread, "prompt", "2").await;
    assert_eq!(client.next("133").await["payload"]["client_context"], "2");
    assert_eq!(client.next("133").await["payload"]["client_context"], "1");
}

#[tokio::test]
async fn a_swallowed_send_leaves_nothing_and_a_refused_one_says_so() {
    let (sim, anna, _, thread) = two_people().await;
    sim.inject(anna.pk, Fault::DropSend, 1).unwrap();
    sim.inject(anna.pk, Fault::RejectSend { status_code: 403, message: "no".into() }, 1).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&thread, "gone", "1").await;
    client.send_text(&thread, "refused", "2").await;
    let answer = client.next("133").await;
    assert_eq!((&answer["status_code"], &answer["payload"]["client_context"]), (&json!("403"), &json!("2")));
    assert_eq!(sim.item_count(&thread).unwrap(), 0);
}

#[tokio::test]
async fn a_late_echo_comes_after_its_answer_and_keeps_the_order() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "opening").unwrap();
    sim.inject(anna.pk, Fault::DelayEcho { ms: 200 }, 1).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&thread, "first", "1").await;
    client.send_text(&thread, "second", "2").await;
    assert_eq!(client.next("133").await["payload"]["client_context"], "1");
    assert_eq!(client.next("133").await["payload"]["client_context"], "2");
    assert_eq!(client.next_item().await.1["text"], "first");
    assert_eq!(client.next_item().await.1["text"], "second");
}

#[tokio::test]
async fn a_missing_puback_is_only_that() {
    let (sim, anna, _, thread) = two_people().await;
    let mut client = Client::subscribed(&sim, &anna).await;
    sim.inject(anna.pk, Fault::DropPubAck, 1).unwrap();
    client.send_text(&thread, "x", "1").await;
    let mut acknowledged = false;
    loop {
        match client.read().await {
            Some(Frame(0x40, _)) => acknowledged = true,
            Some(Frame(0x32, body)) if body[2..5] == *b"146" => break,
            _ => {}
        }
    }
    assert!(!acknowledged);
    sim.wait_for_items(&thread, 1, DEADLINE).await.unwrap();
}
