//! The thread that the account has with certain people, if there is one.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;
use crate::thread::Thread;

use super::broadcast::json_array;
use super::{Context, Endpoint, read_answer, request};

/// `direct_v2/threads/get_by_participants/`
///
/// If there is none, [`BroadcastTextToUsers`](super::BroadcastTextToUsers) starts one.
#[derive(Clone, Debug)]
pub struct ThreadByParticipants {
    /// `pk` of everybody but oneself.
    pub users: Vec<String>,
}

impl Endpoint for ThreadByParticipants {
    type Answer = Option<Thread>;
    const NAME: &'static str = "thread_by_participants";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let users = json_array(&self.users, false);
        let query = [("recipient_users", users.as_str()), ("limit", "20")];
        request::get(session, context, &["direct_v2", "threads", "get_by_participants"], &query)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Option<Thread>, ApiError> {
        let read = read_answer(response, "the thread", |body| {
            if !body.has("thread") {
                return Some(None);
            }
            let thread = body.object("thread")?;
            // An empty object says that there is none.
            if thread.is_empty() { Some(None) } else { Thread::from_object(&thread, None).map(Some) }
        });
        match read {
            Err(ApiError::NotFound) => Ok(None),
            other => other,
        }
    }
}
