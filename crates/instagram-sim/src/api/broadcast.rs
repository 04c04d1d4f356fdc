//! Sends over HTTP: the texts, links, reactions, shares and attachments.

use std::{collections::HashMap, time::Duration};

use axum::{
    extract::{Extension, Path, State},
    response::Response,
};
use http::StatusCode;
use serde_json::json;

use super::{
    App, Who,
    answer::{cut_off, failure, json_response, refused},
    form,
};
use crate::{
    clock,
    command::{self, Outcome},
    error::SimError,
    fault::{Fault, Stage},
    world::World,
};

pub(super) async fn broadcast(
    State(shared): App,
    Extension(viewer): Who,
    Path(kind): Path<String>,
    body: String,
) -> Response {
    let mut fields = form::fields(&body);
    let fault = shared.look(|world| world.take_fault(viewer.pk, Stage::Send, &format!("broadcast/{kind}")));
    if kind.ends_with("_attachment")
        && shared.look(|world| world.take_fault(viewer.pk, Stage::Transcode, &kind)).is_some()
    {
        let status = if kind.starts_with("photo") { 503 } else { 500 };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return failure(status, json!({ "message": "Transcode not finished yet." }));
    }
    let mut echo_at_us = 0;
    let mut lose_answer = false;
    match fault {
        Some(Fault::DropSend) => return cut_off(json_response(StatusCode::OK, &json!({}))),
        Some(Fault::DropAnswer | Fault::CloseAfterSend) => lose_answer = true,
        Some(Fault::RejectSend { status_code, message }) => {
            let status = StatusCode::from_u16(status_code).unwrap_or(StatusCode::BAD_REQUEST);
            let context = fields.remove("client_context");
            return failure(status, json!({ "message": message, "payload": { "client_context": context } }));
        }
        Some(Fault::DelayAnswer { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(Fault::DelayEcho { ms }) => echo_at_us = clock::now_us() + (ms as i64) * 1000,
        _ => {}
    }
    let outcome = shared.act(|world| {
        let thread = target(world, viewer.pk, &fields)?;
        fields.insert("thread_id".into(), thread);
        fields.insert("item_type".into(), kind.trim_end_matches('/').to_owned());
        Ok::<_, SimError>(command::send_item(world, viewer.pk, &fields, echo_at_us))
    });
    let response = match outcome {
        Ok(Outcome { status, answer, .. }) => {
            json_response(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &answer)
        }
        Err(error) => refused(&error),
    };
    if lose_answer { cut_off(response) } else { response }
}

/// The thread a send goes to: named, or the one-to-one (made if need be) with the named person.
fn target(world: &mut World, pk: u64, fields: &HashMap<String, String>) -> Result<String, SimError> {
    let named = ["thread_ids", "thread_id"].iter().filter_map(|key| fields.get(*key));
    if let Some(id) = named.flat_map(|text| form::numbers(text)).next() {
        return Ok(id);
    }
    let people = fields.get("recipient_users").map(|text| form::numbers(text)).unwrap_or_default();
    let mut members = vec![pk];
    members.extend(people.iter().filter_map(|text| text.parse::<u64>().ok()));
    if members.len() < 2 {
        return Err(SimError::Invalid("thread_ids or recipient_users is needed".into()));
    }
    world.create_thread(&members, None)
}
