//! A file of a message: fetched from the homeserver to disk, made into what Instagram takes, and sent.

use std::path::Path;

use crate::bridge::Bridge;
use crate::domain::convert::to_remote::{FileKind, FilePart, TextPart};
use crate::domain::ids::{ClientContext, ItemId, ThreadId};
use crate::domain::notice::Notice;
use crate::files;
use crate::lane::StepError;
use crate::matrix::HomeserverError;
use crate::media::{self, ConvertError, Converter, Looks, Probe, Spooled};
use crate::network::{Outgoing, OutgoingKind, Remote};

/// Longest side of a picture on Instagram.
const LONGEST_SIDE: u32 = 1440;
/// Loudness of a recording of which nothing is known.
const FLAT: [f32; 20] = [0.3; 20];

/// What a file became on Instagram.
pub(super) enum Delivered {
    /// Itself.
    File(ItemId),
    /// A text with a link to it.
    Link(ItemId),
}

/// Sends the file. A send that may have arrived is looked for by its client context before this is called.
pub(super) async fn deliver(
    bridge: &Bridge,
    remote: &Remote,
    thread: &ThreadId,
    part: &FilePart,
    context: &ClientContext,
) -> Result<Delivered, StepError> {
    let sent = match outgoing(bridge, part).await? {
        Ok(outgoing) => remote.deliver_file(thread, &outgoing, part.reply_to.as_ref(), context).await,
        Err(notice) => match files::link(&bridge.config, &part.url, &part.name) {
            Some(link) => return deliver_link(remote, thread, part, &link, context).await.map(Delivered::Link),
            None => return Err(StepError::Refuse(notice)),
        },
    };
    sent.map(Delivered::File).map_err(|error| StepError::Remote { login: remote.login().clone(), error })
}

/// A link in place of a file that Instagram does not take. It is another one at each attempt and leads to the same file;
/// the client context is the same.
async fn deliver_link(
    remote: &Remote,
    thread: &ThreadId,
    part: &FilePart,
    link: &str,
    context: &ClientContext,
) -> Result<ItemId, StepError> {
    let text =
        TextPart { text: format!("{}: {link}", part.name), reply_to: part.reply_to.clone(), mentions: Vec::new() };
    let sent = remote.deliver(thread, &text, context).await;
    sent.map_err(|error| StepError::Remote { login: remote.login().clone(), error })
}

/// The file as Instagram takes it, or why it does not take it.
async fn outgoing(bridge: &Bridge, part: &FilePart) -> Result<Result<Outgoing, Notice>, StepError> {
    let limit = bridge.config.media.max_upload;
    if part.size.is_some_and(|size| size > limit) {
        return Ok(Err(too_large(part, limit)));
    }
    let file = match bridge.matrix.download_file(&part.url, limit, bridge.media_directory()).await {
        Ok(file) => file,
        Err(HomeserverError::TooLarge) => return Ok(Err(too_large(part, limit))),
        Err(HomeserverError::NotFound) => {
            let why = "the homeserver does not have it any more";
            return Err(StepError::Refuse(refused(part, why, "upload it again.")));
        }
        Err(error) if error.is_transient() => return Err(StepError::File(error)),
        Err(error) => return Err(error.into()),
    };
    match convert(bridge, part, file).await {
        Err(StepError::Refuse(notice)) => Ok(Err(notice)),
        outcome => outcome.map(Ok),
    }
}

/// What Instagram takes: JPEG, MP4 with H.264, m4a with AAC. The bytes decide what it is now.
async fn convert(bridge: &Bridge, part: &FilePart, file: Spooled) -> Result<Outgoing, StepError> {
    let directory = bridge.media_directory();
    let looks = media::sniff(file.head());
    match (looks, &bridge.converter) {
        (Looks::Picture("image/gif"), Some(converter)) if media::moves(file.head()) => {
            match converter.to_mp4(&file, directory).await {
                Ok(converted) => Ok(video(part, &converter.probe(&converted).await, converted)),
                Err(_) => picture(part, file, directory).await,
            }
        }
        (Looks::Picture(_), _) => picture(part, file, directory).await,
        (Looks::Video(_) | Looks::Audio(_), Some(converter)) => convert_stream(converter, part, file, directory).await,
        (Looks::Video("video/mp4"), None) if part.kind != FileKind::Audio => Ok(video(part, &Probe::default(), file)),
        (Looks::Audio("audio/mp4") | Looks::Video("video/mp4"), None) => Ok(voice(part, file)),
        (Looks::Video(_) | Looks::Audio(_), None) => Err(refusal(
            part,
            "Instagram does not take this format, and this bridge has no converter",
            "send an MP4 video or an m4a recording, or ask the admin to install ffmpeg.",
        )),
        (Looks::Other(_), _) => Err(refusal(
            part,
            "Instagram does not take such files",
            "it takes pictures, MP4 videos and recordings; send a link to anything else.",
        )),
    }
}

