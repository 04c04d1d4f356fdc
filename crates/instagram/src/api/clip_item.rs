//! A reel by its id: shared reels often come without the video.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::{Context, Endpoint, read_answer, request};

/// `clips/item/`
#[derive(Clone, Debug)]
pub struct ClipItem {
    /// The id of the media, as in the shared item.
    pub clips_media_id: String,
}

impl Endpoint for ClipItem {
    /// The media object as JSON, of the same shape as the media of an item.
    type Answer = String;
    const NAME: &'static str = "clip_item";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        request::get(session, context, &["clips", "item"], &[("clips_media_id", &self.clips_media_id)])
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<String, ApiError> {
        read_answer(response, "the media", |body| Some(body.object("media")?.source().to_owned()))
    }
}
