//! Uploads of attachments: their names and the heads of their requests. The bytes are the driver's business.
//!
//! The upload host wants other headers than the endpoints: with any of the app's `X-IG-*` (but one), `X-Bloks-*` or
//! `X-Pigeon-*` it answers "not found". The set is that of instagrapi 2.18.17.

use std::fmt;

use data_encoding::{HEXLOWER, HEXUPPER};
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, Method, Request, Response};
use sha2::{Digest, Sha256};
use url::Url;

use crate::error::ApiError;
use crate::session::Session;

use super::{read_answer, request};

const ANALYTICS: &str = r#"{"network_tags":{"product":"567067343352427","surface":"undefined","request_category":"media_upload","purpose":"none","retry_attempt":"0"}}"#;

/// What is uploaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UploadKind {
    /// A picture; Instagram wants JPEG.
    Image,
    /// An animated picture; threads take none, so far as known.
    Gif,
    /// MP4.
    Video,
    /// AAC in MP4.
    Audio,
    /// Anything else; threads take none, so far as known.
    File,
}

impl UploadKind {
    fn path(self) -> &'static str {
        match self {
            Self::Image => "messenger_image",
            Self::Gif => "messenger_gif",
            Self::Video => "messenger_video",
            Self::Audio => "messenger_audio",
            Self::File => "messenger_file",
        }
    }

    /// The header that says what the upload becomes.
    fn header(self) -> &'static str {
        match self {
            Self::Image | Self::Gif => "image_type",
            Self::Video => "video_type",
            Self::Audio => "audio_type",
            Self::File => "file_type",
        }
    }
}

/// One file to upload.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// What it is.
    pub kind: UploadKind,
    /// Its name at the upload host. The same name goes on with the same upload, so keep it while a message is sent.
    pub entity_name: String,
    /// Bytes of the whole file.
    pub size: u64,
    /// Media type, such as `image/jpeg`.
    pub mime: String,
}

impl Upload {
    /// Names a file: the same time and randomness give the same name.
    pub fn new(kind: UploadKind, size: u64, mime: &str, now_ms: i64, random: [u8; 16]) -> Self {
        let number = random[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let entity_name = match kind {
            // The app has nothing but the time here. Two pictures of one moment must not become one, so the time is
            // put back by up to 17 minutes.
            UploadKind::Image => format!("fb_uploader_{}", now_ms - (number >> 44) as i64),
            UploadKind::Video => format!("{}-0-{size}-{now_ms}-{now_ms}", HEXLOWER.encode(&random)),
            UploadKind::Audio => format!("{now_ms}_0_{}", (number >> 32) as u32 as i32),
            // As mautrix-instagram has them; instagrapi uploads none.
            UploadKind::Gif | UploadKind::File => format!("{now_ms}_0_{}", 1_000_000_000 + number % 9_000_000_000),
        };
        Self { kind, entity_name, size, mime: mime.to_owned() }
    }

    /// What a broadcast of this upload calls it: see [`AttachmentKind`](super::AttachmentKind).
    pub fn upload_id(&self) -> String {
        match self.kind {
            UploadKind::Video => {
                let (number, _) = self.waterfall();
                number
            }
            _ => {
                let name = self.entity_name.strip_prefix("fb_uploader_").unwrap_or(&self.entity_name);
                name.split('_').next().unwrap_or_default().to_owned()
            }
        }
    }

    /// Whether the upload host tells how much of such a file it has.
    pub fn is_resumable(&self) -> bool {
        matches!(self.kind, UploadKind::Video | UploadKind::Audio)
    }

    /// Asks how many bytes are there already.
    pub fn offset_request(&self, session: &Session, upload_url: &Url) -> Request<()> {
        self.head(session, upload_url, Method::GET)
    }

    /// Sends the bytes from `offset` on, which the body must be; its length is not in the head.
    pub fn request(&self, session: &Session, upload_url: &Url, offset: u64) -> Request<()> {
        let mut head = self.head(session, upload_url, Method::POST);
        let (offset, size) = (offset.to_string(), self.size.to_string());
        let headers = head.headers_mut();
        request::put(headers, CONTENT_TYPE, "application/octet-stream", false);
        for (name, value) in [
            ("offset", offset.as_str()),
            ("x-entity-length", &size),
            ("x-entity-name", &self.entity_name),
            ("x-entity-type", &self.mime),
        ] {
            request::put(headers, HeaderName::from_static(name), value, false);
        }
        head
    }

    fn head(&self, session: &Session, upload_url: &Url, method: Method) -> Request<()> {
        let user_id = session.user_id.to_string();
        let mut head = Request::new(());
        *head.method_mut() = method;
        *head.uri_mut() = request::below(upload_url, &[self.kind.path(), &self.entity_name], &[]);
        let headers = head.headers_mut();
        request::put(headers, AUTHORIZATION, &session.bearer(), true);
        request::put(headers, ACCEPT_LANGUAGE, &session.device.accept_language(), false);
        request::put(headers, USER_AGENT, &session.device.user_agent(), false);
        let always = [
            ("ig-intended-user-id", user_id.as_str()),
            ("ig-u-ds-user-id", &user_id),
            ("priority", "u=6, i"),
            ("x-fb-client-ip", "True"),
            ("x-fb-friendly-name", "undefined:media-upload"),
            ("x-fb-http-engine", "Tigon/MNS/TCP"),
            ("x-fb-request-analytics-tags", ANALYTICS),
            ("x-fb-rmd", "state=URL_ELIGIBLE"),
            ("x-fb-server-cluster", "True"),
            ("x-tigon-is-retry", "False"),
            ("x-ig-salt-ids", "51052545"),
            (self.kind.header(), "FILE_ATTACHMENT"),
        ];
        let given = [("ig-u-rur", &session.rur), ("x-mid", &session.mid)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        for (name, value) in always.into_iter().chain(given) {
            request::put(headers, HeaderName::from_static(name), value, false);
        }
        if self.kind == UploadKind::Video {
            let (number, letters) = self.waterfall();
            for (name, value) in [
                ("segment-start-offset", "0"),
                ("segment-type", "3"),
                ("ephemeral_media_view_mode", "2"),
                ("ig_raven_metadata", "{}"),
                ("x_fb_video_waterfall_id", &format!("{number}_{letters}_Mixed_0")),
            ] {
                request::put(headers, HeaderName::from_static(name), value, false);
            }
        }
        head
    }

    /// Twelve digits and twelve hexadecimal digits. The app draws them; here they follow from the name, so that an
    /// upload that goes on later still has the same.
    fn waterfall(&self) -> (String, String) {
        let hash = Sha256::digest(self.entity_name.as_bytes());
        let number = hash[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        (format!("{}", 100_000_000_000 + number % 900_000_000_000), HEXUPPER.encode(&hash[8..14]))
    }

    /// Reads the answer to [`Upload::offset_request`]: how many bytes are there already.
    pub fn offset(&self, response: &Response<Vec<u8>>) -> Result<u64, ApiError> {
        read_answer(response, "an offset within the file", |body| {
            u64::try_from(body.integer("offset")?).ok().filter(|offset| *offset <= self.size)
        })
    }

    /// Reads the answer to [`Upload::request`]: the media id, which a broadcast calls `attachment_fbid`.
    pub fn media_id(response: &Response<Vec<u8>>) -> Result<String, ApiError> {
        read_answer(response, "the media id", |body| body.id("media_id").filter(|id| id != "0"))
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({:?}, {} bytes)", self.kind, self.size)
    }
}
