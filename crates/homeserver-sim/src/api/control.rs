//! `/_sim`: what a benchmark or a test in another process needs beside Matrix.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parse;
use crate::{
    clock,
    error::{Answer, MatrixError},
    event::{Draft, Event},
    fault::Fault,
    room::Room,
    sim::{Listening, Sim},
    world::{World, content},
};

pub(super) async fn stats(State(sim): State<Arc<Sim>>) -> Json<Value> {
    Json(stats_of(&sim))
}

pub(crate) fn stats_of(sim: &Sim) -> Value {
    let (events, waiting) = {
        let world = sim.world();
        (world.stream.len(), world.outgoing.len())
    };
    json!({
        "requests": sim.requests(),
        "events": events,
        "transactions_pushed": sim.transactions_pushed.load(Ordering::Relaxed),
        "transactions_failed": sim.transactions_failed.load(Ordering::Relaxed),
        "events_pushed": sim.events_pushed.load(Ordering::Relaxed),
        "events_waiting": waiting,
    })
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn user(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let body: NewUser = parse(&body)?;
    sim.change(|world| {
        let user = world.register(&body.name, Some(body.password))?;
        let (token, _) = world.make_token(&user);
        Ok(Json(json!({ "user_id": user, "access_token": token })))
    })
}

#[derive(Deserialize)]
struct Burst {
    user: String,
    rooms: Vec<String>,
    count: usize,
    #[serde(default)]
    prefix: String,
}

/// Texts written between two looks at anything else.
const TEXTS_AT_ONCE: usize = 200;

pub(super) async fn burst_over_http(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let body: Burst = parse(&body)?;
    let started_at = clock::now_ms();
    let ids = burst(&sim, &body.user, &body.rooms, body.count, &body.prefix)?;
    Ok(Json(json!({ "started_at": started_at, "event_ids": ids })))
}

pub(crate) fn burst(sim: &Sim, user: &str, rooms: &[String], count: usize, prefix: &str) -> Answer<Vec<String>> {
    if rooms.is_empty() {
        return Err(MatrixError::bad_request("M_MISSING_PARAM", "rooms is empty"));
    }
    let user: Arc<str> = user.into();
    let mut ids = Vec::with_capacity(count);
    for first in (0..count).step_by(TEXTS_AT_ONCE) {
        sim.change(|world| {
            for index in first..(first + TEXTS_AT_ONCE).min(count) {
                let draft = Draft {
                    sender: user.clone(),
                    kind: "m.room.message".into(),
                    state_key: None,
                    content: content(&json!({ "msgtype": "m.text", "body": format!("{prefix}{index}") })),
                    at: clock::now_ms(),
                };
                ids.push(world.send(&rooms[index % rooms.len()], draft, None)?.to_string());
            }
            Ok(())
        })?;
    }
    Ok(ids)
}

#[derive(Deserialize)]
pub(super) struct Wait {
    /// All rooms together if left out.
    room: Option<String>,
    /// Only messages of this user.
    sender: Option<String>,
    /// Only messages of others than this user.
    not_sender: Option<String>,
    count: usize,
    /// Milliseconds.
    timeout: Option<u64>,
}

pub(super) async fn wait(State(sim): State<Arc<Sim>>, Query(wait): Query<Wait>) -> Answer<Json<Value>> {
    let mut changed = sim.subscribe();
    let deadline = tokio::time::sleep(Duration::from_millis(wait.timeout.unwrap_or(60_000)));
    tokio::pin!(deadline);
    let mut counted = Counted::default();
    loop {
        changed.mark_unchanged();
        let count = counted.look(&sim.world(), &wait);
        if count >= wait.count {
            return Ok(Json(json!({ "count": count, "now": clock::now_ms() })));
        }
        tokio::select! {
            () = &mut deadline => {
                let error = format!("only {count} of {} messages", wait.count);
                return Err(MatrixError::new(StatusCode::REQUEST_TIMEOUT, "M_TIMEOUT", error));
            }
            _ = changed.changed() => {}
        }
    }
}

/// Messages counted so far, so that each look goes through new events only.
#[derive(Default)]
struct Counted {
    events: usize,
    messages: usize,
}

impl Counted {
    fn look(&mut self, world: &World, wait: &Wait) -> usize {
        let events: &[Arc<Event>] = match &wait.room {
            None => &world.stream,
            Some(room) => world.rooms.get(room.as_str()).map_or(&[], |room: &Room| &room.timeline),
        };
        for event in &events[self.events.min(events.len())..] {
            let is_wanted = &*event.kind == "m.room.message"
                && wait.sender.as_deref().is_none_or(|sender| sender == &*event.sender)
                && wait.not_sender.as_deref().is_none_or(|sender| sender != &*event.sender);
            self.messages += usize::from(is_wanted);
        }
        self.events = events.len();
        self.messages
    }
}

#[derive(Deserialize)]
pub(super) struct InRoom {
    room: String,
}

pub(super) async fn events(State(sim): State<Arc<Sim>>, Query(of): Query<InRoom>) -> Answer<Json<Vec<Arc<Event>>>> {
    let world = sim.world();
    Ok(Json(world.room(&of.room)?.timeline.clone()))
}

#[derive(Deserialize)]
pub(super) struct OfUser {
    user: Option<String>,
}

pub(super) async fn rooms(State(sim): State<Arc<Sim>>, Query(of): Query<OfUser>) -> Json<Value> {
    let world = sim.world();
    let mut rooms: Vec<&Room> = world.rooms.values().collect();
    rooms.sort_by(|a, b| a.id.cmp(&b.id));
    let described: Vec<Value> = rooms
        .iter()
        .filter(|room| of.user.as_ref().is_none_or(|user| room.membership(user).is_some()))
        .map(|room| {
            let content = |kind: &str| room.state_event(kind, "").map(|event| serde_json::json!(event.content));
            json!({
                "room_id": room.id,
                "messages": room.messages,
                "name": content("m.room.name"),
                "alias": content("m.room.canonical_alias"),
                "members": room.members.keys().collect::<Vec<_>>(),
            })
        })
        .collect();
    Json(json!({ "rooms": described }))
}

#[derive(Deserialize)]
struct For {
    /// None: until told otherwise.
    ms: Option<u64>,
}

pub(super) async fn pause(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let time: For = parse(&body)?;
    sim.paused.store(true, Ordering::Relaxed);
    if let Some(ms) = time.ms {
        let _detached = clock::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            sim.paused.store(false, Ordering::Relaxed);
        });
    }
    Ok(Json(json!({})))
}

