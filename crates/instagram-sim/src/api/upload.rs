//! The upload host: names, offsets, bytes. It wants other headers than the API (section 4.5 of the protocol notes).

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::json;

use super::{
    App, Who,
    answer::{cut_off, json_response},
    content_type,
};
use crate::{
    fault::{Fault, Stage},
    world::upload::{UploadName, UploadRefusal},
};

/// The kinds of uploads there are.
pub(super) const KINDS: [&str; 5] =
    ["messenger_image", "messenger_gif", "messenger_video", "messenger_audio", "messenger_file"];

/// Whether a path is one of the upload host's.
pub(super) fn is_upload(path: &str) -> bool {
    path.starts_with("/messenger_")
}

/// The edge in front of the host takes requests with the app's own headers for misdirected.
pub(super) async fn edge(request: Request, next: Next) -> Response {
    let of_the_app = |name: &str| {
        name != "x-ig-salt-ids" && ["x-ig-", "x-bloks-", "x-pigeon-"].iter().any(|start| name.starts_with(start))
    };
    if request.headers().keys().any(|name| of_the_app(name.as_str())) {
        let page = "<!DOCTYPE html><html><head><title>Error</title></head><body>Not Found</body></html>";
        let mut response = Response::new(Body::from(page));
        *response.status_mut() = StatusCode::NOT_FOUND;
        content_type(&mut response, HeaderValue::from_static("text/html; charset=utf-8"));
        return response;
    }
    next.run(request).await
}

fn name(pk: u64, uri: &Uri, entity: String) -> UploadName {
    let kind = uri.path().split('/').nth(1).unwrap_or_default().to_owned();
    UploadName { pk, kind, entity }
}

fn refused(kind: &str, message: &str) -> Response {
    let answer = json!({ "debug_info": { "retriable": false, "type": kind, "message": message } });
    json_response(StatusCode::BAD_REQUEST, &answer)
}

/// `{"offset": n}`: how much is there already.
pub(super) async fn offset(
    State(shared): App,
    Extension(viewer): Who,
    uri: Uri,
    Path(entity): Path<String>,
) -> Response {
    let name = name(viewer.pk, &uri, entity);
    let offset = shared.look(|world| world.uploads.offset(&name));
    json_response(StatusCode::OK, &json!({ "offset": offset }))
}

/// Takes bytes, as they come, from the offset on.
pub(super) async fn receive(
    State(shared): App,
    Extension(viewer): Who,
    uri: Uri,
    Path(entity): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let text = |key: &str| headers.get(key).and_then(|value| value.to_str().ok());
    let number = |key: &str| text(key).and_then(|text| text.parse::<u64>().ok());
    let name = name(viewer.pk, &uri, entity);
    let (Some(offset), Some(length)) = (number("offset"), number("x-entity-length")) else {
        return refused("MissingHeaderError", "offset and x-entity-length are needed");
    };
    if text("x-entity-name") != Some(&name.entity) {
        return refused("MissingHeaderError", "x-entity-name is not the name in the path");
    }
    let mime = text("x-entity-type").unwrap_or_default();
    let begun = shared.look(|world| world.uploads.begin(&name, offset, length, mime));
    if let Err(refusal) = begun {
        return why(refusal);
    }
    let mut left = match shared.look(|world| world.take_fault(viewer.pk, Stage::Upload, &name.kind)) {
        Some(Fault::CutUpload { after }) => Some(after),
        _ => None,
    };
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        // The client has gone; what came stays.
        let Ok(mut part) = part else { return cut_off(refused("ConnectionError", "")) };
        if let Some(left) = &mut left {
            part.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= part.len() as u64;
        }
        if let Err(refusal) = shared.look(|world| world.uploads.add(&name, &part)) {
            return why(refusal);
        }
        if left == Some(0) {
            return cut_off(refused("ConnectionError", ""));
        }
    }
    let finished = shared.act(|world| {
        let fresh = world.ids.number(40);
        world.uploads.finish(&name, fresh)
    });
    match finished.and_then(|id| id.parse::<u64>().ok()) {
        Some(media_id) => json_response(StatusCode::OK, &json!({ "media_id": media_id, "id": 0 })),
        None => refused("PartialRequestError", "the body ended before the announced length"),
    }
}

fn why(refusal: UploadRefusal) -> Response {
    match refusal {
        UploadRefusal::Offset { expected } => {
            let mut response = refused("OffsetInvalidError", &format!("expected offset {expected}"));
            *response.status_mut() = StatusCode::PRECONDITION_FAILED;
            response
        }
        UploadRefusal::TooLong => refused("EntityTooLargeError", "more bytes than x-entity-length"),
    }
}
