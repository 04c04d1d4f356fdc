//! Over memory, on paused time.

use std::time::Duration;

use instagram::command::send_text;
use instagram::mqttot::Packet;
use instagram::realtime::{CloseReason, Event, SendError};
use tokio::time::Instant;

use crate::server::{connected, options, spawn, within};

const LONG: Duration = Duration::from_secs(60);

fn text(context: &str) -> Vec<u8> {
    send_text("T", "hello", context, None, &[])
}

#[tokio::test(start_paused = true)]
async fn a_send_is_answered_and_a_silent_one_keeps_nobody_waiting() {
    let (handle, _events, _driver, mut server) = connected(&options()).await;
    let silent = handle.clone();
    let silent = spawn(async move {
        let result = silent.send("silent", text("silent"), Duration::from_secs(30)).await;
        assert_eq!(result, Err(SendError::Uncertain));
    });
    let server = spawn(async move {
        for _ in 0..101 {
            let command = server.read_command().await;
            if command["client_context"] != "silent" {
                server.answer(&command).await;
            }
        }
        while server.read().await.is_some() {}
    });
    tokio::task::yield_now().await;
    let before = Instant::now();
    for n in 0..100 {
        let context = n.to_string();
        let answer = handle.send(&context, text(&context), LONG).await.unwrap();
        assert_eq!(answer.item_id, Some(format!("item of {context}")));
    }
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    within(silent).await.unwrap();
    handle.close();
    within(server).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_are_acknowledged_through_the_handle() {
    let (handle, mut events, _driver, mut server) = connected(&options()).await;
    for id in 1..=100 {
        server.publish("146", id, &format!("[{id}]")).await;
        let Some(Event::Sync { ack, payload }) = within(events.next()).await else { panic!("no piece") };
        assert_eq!(payload, format!("[{id}]"));
        handle.acknowledge(ack);
        while within(server.read()).await != Some(Packet::PubAck(id)) {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answering_is_noticed_within_a_minute() {
    let (handle, mut events, driver, server) = connected(&options()).await;
    let since = Instant::now();
    let pending = handle.send("1", text("1"), Duration::from_secs(600));
    let (closed, result) = tokio::join!(within(events.next()), within(pending));
    assert_eq!(closed, Some(Event::Closed { reason: CloseReason::PongTimeout }));
    assert_eq!(result, Err(SendError::Uncertain));
    assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
    assert_eq!(events.next().await, None);
    within(driver).await.unwrap();
    assert_eq!(handle.send("2", text("2"), LONG).await, Err(SendError::NotSent));
    assert!(handle.is_closed());
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_bytes_is_noticed_too() {
    let (handle, mut events, _driver, _server) = connected(&options()).await;
    // More than the pipe holds: the driver can neither write these nor its pings.
    let big = "x".repeat(100 << 10);
    for n in 0..4 {
        handle.tell(send_text("T", &format!("{big}{n}"), "1", None, &[]));
    }
    let noise: String =
        (0..60_000u32).map(|n| char::from(b' ' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90)).collect();
    handle.tell(send_text("T", &noise, "1", None, &[]));
    let closed = within(events.next()).await;
    assert_eq!(closed, Some(Event::Closed { reason: CloseReason::PongTimeout }));
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_stops_the_reading_but_not_the_pings_and_loses_nothing() {
    const MESSAGES: u16 = 2000;
    let (handle, mut events, _driver, server) = connected(&options()).await;
    let (mut read, write) = tokio::io::split(server.stream);
    let pings = spawn(async move {
        let mut decoder = instagram::mqttot::Decoder::default();
        let mut input = bytes::BytesMut::new();
        let mut pings = 0;
        while pings < 10 {
            tokio::io::AsyncReadExt::read_buf(&mut read, &mut input).await.unwrap();
            while let Some(packet) = decoder.decode(&mut input).unwrap() {
                pings += usize::from(packet == Packet::PingReq);
            }
        }
        // Kept open, or the writing half would break.
        std::future::pending::<()>().await;
    });
    let writer = spawn(async move {
        let mut server = crate::server::Server::new(tokio::io::join(tokio::io::empty(), write));
        for id in 1..=MESSAGES {
            server.publish("146", id, &format!("[{id}]")).await;
        }
        std::future::pending::<()>().await;
    });
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(!handle.is_closed());
    for id in 1..=MESSAGES {
        let payload = loop {
            match within(events.next()).await {
                Some(Event::Sync { payload, .. }) => break payload,
                Some(Event::Alive) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(payload, format!("[{id}]"));
    }
    pings.abort();
    writer.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_heard_while_the_consumer_is_behind() {
    let (handle, _events, _driver, mut server) = connected(&options()).await;
    for id in 1..=100 {
        server.publish("146", id, "[]").await;
    }
    let server = spawn(async move {
        let command = server.read_command().await;
        server.answer(&command).await;
        while server.read().await.is_some() {}
    });
    assert!(within(handle.send("1", text("1"), LONG)).await.is_ok());
    handle.close();
    within(server).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_says_goodbye_and_dropping_the_events_closes() {
    let (handle, mut events, driver, mut server) = connected(&options()).await;
    handle.close();
    while within(server.read()).await.is_some_and(|packet| packet != Packet::Disconnect) {}
    assert_eq!(within(server.read()).await, None);
    assert_eq!(within(events.next()).await, Some(Event::Closed { reason: CloseReason::Requested }));
    within(driver).await.unwrap();

    let (_handle, events, driver, mut server) = connected(&options()).await;
    drop(events);
    while within(server.read()).await.is_some_and(|packet| packet != Packet::Disconnect) {}
    within(driver).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_the_sends_as_uncertain_and_is_told() {
    let (handle, mut events, _driver, mut server) = connected(&options()).await;
    let sending = handle.clone();
    let sending = spawn(async move {
        assert_eq!(sending.send("1", text("1"), LONG).await, Err(SendError::Uncertain));
    });
    within(server.read_command()).await;
    drop(server);
    within(sending).await.unwrap();
    assert_eq!(within(events.next()).await, Some(Event::Closed { reason: CloseReason::PeerClosed }));
}

#[tokio::test(start_paused = true)]
async fn an_aborted_driver_leaves_no_caller_hanging() {
    let (handle, mut events, driver, mut server) = connected(&options()).await;
    let sending = handle.clone();
    let sending = spawn(async move {
        assert_eq!(sending.send("1", text("1"), LONG).await, Err(SendError::Uncertain));
    });
    within(server.read_command()).await;
    driver.abort();
    within(sending).await.unwrap();
    assert_eq!(within(events.next()).await, None);
    assert_eq!(handle.send("2", text("2"), LONG).await, Err(SendError::NotSent));
}

#[tokio::test(start_paused = true)]
async fn an_echo_ends_the_send() {
    let (handle, _events, _driver, mut server) = connected(&options()).await;
    let sending = handle.clone();
    let sending = spawn(async move {
        let answer = sending.send("1", text("1"), LONG).await.unwrap();
        assert_eq!(answer.item_id.as_deref(), Some("i1"));
    });
    within(server.read_command()).await;
    handle.confirm("1", "i1");
    within(sending).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_sign_of_life_is_known() {
    let (handle, mut events, _driver, mut server) = connected(&options()).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    server.publish("150", 1, "ASH").await;
    within(events.next()).await;
    assert_eq!(handle.last_inbound(), Instant::now());
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(handle.last_inbound().elapsed(), Duration::from_secs(7));
}
