//! Media of an event: fetched from Instagram to disk, looked at, and passed on to the homeserver; then the event's content
//! is complete.
//!
//! What cannot be had becomes a notice with the link, never nothing. Doing it again after a crash uploads again and makes
//! no second event.

use std::time::Duration;

use ruma::OwnedMxcUri;
use serde_json::{Value, json};

use crate::bridge::Bridge;
use crate::domain::convert::to_matrix::{Media, add_loop_hints, info};
use crate::domain::event::{Attachment, AttachmentKind, ItemContent};
use crate::domain::ids::{ItemId, LoginId, ThreadId};
use crate::failpoint;
use crate::lane::StepError;
use crate::matrix::HomeserverError;
use crate::media::{self, Looks, Picture, Spooled};
use crate::network::{Remote, RemoteError};
use crate::runtime;

/// Pauses before fetching is tried again.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10), Duration::from_secs(30)];
/// How long a file that does not come is tried anew: its chat waits for it.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Largest still picture of a video.
const STILL_LIMIT: u64 = 2 << 20;

/// Media that belong to an event, and where they can be asked for again.
pub(super) struct Carried {
    pub(super) media: Media,
    pub(super) login: LoginId,
    pub(super) thread: ThreadId,
    pub(super) item: ItemId,
}

/// Why the media cannot be had.
enum Lost {
    /// Said to whoever reads the log.
    Because(String),
    /// The homeserver is away: the row waits.
    Stop(StepError),
}

/// The content with its media; none if they cannot be had.
pub(super) async fn complete(bridge: &Bridge, carried: &Carried, content: &Value) -> Result<Option<Value>, StepError> {
    match copy(bridge, carried, content).await {
        Ok(content) => Ok(Some(content)),
        Err(Lost::Stop(error)) => Err(error),
        Err(Lost::Because(reason)) => {
            tracing::warn!(login = %carried.login, %reason, "media not bridged; its link is");
            Ok(None)
        }
    }
}

async fn copy(bridge: &Bridge, carried: &Carried, content: &Value) -> Result<Value, Lost> {
    let remote = bridge.remote(&carried.login).await.map_err(Lost::Stop)?;
    if carried.media.attachment.kind == AttachmentKind::Preview {
        return link_picture(bridge, &remote, &carried.media.attachment, content).await;
    }
    let (file, attachment) = fetch(bridge, &remote, carried).await?;
    let attachment = &attachment;
    let mut looks = media::sniff(file.head());
    if !is_as_promised(attachment.kind, looks) {
        return Err(Lost::Because(format!("it is not what it is said to be, but {}", looks.mime())));
    }
    let mut file = file;
    // Their container is that of videos; not all of them bear its mark of a sound.
    if attachment.kind == AttachmentKind::Voice && looks == Looks::Video("video/mp4") {
        looks = Looks::Audio("audio/mp4");
    }
    if attachment.kind == AttachmentKind::Voice
        && let Some(converter) = &bridge.converter
    {
        match converter.to_opus(&file, bridge.media_directory()).await {
            Ok(converted) => (file, looks) = (converted, Looks::Audio("audio/ogg")),
            Err(error) => tracing::debug!(%error, "voice message passed on as it is"),
        }
    }
    let name = filename(attachment, looks);
    let mut content = content.clone();
    if *attachment != carried.media.attachment {
        // The reel of a card is no picture, and has another size.
        content["info"] = info(attachment);
        if attachment.kind == AttachmentKind::Video {
            content["msgtype"] = Value::from("m.video");
        }
    }
    content["url"] = Value::from(upload(bridge, &file, looks.mime(), &name).await?.as_str());
    failpoint::hit("media-after-upload");
    let about = &mut content["info"];
    about["mimetype"] = Value::from(looks.mime());
    about["size"] = Value::from(file.size());
    if attachment.kind == AttachmentKind::Sticker && media::moves(file.head()) {
        add_loop_hints(about);
    }
    if attachment.kind == AttachmentKind::Voice {
        content["org.matrix.msc1767.file"] =
            json!({"url": content["url"], "name": name, "mimetype": looks.mime(), "size": file.size()});
    } else {
        let picture = match looks {
            Looks::Picture(_) => media::look(file.path()).await,
            _ => None,
        };
        preview(bridge, &remote, attachment, picture, &mut content["info"]).await?;
    }
    name_it(&mut content, &name);
    Ok(content)
}

