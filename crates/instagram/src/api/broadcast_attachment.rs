//! An uploaded picture, video or voice message, sent to a thread.

use http::{Request, Response};
use serde_json::{Value, json};

use crate::device::Device;
use crate::error::ApiError;
use crate::session::Session;

use super::broadcast::{self, ReplyTo, Sent, json_array};
use super::{Context, Endpoint, request};

/// `direct_v2/threads/broadcast/photo_attachment/`, `raven_attachment/` or `voice_attachment/`
///
/// The thread must exist. Instagram may refuse for some seconds after the upload with a status of 500 (video) or 503
/// (picture), while it converts: repeat with the same client context.
#[derive(Clone)]
pub struct BroadcastAttachment {
    /// Where to.
    pub thread_id: String,
    /// What it is.
    pub kind: AttachmentKind,
    /// The upload's media id.
    pub attachment_fbid: String,
    /// The idempotency key of this send, the same at every repetition.
    pub client_context: String,
    /// The message that this one answers. Assumed: attachments take what texts take; no peer answers with one.
    pub reply_to: Option<ReplyTo>,
}

/// The kinds of attachments that Instagram takes.
#[derive(Clone, PartialEq)]
pub enum AttachmentKind {
    /// JPEG.
    Photo,
    /// MP4 with H.264 and AAC. It is sent as the app's camera sends it, to be seen as often as wanted.
    Video {
        /// The upload's own id.
        upload_id: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Milliseconds.
        duration_ms: u64,
    },
    /// AAC in MP4.
    Voice {
        /// The upload's own id.
        upload_id: String,
        /// Ten values a second from 0 to 1; instagrapi sends 70 whatever the length.
        waveform: Vec<f32>,
    },
}

impl std::fmt::Debug for AttachmentKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Photo => "Photo",
            Self::Video { .. } => "Video",
            Self::Voice { .. } => "Voice",
        })
    }
}

impl std::fmt::Debug for BroadcastAttachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("BroadcastAttachment");
        shown.field("kind", &self.kind).field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl Endpoint for BroadcastAttachment {
    type Answer = Sent;
    const NAME: &'static str = "broadcast_attachment";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        match &self.kind {
            AttachmentKind::Photo => self.photo(session, context),
            AttachmentKind::Video { upload_id, width, height, duration_ms } => {
                let path = ["direct_v2", "threads", "broadcast", "raven_attachment"];
                let body = self.video(session, context, upload_id, (*width, *height), *duration_ms);
                request::post_signed_to(session, context, &path, &[("video", "1")], &body)
            }
            AttachmentKind::Voice { upload_id, waveform } => self.voice(session, context, upload_id, waveform),
        }
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Sent, ApiError> {
        broadcast::read_receipt(response)
    }
}

impl BroadcastAttachment {
    fn photo(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let thread_ids = self.thread_ids(false);
        let mut form = vec![
            ("_uuid", session.device.uuid.as_str()),
            ("device_id", &session.device.android_id),
            ("action", "send_item"),
            ("is_x_transport_forward", "false"),
            ("is_shh_mode", "0"),
            ("thread_ids", &thread_ids),
            ("send_attribution", "inbox"),
            ("client_context", &self.client_context),
            ("attachment_fbid", &self.attachment_fbid),
            ("mutation_token", &self.client_context),
            ("allow_full_aspect_ratio", "true"),
            ("btt_dual_send", "false"),
            ("is_ae_dual_send", "false"),
            ("offline_threading_id", &self.client_context),
        ];
        form.extend(self.reply_to.iter().flat_map(ReplyTo::fields));
        request::post(session, context, &["direct_v2", "threads", "broadcast", "photo_attachment"], &form)
    }

