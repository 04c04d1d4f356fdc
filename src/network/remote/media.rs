//! Media of a login: fetching what others sent, and sending files by Instagram's attachment upload.

use std::path::Path;
use std::time::Duration;

use futures_util::stream::try_unfold;
use instagram::api::{self, AttachmentKind};
use instagram::client::http::{CallError, Upload, UploadKind};
use tokio::sync::Semaphore;

use super::{Remote, RemoteError, decode};
use crate::domain::event::{Attachment, Item, ReplyTo};
use crate::domain::ids::{ClientContext, ItemId, ThreadId};
use crate::domain::request_id;
use crate::failpoint;
use crate::media::{SpoolError, Spooled};
use crate::runtime;

/// Files fetched at once, by all logins together: more would only share the same line.
static FETCHING: Semaphore = Semaphore::const_new(4);
/// Small pictures of files and links fetched at once, likewise: they wait for no large file.
static FETCHING_PREVIEWS: Semaphore = Semaphore::const_new(2);
/// How long a small picture may take, waiting included: without it the message is worth as much.
const PREVIEW_PATIENCE: Duration = Duration::from_secs(20);
/// Files sent at once, likewise.
static SENDING: Semaphore = Semaphore::const_new(4);
/// How often a broadcast is repeated while Instagram still transcodes, and the pause between.
const TRANSCODING: (u32, Duration) = (4, Duration::from_secs(5));
/// Pages of a thread that are searched for an item: some 200 messages.
const SEARCH_DEPTH: usize = 10;

/// A file to be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// The file.
    pub file: Spooled,
    /// Its media type.
    pub mime: String,
    /// What it is.
    pub kind: OutgoingKind,
}

/// What a file is to Instagram.
#[derive(Clone, Debug)]
pub enum OutgoingKind {
    /// A JPEG.
    Photo,
    /// An MP4.
    Video {
        /// Pixels; 0 when unknown.
        width: u32,
        /// Pixels; 0 when unknown.
        height: u32,
        /// 0 when unknown.
        duration_ms: u64,
    },
    /// An m4a.
    Voice {
        /// Loudness over time, 0 to 1.
        waveform: Vec<f32>,
    },
}

impl Remote {
    /// Fetches a file to disk.
    ///
    /// # Errors
    /// [`RemoteError::NotFound`] when the address has expired; [`RemoteError::Impossible`] when the file is too large, or
    /// comes so slowly that it never will.
    pub async fn fetch(&self, url: &str, limit: u64, directory: &Path) -> Result<Spooled, RemoteError> {
        let _permit = FETCHING.acquire().await;
        self.fetch_now(url, limit, directory).await
    }

    /// Fetches a small picture of something to disk. Nobody waits long for that.
    ///
    /// # Errors
    /// As [`Remote::fetch`], and [`RemoteError::Impossible`] when it takes long.
    pub async fn fetch_preview(&self, url: &str, limit: u64, directory: &Path) -> Result<Spooled, RemoteError> {
        let fetched = async {
            let _permit = FETCHING_PREVIEWS.acquire().await;
            self.fetch_now(url, limit, directory).await
        };
        let fetched = tokio::time::timeout(PREVIEW_PATIENCE, fetched).await;
        fetched.unwrap_or_else(|_| Err(RemoteError::Impossible("a small picture takes too long".to_owned())))
    }

    async fn fetch_now(&self, url: &str, limit: u64, directory: &Path) -> Result<Spooled, RemoteError> {
        let coming = self.inner.http.download_stream(url, limit).await.map_err(media_error)?;
        let chunks =
            try_unfold(coming, |mut coming| async move { Ok(coming.chunk().await?.map(|chunk| (chunk, coming))) });
        match Spooled::collect(directory, chunks).await {
            Ok(file) => Ok(file),
            Err(SpoolError::Source(error)) => Err(media_error(error)),
            Err(SpoolError::Empty) => Err(RemoteError::Server("an empty file".to_owned())),
            Err(SpoolError::Disk(error)) => Err(RemoteError::Disk(error.to_string())),
        }
    }

