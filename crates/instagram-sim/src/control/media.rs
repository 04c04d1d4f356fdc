//! The media host and the uploads over the control API.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Control, done, once};
use crate::{cdn::fault::MediaFault, error::SimError, sim::Sim};

/// The paths of this part, one a line.
pub(super) const PATHS: &str = "\
POST /media                               {content_type, base64 | size}: a file, or one made while it is read
POST /media/details                       {url}
POST /media/expire                        {url?}: ends the addresses of a file, or of all
POST /media/faults                        {url?, fault: {kind, …}, times?}: for a file, or for any
POST /media/faults/clear
GET  /uploads                             without their bytes
";

pub(super) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/media", post(add))
        .route("/media/details", post(details))
        .route("/media/expire", post(expire))
        .route("/media/faults", post(spoil))
        .route("/media/faults/clear", post(clear))
        .route("/uploads", get(uploads))
}

#[derive(Deserialize)]
struct NewFile {
    content_type: String,
    base64: Option<String>,
    size: Option<u64>,
}

async fn add(State(sim): Control, Json(new): Json<NewFile>) -> Answer {
    let url = match (new.base64, new.size) {
        (Some(base64), _) => {
            let bytes = BASE64.decode(base64.as_bytes()).map_err(|error| SimError::Invalid(error.to_string()))?;
            sim.add_media(bytes, &new.content_type)
        }
        (None, Some(size)) => sim.add_generated_media(size, &new.content_type),
        (None, None) => return Err(SimError::Invalid("base64 or size is needed".into()).into()),
    };
    Ok(Json(json!({ "url": url })))
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
}

async fn details(State(sim): Control, Json(file): Json<File>) -> Answer {
    Ok(Json(json!(sim.media_details(&file.url.unwrap_or_default())?)))
}

async fn expire(State(sim): Control, Json(file): Json<File>) -> Answer {
    match file.url {
        Some(url) => sim.expire_media(&url)?,
        None => sim.expire_all_media(),
    }
    done()
}

#[derive(Deserialize)]
struct Spoil {
    url: Option<String>,
    fault: MediaFault,
    #[serde(default = "once")]
    times: u32,
}

async fn spoil(State(sim): Control, Json(body): Json<Spoil>) -> Answer {
    match body.url {
        Some(url) => sim.spoil_media(&url, body.fault, body.times)?,
        None => sim.spoil_all_media(body.fault, body.times),
    }
    done()
}

async fn clear(State(sim): Control) -> Answer {
    sim.clear_media_faults();
    done()
}

async fn uploads(State(sim): Control) -> Answer {
    Ok(Json(json!({ "uploads": sim.uploads() })))
}