    fn voice(&self, session: &Session, context: &Context, upload_id: &str, waveform: &[f32]) -> Request<Vec<u8>> {
        let thread_ids = self.thread_ids(false);
        let waveform = waveform_json(waveform);
        let mut form = vec![
            ("_uuid", session.device.uuid.as_str()),
            ("device_id", &session.device.android_id),
            ("action", "send_item"),
            ("thread_ids", &thread_ids),
            ("send_attribution", "inbox"),
            ("client_context", &self.client_context),
            ("attachment_fbid", &self.attachment_fbid),
            ("mutation_token", &self.client_context),
            ("waveform", &waveform),
            ("waveform_sampling_frequency_hz", "10"),
            ("upload_id", upload_id),
            ("offline_threading_id", &self.client_context),
        ];
        form.extend(self.reply_to.iter().flat_map(ReplyTo::fields));
        request::post(session, context, &["direct_v2", "threads", "broadcast", "voice_attachment"], &form)
    }

    /// The body that instagrapi 2.18.17 sends, which was captured from the app in May 2026.
    fn video(
        &self,
        session: &Session,
        context: &Context,
        upload_id: &str,
        (width, height): (u32, u32),
        duration_ms: u64,
    ) -> Value {
        let seconds = context.now_ms.div_euclid(1000).to_string();
        let length = duration_ms as f64 / 1000.0;
        let transformation = json!({
            "width": width.to_string(),
            "height": height.to_string(),
            "x_transform": "0",
            "y_transform": "0",
            "zoom": "1.0",
            "rotation": "0.0",
            "background_coverage": "0.0",
        });
        let mut body = json!({
            "_uuid": session.device.uuid,
            "device_id": session.device.android_id,
            "recipient_users": "[]",
            "view_mode": "permanent",
            "has_camera_metadata": "1",
            "camera_entry_point": "3",
            "thread_ids": self.thread_ids(true),
            "reshare_mode": "allow_reshare",
            "original_media_type": "2",
            "send_attribution": "direct_composer",
            "client_context": self.client_context,
            "camera_session_id": request::request_uuid(context, "camera"),
            "attachment_fbid": self.attachment_fbid,
            "include_e2ee_mentioned_user_list": "1",
            "hide_from_profile_grid": "false",
            "timezone_offset": "0",
            "client_shared_at": seconds,
            "configure_mode": "2",
            "source_type": "3",
            "camera_position": "back",
            "video_result": self.attachment_fbid,
            "_uid": session.user_id.to_string(),
            "composition_id": request::request_uuid(context, "composition"),
            "mutation_token": self.client_context,
            "creation_surface": "camera",
            "has_ig_camera_edits": "false",
            "capture_type": "normal",
            "audience": "default",
            "upload_id": upload_id,
            "client_timestamp": seconds,
            "media_transformation_info": transformation.to_string(),
            "clips": [{ "length": length, "source_type": "3", "camera_position": "back" }],
            "poster_frame_index": 0,
            "length": length,
            "audio_muted": false,
            "edits": { "filter_type": 0, "filter_strength": 1.0 },
            "extra": { "source_width": width, "source_height": height },
            "device": camera(&session.device),
        });
        for (name, value) in self.reply_to.iter().flat_map(ReplyTo::fields) {
            body[name] = json!(value);
        }
        body
    }

    fn thread_ids(&self, quoted: bool) -> String {
        json_array(std::slice::from_ref(&self.thread_id), quoted)
    }
}

/// The phone as the user agent describes it.
fn camera(device: &Device) -> Value {
    let mut parts = device.descriptor.split("; ");
    let (version, release) = parts.next().and_then(|android| android.split_once('/')).unwrap_or_default();
    let manufacturer = parts.nth(2).and_then(|maker| maker.split('/').next()).unwrap_or_default();
    json!({
        "manufacturer": manufacturer,
        "model": parts.next().unwrap_or_default(),
        "android_version": version.parse::<u32>().unwrap_or_default(),
        "android_release": release,
    })
}

/// What is no number is silence.
fn waveform_json(waveform: &[f32]) -> String {
    let plain = |height: &f32| if height.is_nan() { 0.0 } else { height.clamp(0.0, 1.0) };
    let heights: Vec<String> = waveform.iter().map(|height| format!("{:?}", plain(height))).collect();
    format!("[{}]", heights.join(","))
}