    /// Fetches an item anew, with fresh addresses of its media. None when it is not among the latest of its thread.
    pub async fn item(&self, thread: &ThreadId, item: &ItemId) -> Result<Option<Item>, RemoteError> {
        let mut cursor = None;
        for _ in 0..SEARCH_DEPTH {
            let page = self.thread_page(thread, cursor).await?;
            if let Some(found) = page.items.iter().find(|one| one.item_id == item.as_str()) {
                return Ok(Some(decode::to_item(found)));
            }
            cursor = page.oldest_cursor.clone().filter(|_| page.has_older);
            if cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// Asks for the video of a shared reel. None when there is none in the answer.
    pub async fn clip(&self, clip_id: &str) -> Result<Option<Attachment>, RemoteError> {
        let media = self.call(api::ClipItem { clips_media_id: clip_id.to_owned() }).await?;
        Ok(decode::clip(&media))
    }

    /// Sends a file to a thread. The upload goes on where an earlier one of the same message broke off, as far as
    /// Instagram remembers it; the broadcast carries the client context, so that repeating it makes no second item.
    pub async fn deliver_file(
        &self,
        thread: &ThreadId,
        outgoing: &Outgoing,
        reply_to: Option<&ReplyTo>,
        context: &ClientContext,
    ) -> Result<ItemId, RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let outcome = self.upload_and_broadcast(thread, outgoing, reply_to, context).await;
        self.noted(outcome)
    }

    /// Gives a group a picture, a JPEG.
    pub async fn set_picture(
        &self,
        thread: &ThreadId,
        file: Spooled,
        context: &ClientContext,
    ) -> Result<(), RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let (at, identity) = request_id::upload_identity(context);
        let upload = Upload::new(UploadKind::Image, file.size(), "image/jpeg", at.0, identity);
        let attachment_fbid = self.upload(&upload, &file).await?;
        let request = api::SetThreadImage {
            thread_id: thread.as_str().to_owned(),
            attachment_fbid,
            client_context: context.as_str().to_owned(),
        };
        let outcome = self.call(request).await;
        self.noted(outcome.map(drop))
    }

    /// Takes the picture of a group away.
    pub async fn remove_picture(&self, thread: &ThreadId, context: &ClientContext) -> Result<(), RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let request = api::RemoveThreadImage {
            thread_id: thread.as_str().to_owned(),
            client_context: context.as_str().to_owned(),
        };
        let outcome = self.call(request).await;
        self.noted(outcome)
    }

    async fn upload_and_broadcast(
        &self,
        thread: &ThreadId,
        outgoing: &Outgoing,
        reply_to: Option<&ReplyTo>,
        context: &ClientContext,
    ) -> Result<ItemId, RemoteError> {
        let upload_kind = match outgoing.kind {
            OutgoingKind::Photo => UploadKind::Image,
            OutgoingKind::Video { .. } => UploadKind::Video,
            OutgoingKind::Voice { .. } => UploadKind::Audio,
        };
        // The same for every attempt at this message, so that an upload goes on where it broke off.
        let (at, identity) = request_id::upload_identity(context);
        let upload = Upload::new(upload_kind, outgoing.file.size(), &outgoing.mime, at.0, identity);
        let media_id = {
            let _permit = SENDING.acquire().await;
            self.upload(&upload, &outgoing.file).await?
        };
        failpoint::hit("file-after-upload");
        let kind = match &outgoing.kind {
            OutgoingKind::Photo => AttachmentKind::Photo,
            OutgoingKind::Video { width, height, duration_ms } => AttachmentKind::Video {
                upload_id: upload.upload_id(),
                width: *width,
                height: *height,
                duration_ms: *duration_ms,
            },
            OutgoingKind::Voice { waveform } => {
                AttachmentKind::Voice { upload_id: upload.upload_id(), waveform: waveform.clone() }
            }
        };
        let reply_to = reply_to.and_then(|to| {
            let client_context = to.client_context.as_ref()?.as_str().to_owned();
            Some(api::ReplyTo { item_id: to.item.as_str().to_owned(), client_context })
        });
        let request = || api::BroadcastAttachment {
            thread_id: thread.as_str().to_owned(),
            kind: kind.clone(),
            attachment_fbid: media_id.clone(),
            client_context: context.as_str().to_owned(),
            reply_to: reply_to.clone(),
        };
        let (repeats, pause) = TRANSCODING;
        let mut tried = 0;
        loop {
            match self.inner.http.call(&self.inner.session, request()).await {
                Ok(sent) => return Ok(ItemId::new(sent.item_id)),
                Err(CallError::Transport(_)) => return Err(RemoteError::Uncertain),
                Err(error) => match RemoteError::from(error) {
                    RemoteError::Server(_) if tried < repeats => tried += 1,
                    error => return Err(error),
                },
            }
            tokio::time::sleep(runtime::with_jitter(pause, 0.2)).await;
        }
    }

    /// Uploads; a connection that breaks is resumed where Instagram says that it stopped.
    async fn upload(&self, upload: &Upload, file: &Spooled) -> Result<String, RemoteError> {
        let mut tried = 0;
        loop {
            let http = &self.inner.http;
            let outcome = async {
                let offset = http.upload_offset(&self.inner.session, upload).await?;
                let body = file.stream(offset).await.map_err(|error| CallError::Transport(error.to_string()))?;
                http.upload(&self.inner.session, upload, reqwest::Body::wrap_stream(body), offset).await
            };
            match outcome.await {
                Ok(media_id) => return Ok(media_id),
                Err(error) if error.is_transient() && tried < 3 => tried += 1,
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(runtime::with_jitter(Duration::from_secs(1), 0.2)).await;
        }
    }
}

fn media_error(error: CallError) -> RemoteError {
    match error {
        CallError::Unavailable { status } if error.is_transient() => {
            RemoteError::Server(format!("the file's address answers with status {status}"))
        }
        CallError::Unavailable { .. } => RemoteError::NotFound,
        CallError::TooLarge { .. } | CallError::TooSlow | CallError::ForeignHost => {
            RemoteError::Impossible(error.to_string())
        }
        other => other.into(),
    }
}