pub(super) async fn resume(State(sim): State<Arc<Sim>>) -> Json<Value> {
    sim.paused.store(false, Ordering::Relaxed);
    Json(json!({}))
}

/// Closes the port for a time, since over a closed port nobody could ask for it to be opened.
pub(super) async fn close(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let time: For = parse(&body)?;
    let ms = time.ms.ok_or_else(|| MatrixError::bad_request("M_MISSING_PARAM", "ms is missing"))?;
    let _detached = clock::spawn(async move {
        sim.listening.send_replace(Listening::Closed);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        sim.listening.send_replace(Listening::Open);
    });
    Ok(Json(json!({})))
}

pub(super) async fn forget(State(sim): State<Arc<Sim>>) -> Json<Value> {
    sim.world().transactions.clear();
    Json(json!({}))
}

#[derive(Deserialize)]
struct NewFault {
    path_contains: String,
    count: u32,
    kind: String,
    #[serde(default)]
    ms: u64,
    #[serde(default)]
    status: u16,
}

pub(super) async fn fault(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let body: NewFault = parse(&body)?;
    let time = Duration::from_millis(body.ms);
    let fault = match body.kind.as_str() {
        "rate_limit" => Fault::RateLimit { retry_after: time },
        "status" => Fault::Status(body.status),
        "lose_answer" => Fault::LoseAnswer,
        "refuse" => Fault::Refuse { status: body.status, errcode: "M_UNKNOWN".to_owned() },
        "half_room" => Fault::HalfRoom,
        "delay" => Fault::Delay(time),
        _ => {
            let error = "kind is one of rate_limit, status, refuse, lose_answer, half_room, delay";
            return Err(MatrixError::bad_request("M_INVALID_PARAM", error));
        }
    };
    sim.faults.add(&body.path_contains, body.count, fault);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct AppserviceUrl {
    url: Option<String>,
}

pub(super) async fn appservice_url(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let body: AppserviceUrl = parse(&body)?;
    *sim.appservice_url.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = body.url;
    sim.retry_now.notify_one();
    Ok(Json(json!({})))
}
