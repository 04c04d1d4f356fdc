//! How the account itself treats a thread: unread, muted, hidden, left, accepted, declined. And the name of a group.

use http::{Request, Response};
use serde_json::json;

use crate::error::ApiError;
use crate::session::Session;

use super::{Context, Endpoint, read_done, request};

/// `direct_v2/threads/<id>/mark_unread/`
#[derive(Clone, Debug)]
pub struct MarkUnread {
    /// Which thread.
    pub thread_id: String,
}

/// `direct_v2/threads/<id>/mute/` or `unmute/`: notifications about messages.
#[derive(Clone, Debug)]
pub struct Mute {
    /// Which thread.
    pub thread_id: String,
    /// `false` turns the notifications on again.
    pub muted: bool,
}

/// `direct_v2/threads/<id>/hide/`: what the app calls deleting a chat. It comes back with the next message.
#[derive(Clone, Debug)]
pub struct HideThread {
    /// Which thread.
    pub thread_id: String,
}

/// `direct_v2/threads/<id>/leave/`: leaves a group.
#[derive(Clone, Debug)]
pub struct LeaveThread {
    /// Which group.
    pub thread_id: String,
}

/// `direct_v2/threads/<id>/approve/`: accepts a message request.
#[derive(Clone, Debug)]
pub struct ApproveThread {
    /// Which request.
    pub thread_id: String,
}

/// `direct_v2/threads/<id>/decline/`: declines a message request; the sender is not told.
#[derive(Clone, Debug)]
pub struct DeclineThread {
    /// Which request.
    pub thread_id: String,
}

/// `direct_v2/threads/<id>/update_title/`: names a group.
#[derive(Clone)]
pub struct RenameThread {
    /// Which group.
    pub thread_id: String,
    /// The new name.
    pub title: String,
}

impl std::fmt::Debug for RenameThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenameThread").field("thread_id", &self.thread_id).finish_non_exhaustive()
    }
}

fn path<'a>(thread_id: &'a str, action: &'a str) -> [&'a str; 4] {
    ["direct_v2", "threads", thread_id, action]
}

impl Endpoint for MarkUnread {
    type Answer = ();
    const NAME: &'static str = "mark_unread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let path = path(&self.thread_id, "mark_unread");
        request::post_signed(session, context, &path, &json!({ "_uuid": session.device.uuid }))
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for Mute {
    type Answer = ();
    const NAME: &'static str = "mute";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let path = path(&self.thread_id, if self.muted { "mute" } else { "unmute" });
        request::post_signed(session, context, &path, &json!({ "_uuid": session.device.uuid }))
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for HideThread {
    type Answer = ();
    const NAME: &'static str = "hide_thread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        // The recorded client writes the truth value as Python does; the app's spelling is in the reference.
        let form = [("should_move_future_requests_to_spam", "false"), ("_uuid", session.device.uuid.as_str())];
        request::post(session, context, &path(&self.thread_id, "hide"), &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for LeaveThread {
    type Answer = ();
    const NAME: &'static str = "leave_thread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        request::post(session, context, &path(&self.thread_id, "leave"), &[("_uuid", &session.device.uuid)])
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for ApproveThread {
    type Answer = ();
    const NAME: &'static str = "approve_thread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let form = [("filter", "DEFAULT"), ("_uuid", session.device.uuid.as_str())];
        request::post(session, context, &path(&self.thread_id, "approve"), &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for DeclineThread {
    type Answer = ();
    const NAME: &'static str = "decline_thread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        request::post(session, context, &path(&self.thread_id, "decline"), &[("_uuid", &session.device.uuid)])
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for RenameThread {
    type Answer = ();
    const NAME: &'static str = "rename_thread";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let form = [("_uuid", session.device.uuid.as_str()), ("title", &self.title)];
        request::post(session, context, &path(&self.thread_id, "update_title"), &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}
