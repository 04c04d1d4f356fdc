//! What all sends over HTTP share: the fields of the form, the message that is answered, the receipt.

use http::Response;

use crate::error::ApiError;
use crate::session::Session;

use super::read_answer;

/// The way through the app that ends in a thread; the app sends it along.
const NAV_CHAIN: &str = "1qT:feed_timeline:1,1qT:feed_timeline:2,1qT:feed_timeline:3,7Az:direct_inbox:4,\
                         7Az:direct_inbox:5,5rG:direct_thread:7";

/// The message that another one answers. Instagram wants both names of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyTo {
    /// Its item id.
    pub item_id: String,
    /// Its idempotency key.
    pub client_context: String,
}

impl ReplyTo {
    /// The three fields of a form.
    pub(super) fn fields(&self) -> [(&'static str, &str); 3] {
        [
            ("replied_to_action_source", "swipe"),
            ("replied_to_item_id", &self.item_id),
            ("replied_to_client_context", &self.client_context),
        ]
    }
}

/// The receipt of a send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The new item.
    pub item_id: String,
    /// As sent.
    pub client_context: Option<String>,
    /// The thread, as Instagram names it.
    pub thread_id: Option<String>,
    /// Microseconds, Instagram's clock.
    pub timestamp_us: Option<i64>,
}

/// The fields that texts and reactions have in common; `key` is the client context.
pub(super) fn form<'a>(session: &'a Session, key: &'a str, attribution: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("_uuid", session.device.uuid.as_str()),
        ("device_id", &session.device.android_id),
        ("action", "send_item"),
        ("is_x_transport_forward", "false"),
        ("send_silently", "false"),
        ("is_shh_mode", "0"),
        ("send_attribution", attribution),
        ("client_context", key),
        ("mutation_token", key),
        ("btt_dual_send", "false"),
        ("nav_chain", NAV_CHAIN),
        ("is_ae_dual_send", "false"),
        ("offline_threading_id", key),
    ]
}

/// Reads the answer of every kind of send.
pub(super) fn read_receipt(response: &Response<Vec<u8>>) -> Result<Sent, ApiError> {
    read_answer(response, "the item id", |body| {
        // A newer form has a list of receipts instead of one payload.
        let receipt = body.object("payload").or_else(|| body.objects("message_metadata").into_iter().next())?;
        Some(Sent {
            item_id: receipt.id("item_id")?,
            client_context: receipt.id("client_context"),
            thread_id: receipt.id("thread_id"),
            timestamp_us: receipt.integer("timestamp"),
        })
    })
}

/// A JSON array as text. Numbers go without quotes where the app does so, unless an id is no number.
pub(super) fn json_array(ids: &[String], quoted: bool) -> String {
    let quoted = quoted || !ids.iter().all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    if quoted {
        return serde_json::json!(ids).to_string();
    }
    format!("[{}]", ids.join(","))
}
