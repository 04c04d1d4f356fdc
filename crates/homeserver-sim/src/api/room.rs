//! Rooms: making, finding, joining, state.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{parse, requester::Requester};
use crate::{
    clock,
    error::{Answer, MatrixError},
    event::{Draft, Event},
    room::{Membership, Room, membership_in},
    sim::Sim,
    world::CreateRoom,
};

pub(super) async fn create(State(sim): State<Arc<Sim>>, requester: Requester, body: Bytes) -> Answer<Json<Value>> {
    let body: CreateRoom = parse(&body)?;
    let room = sim.change(|world| world.create_room(&requester.user, &body, clock::now_ms()))?;
    Ok(Json(json!({ "room_id": room })))
}

pub(super) async fn alias(State(sim): State<Arc<Sim>>, Path(alias): Path<String>) -> Answer<Json<Value>> {
    let world = sim.world();
    match world.aliases.get(&alias) {
        Some(room) => Ok(Json(json!({ "room_id": room, "servers": [world.server_name] }))),
        None => Err(MatrixError::not_found(format!("Room alias {alias} not found"))),
    }
}

#[derive(Deserialize)]
struct Aliased {
    room_id: String,
}

pub(super) async fn set_alias(
    State(sim): State<Arc<Sim>>,
    Path(alias): Path<String>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let body: Aliased = parse(&body)?;
    sim.change(|world| {
        world.expect_free_alias(&alias, &requester.user)?;
        let room = world.joined_room(&body.room_id, &requester.user)?.id.clone();
        world.aliases.insert(alias, room);
        Ok(Json(json!({})))
    })
}

pub(super) async fn unset_alias(
    State(sim): State<Arc<Sim>>,
    Path(alias): Path<String>,
    _: Requester,
) -> Answer<Json<Value>> {
    match sim.change(|world| world.aliases.remove(&alias)) {
        Some(_) => Ok(Json(json!({}))),
        None => Err(MatrixError::not_found("Alias not found")),
    }
}

pub(super) async fn join(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
) -> Answer<Json<Value>> {
    let room = sim.change(|world| {
        let room = world.aliases.get(&room).map_or(room, |id| id.to_string());
        world.join(&room, &requester.user, clock::now_ms())
    })?;
    Ok(Json(json!({ "room_id": room })))
}

pub(super) async fn joined_rooms(State(sim): State<Arc<Sim>>, requester: Requester) -> Json<Value> {
    let world = sim.world();
    let rooms: Vec<&Arc<str>> =
        world.rooms.values().filter(|room| room.is_joined(&requester.user)).map(|room| &room.id).collect();
    Json(json!({ "joined_rooms": rooms }))
}

#[derive(Deserialize)]
struct Target {
    user_id: String,
    reason: Option<String>,
}

pub(super) async fn invite(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let target: Target = parse(&body)?;
    sim.change(|world| world.invite(&room, &requester.user, &target.user_id, false, clock::now_ms()))?;
    Ok(Json(json!({})))
}

pub(super) async fn leave(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
) -> Answer<Json<Value>> {
    sim.change(|world| world.leave(&room, &requester.user, clock::now_ms()))?;
    Ok(Json(json!({})))
}

pub(super) async fn forget(_: Requester) -> Json<Value> {
    Json(json!({}))
}

pub(super) async fn kick(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    remove(&sim, &room, &requester, &body, Membership::Leave)
}

pub(super) async fn ban(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    remove(&sim, &room, &requester, &body, Membership::Ban)
}

fn remove(sim: &Sim, room: &str, requester: &Requester, body: &[u8], to: Membership) -> Answer<Json<Value>> {
    let target: Target = parse(body)?;
    let (reason, now) = (target.reason.as_deref(), clock::now_ms());
    sim.change(|world| world.remove(room, &requester.user, &target.user_id, to, reason, now))?;
    Ok(Json(json!({})))
}

pub(super) async fn joined_members(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
) -> Answer<Json<Value>> {
    let joined = sim.world().joined_members(&room, &requester.user)?;
    Ok(Json(json!({ "joined": joined })))
}

#[derive(Deserialize)]
pub(super) struct MembersFilter {
    membership: Option<String>,
}

pub(super) async fn members(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    Query(filter): Query<MembersFilter>,
    requester: Requester,
) -> Answer<Json<Value>> {
    let wanted = |event: &&Arc<Event>| match filter.membership.as_deref() {
        Some("join") => membership_in(event) == Membership::Join,
        Some("invite") => membership_in(event) == Membership::Invite,
        _ => true,
    };
    let world = sim.world();
    let room = world.joined_room(&room, &requester.user)?;
    let members: Vec<_> = room.state.values().filter(|event| &*event.kind == "m.room.member").filter(wanted).collect();
    Ok(Json(json!({ "chunk": members })))
}

pub(super) async fn all_state(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
) -> Answer<Json<Value>> {
    let world = sim.world();
    let room = world.joined_room(&room, &requester.user)?;
    let state: Vec<_> = room.state.values().collect();
    Ok(Json(json!(state)))
}

pub(super) async fn state(
    sim: State<Arc<Sim>>,
    Path((room, kind)): Path<(String, String)>,
    requester: Requester,
) -> Answer<Json<Box<RawValue>>> {
    state_of_key(sim, Path((room, kind, String::new())), requester).await
}

pub(super) async fn state_of_key(
    State(sim): State<Arc<Sim>>,
    Path((room, kind, key)): Path<(String, String, String)>,
    requester: Requester,
) -> Answer<Json<Box<RawValue>>> {
    let world = sim.world();
    let room: &Room = world.joined_room(&room, &requester.user)?;
    let event = room.state_event(&kind, &key).ok_or_else(|| MatrixError::not_found("Event not found."))?;
    Ok(Json(event.content.clone()))
}

pub(super) async fn set_state(
    sim: State<Arc<Sim>>,
    Path((room, kind)): Path<(String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    set_state_of_key(sim, Path((room, kind, String::new())), requester, body).await
}

pub(super) async fn set_state_of_key(
    State(sim): State<Arc<Sim>>,
    Path((room, kind, key)): Path<(String, String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let draft = Draft {
        sender: requester.user.clone(),
        kind: kind.into(),
        state_key: Some(key.into()),
        content: parse(&body)?,
        at: requester.time(),
    };
    let id = sim.change(|world| world.set_state(&room, draft))?;
    Ok(Json(json!({ "event_id": id })))
}
