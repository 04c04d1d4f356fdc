//! What is done to one item: taking it back, editing it, marking it as read.

use http::{Request, Response};
use serde_json::json;

use crate::error::ApiError;
use crate::session::Session;

use super::{Context, Endpoint, read_done, request};

/// `direct_v2/threads/<id>/items/<id>/delete/`: takes back an own item, for everybody.
#[derive(Clone, Debug)]
pub struct Unsend {
    /// Where the item is.
    pub thread_id: String,
    /// The item.
    pub item_id: String,
}

/// `direct_v2/threads/<id>/items/<id>/edit/`: replaces the text of an own item.
///
/// Known from the app's code only. The app allows it for 15 minutes (an assumption).
#[derive(Clone)]
pub struct EditText {
    /// Where the item is.
    pub thread_id: String,
    /// The item.
    pub item_id: String,
    /// The whole new text.
    pub text: String,
    /// The idempotency key that the item was sent with.
    pub original_client_context: String,
}

/// `direct_v2/threads/<id>/items/<id>/seen/`: everything up to the item has been read.
///
/// Never for own items, nor for items of other threads.
#[derive(Clone, Debug)]
pub struct MarkSeen {
    /// Where the item is.
    pub thread_id: String,
    /// The item.
    pub item_id: String,
    /// The idempotency key of this call.
    pub client_context: String,
}

impl std::fmt::Debug for EditText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EditText").field("item_id", &self.item_id).finish_non_exhaustive()
    }
}

fn path<'a>(thread_id: &'a str, item_id: &'a str, action: &'a str) -> [&'a str; 6] {
    ["direct_v2", "threads", thread_id, "items", item_id, action]
}

impl Endpoint for Unsend {
    type Answer = ();
    const NAME: &'static str = "unsend";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let path = path(&self.thread_id, &self.item_id, "delete");
        request::post_signed(session, context, &path, &json!({ "_uuid": session.device.uuid }))
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for EditText {
    type Answer = ();
    const NAME: &'static str = "edit_text";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let form = [
            ("_uuid", session.device.uuid.as_str()),
            ("body", &self.text),
            ("original_message_client_context", &self.original_client_context),
        ];
        request::post(session, context, &path(&self.thread_id, &self.item_id, "edit"), &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for MarkSeen {
    type Answer = ();
    const NAME: &'static str = "mark_seen";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let form = [
            ("thread_id", self.thread_id.as_str()),
            ("action", "mark_seen"),
            ("client_context", &self.client_context),
            ("_uuid", &session.device.uuid),
            ("offline_threading_id", &self.client_context),
        ];
        request::post(session, context, &path(&self.thread_id, &self.item_id, "seen"), &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}
