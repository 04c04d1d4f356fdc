//! Transactions to the application service, as Synapse sends them: one at a time, at most 100 events, repeated under
//! the same id with growing waits until they are taken.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    clock,
    error::{Answer, MatrixError},
    sim::Sim,
};

const EVENTS_AT_ONCE: usize = 100;
const LONGEST_WAIT: Duration = Duration::from_secs(512);

/// Pushes for as long as the homeserver lives.
pub(crate) async fn run(sim: Arc<Sim>, http: reqwest::Client) {
    // Continues where an earlier homeserver under the same name may have stopped.
    let mut txn_id = clock::now_ms();
    loop {
        let Some((body, events)) = next_transaction(&sim) else {
            sim.outgoing.notified().await;
            continue;
        };
        txn_id += 1;
        let mut wait = sim.options.first_retry;
        while !push(&sim, &http, txn_id, &body).await {
            sim.transactions_failed.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = sim.retry_now.notified() => {}
            }
        }
        sim.transactions_pushed.fetch_add(1, Ordering::Relaxed);
        sim.events_pushed.fetch_add(events, Ordering::Relaxed);
    }
}

fn next_transaction(sim: &Sim) -> Option<(String, u64)> {
    let mut world = sim.world();
    let events = world.outgoing.len().min(EVENTS_AT_ONCE);
    let ephemeral = world.outgoing_ephemeral.len().min(EVENTS_AT_ONCE);
    if events + ephemeral == 0 {
        return None;
    }
    let mut body = String::with_capacity(events * 600 + ephemeral * 200 + 64);
    body.push_str(r#"{"events":["#);
    for (index, event) in world.outgoing.drain(..events).enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(event.json());
    }
    body.push_str(r#"],"ephemeral":["#);
    for (index, event) in world.outgoing_ephemeral.drain(..ephemeral).enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&event);
    }
    body.push_str("]}");
    Some((body, events as u64))
}

async fn push(sim: &Sim, http: &reqwest::Client, txn_id: i64, body: &str) -> bool {
    let Some((url, appservice)) = sim.appservice_url().zip(sim.options.appservice.as_ref()) else { return false };
    let request = http
        .put(format!("{url}/_matrix/app/v1/transactions/{txn_id}"))
        .bearer_auth(&appservice.hs_token)
        .header("content-type", "application/json")
        .timeout(Duration::from_secs(60))
        .body(body.to_owned());
    match request.send().await {
        Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
        Err(_) => false,
    }
}

/// Asks the application service whether it is there; if so, a waiting transaction is sent at once.
pub(crate) async fn ping(sim: &Sim, http: &reqwest::Client, transaction_id: Option<Value>) -> Answer<Value> {
    let appservice = sim.options.appservice.as_ref();
    let Some((url, appservice)) = sim.appservice_url().zip(appservice) else {
        return Err(MatrixError::bad_request("M_URL_NOT_SET", "The application service does not have a URL set"));
    };
    let body = match transaction_id {
        Some(id) => json!({ "transaction_id": id }),
        None => json!({}),
    };
    let started = clock::now_ms();
    let request = http
        .post(format!("{url}/_matrix/app/v1/ping"))
        .bearer_auth(&appservice.hs_token)
        .timeout(Duration::from_secs(60))
        .json(&body);
    match request.send().await {
        Ok(answer) if answer.status().is_success() => {
            sim.retry_now.notify_one();
            Ok(json!({ "duration_ms": clock::now_ms() - started }))
        }
        Ok(answer) => {
            let status = answer.status().as_u16();
            let mut error = MatrixError::new(StatusCode::BAD_GATEWAY, "M_BAD_STATUS", format!("HTTP {status}"));
            error.extra = Some(("status", status.into()));
            Err(error)
        }
        Err(error) if error.is_timeout() => {
            Err(MatrixError::new(StatusCode::GATEWAY_TIMEOUT, "M_CONNECTION_TIMEOUT", "timed out"))
        }
        Err(_) => Err(MatrixError::new(StatusCode::BAD_GATEWAY, "M_CONNECTION_FAILED", "Connection was refused")),
    }
}
