//! The media host: profile pictures at signed addresses.

use axum::{body::Body, extract::Path, response::Response};
use http::{HeaderValue, StatusCode, Uri};

use super::content_type;
use crate::picture;

pub(super) async fn picture(uri: Uri, Path(file): Path<String>) -> Response {
    // The query is compared as it came: whoever encodes it again breaks the signature.
    let expected = format!("oh={}", picture::signature(uri.path()));
    let signed = uri.query().unwrap_or_default().split('&').any(|pair| pair == expected);
    if !signed {
        let mut response = Response::new(Body::from("URL signature mismatch"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    let mut numbers = file.split('_').map_while(|part| part.parse::<u64>().ok());
    let seed = numbers.next().unwrap_or(0).wrapping_mul(1_000_003).wrapping_add(numbers.next().unwrap_or(0));
    let mut response = Response::new(Body::from(picture::png(seed)));
    content_type(&mut response, HeaderValue::from_static("image/png"));
    response
}
