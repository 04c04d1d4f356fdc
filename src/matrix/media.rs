//! Media: bytes to the homeserver and back, whole and bounded.

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use ruma::{MxcUri, OwnedMxcUri};
use serde::Deserialize;

use super::{
    client::{Call, Client, JSON, push_query, push_segment},
    error::HomeserverError,
};

/// Bytes from the homeserver.
#[derive(Clone, Debug)]
pub struct Download {
    /// The whole medium.
    pub bytes: Bytes,
    /// What the homeserver says it is.
    pub content_type: Option<String>,
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
}
