//! Faults of delivery and of the connection: each shows, and the message behind it still comes.

use std::time::Duration;

use instagram_sim::Fault;

use crate::{
    client::{Client, Frame, connect_packet, inflate},
    two_people,
};

/// Raw payloads of the next publishes up to and including the first item with this text.
async fn publishes_until(client: &mut Client, text: &str) -> Vec<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    loop {
        let Some(Frame(first, body)) = client.read().await else { panic!("closed before {text:?} came") };
        if first != 0x32 {
            continue;
        }
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let Some(topic) = body.get(2..2 + length) else {
            seen.push(("malformed".into(), body));
            continue;
        };
        let topic = String::from_utf8(topic.to_vec()).unwrap();
        let payload = body[4 + length..].to_vec();
        let whole = payload.first() == Some(&0x78) && {
            let mut decoder = flate2::read::ZlibDecoder::new(&payload[..]);
            std::io::copy(&mut decoder, &mut std::io::sink()).is_ok()
        };
        let found = whole && inflate(&payload).windows(text.len()).any(|part| part == text.as_bytes());
        seen.push((topic, payload));
        if found {
            return seen;
        }
    }
}

#[tokio::test]
async fn every_broken_publish_is_followed_by_the_good_one() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(anna.pk, &thread, "opening").unwrap();
    let cases = [
        (Fault::MalformedFrame, 2),
        (Fault::MalformedPayload, 2),
        (Fault::TruncatedZlib, 2),
        (Fault::UnknownTopic, 3),
        (Fault::HugePayload { bytes: 10_000_000 }, 2),
        (Fault::DeepNesting { depth: 100_000 }, 3),
        (Fault::BadPatchBeforeGood, 1),
        (Fault::ParentProcess, 2),
    ];
    let mut client = Client::subscribed(&sim, &bert).await;
    for (index, (fault, publishes)) in cases.into_iter().enumerate() {
        sim.inject(bert.pk, fault.clone(), 1).unwrap();
        let text = format!("good {index}");
        sim.send_text(anna.pk, &thread, &text).unwrap();
        let seen = publishes_until(&mut client, &text).await;
        assert_eq!(seen.len(), publishes, "{fault:?}");
        assert_eq!(sim.faults_left(bert.pk).unwrap(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn an_envelope_is_delivered_twice_on_request() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(anna.pk, &thread, "opening").unwrap();
    let mut client = Client::subscribed(&sim, &bert).await;
    sim.inject(bert.pk, Fault::Redeliver, 1).unwrap();
    sim.send_text(anna.pk, &thread, "twice").unwrap();
    assert_eq!(client.next_item().await, client.next_item().await);
}

#[tokio::test]
async fn a_held_envelope_holds_those_behind_it() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(anna.pk, &thread, "opening").unwrap();
    let mut client = Client::subscribed(&sim, &bert).await;
    sim.inject(bert.pk, Fault::DelayDelivery { ms: 300 }, 1).unwrap();
    sim.send_text(anna.pk, &thread, "first").unwrap();
    sim.send_text(anna.pk, &thread, "second").unwrap();
    assert!(client.is_quiet(Duration::from_millis(100)).await);
    assert_eq!(client.next_item().await.1["text"], "first");
    assert_eq!(client.next_item().await.1["text"], "second");
}

#[tokio::test]
async fn connections_fail_in_every_asked_way() {
    let (sim, anna, ..) = two_people().await;
    let connect = connect_packet(anna.pk, &format!("sessionid={}", anna.sessionid), 60);
    for (fault, answer) in [
        (Fault::CloseBeforeConnAck, None),
        (Fault::RefuseConnect { code: 3 }, Some(Frame(0x20, vec![0, 3]))),
        (Fault::CloseAfterConnAck, Some(Frame(0x20, vec![0, 0]))),
    ] {
        sim.inject(anna.pk, fault, 1).unwrap();
        let mut client = Client::open(&sim).await;
        client.write(&connect).await;
        if answer.is_some() {
            assert_eq!(client.read().await, answer);
        }
        assert_eq!(client.read().await, None);
    }
    sim.inject(anna.pk, Fault::IgnoreConnect, 1).unwrap();
    let mut client = Client::open(&sim).await;
    client.write(&connect).await;
    assert!(client.is_quiet(Duration::from_millis(100)).await);

    sim.inject(anna.pk, Fault::CloseAfter { frames: 2 }, 1).unwrap();
    let mut client = Client::connect(&sim, &anna).await;
    client.write(&[0xc0, 0]).await;
    assert_eq!(client.read().await, Some(Frame(0xd0, vec![])));
    client.write(&[0xc0, 0]).await;
    assert_eq!(client.read().await, Some(Frame(0xd0, vec![])));
    assert_eq!(client.read().await, None);
}

#[tokio::test]
async fn ids_come_as_strings_on_request() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(anna.pk, &thread, "opening").unwrap();
    let mut client = Client::subscribed(&sim, &bert).await;
    sim.inject(bert.pk, Fault::StringIds, 1).unwrap();
    sim.send_text(anna.pk, &thread, "strings").unwrap();
    sim.send_text(anna.pk, &thread, "numbers").unwrap();
    let (_, first) = client.next_item().await;
    let (_, second) = client.next_item().await;
    assert_eq!(first["user_id"], anna.pk.to_string());
    assert!(first["timestamp"].is_string());
    assert_eq!(second["user_id"], anna.pk);
}

#[tokio::test]
async fn raw_publishes_reach_open_connections_as_they_are() {
    let (sim, anna, ..) = two_people().await;
    let mut client = Client::subscribed(&sim, &anna).await;
    assert_eq!(sim.push_publish(anna.pk, "150", "region").unwrap(), 1);
    assert_eq!(client.next_bytes("150").await.unwrap(), b"region");
    sim.push_raw_bytes(anna.pk, &[0xd0, 0x00]).unwrap();
    assert_eq!(client.read().await, Some(Frame(0xd0, vec![])));
}
