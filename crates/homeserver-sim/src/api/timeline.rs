//! What happens in rooms: sending, redacting, reading back, typing, receipts.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{parse, requester::Requester};
use crate::{
    clock,
    error::{Answer, MatrixError},
    event::{Draft, Event},
    sim::Sim,
};

pub(super) async fn send(
    State(sim): State<Arc<Sim>>,
    uri: Uri,
    Path((room, kind, _)): Path<(String, String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Response> {
    let content: Box<RawValue> = parse(&body)?;
    if !content.get().starts_with('{') {
        return Err(MatrixError::bad_request("M_BAD_JSON", "Content must be a JSON object."));
    }
    if content.get().len() > sim.options.event_limit {
        return Err(MatrixError::new(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", "event too large"));
    }
    let transaction = requester.transaction(&sim, uri.path());
    let draft =
        Draft { sender: requester.user.clone(), kind: kind.into(), state_key: None, content, at: requester.time() };
    let id = sim.change(|world| world.send(&room, draft, transaction))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], format!(r#"{{"event_id":"{id}"}}"#)).into_response())
}

pub(super) async fn redact(
    State(sim): State<Arc<Sim>>,
    uri: Uri,
    Path((room, event, _)): Path<(String, String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let mut content: Value = parse(&body)?;
    content["redacts"] = event.as_str().into();
    let draft = Draft {
        sender: requester.user.clone(),
        kind: "m.room.redaction".into(),
        state_key: None,
        content: crate::world::content(&content),
        at: requester.time(),
    };
    let transaction = requester.transaction(&sim, uri.path());
    let id = sim.change(|world| world.redact(&room, &event, draft, transaction))?;
    Ok(Json(json!({ "event_id": id })))
}

pub(super) async fn event(
    State(sim): State<Arc<Sim>>,
    Path((room, event)): Path<(String, String)>,
    requester: Requester,
) -> Answer<Json<Arc<Event>>> {
    let world = sim.world();
    let room = world.joined_room(&room, &requester.user)?;
    room.event(&event).cloned().map(Json).ok_or_else(|| MatrixError::not_found("Event not found."))
}

#[derive(Deserialize)]
pub(super) struct Page {
    dir: String,
    from: Option<String>,
    limit: Option<usize>,
}

/// Pages are named by places in the timeline (`t`), or by a position from a sync (`s`).
pub(super) async fn messages(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    Query(page): Query<Page>,
    requester: Requester,
) -> Answer<Json<Value>> {
    let world = sim.world();
    let room = world.joined_room(&room, &requester.user)?;
    let is_backwards = page.dir == "b";
    let length = room.timeline.len();
    let place = match page.from.as_deref() {
        None => {
            if is_backwards {
                length
            } else {
                0
            }
        }
        Some(token) => match (token.get(..1), token.get(1..).and_then(|number| number.parse::<u64>().ok())) {
            (Some("t"), Some(place)) => usize::try_from(place).unwrap_or(length).min(length),
            (Some("s"), Some(position)) => room.after(position),
            _ => return Err(MatrixError::bad_request("M_INVALID_PARAM", "Invalid from token")),
        },
    };
    let limit = page.limit.unwrap_or(10).clamp(1, 1000);
    let start = format!("t{place}");
    if is_backwards {
        let end = place.saturating_sub(limit);
        let chunk: Vec<&Arc<Event>> = room.timeline[end..place].iter().rev().collect();
        let mut answer = json!({ "start": start, "chunk": chunk });
        if end > 0 {
            answer["end"] = format!("t{end}").into();
        }
        return Ok(Json(answer));
    }
    let end = (place + limit).min(length);
    let chunk = &room.timeline[place..end];
    let mut answer = json!({ "start": start, "chunk": chunk });
    if end < length {
        answer["end"] = format!("t{end}").into();
    }
    Ok(Json(answer))
}

#[derive(Deserialize)]
struct Typing {
    typing: bool,
    timeout: Option<i64>,
}

pub(super) async fn typing(
    State(sim): State<Arc<Sim>>,
    Path((room, _)): Path<(String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let body: Typing = parse(&body)?;
    let until = body.typing.then(|| clock::now_ms() + body.timeout.unwrap_or(30_000));
    sim.change(|world| world.set_typing(&room, &requester.user, until))?;
    Ok(Json(json!({})))
}

pub(super) async fn receipt(
    State(sim): State<Arc<Sim>>,
    Path((room, _, event)): Path<(String, String, String)>,
    requester: Requester,
) -> Answer<Json<Value>> {
    sim.change(|world| world.set_receipt(&room, &requester.user, &event, clock::now_ms()))?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct ReadMarkers {
    #[serde(rename = "m.read")]
    read: Option<String>,
}

pub(super) async fn read_markers(
    State(sim): State<Arc<Sim>>,
    Path(room): Path<String>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let body: ReadMarkers = parse(&body)?;
    if let Some(event) = body.read {
        sim.change(|world| world.set_receipt(&room, &requester.user, &event, clock::now_ms()))?;
    }
    Ok(Json(json!({})))
}
