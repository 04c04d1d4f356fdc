//! A text sent over HTTP: the way out when the realtime connection is not there, and the first word to somebody new.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::broadcast::{self, ReplyTo, Sent, json_array};
use super::{Context, Endpoint, request};

const PATH: [&str; 4] = ["direct_v2", "threads", "broadcast", "text"];
const ATTRIBUTION: &str = "message_button";

/// `direct_v2/threads/broadcast/text/`
///
/// Safe to repeat with the same client context: Instagram keeps one item per context, sender and thread (how long is
/// an assumption).
#[derive(Clone)]
pub struct BroadcastText {
    /// Where to.
    pub thread_id: String,
    /// The message.
    pub text: String,
    /// The idempotency key of this send, the same at every repetition.
    pub client_context: String,
    /// The message that this one answers.
    pub reply_to: Option<ReplyTo>,
    /// `pk` of everybody mentioned in the text.
    pub mentions: Vec<String>,
}

/// `direct_v2/threads/broadcast/text/` to people instead of a thread, which Instagram makes if there is none yet:
/// [`Sent::thread_id`] names it.
///
/// Repeat it with the same client context only, as [`BroadcastText`].
#[derive(Clone)]
pub struct BroadcastTextToUsers {
    /// `pk` of everybody but oneself.
    pub users: Vec<String>,
    /// The message.
    pub text: String,
    /// The idempotency key of this send, the same at every repetition.
    pub client_context: String,
}

impl std::fmt::Debug for BroadcastText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastText").field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for BroadcastTextToUsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastTextToUsers").field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl Endpoint for BroadcastText {
    type Answer = Sent;
    const NAME: &'static str = "broadcast_text";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let thread_ids = json_array(std::slice::from_ref(&self.thread_id), false);
        let mentions = json_array(&self.mentions, true);
        let mut form = broadcast::form(session, &self.client_context, ATTRIBUTION);
        form.extend([("text", self.text.as_str()), ("thread_ids", &thread_ids)]);
        if let Some(reply) = &self.reply_to {
            form.extend(reply.fields());
        }
        if !self.mentions.is_empty() {
            // Assumed: the form takes what the realtime command takes; no peer mentions anybody over HTTP.
            form.extend([("mentioned_user_ids", mentions.as_str()), ("sampled", "true")]);
        }
        request::post(session, context, &PATH, &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Sent, ApiError> {
        broadcast::read_receipt(response)
    }
}

impl Endpoint for BroadcastTextToUsers {
    type Answer = Sent;
    const NAME: &'static str = "broadcast_text_to_users";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let recipients = format!("[{}]", json_array(&self.users, false));
        let mut form = broadcast::form(session, &self.client_context, ATTRIBUTION);
        form.extend([("text", self.text.as_str()), ("recipient_users", &recipients)]);
        request::post(session, context, &PATH, &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Sent, ApiError> {
        broadcast::read_receipt(response)
    }
}
