//! Threads over the control API: groups, requests, modes, history.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Control, done};
use crate::{
    error::SimError,
    sim::Sim,
    world::history::{History, OldItem},
};

/// The paths of this part, one a line.
pub(super) const PATHS: &str = "\
GET  /threads/{thread}?viewer=            the thread as that account's API shows it
POST /threads/{thread}/title              {from, title}
POST /threads/{thread}/members            {from, add?: pk, remove?: pk}; who removes themselves leaves
POST /threads/{thread}/admins             {from, add?: pk, remove?: pk}
POST /threads/{thread}/image              {from, base64?}: without one it is taken away
POST /threads/{thread}/approval           {from, on}: whether admins approve new members
POST /threads/{thread}/vanish             {from, on}: vanish mode
POST /threads/{thread}/treat              {from, action: mute | unmute | unread | hide | pending | approve | decline}
POST /threads/{thread}/history            {count, prefix?, spacing_seconds?, reaction_every?, reply_every?}
POST /threads/{thread}/past               {items: [{from, item, reactions?, replies?}, …], spacing_seconds?}
";

pub(super) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/threads/{thread}", get(view))
        .route("/threads/{thread}/title", post(title))
        .route("/threads/{thread}/members", post(members))
        .route("/threads/{thread}/admins", post(admins))
        .route("/threads/{thread}/image", post(image))
        .route("/threads/{thread}/approval", post(approval))
        .route("/threads/{thread}/vanish", post(vanish))
        .route("/threads/{thread}/treat", post(treat))
        .route("/threads/{thread}/history", post(history))
        .route("/threads/{thread}/past", post(past))
}

#[derive(Deserialize)]
struct Viewer {
    viewer: u64,
}

async fn view(State(sim): Control, Path(thread): Path<String>, Query(query): Query<Viewer>) -> Answer {
    Ok(Json(sim.thread_view(&thread, query.viewer)?))
}

#[derive(Deserialize)]
struct Title {
    from: u64,
    title: String,
}

async fn title(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Title>) -> Answer {
    sim.rename_thread(body.from, &thread, &body.title)?;
    done()
}

#[derive(Deserialize)]
struct Change {
    from: u64,
    add: Option<u64>,
    remove: Option<u64>,
}

async fn members(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Change>) -> Answer {
    if let Some(pk) = body.add {
        sim.add_member(body.from, &thread, pk)?;
    }
    if let Some(pk) = body.remove {
        sim.remove_member(body.from, &thread, pk)?;
    }
    done()
}

async fn admins(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Change>) -> Answer {
    for (pk, admin) in [(body.add, true), (body.remove, false)] {
        if let Some(pk) = pk {
            sim.set_admin(body.from, &thread, pk, admin)?;
        }
    }
    done()
}

#[derive(Deserialize)]
struct Image {
    from: u64,
    base64: Option<String>,
}

async fn image(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Image>) -> Answer {
    let bytes = body.base64.map(|text| BASE64.decode(text.as_bytes())).transpose();
    let bytes = bytes.map_err(|error| SimError::Invalid(error.to_string()))?;
    Ok(Json(json!({ "url": sim.set_thread_image(body.from, &thread, bytes.map(Into::into))? })))
}

#[derive(Deserialize)]
struct Switch {
    from: u64,
    on: bool,
}

async fn approval(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Switch>) -> Answer {
    sim.set_approval_required(body.from, &thread, body.on)?;
    done()
}

async fn vanish(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Switch>) -> Answer {
    sim.set_vanish_mode(body.from, &thread, body.on)?;
    done()
}

#[derive(Deserialize)]
struct Treat {
    from: u64,
    action: String,
}

async fn treat(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Treat>) -> Answer {
    match body.action.as_str() {
        "mute" => sim.set_muted(body.from, &thread, true)?,
        "unmute" => sim.set_muted(body.from, &thread, false)?,
        "unread" => sim.mark_unread(body.from, &thread)?,
        "hide" => sim.hide_thread(body.from, &thread)?,
        "pending" => sim.make_pending(body.from, &thread)?,
        "approve" => sim.approve_thread(body.from, &thread)?,
        "decline" => sim.decline_thread(body.from, &thread)?,
        other => return Err(SimError::Invalid(format!("no action {other:?}")).into()),
    }
    done()
}

#[derive(Deserialize)]
struct NewHistory {
    count: usize,
    #[serde(flatten)]
    how: History,
}

async fn history(State(sim): Control, Path(thread): Path<String>, Json(body): Json<NewHistory>) -> Answer {
    Ok(Json(json!({ "imported": sim.import_history(&thread, body.count, &body.how)?.len() })))
}

#[derive(Deserialize)]
struct Past {
    items: Vec<OldItem>,
    #[serde(default = "minute")]
    spacing_seconds: u64,
}

fn minute() -> u64 {
    60
}

async fn past(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Past>) -> Answer {
    let ids = sim.import_items(&thread, body.items, Duration::from_secs(body.spacing_seconds))?;
    Ok(Json(json!({ "item_ids": ids })))
}
