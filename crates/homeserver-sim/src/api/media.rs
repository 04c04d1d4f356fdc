//! Media: uploads in one or two steps, authenticated downloads.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::requester::Requester;
use crate::{
    error::{Answer, MatrixError},
    ids,
    sim::Sim,
    world::Medium,
};

pub(super) async fn upload(
    State(sim): State<Arc<Sim>>,
    headers: HeaderMap,
    _: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let medium = medium(&sim, &headers, body)?;
    let id = ids::random("", 24);
    let uri = format!("mxc://{}/{id}", sim.options.server_name);
    sim.world().media.insert(id, medium);
    Ok(Json(json!({ "content_uri": uri })))
}

pub(super) async fn create(State(sim): State<Arc<Sim>>, _: Requester) -> Json<Value> {
    let id = ids::random("", 24);
    let uri = format!("mxc://{}/{id}", sim.options.server_name);
    sim.world().media.insert(id, Medium { bytes: None, content_type: String::new() });
    Json(json!({ "content_uri": uri, "unused_expires_at": crate::clock::now_ms() + 86_400_000 }))
}

pub(super) async fn fill(
    State(sim): State<Arc<Sim>>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    _: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let medium = medium(&sim, &headers, body)?;
    let mut world = sim.world();
    match world.media.get_mut(&id) {
        None => Err(MatrixError::not_found("Unknown media ID")),
        Some(known) if known.bytes.is_some() => {
            let error = "Media ID already has content";
            Err(MatrixError::new(StatusCode::CONFLICT, "M_CANNOT_OVERWRITE_MEDIA", error))
        }
        Some(known) => {
            *known = medium;
            Ok(Json(json!({})))
        }
    }
}

pub(super) async fn config(State(sim): State<Arc<Sim>>, _: Requester) -> Json<Value> {
    Json(json!({ "m.upload.size": sim.options.upload_limit }))
}

pub(super) async fn download(
    State(sim): State<Arc<Sim>>,
    Path((_, id)): Path<(String, String)>,
    _: Requester,
) -> Answer<Response> {
    let found = sim.world().media.get(&id).cloned();
    match found {
        None => Err(MatrixError::not_found("Not found")),
        Some(Medium { bytes: None, .. }) => {
            let error = "Media has not been uploaded yet";
            Err(MatrixError::new(StatusCode::GATEWAY_TIMEOUT, "M_NOT_YET_UPLOADED", error))
        }
        Some(Medium { bytes: Some(bytes), content_type }) => {
            Ok(([(header::CONTENT_TYPE, content_type)], bytes).into_response())
        }
    }
}

pub(super) async fn download_as(
    sim: State<Arc<Sim>>,
    Path((server, id, _)): Path<(String, String, String)>,
    requester: Requester,
) -> Answer<Response> {
    download(sim, Path((server, id)), requester).await
}

fn medium(sim: &Sim, headers: &HeaderMap, bytes: Bytes) -> Answer<Medium> {
    if bytes.len() > sim.options.upload_limit {
        let error = "Upload request body is too large";
        return Err(MatrixError::new(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", error));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let kept = if bytes.len() > sim.options.kept_media { Bytes::new() } else { bytes };
    Ok(Medium { bytes: Some(kept), content_type })
}
