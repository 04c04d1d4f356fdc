//! Media: to the homeserver and back, small ones whole, large ones as streams.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderValue, Method, header};
use ruma::{MxcUri, OwnedMxcUri};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::{
    client::{Call, Client, JSON, push_query, push_segment},
    error::HomeserverError,
};
use crate::media::{SpoolError, Spooled};

/// Files on their way from or to the homeserver at once: each takes buffers, and more would only share the same line.
static TRANSFERS: Semaphore = Semaphore::const_new(4);
/// How long the homeserver's limit is taken for known: an administrator may raise it.
const LIMIT_LASTS: Duration = Duration::from_secs(600);

/// The largest upload that the homeserver takes, and when it said so.
pub(super) type UploadLimit = Mutex<Option<(Instant, Option<u64>)>>;

/// Bytes from the homeserver.
#[derive(Clone, Debug)]
pub struct Download {
    /// The whole medium.
    pub bytes: Bytes,
    /// What the homeserver says it is.
    pub content_type: Option<String>,
}

#[derive(Deserialize)]
struct MediaConfig {
    #[serde(rename = "m.upload.size")]
    upload_size: Option<u64>,
}

#[derive(Deserialize)]
struct Uploaded {
    content_uri: OwnedMxcUri,
}

impl Client {
    /// Uploads a medium as the bot.
    pub async fn upload(
        &self,
        bytes: Bytes,
        content_type: &str,
        filename: Option<&str>,
    ) -> Result<OwnedMxcUri, HomeserverError> {
        let mut url = format!("{}/_matrix/media/v3/upload", self.address());
        if let Some(filename) = filename {
            push_query(&mut url, "filename", filename);
        }
        push_query(&mut url, "user_id", self.bot().as_str());
        let content_type = HeaderValue::try_from(content_type)
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        let call = Call {
            method: Method::POST,
            url,
            authorization: Some(self.authorization()),
            content_type,
            body: bytes,
            timeout: self.media_timeout(),
        };
        let answer = self.execute(call).await?;
        let uploaded: Uploaded =
            serde_json::from_slice(&answer.body).map_err(|error| HomeserverError::Malformed(error.to_string()))?;
        Ok(uploaded.content_uri)
    }

    /// The largest upload in bytes that the homeserver takes; none when it does not say. Some homeservers break the
    /// connection at a larger one, which looks like trouble that passes.
    pub async fn upload_limit(&self) -> Result<Option<u64>, HomeserverError> {
        let mut known = self.known_upload_limit().lock().await;
        if let Some((at, limit)) = *known
            && at.elapsed() < LIMIT_LASTS
        {
            return Ok(limit);
        }
        let url = format!("{}/_matrix/client/v1/media/config", self.address());
        let answer: Result<MediaConfig, _> = self.call_json(Method::GET, url, self.bot(), Vec::new()).await;
        let limit = match answer {
            Ok(config) => config.upload_size,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => None,
        };
        *known = Some((Instant::now(), limit));
        Ok(limit)
    }

    /// Whether the homeserver answers at the moment; its limit is learnt anew.
    pub async fn answers(&self) -> bool {
        *self.known_upload_limit().lock().await = None;
        self.upload_limit().await.is_ok()
    }

    /// Fetches a medium as the bot.
    pub async fn download(&self, medium: &MxcUri) -> Result<Download, HomeserverError> {
        let (server, id) = medium.parts().map_err(|_| HomeserverError::NotFound)?;
        let mut url = format!("{}/_matrix/client/v1/media/download", self.address());
        push_segment(&mut url, server.as_str());
        push_segment(&mut url, id);
        push_query(&mut url, "user_id", self.bot().as_str());
        let call = Call {
            method: Method::GET,
            url,
            authorization: Some(self.authorization()),
            content_type: JSON,
            body: Bytes::new(),
            timeout: self.media_timeout(),
        };
        let answer = self.execute(call).await?;
        let content_type =
            answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Download { bytes: answer.body, content_type })
    }

    /// Uploads a file as the bot, piece by piece.
    pub async fn upload_file(
        &self,
        body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        size: u64,
        content_type: &str,
        filename: Option<&str>,
    ) -> Result<OwnedMxcUri, HomeserverError> {
        let _permit = TRANSFERS.acquire().await;
        let mut url = format!("{}/_matrix/media/v3/upload", self.address());
        if let Some(filename) = filename {
            push_query(&mut url, "filename", filename);
        }
        push_query(&mut url, "user_id", self.bot().as_str());
        let request = self
            .transport()
            .post(url)
            .timeout(self.media_timeout())
            .header(header::AUTHORIZATION, self.authorization())
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_LENGTH, size)
            .body(reqwest::Body::wrap_stream(body));
        let response = request.send().await.map_err(|error| HomeserverError::from_transport(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.map_err(|error| HomeserverError::from_transport(&error))?;
        if !status.is_success() {
            return Err(HomeserverError::from_answer(status, &headers, &bytes));
        }
        let uploaded: Uploaded =
            serde_json::from_slice(&bytes).map_err(|error| HomeserverError::Malformed(error.to_string()))?;
        Ok(uploaded.content_uri)
    }

    /// Fetches a medium as the bot to disk.
    ///
    /// # Errors
    /// [`HomeserverError::TooLarge`] beyond the limit.
    pub async fn download_file(
        &self,
        medium: &MxcUri,
        limit: u64,
        directory: &Path,
    ) -> Result<Spooled, HomeserverError> {
        let _permit = TRANSFERS.acquire().await;
        let (server, id) = medium.parts().map_err(|_| HomeserverError::NotFound)?;
        let mut url = format!("{}/_matrix/client/v1/media/download", self.address());
        push_segment(&mut url, server.as_str());
        push_segment(&mut url, id);
        push_query(&mut url, "user_id", self.bot().as_str());
        let request = self.transport().get(url).timeout(self.media_timeout());
        let request = request.header(header::AUTHORIZATION, self.authorization());
        let response = request.send().await.map_err(|error| HomeserverError::from_transport(&error))?;
        let status = response.status();
        if !status.is_success() {
            let headers = response.headers().clone();
            let bytes = response.bytes().await.unwrap_or_default();
            return Err(HomeserverError::from_answer(status, &headers, &bytes));
        }
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(HomeserverError::TooLarge);
        }
        let mut left = limit;
        let chunks = response.bytes_stream().map(move |chunk| {
            let chunk = chunk.map_err(|error| HomeserverError::from_transport(&error))?;
            left = left.checked_sub(chunk.len() as u64).ok_or(HomeserverError::TooLarge)?;
            Ok(chunk)
        });
        match Spooled::collect(directory, chunks).await {
            Ok(file) => Ok(file),
            Err(SpoolError::Source(error)) => Err(error),
            Err(SpoolError::Empty) => Err(HomeserverError::NotFound),
            Err(SpoolError::Disk(error)) => Err(HomeserverError::Unreachable(format!("the disk: {error}"))),
        }
    }
}