/// A text whose link has a picture. Nobody waits long for that.
async fn link_picture(
    bridge: &Bridge,
    remote: &Remote,
    attachment: &Attachment,
    content: &Value,
) -> Result<Value, Lost> {
    let lost = |error: RemoteError| Lost::Because(error.to_string());
    let url = attachment.urls.first().map_or("", String::as_str);
    let file = remote.fetch_preview(url, STILL_LIMIT, bridge.media_directory()).await.map_err(lost)?;
    let Looks::Picture(mime) = media::sniff(file.head()) else {
        return Err(Lost::Because("the picture of a link is none".to_owned()));
    };
    let mut content = content.clone();
    let shown = &mut content["com.beeper.linkpreviews"][0];
    shown["og:image"] = Value::from(upload(bridge, &file, mime, "preview").await?.as_str());
    shown["og:image:type"] = Value::from(mime);
    shown["matrix:image:size"] = Value::from(file.size());
    if let Some(picture) = media::look(file.path()).await {
        shown["og:image:width"] = picture.width.into();
        shown["og:image:height"] = picture.height.into();
    }
    Ok(content)
}

/// With a caption the body is the caption, and the name has a field of its own.
fn name_it(content: &mut Value, name: &str) {
    if content["msgtype"].is_null() {
        return;
    }
    if content["body"].is_null() {
        content["body"] = Value::from(name);
    } else {
        content["filename"] = Value::from(name);
    }
}

/// What its bytes say must fit to what Instagram says; a disguised file is not passed on.
fn is_as_promised(kind: AttachmentKind, looks: Looks) -> bool {
    match (kind, looks) {
        (AttachmentKind::Photo | AttachmentKind::Sticker, Looks::Picture(_)) => true,
        (AttachmentKind::Animated, Looks::Picture(_) | Looks::Video(_)) => true,
        (AttachmentKind::Video, Looks::Video(_)) => true,
        // The container of voice messages is that of videos too.
        (AttachmentKind::Voice, Looks::Audio(_) | Looks::Video("video/mp4")) => true,
        _ => false,
    }
}

/// Tries every address, then fresh ones; tries again a little later when the line is to blame.
async fn fetch(bridge: &Bridge, remote: &Remote, carried: &Carried) -> Result<(Spooled, Attachment), Lost> {
    let mut attachment = carried.media.attachment.clone();
    // What the homeserver does not take is not fetched; a smaller picture may do.
    let accepted = bridge.matrix.upload_limit().await.map_err(homeserver_error)?;
    let limit = bridge.config.media.max_download.min(accepted.unwrap_or(u64::MAX));
    if let Some(clip_id) = &carried.media.clip_id
        && let Ok(Some(video)) = remote.clip(clip_id).await
    {
        // The card has but a picture of the reel; that is shown where the reel itself cannot be had.
        let cover = || attachment.thumbnail.clone().or_else(|| attachment.urls.first().cloned());
        let video = Attachment { thumbnail: video.thumbnail.clone().or_else(cover), ..video };
        if let Ok(file) = fetch_any(bridge, remote, limit, &video).await {
            return Ok((file, video));
        }
    }
    let mut renewed = false;
    let mut pauses = PAUSES.iter();
    let begun = runtime::now();
    let is_late = || u128::from(runtime::now().0.saturating_sub(begun.0).unsigned_abs()) > PATIENCE.as_millis();
    loop {
        let error = match fetch_any(bridge, remote, limit, &attachment).await {
            Ok(file) => return Ok((file, attachment)),
            Err(error) => error,
        };
        match error {
            RemoteError::NotFound if !renewed => {
                renewed = true;
                match fresh(remote, carried).await {
                    Ok(Some(fresh)) => attachment = fresh,
                    Err(error) if error.is_transient() => {
                        return Err(Lost::Stop(StepError::Remote { login: carried.login.clone(), error }));
                    }
                    Ok(None) | Err(_) => return Err(Lost::Because("its address has expired".to_owned())),
                }
            }
            RemoteError::Disk(reason) => {
                tracing::error!(%reason, "a file waits for room in the temporary directory");
                return Err(Lost::Stop(StepError::Hold("room in the temporary directory")));
            }
            RemoteError::Transport(_) | RemoteError::Server(_) | RemoteError::Uncertain => {
                match pauses.next().filter(|_| !is_late()) {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None if remote.proof().connected_at.is_none() => {
                        return Err(Lost::Stop(StepError::Remote { login: carried.login.clone(), error }));
                    }
                    None => return Err(Lost::Because(error.to_string())),
                }
            }
            error => return Err(Lost::Because(error.to_string())),
        }
    }
}

