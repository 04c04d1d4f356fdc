//! The list of threads, newest activity first.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;
use crate::thread::{Thread, User};

use super::{Context, Endpoint, read_answer, request};

/// `direct_v2/inbox/`
#[derive(Clone, Debug)]
pub struct Inbox {
    /// `None` for the first page, else [`InboxPage::oldest_cursor`] of the page before.
    pub cursor: Option<String>,
    /// Threads on a page; the app asks for 20.
    pub limit: u32,
}

/// One page of threads.
#[derive(Clone, Debug, Default)]
pub struct InboxPage {
    /// Each with its last items. A thread that cannot be read is passed over: see [`InboxPage::unreadable`].
    pub threads: Vec<Thread>,
    /// How many threads could not be read.
    pub unreadable: usize,
    /// There are more pages.
    pub has_older: bool,
    /// Asks for the next page.
    pub oldest_cursor: Option<String>,
    /// The state of the account's event queue that the first page reflects: subscribe from here.
    pub seq_id: Option<i64>,
    /// Goes with [`InboxPage::seq_id`].
    pub snapshot_at_ms: Option<i64>,
    /// Message requests that wait.
    pub pending_requests: Option<i64>,
    /// The account itself.
    pub viewer: Option<User>,
}

impl Endpoint for Inbox {
    type Answer = InboxPage;
    const NAME: &'static str = "inbox";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let limit = self.limit.to_string();
        let tracking = request::request_uuid(context, "tracking");
        let reason = if self.cursor.is_none() { "initial_snapshot" } else { "page_scroll" };
        let mut query = vec![
            ("eb_device_id", "0"),
            ("igd_request_log_tracking_id", tracking.as_str()),
            ("visual_message_return_type", "unseen"),
            ("thread_message_limit", "10"),
            ("persistentBadging", "true"),
            ("limit", &limit),
            ("is_prefetching", "false"),
            ("fetch_reason", reason),
            ("include_old_mrs", "false"),
            ("no_pending_badge", "true"),
            ("push_disabled", "true"),
        ];
        if let Some(cursor) = &self.cursor {
            query.extend([("cursor", cursor.as_str()), ("direction", "older")]);
        }
        request::get(session, context, &["direct_v2", "inbox"], &query)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<InboxPage, ApiError> {
        read_page(response)
    }
}

/// Reads a page of any folder.
pub(super) fn read_page(response: &Response<Vec<u8>>) -> Result<InboxPage, ApiError> {
    read_answer(response, "the inbox", |body| {
        let inbox = body.object("inbox")?;
        let listed = inbox.raw("threads").and_then(crate::number::elements).unwrap_or_default();
        let threads: Vec<_> = listed.iter().filter_map(|thread| Thread::decode(thread)).collect();
        Some(InboxPage {
            unreadable: listed.len() - threads.len(),
            threads,
            has_older: inbox.flag("has_older"),
            oldest_cursor: inbox.id("oldest_cursor"),
            seq_id: body.integer("seq_id"),
            snapshot_at_ms: body.integer("snapshot_at_ms"),
            pending_requests: body.integer("pending_requests_total"),
            viewer: body.object("viewer").and_then(|viewer| User::from_object(&viewer)),
        })
    })
}
