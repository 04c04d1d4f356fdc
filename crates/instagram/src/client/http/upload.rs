//! Uploads: the bytes pass through without being held, and an upload that broke off goes on where it was.

use std::time::Duration;

use reqwest::header::CONTENT_LENGTH;

use crate::api::Upload;

use super::{CallError, HttpClient, SharedSession, exchange, failure};

/// Slower than this, an upload is given up. Bytes per second.
const LOWEST_SPEED: u64 = 32 << 10;

impl HttpClient {
    /// How many bytes of a file are at Instagram already. Nothing is asked for kinds that cannot go on.
    pub async fn upload_offset(&self, session: &SharedSession, upload: &Upload) -> Result<u64, CallError> {
        if !upload.is_resumable() {
            return Ok(0);
        }
        let head = session.read(|session| upload.offset_request(session, self.upload_url()));
        let request = reqwest::Request::try_from(head.map(|()| "")).map_err(|error| failure(&error))?;
        let answer = self.within(self.shared.options.timeout, exchange(&self.pools.upload, session, request)).await?;
        tracing::debug!(kind = ?upload.kind, status = answer.status().as_u16(), "asked for an upload's offset");
        Ok(upload.offset(&answer)?)
    }

    /// Uploads the bytes from `offset` on and gives the media id, which a broadcast calls `attachment_fbid`.
    ///
    /// The body must bring exactly the bytes from `offset` to the end. A stream of chunks becomes one by
    /// [`reqwest::Body::wrap_stream`]; it is read as fast as Instagram takes it. If it brings less, or fails, the upload
    /// fails, and its innermost words become those of the error: let them name no address. If it brings more, the rest
    /// is not read.
    ///
    /// Safe to repeat with the same [`Upload`], from [`HttpClient::upload_offset`] on.
    pub async fn upload(
        &self,
        session: &SharedSession,
        upload: &Upload,
        body: impl Into<reqwest::Body>,
        offset: u64,
    ) -> Result<String, CallError> {
        let body = body.into();
        let unfit = || CallError::Transport("the body is not the rest of the file".to_owned());
        let length = upload.size.checked_sub(offset).ok_or_else(unfit)?;
        // The connection notices a stream that ends too early, but would wait for the rest of whole bytes.
        if body.as_bytes().is_some_and(|bytes| bytes.len() as u64 != length) {
            return Err(unfit());
        }
        let mut head = session.read(|session| upload.request(session, self.upload_url(), offset));
        // Without it the body would go in chunks of unknown number, which no peer does.
        head.headers_mut().insert(CONTENT_LENGTH, length.into());
        let request = reqwest::Request::try_from(head.map(|()| body)).map_err(|error| failure(&error))?;
        let limit = self.shared.options.timeout * 2 + Duration::from_secs(length / LOWEST_SPEED);
        let answer = self.within(limit, exchange(&self.pools.upload, session, request)).await?;
        tracing::debug!(kind = ?upload.kind, status = answer.status().as_u16(), bytes = length, "uploaded");
        Ok(Upload::media_id(&answer)?)
    }
}