/// A sound or video as it is, if Instagram takes that; else as it takes it.
async fn convert_stream(
    converter: &Converter,
    part: &FilePart,
    file: Spooled,
    directory: &Path,
) -> Result<Outgoing, StepError> {
    let looks = media::sniff(file.head());
    let probe = converter.probe(&file).await;
    let is_sound = matches!(looks, Looks::Audio(_)) || part.kind == FileKind::Audio;
    // What the converter cannot tell is taken for what it is said to be.
    let is = |codec: &Option<String>, wanted| codec.as_deref().is_none_or(|codec| codec == wanted);
    let is_fit = match looks {
        Looks::Audio("audio/mp4") => is(&probe.audio, "aac"),
        Looks::Video("video/mp4") => is(&probe.audio, "aac") && (is_sound || is(&probe.video, "h264")),
        _ => false,
    };
    let converted = match (is_fit, is_sound) {
        (true, true) => return Ok(voice(part, file)),
        (true, false) => return Ok(video(part, &probe, file)),
        (false, true) => converter.to_m4a(&file, directory).await,
        (false, false) => converter.to_mp4(&file, directory).await,
    };
    match converted {
        Ok(converted) if is_sound => Ok(voice(part, converted)),
        Ok(converted) => Ok(video(part, &converter.probe(&converted).await, converted)),
        Err(ConvertError::Refused) => {
            let taken = if is_sound { "recordings as m4a." } else { "MP4 videos with H.264." };
            Err(refusal(part, "it cannot be converted", &format!("Instagram takes {taken}")))
        }
        Err(error) => {
            tracing::error!(%error, "a file could not be converted");
            let hint = "send a shorter or smaller one; the admin finds more in the log.";
            Err(refusal(part, "converting it failed or took too long", hint))
        }
    }
}

/// A JPEG as it is, unless it is larger than Instagram shows; everything else as a new JPEG.
async fn picture(part: &FilePart, file: Spooled, directory: &Path) -> Result<Outgoing, StepError> {
    let is_jpeg = media::sniff(file.head()) == Looks::Picture("image/jpeg");
    let fits = match media::look(file.path()).await {
        Some(seen) => seen.width.max(seen.height) <= LONGEST_SIDE,
        None => {
            return Err(refusal(part, "it is not a picture that can be read", "save it as JPEG and send it again."));
        }
    };
    let kind = OutgoingKind::Photo;
    if is_jpeg && fits {
        return Ok(Outgoing { file, mime: "image/jpeg".to_owned(), kind });
    }
    let Some(bytes) = media::shrink(file.path(), LONGEST_SIDE).await else {
        return Err(refusal(part, "it cannot be made into a JPEG", "save it as JPEG and send it again."));
    };
    match Spooled::write(directory, &bytes).await {
        Ok(file) => Ok(Outgoing { file, mime: "image/jpeg".to_owned(), kind }),
        Err(error) => {
            tracing::error!(%error, "the temporary directory does not take the picture");
            Err(StepError::Later("room in the temporary directory"))
        }
    }
}

/// The converter knows better than the sender what its size and length are.
fn video(part: &FilePart, probe: &Probe, file: Spooled) -> Outgoing {
    let (width, height) = probe.dimensions.or(part.dimensions).unwrap_or_default();
    let measured = probe.duration.and_then(|duration| u64::try_from(duration.as_millis()).ok());
    let duration_ms = measured.or(part.duration_ms).unwrap_or_default();
    Outgoing { file, mime: "video/mp4".to_owned(), kind: OutgoingKind::Video { width, height, duration_ms } }
}

fn voice(part: &FilePart, file: Spooled) -> Outgoing {
    let waveform = if part.waveform.is_empty() { FLAT.to_vec() } else { part.waveform.clone() };
    Outgoing { file, mime: "audio/mp4".to_owned(), kind: OutgoingKind::Voice { waveform } }
}

fn too_large(part: &FilePart, limit: u64) -> Notice {
    refused(part, "it is too large", &format!("the limit is {}; share larger files as a link.", size_text(limit)))
}

/// A number of bytes as people say it.
fn size_text(bytes: u64) -> String {
    match bytes {
        ..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

fn refused(part: &FilePart, why: &str, hint: &str) -> Notice {
    Notice::new(format!("Your {} was not sent: {why}.", part.kind.name())).with_hint(hint)
}

fn refusal(part: &FilePart, why: &str, hint: &str) -> StepError {
    StepError::Refuse(refused(part, why, hint))
}
