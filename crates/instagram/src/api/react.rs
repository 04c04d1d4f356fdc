//! A reaction sent over HTTP.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::broadcast::{self, Sent, json_array};
use super::{Context, Endpoint, request};

/// `direct_v2/threads/broadcast/reaction/`
///
/// An account has one reaction per item: a new one replaces the old.
#[derive(Clone)]
pub struct React {
    /// Where the item is.
    pub thread_id: String,
    /// The item.
    pub item_id: String,
    /// The kind of the item, such as `text`.
    pub item_type: String,
    /// `None` takes the reaction back.
    pub emoji: Option<String>,
    /// The idempotency key of this send, the same at every repetition.
    pub client_context: String,
    /// The idempotency key of the item, if known.
    pub original_client_context: Option<String>,
}

impl std::fmt::Debug for React {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("React");
        shown.field("item_id", &self.item_id).field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl Endpoint for React {
    type Answer = Sent;
    const NAME: &'static str = "react";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let thread_ids = json_array(std::slice::from_ref(&self.thread_id), true);
        let mut form = broadcast::form(session, &self.client_context, "message_reaction");
        form.extend([
            ("thread_ids", thread_ids.as_str()),
            ("item_type", "reaction"),
            ("reaction_type", "like"),
            ("reaction_status", if self.emoji.is_some() { "created" } else { "deleted" }),
            ("node_type", "item"),
            ("item_id", &self.item_id),
            // Nothing when it is taken back, as in the realtime command of mautrix-instagram.
            ("emoji", self.emoji.as_deref().unwrap_or_default()),
            ("reaction_action_source", "double_tap"),
        ]);
        if let Some(original) = &self.original_client_context {
            form.push(("original_message_client_context", original));
        }
        if self.emoji.is_some() {
            form.push(("target_item_type", &self.item_type));
        }
        request::post(session, context, &["direct_v2", "threads", "broadcast", "reaction"], &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Sent, ApiError> {
        broadcast::read_receipt(response)
    }
}
