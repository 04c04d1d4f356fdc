//! `GET /sync`, minimal: joined rooms with timeline and state, invitations, rooms left; waits when nothing is new.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::requester::Requester;
use crate::{
    clock,
    error::{Answer, MatrixError},
    event::Event,
    room::{Membership, Room, membership_in},
    sim::{Listening, Sim},
    world::World,
};

/// Events shown of a room that is new to the client.
const FIRST_EVENTS: usize = 20;

#[derive(Deserialize)]
pub(super) struct Parameters {
    since: Option<String>,
    timeout: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Sync {
    next_batch: String,
    rooms: Rooms,
}

#[derive(Serialize, Default)]
struct Rooms {
    join: BTreeMap<Arc<str>, Joined>,
    invite: BTreeMap<Arc<str>, Value>,
    leave: BTreeMap<Arc<str>, Value>,
}

#[derive(Serialize)]
struct Joined {
    timeline: Timeline,
    state: Events,
    ephemeral: Value,
}

#[derive(Serialize)]
struct Timeline {
    events: Vec<Arc<Event>>,
    limited: bool,
    prev_batch: String,
}

#[derive(Serialize)]
struct Events {
    events: Vec<Arc<Event>>,
}

pub(super) async fn sync(
    State(sim): State<Arc<Sim>>,
    Query(parameters): Query<Parameters>,
    requester: Requester,
) -> Answer<Json<Sync>> {
    let since = match &parameters.since {
        None => None,
        Some(token) => {
            let position = token.strip_prefix('s').and_then(|number| number.parse().ok());
            Some(position.ok_or_else(|| MatrixError::bad_request("M_INVALID_PARAM", "Invalid since token"))?)
        }
    };
    let mut changed = sim.subscribe();
    let mut listening = sim.listening.subscribe();
    let wait = tokio::time::sleep(Duration::from_millis(parameters.timeout.unwrap_or(0)));
    tokio::pin!(wait);
    loop {
        changed.mark_unchanged();
        let (sync, is_empty) = collect(&sim.world(), &requester.user, since);
        if !is_empty || since.is_none() {
            return Ok(Json(sync));
        }
        tokio::select! {
            () = &mut wait => return Ok(Json(sync)),
            _ = changed.changed() => {}
            _ = listening.wait_for(|state| *state != Listening::Open) => return Ok(Json(sync)),
        }
    }
}

fn collect(world: &World, user: &str, since: Option<u64>) -> (Sync, bool) {
    let mut rooms = Rooms::default();
    let floor = since.unwrap_or(0);
    for room in rooms_to_look_at(world, since) {
        match room.membership(user) {
            Some(Membership::Join) => {
                if let Some(joined) = joined(room, user, since) {
                    rooms.join.insert(room.id.clone(), joined);
                }
            }
            Some(Membership::Invite) => {
                let is_new = room.state_event("m.room.member", user).is_some_and(|event| event.position > floor);
                if is_new {
                    rooms.invite.insert(room.id.clone(), invited(room, user));
                }
            }
            Some(Membership::Leave | Membership::Ban) => {
                let event = room.state_event("m.room.member", user).filter(|event| event.position > floor);
                if let (Some(event), true) = (event, since.is_some()) {
                    rooms.leave.insert(room.id.clone(), json!({ "timeline": { "events": [event] } }));
                }
            }
            None => {}
        }
    }
    let is_empty = rooms.join.is_empty() && rooms.invite.is_empty() && rooms.leave.is_empty();
    (Sync { next_batch: format!("s{}", world.position), rooms }, is_empty)
}

/// All rooms for a first sync; later those in which something happened since.
fn rooms_to_look_at(world: &World, since: Option<u64>) -> Vec<&Room> {
    let Some(since) = since else { return world.rooms.values().collect() };
    let first = world.stream.partition_point(|event| event.position <= since);
    let mut ids: Vec<&Arc<str>> = world.stream[first..].iter().map(|event| &event.room).collect();
    ids.sort();
    ids.dedup();
    let mut found: Vec<&Room> = ids.iter().filter_map(|id| world.rooms.get(*id)).collect();
    let quiet = world.rooms.values().filter(|room| room.typing_position.max(room.receipts_position) > since);
    for room in quiet {
        if ids.binary_search(&&room.id).is_err() {
            found.push(room);
        }
    }
    found
}

fn joined(room: &Room, user: &str, since: Option<u64>) -> Option<Joined> {
    let own = room.state_event("m.room.member", user)?;
    // Whoever joined since the last sync has seen nothing of the room.
    let joined_at = newly_joined(room, user, since.unwrap_or(0)).then_some(own.position);
    let known_up_to = since.filter(|_| joined_at.is_none());
    let start = match known_up_to {
        Some(position) => room.after(position),
        None => room.timeline.len().saturating_sub(FIRST_EVENTS),
    };
    let events: Vec<Arc<Event>> = room.timeline[start..].to_vec();
    let state: Vec<Arc<Event>> = match known_up_to {
        Some(_) => Vec::new(),
        None => {
            let first = events.first().map_or(u64::MAX, |event| event.position);
            room.state.values().filter(|event| event.position < first).cloned().collect()
        }
    };
    let ephemeral = ephemeral(room, known_up_to.unwrap_or(0));
    if known_up_to.is_some() && events.is_empty() && ephemeral.is_empty() {
        return None;
    }
    let timeline = Timeline { events, limited: known_up_to.is_none() && start > 0, prev_batch: format!("t{start}") };
    Some(Joined { timeline, state: Events { events: state }, ephemeral: json!({ "events": ephemeral }) })
}

fn newly_joined(room: &Room, user: &str, since: u64) -> bool {
    let before = room.timeline[..room.after(since)].iter().rev();
    let mut of_user =
        before.filter(|event| &*event.kind == "m.room.member" && event.state_key.as_deref() == Some(user));
    // A join that is still the current one decides without a walk through the timeline.
    match room.state_event("m.room.member", user) {
        Some(own) if own.position <= since => false,
        _ => of_user.next().is_none_or(|event| membership_in(event) != Membership::Join),
    }
}

fn ephemeral(room: &Room, since: u64) -> Vec<Value> {
    let mut events = Vec::new();
    if room.typing_position > since {
        let now = clock::now_ms();
        let users: Vec<&Arc<str>> =
            room.typing.iter().filter(|(_, until)| **until > now).map(|(user, _)| user).collect();
        events.push(json!({ "type": "m.typing", "content": { "user_ids": users } }));
    }
    if room.receipts_position > since {
        let mut content = json!({});
        for (user, (event, at)) in &room.receipts {
            content[&**event]["m.read"][&**user] = json!({ "ts": at });
        }
        events.push(json!({ "type": "m.receipt", "content": content }));
    }
    events
}

/// What an invited user may see of a room.
fn invited(room: &Room, user: &str) -> Value {
    let shown = ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.avatar", "m.room.canonical_alias"];
    let mut events: Vec<&Arc<Event>> = shown.iter().filter_map(|kind| room.state_event(kind, "")).collect();
    if let Some(invitation) = room.state_event("m.room.member", user) {
        events.extend(room.state_event("m.room.member", &invitation.sender));
        events.push(invitation);
    }
    json!({ "invite_state": { "events": events } })
}
