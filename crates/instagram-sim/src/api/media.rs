//! The media host: profile pictures and files at signed addresses, whole or spoilt.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, StatusCode, Uri, header};

use super::{App, content_type, gzip};
use crate::{
    cdn::{
        Served,
        content::{CHUNK, Content},
        fault::{Disguise, MediaFault},
    },
    picture,
};

pub(super) async fn picture(uri: Uri, Path(file): Path<String>) -> Response {
    // The query is compared as it came: whoever encodes it again breaks the signature.
    let expected = format!("oh={}", picture::signature(uri.path()));
    let signed = uri.query().unwrap_or_default().split('&').any(|pair| pair == expected);
    if !signed {
        return short(StatusCode::FORBIDDEN, "URL signature mismatch");
    }
    let mut numbers = file.split('_').map_while(|part| part.parse::<u64>().ok());
    let seed = numbers.next().unwrap_or(0).wrapping_mul(1_000_003).wrapping_add(numbers.next().unwrap_or(0));
    let mut response = Response::new(Body::from(picture::png(seed)));
    content_type(&mut response, HeaderValue::from_static("image/png"));
    response
}

pub(super) async fn file(State(shared): App, uri: Uri) -> Response {
    let served = shared.act(|world| world.cdn.serve(uri.path(), uri.query().unwrap_or_default()));
    match served {
        Served::Missing => short(StatusCode::NOT_FOUND, "Not Found"),
        Served::Refused(why) => short(StatusCode::FORBIDDEN, why),
        Served::File { content: Content::Lost { .. }, .. } => {
            short(StatusCode::NOT_FOUND, "too large an upload to be kept")
        }
        Served::File { content, content_type, fault } => answer(content, &content_type, fault.as_ref()),
    }
}

fn short(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    content_type(&mut response, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The file, as the fault wants it.
fn answer(content: Content, mime: &str, fault: Option<&MediaFault>) -> Response {
    let size = content.size();
    let mut response = match fault.cloned() {
        Some(MediaFault::Expired) => return short(StatusCode::FORBIDDEN, "URL signature expired"),
        Some(MediaFault::Gone) => return short(StatusCode::GONE, "Gone"),
        Some(MediaFault::NotFound) => return short(StatusCode::NOT_FOUND, "Not Found"),
        Some(MediaFault::Status { code }) => {
            return short(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY), "");
        }
        None => sized(size, parts(content, CHUNK).map(Ok)),
        Some(MediaFault::Slow { bytes, every_ms }) => {
            let drops = parts(content, bytes.max(1) as u64).then(move |part| async move {
                tokio::time::sleep(Duration::from_millis(every_ms)).await;
                Ok(part)
            });
            sized(size, drops)
        }
        Some(MediaFault::Stalled { after }) => {
            sized(size, until(content, after).map(Ok).chain(stream::once(std::future::pending())))
        }
        Some(MediaFault::Cut { after }) => sized(size, until(content, after).map(Ok).chain(break_off())),
        Some(MediaFault::LengthTooLong { extra }) => {
            sized(size + extra, parts(content, CHUNK).map(Ok).chain(break_off()))
        }
        Some(MediaFault::LengthTooShort { missing }) => {
            sized(size.saturating_sub(missing), parts(content, CHUNK).map(Ok))
        }
        Some(MediaFault::Endless) => {
            let seed = size;
            let more = stream::unfold(0, move |offset: u64| {
                let part = Content::Made { head: Bytes::new(), size: u64::MAX, seed }.read(offset, CHUNK);
                async move { Some((part.clone(), offset + part.len() as u64)) }
            });
            unsized_body(parts(content, CHUNK).chain(more).map(Ok))
        }
        Some(MediaFault::Disguised { what }) => {
            let bytes = disguised(what);
            sized(bytes.len() as u64, stream::once(async move { Ok(Bytes::from_static(bytes)) }))
        }
        Some(MediaFault::GzipBomb { bytes }) => {
            let mut response = unsized_body(stream::iter(gzip::zeros(bytes)).map(Ok));
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
    };
    if let Ok(value) = HeaderValue::from_str(mime) {
        content_type(&mut response, value);
    }
    let cached = HeaderValue::from_static("max-age=1209600, no-transform");
    response.headers_mut().insert(header::CACHE_CONTROL, cached);
    response
}

/// The file in parts.
fn parts(content: Content, size: u64) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold((content, 0), move |(content, offset)| async move {
        let part = content.read(offset, size);
        let next = offset + part.len() as u64;
        (!part.is_empty()).then_some((part, (content, next)))
    })
}

/// The first bytes of the file.
fn until(content: Content, end: u64) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold((content, 0), move |(content, offset)| async move {
        let part = content.read(offset, end - offset);
        let next = offset + part.len() as u64;
        (!part.is_empty()).then_some((part, (content, next)))
    })
}

/// Ends the connection, once what came before is on its way.
fn break_off() -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("the file breaks off on request"))
    })
}

fn unsized_body(body: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Response {
    Response::new(Body::from_stream(body))
}

/// With a `Content-Length`, true or not.
fn sized(length: u64, body: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Response {
    let mut response = unsized_body(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

fn disguised(what: Disguise) -> &'static [u8] {
    match what {
        Disguise::Html => b"<!DOCTYPE html><html><body><script>alert(document.cookie)</script></body></html>",
        Disguise::Svg => {
            b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"
        }
        Disguise::Executable => b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0This program cannot be run in DOS mode.",
    }
}
