//! One thread with a page of its items, newest first.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;
use crate::thread::Thread;

use super::{Context, Endpoint, read_answer, request};

/// `direct_v2/threads/<id>/`
///
/// For the next page pass [`Thread::oldest_cursor`] while [`Thread::has_older`]; Instagram may return the first
/// message over and over at the end, so stop as well when a page brings nothing new.
#[derive(Clone, Debug)]
pub struct GetThread {
    /// Which thread.
    pub thread_id: String,
    /// `None` for the newest items.
    pub cursor: Option<String>,
    /// Items on the page; the app asks for 20.
    pub limit: u32,
}

impl Endpoint for GetThread {
    type Answer = Thread;
    const NAME: &'static str = "thread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let limit = self.limit.to_string();
        let mut query =
            vec![("visual_message_return_type", "unseen"), ("direction", "older"), ("limit", limit.as_str())];
        if let Some(cursor) = &self.cursor {
            query.push(("cursor", cursor));
        }
        request::get(session, context, &["direct_v2", "threads", &self.thread_id], &query)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Thread, ApiError> {
        read_answer(response, "the thread", |body| Thread::from_object(&body.object("thread")?, None))
    }
}
