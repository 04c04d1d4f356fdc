//! What a homeserver can throw at the listener.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{HS_TOKEN, Listener, homeserver, listener, listener_with};
use crate::matrix::tests::client;

fn http() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn request(method: Method, url: String, token: Option<&str>, body: &str) -> (StatusCode, Value) {
    let mut request = http().request(method, url).body(body.to_owned());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

async fn put(listener: &Listener, txn_id: &str, body: &str) -> (StatusCode, Value) {
    let url = format!("{}/_matrix/app/v1/transactions/{txn_id}", listener.url);
    request(Method::PUT, url, Some(HS_TOKEN), body).await
}

#[tokio::test]
async fn events_arrive_as_they_were_written() {
    let listener = listener().await;
    let body =
        r#"{"events":[{"type":"m.room.message", "content": {"n": 1.0}},{"b":2}],"ephemeral":[{"type":"m.typing"}]}"#;
    assert_eq!(put(&listener, "a%2Fb", body).await, (StatusCode::OK, json!({})));
    let (txn_id, events, ephemeral) = listener.kept.transactions().remove(0);
    assert_eq!(txn_id, "a/b");
    assert_eq!(events, [r#"{"type":"m.room.message", "content": {"n": 1.0}}"#, r#"{"b":2}"#]);
    assert_eq!(ephemeral, [r#"{"type":"m.typing"}"#]);
}

#[tokio::test]
async fn malformed_events_do_not_fail_their_transaction() {
    let listener = listener().await;
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let body = format!(r#"{{"events":[null,7,"\ud800",{deep},{{"type":3}},{{"type":"good"}}],"new":{{}}}}"#);
    assert_eq!(put(&listener, "1", &body).await.0, StatusCode::OK);
    assert_eq!(listener.kept.transactions()[0].1.len(), 6);
}

#[tokio::test]
async fn ephemeral_events_are_found_under_both_names_and_not_twice() {
    let listener = listener().await;
    put(&listener, "1", r#"{"events":[],"de.sorunome.msc2409.ephemeral":[{"n":1}]}"#).await;
    put(&listener, "2", r#"{"events":[],"ephemeral":[{"n":2}],"de.sorunome.msc2409.ephemeral":[{"n":2}]}"#).await;
    let ephemeral: Vec<Vec<String>> = listener.kept.transactions().into_iter().map(|(_, _, list)| list).collect();
    assert_eq!(ephemeral, [[r#"{"n":1}"#], [r#"{"n":2}"#]]);
}

#[tokio::test]
async fn a_wrong_or_missing_token_is_refused_before_anything_is_read() {
    let listener = listener().await;
    let url = format!("{}/_matrix/app/v1/transactions/1", listener.url);
    let (status, body) = request(Method::PUT, url.clone(), None, "not json").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::UNAUTHORIZED, &json!("M_UNAUTHORIZED")));
    for wrong in ["planted-hs-toke", "planted-hs-tokem", "planted-hs-token2"] {
        let (status, body) = request(Method::PUT, url.clone(), Some(wrong), "{}").await;
        assert_eq!((status, &body["errcode"]), (StatusCode::FORBIDDEN, &json!("M_FORBIDDEN")), "{wrong}");
    }
    assert!(listener.kept.transactions().is_empty());
}

#[tokio::test]
async fn legacy_paths_and_the_token_as_a_parameter_work() {
    let listener = listener().await;
    let url = format!("{}/transactions/1?access_token={HS_TOKEN}", listener.url);
    assert_eq!(request(Method::PUT, url, None, r#"{"events":[1]}"#).await.0, StatusCode::OK);
    for (path, status) in [
        ("users/@instagram_1:sim.test", StatusCode::OK),
        ("users/@instagram_2:sim.test", StatusCode::NOT_FOUND),
        ("users/nonsense", StatusCode::NOT_FOUND),
        ("rooms/%23instagram_room:sim.test", StatusCode::OK),
        ("rooms/%23other:sim.test", StatusCode::NOT_FOUND),
    ] {
        for prefix in ["", "_matrix/app/v1/"] {
            let url = format!("{}/{prefix}{path}", listener.url);
            assert_eq!(request(Method::GET, url, Some(HS_TOKEN), "").await.0, status, "{prefix}{path}");
        }
    }
}

#[tokio::test]
async fn every_refusal_has_its_error_code() {
    let listener = listener_with(HS_TOKEN, 1000).await;
    let (status, body) = put(&listener, "1", "{\"events\":").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::BAD_REQUEST, &json!("M_NOT_JSON")));
    let (status, body) = put(&listener, "1", "{\"events\":3}").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::BAD_REQUEST, &json!("M_BAD_JSON")));
    let (status, body) = put(&listener, "1", &format!("{{\"events\":[\"{}\"]}}", "x".repeat(1000))).await;
    assert_eq!((status, &body["errcode"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("M_TOO_LARGE")));
    let url = format!("{}/_matrix/app/v1/thirdparty/protocol/x", listener.url);
    let (status, body) = request(Method::GET, url, Some(HS_TOKEN), "").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::NOT_FOUND, &json!("M_UNRECOGNIZED")));
    let url = format!("{}/_matrix/app/v1/ping", listener.url);
    let (status, body) = request(Method::GET, url.clone(), Some(HS_TOKEN), "").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("M_UNRECOGNIZED")));
    assert_eq!(request(Method::POST, url, Some(HS_TOKEN), "{}").await, (StatusCode::OK, json!({})));
    let url = format!("{}/_puppetgram/live", listener.url);
    assert_eq!(request(Method::GET, url, None, "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_full_inbox_and_a_panic_are_answered_and_the_next_transaction_works() {
    let listener = listener().await;
    listener.kept.is_busy.store(true, Ordering::Relaxed);
    let (status, body) = put(&listener, "1", "{}").await;
    assert_eq!((status, &body["errcode"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("M_LIMIT_EXCEEDED")));
    listener.kept.is_busy.store(false, Ordering::Relaxed);
    listener.kept.panics.store(true, Ordering::Relaxed);
    assert_eq!(put(&listener, "1", "{}").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    listener.kept.panics.store(false, Ordering::Relaxed);
    assert_eq!(put(&listener, "1", "{}").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_transaction_that_failed_comes_again_in_order_and_a_ping_ends_the_waiting() {
    let (homeserver, listener) = (homeserver().await, listener().await);
    let client = client(&homeserver);
    client.ensure_registered(client.bot()).await.unwrap();
    let alice = homeserver.register("alice", "pw").unwrap();
    let room = homeserver.create_room(&alice.id, &[client.bot().as_str()]).unwrap();
    listener.kept.is_busy.store(true, Ordering::Relaxed);
    homeserver.set_appservice_url(Some(&listener.url));
    for n in 0..250 {
        homeserver.send_text(&room, &alice.id, &n.to_string()).unwrap();
    }
    listener.kept.is_busy.store(false, Ordering::Relaxed);
    assert!(client.ping("instagram").await.unwrap().round_trip.is_some());
    let bodies = |kept: &super::Kept| -> Vec<String> {
        let events = kept.events();
        events.iter().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
    };
    listener.kept.wait_for(|kept| bodies(kept).len() >= 250).await;
    let expected: Vec<String> = (0..250).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&listener.kept), expected);
    assert!(listener.kept.transactions().iter().all(|(_, events, _)| events.len() <= 100));
}
