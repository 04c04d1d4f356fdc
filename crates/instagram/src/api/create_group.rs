//! A new group.

use http::{Request, Response};
use serde_json::json;

use crate::error::ApiError;
use crate::session::Session;
use crate::thread::Thread;

use super::broadcast::json_array;
use super::{Context, Endpoint, read_answer, request};

/// `direct_v2/create_group_thread/`: two people at least besides oneself.
#[derive(Clone)]
pub struct CreateGroup {
    /// `pk` of everybody but oneself.
    pub users: Vec<String>,
    /// Its name; without one the app shows who is in it.
    pub title: Option<String>,
    /// The idempotency key, the same at every repetition.
    pub client_context: String,
}

impl std::fmt::Debug for CreateGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateGroup").field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl Endpoint for CreateGroup {
    /// Some answers have no more than the id.
    type Answer = Thread;
    const NAME: &'static str = "create_group";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let mut body = json!({
            "_uuid": session.device.uuid,
            "_uid": session.user_id.to_string(),
            "client_context": self.client_context,
            "is_partnership_folder": "false",
            "recipient_users": json_array(&self.users, false),
        });
        if let Some(title) = &self.title {
            body["thread_title"] = json!(title);
        }
        request::post_signed(session, context, &["direct_v2", "create_group_thread"], &body)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Thread, ApiError> {
        read_answer(response, "the thread", |body| match body.object("thread") {
            Some(thread) => Thread::from_object(&thread, None),
            None => Thread::from_object(body, None),
        })
    }
}
