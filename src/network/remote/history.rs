//! What was said before: the latest chats of a login, and the pages of one chat.

use instagram::api;
use instagram::item::Item;

use super::{Remote, RemoteError, decode};
use crate::domain::ids::ThreadId;
use crate::domain::record::{History, NewRow};
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
    /// Microseconds: what is newer had not been said then.
    pub until_us: i64,
}

/// A page of a chat.
#[derive(Debug)]
pub struct Page {
    /// Newest first; an item may have several.
    pub rows: Vec<NewRow>,
    /// How many items these are.
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
                None => {
                    let snapshot_at_ms = page.snapshot_at_ms.unwrap_or_else(|| runtime::now().0);
                    let newest_us = page.threads.iter().filter_map(|thread| thread.last_activity_us).max();
                    chats.insert(Chats {
                        threads: Vec::new(),
                        seq_id: page.seq_id.ok_or_else(|| RemoteError::Server("the inbox has no seq_id".into()))?,
                        snapshot_at_ms,
                        until_us: snapshot_at_ms.saturating_mul(1000).max(newest_us.unwrap_or_default()),
                    })
                }
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

    /// Fetches the next page of a history. What is newer than the history goes is left out.
    pub async fn history_page(&self, history: &History) -> Result<Page, RemoteError> {
        let (thread, cursor) = (&history.thread, &history.cursor);
        let page = self.thread_page(thread, cursor.clone()).await?;
        let wanted = usize::try_from(history.wanted.saturating_sub(history.fetched)).unwrap_or_default();
        let is_history = |item: &&Item| history.until_us.zip(item.timestamp_us).is_none_or(|(until, at)| at <= until);
        let items: Vec<&Item> = page.items.iter().filter(is_history).take(wanted).collect();
        let rows = items.iter().flat_map(|item| decode::history_rows(&self.inner.login, thread, item)).collect();
        // The first message may come again and again at the end.
        let is_further = |next: &String| page.has_older && !page.items.is_empty() && cursor.as_ref() != Some(next);
        let key = cursor.as_deref().unwrap_or("newest");
        Ok(Page {
            rows,
            items: i64::try_from(items.len()).unwrap_or(i64::MAX),
            next: page.oldest_cursor.clone().filter(is_further),
            end: decode::history_end(&self.inner.login, &page, key),
        })
    }
}
