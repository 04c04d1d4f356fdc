//! A text sent over HTTP: the way out when the realtime connection is not there.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::{Context, Endpoint, read_answer, request};

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

/// The message that a text answers. Instagram wants both names of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyTo {
    /// Its item id.
    pub item_id: String,
    /// Its idempotency key.
    pub client_context: String,
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

impl std::fmt::Debug for BroadcastText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastText").field("client_context", &self.client_context).finish_non_exhaustive()
    }
}

impl Endpoint for BroadcastText {
    type Answer = Sent;
    const NAME: &'static str = "broadcast_text";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let thread_ids = json_array(std::slice::from_ref(&self.thread_id), false);
        let mentions = json_array(&self.mentions, true);
        let key = self.client_context.as_str();
        let mut form = vec![
            ("_uuid", session.device.uuid.as_str()),
            ("device_id", &session.device.android_id),
            ("action", "send_item"),
            ("is_x_transport_forward", "false"),
            ("send_silently", "false"),
            ("is_shh_mode", "0"),
            ("send_attribution", "message_button"),
            ("client_context", key),
            ("mutation_token", key),
            ("btt_dual_send", "false"),
            (
                "nav_chain",
                "1qT:feed_timeline:1,1qT:feed_timeline:2,1qT:feed_timeline:3,7Az:direct_inbox:4,7Az:direct_inbox:5,\
                 5rG:direct_thread:7",
            ),
            ("is_ae_dual_send", "false"),
            ("offline_threading_id", key),
            ("text", &self.text),
            ("thread_ids", &thread_ids),
        ];
        if let Some(reply) = &self.reply_to {
            form.extend([
                ("replied_to_action_source", "swipe"),
                ("replied_to_item_id", reply.item_id.as_str()),
                ("replied_to_client_context", reply.client_context.as_str()),
            ]);
        }
        if !self.mentions.is_empty() {
            // Assumed: the form takes what the realtime command takes; no peer mentions anybody over HTTP.
            form.extend([("mentioned_user_ids", mentions.as_str()), ("sampled", "true")]);
        }
        request::post(session, context, &["direct_v2", "threads", "broadcast", "text"], &form)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Sent, ApiError> {
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
}

/// A JSON array as text. Numbers go without quotes where the app does so, unless an id is no number.
fn json_array(ids: &[String], quoted: bool) -> String {
    let quoted = quoted || !ids.iter().all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    if quoted {
        return serde_json::json!(ids).to_string();
    }
    format!("[{}]", ids.join(","))
}
