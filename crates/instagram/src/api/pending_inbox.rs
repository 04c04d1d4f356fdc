//! Message requests: the threads that wait for an answer, and those that Instagram has put aside as spam.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::inbox::{InboxPage, read_page};
use super::{Context, Endpoint, request};

/// `direct_v2/pending_inbox/`
#[derive(Clone, Debug)]
pub struct PendingInbox {
    /// `None` for the first page, else [`InboxPage::oldest_cursor`] of the page before.
    pub cursor: Option<String>,
}

/// `direct_v2/spam_inbox/`: hidden requests.
#[derive(Clone, Debug)]
pub struct SpamInbox {
    /// `None` for the first page, else [`InboxPage::oldest_cursor`] of the page before.
    pub cursor: Option<String>,
}

const QUERY: [(&str, &str); 3] =
    [("visual_message_return_type", "unseen"), ("persistentBadging", "true"), ("is_prefetching", "false")];

impl Endpoint for PendingInbox {
    type Answer = InboxPage;
    const NAME: &'static str = "pending_inbox";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let visit = request::request_uuid(context, "pending_inbox");
        let mut query = QUERY.to_vec();
        query.push(("request_session_id", &visit));
        query.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
        request::get(session, context, &["direct_v2", "pending_inbox"], &query)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<InboxPage, ApiError> {
        read_page(response)
    }
}

impl Endpoint for SpamInbox {
    type Answer = InboxPage;
    const NAME: &'static str = "spam_inbox";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let mut query = QUERY.to_vec();
        query.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
        request::get(session, context, &["direct_v2", "spam_inbox"], &query)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<InboxPage, ApiError> {
        read_page(response)
    }
}