async fn fetch_any(
    bridge: &Bridge,
    remote: &Remote,
    limit: u64,
    attachment: &Attachment,
) -> Result<Spooled, RemoteError> {
    let mut last = RemoteError::NotFound;
    for url in &attachment.urls {
        match remote.fetch(url, limit, bridge.media_directory()).await {
            Ok(file) => return Ok(file),
            // A smaller picture is for when the larger one cannot be had, not for a bad line.
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The same attachment with new addresses.
async fn fresh(remote: &Remote, carried: &Carried) -> Result<Option<Attachment>, RemoteError> {
    let item = remote.item(&carried.thread, &carried.item).await?;
    let Some(ItemContent::Rich(rich)) = item.map(|item| item.content) else { return Ok(None) };
    let further = rich.further.into_iter().flat_map(|thing| thing.attachments);
    let fresh = rich.attachments.into_iter().chain(further).nth(carried.media.number);
    Ok(fresh.filter(|fresh| !fresh.urls.is_empty()))
}

async fn upload(bridge: &Bridge, file: &Spooled, mime: &str, name: &str) -> Result<OwnedMxcUri, Lost> {
    let mut pauses = PAUSES[..3].iter();
    loop {
        let body = file.stream(0).await.map_err(|error| Lost::Because(error.to_string()))?;
        let error = match bridge.matrix.upload_file(body, file.size(), mime, Some(name)).await {
            Ok(url) => return Ok(url),
            Err(error @ (HomeserverError::Unreachable(_) | HomeserverError::Timeout)) => error,
            Err(error) => return Err(homeserver_error(error)),
        };
        match pauses.next() {
            Some(pause) => tokio::time::sleep(*pause).await,
            // A homeserver that answers everything else, or a proxy before it, does not want this file.
            None if bridge.matrix.answers().await => {
                return Err(Lost::Because(format!("the homeserver broke off at every upload: {error}")));
            }
            None => return Err(homeserver_error(error)),
        }
    }
}

fn homeserver_error(error: HomeserverError) -> Lost {
    if error.is_transient() { Lost::Stop(error.into()) } else { Lost::Because(error.to_string()) }
}

/// Sizes, blurhash and thumbnail: of a picture its own, of a video those of Instagram's still picture.
async fn preview(
    bridge: &Bridge,
    remote: &Remote,
    attachment: &Attachment,
    picture: Option<Picture>,
    info: &mut Value,
) -> Result<(), Lost> {
    if let Some(picture) = picture {
        info["w"] = picture.width.into();
        info["h"] = picture.height.into();
        if let Some(blurhash) = picture.blurhash {
            info["xyz.amorgan.blurhash"] = Value::from(blurhash);
        }
        if let Some((bytes, width, height)) = picture.thumbnail {
            add_thumbnail(bridge, bytes, width, height, info).await?;
        }
        return Ok(());
    }
    let Some(url) = &attachment.thumbnail else { return Ok(()) };
    let still = remote.fetch_preview(url, STILL_LIMIT, bridge.media_directory()).await;
    let Some(file) = still.ok().filter(|file| matches!(media::sniff(file.head()), Looks::Picture(_))) else {
        return Ok(());
    };
    let Some(picture) = media::look(file.path()).await else { return Ok(()) };
    if let Some(blurhash) = picture.blurhash {
        info["xyz.amorgan.blurhash"] = Value::from(blurhash);
    }
    let (bytes, width, height) = match picture.thumbnail {
        Some(small) => small,
        None => match tokio::fs::read(file.path()).await {
            Ok(bytes) => (bytes, picture.width, picture.height),
            Err(_) => return Ok(()),
        },
    };
    add_thumbnail(bridge, bytes, width, height, info).await
}

async fn add_thumbnail(bridge: &Bridge, bytes: Vec<u8>, width: u32, height: u32, info: &mut Value) -> Result<(), Lost> {
    let (mime, size) = (media::sniff(&bytes).mime(), bytes.len());
    let url = bridge.matrix.upload(bytes.into(), mime, Some("thumbnail")).await.map_err(homeserver_error)?;
    info["thumbnail_url"] = Value::from(url.as_str());
    info["thumbnail_info"] = json!({"mimetype": mime, "size": size, "w": width, "h": height});
    Ok(())
}

fn filename(attachment: &Attachment, looks: Looks) -> String {
    let stem = match attachment.kind {
        AttachmentKind::Photo => "photo",
        AttachmentKind::Video => "video",
        AttachmentKind::Voice => "voice message",
        AttachmentKind::Animated => "animation",
        AttachmentKind::Sticker => "sticker",
        AttachmentKind::Preview => "preview",
    };
    let extension = match looks.mime() {
        "image/jpeg" => "jpg",
        "video/quicktime" => "mov",
        "audio/mp4" => "m4a",
        "audio/mpeg" => "mp3",
        other => other.split_once('/').map_or("bin", |(_, kind)| kind),
    };
    format!("{stem}.{extension}")
}
