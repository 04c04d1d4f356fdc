//! What was said before: the latest chats of a login, and the pages of one chat.

use instagram::api;

use super::{Remote, RemoteError, decode};
use crate::domain::ids::ThreadId;
use crate::domain::record::NewRow;
use crate::runtime;

/// Message requests that a new login is told of.
const REQUESTS: usize = 20;

/// The latest chats of a login, and where its queue stood before they were asked for.
#[derive(Debug)]
pub struct Chats {
    /// Latest first, message requests left out.
    pub threads: Vec<ThreadId>,
    /// Where to listen from.
    pub seq_id: i64,
    /// Likewise, milliseconds.
    pub snapshot_at_ms: i64,
}

/// A page of a chat.
#[derive(Debug)]
pub struct Page {
    /// Newest first; an item may have several.
    pub rows: Vec<NewRow>,
    /// How many items it had.
    pub items: i64,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
    /// The row that ends this piece of history, to be put before all others.
    pub end: NewRow,
}

impl Remote {
    /// Lists the latest chats.
    pub async fn latest_chats(&self, count: usize) -> Result<Chats, RemoteError> {
        let mut chats: Option<Chats> = None;
        let mut cursor = None;
        loop {
            let limit = if count == 0 { 1 } else { 20 };
            let page = self.call(api::Inbox { cursor, limit }).await?;
            let chats = match &mut chats {
                Some(chats) => chats,
                None => chats.insert(Chats {
                    threads: Vec::new(),
                    seq_id: page.seq_id.ok_or_else(|| RemoteError::Server("the inbox has no seq_id".into()))?,
                    snapshot_at_ms: page.snapshot_at_ms.unwrap_or_else(|| runtime::now().0),
                }),
            };
            let before = chats.threads.len();
            for thread in page.threads.iter().filter(|thread| thread.pending != Some(true)) {
                let id = ThreadId::new(&thread.thread_id);
                if !chats.threads.contains(&id) {
                    chats.threads.push(id);
                }
            }
            let is_last = chats.threads.len() >= count || chats.threads.len() == before;
            cursor = page.oldest_cursor.filter(|_| page.has_older && !is_last);
            if cursor.is_none() {
                chats.threads.truncate(count);
                break;
            }
        }
        chats.ok_or_else(|| RemoteError::Server("the inbox has no seq_id".into()))
    }

    /// The messages of those who wait for an answer, as rows for the inbox; of many only the latest.
    pub async fn waiting_requests(&self) -> Result<Vec<NewRow>, RemoteError> {
        let page = self.call(api::PendingInbox { cursor: None }).await?;
        let mut rows = Vec::new();
        for thread in page.threads.iter().filter(|thread| thread.pending != Some(false)).take(REQUESTS) {
            let id = ThreadId::new(&thread.thread_id);
            let mut items: Vec<_> = thread.items.iter().collect();
            items.sort_by_key(|item| item.timestamp_us);
            let found = items.into_iter().filter_map(|item| decode::reconciled_row(&self.inner.login, &id, item));
            rows.extend(found.map(|(row, _)| row));
        }
        Ok(rows)
    }

    /// Fetches the page of a chat that begins at a cursor.
    pub async fn history_page(
        &self,
        thread: &ThreadId,
        cursor: Option<String>,
        wanted: i64,
    ) -> Result<Page, RemoteError> {
        let key = cursor.clone().unwrap_or_else(|| "newest".to_owned());
        let page = self.thread_page(thread, cursor).await?;
        let wanted = usize::try_from(wanted).unwrap_or_default();
        let items = &page.items[..page.items.len().min(wanted)];
        let rows = items.iter().flat_map(|item| decode::history_rows(&self.inner.login, thread, item)).collect();
        Ok(Page {
            rows,
            items: i64::try_from(items.len()).unwrap_or(i64::MAX),
            next: page.oldest_cursor.clone().filter(|_| page.has_older),
            end: decode::history_end(&self.inner.login, &page, &key),
        })
    }
}
