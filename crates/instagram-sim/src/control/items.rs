//! Items over the control API: send one of a kind, react, edit, take back.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Control, done};
use crate::{error::SimError, kinds, sim::Sim, verbs::RawItem};

/// The paths of this part, one a line.
pub(super) const PATHS: &str = "\
GET  /kinds                               names of the item generators
POST /threads/{thread}/kinds              {from, kind}: one item of that kind
POST /threads/{thread}/unsend             {from, item_id}
POST /threads/{thread}/edit               {from, item_id, text}
POST /threads/{thread}/react              {from, item_id, emoji?}
POST /threads/{thread}/like               {from, item_id}: a heart without an emoji
POST /threads/{thread}/seen               {from, item_id}
POST /threads/{thread}/seen_once          {from, item_id}: a picture that is to be seen once
POST /threads/{thread}/replace            {item_id, item?: {item_type, …}}: without one, as it is
POST /threads/{thread}/backdate           {item_id, seconds}
";

pub(super) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/kinds", get(list))
        .route("/threads/{thread}/kinds", post(send_kind))
        .route("/threads/{thread}/unsend", post(unsend))
        .route("/threads/{thread}/edit", post(edit))
        .route("/threads/{thread}/react", post(react))
        .route("/threads/{thread}/like", post(like))
        .route("/threads/{thread}/seen", post(seen))
        .route("/threads/{thread}/seen_once", post(seen_once))
        .route("/threads/{thread}/replace", post(replace))
        .route("/threads/{thread}/backdate", post(backdate))
}

async fn list() -> Answer {
    let all = kinds::all();
    let shown: Vec<Value> = all.iter().map(|kind| json!({ "name": kind.name, "item_type": kind.item_type })).collect();
    Ok(Json(json!({ "kinds": shown })))
}

#[derive(Deserialize)]
struct KindFrom {
    from: u64,
    kind: String,
}

async fn send_kind(State(sim): Control, Path(thread): Path<String>, Json(body): Json<KindFrom>) -> Answer {
    let kind = kinds::named(&body.kind).ok_or_else(|| SimError::Invalid(format!("no kind {:?}", body.kind)))?;
    let item = kind.item(&sim);
    let media = sim.media_addresses(&item);
    Ok(Json(json!({ "item_id": sim.send_item(body.from, &thread, item)?, "media": media })))
}

#[derive(Deserialize)]
struct ItemAct {
    from: u64,
    item_id: String,
    emoji: Option<String>,
    #[serde(default)]
    text: String,
}

async fn unsend(State(sim): Control, Path(thread): Path<String>, Json(act): Json<ItemAct>) -> Answer {
    sim.unsend(act.from, &thread, &act.item_id)?;
    done()
}

async fn edit(State(sim): Control, Path(thread): Path<String>, Json(act): Json<ItemAct>) -> Answer {
    sim.edit(act.from, &thread, &act.item_id, &act.text)?;
    done()
}

async fn react(State(sim): Control, Path(thread): Path<String>, Json(act): Json<ItemAct>) -> Answer {
    sim.react(act.from, &thread, &act.item_id, act.emoji.as_deref())?;
    done()
}

async fn like(State(sim): Control, Path(thread): Path<String>, Json(act): Json<ItemAct>) -> Answer {
    sim.like(act.from, &thread, &act.item_id)?;
    done()
}

async fn seen(State(sim): Control, Path(thread): Path<String>, Json(act): Json<ItemAct>) -> Answer {
    sim.mark_seen(act.from, &thread, &act.item_id)?;
    done()
}

async fn seen_once(State(sim): Control, Path(thread): Path<String>, Json(act): Json<ItemAct>) -> Answer {
    sim.see_visual(act.from, &thread, &act.item_id)?;
    done()
}

#[derive(Deserialize)]
struct Replacement {
    item_id: String,
    item: Option<RawItem>,
}

async fn replace(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Replacement>) -> Answer {
    match body.item {
        Some(item) => sim.replace_item(&thread, &body.item_id, item)?,
        None => sim.restate_item(&thread, &body.item_id)?,
    }
    done()
}

#[derive(Deserialize)]
struct Backdate {
    item_id: String,
    seconds: u64,
}

async fn backdate(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Backdate>) -> Answer {
    sim.backdate(&thread, &body.item_id, Duration::from_secs(body.seconds))?;
    done()
}
