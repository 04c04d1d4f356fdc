//! The verbs of history: begin, add a page, end. Each is one commit, so that fetching goes on after a crash.

use data_encoding::BASE64;

use super::delivery::{Accepted, PAYLOAD};
use super::error::StoreError;
use super::write::{CursorRule, HistoryPage, Source, Write};
use super::{Readers, Store, postgres, read, sqlite};
use crate::domain::ids::{ItemId, LaneKey, LoginId, PortalId, ThreadId, Timestamp};
use crate::domain::record::{Cursor, History, NewRow};

impl Store {
    /// What is being fetched.
    pub async fn histories(&self) -> Result<Vec<History>, StoreError> {
        read!(self, history::all())
    }

    /// The oldest item a portal shows.
    pub async fn oldest_item(&self, portal: PortalId) -> Result<Option<ItemId>, StoreError> {
        Ok(read!(self, history::oldest_item(portal))?.map(ItemId::new))
    }

    /// Writes down what is to be fetched.
    pub async fn begin_histories(&self, histories: Vec<History>) -> Result<(), StoreError> {
        self.done(Write::BeginHistories(histories)).await
    }

    /// Writes down what is to be fetched for a new login, together with its first cursor: what comes after the cursor is
    /// heard, what came before is history. The rows are what is known already.
    pub async fn begin_login(
        &self,
        login: &LoginId,
        histories: Vec<History>,
        rows: Vec<NewRow>,
        cursor: &Cursor,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let source = Source::Session { login: login.clone(), cursor: *cursor, rule: CursorRule::OnlyGrows };
        let acceptance = self.acceptance(source, rows, now)?;
        self.accepted(Write::BeginLogin { histories, acceptance }).await
    }

    /// Adds a page of items, newest first. `history` says how many there are then, and where the next page begins.
    pub async fn add_history_page(&self, history: &History, rows: Vec<NewRow>) -> Result<(), StoreError> {
        self.done(Write::AddHistoryPage(self.history_page(history, rows)?)).await
    }

    /// Adds the last page, which may be empty, and makes rows of the inbox from all that was fetched. In one commit: what
    /// was fetched to its end is never fetched again.
    pub async fn end_history(&self, history: &History, rows: Vec<NewRow>, now: Timestamp) -> Result<(), StoreError> {
        let page = self.history_page(history, rows)?;
        let lane = LaneKey::incoming(&history.thread);
        self.done(Write::EndHistory { page, lane, now }).await
    }

    /// Whether rows with any of these keys are fetched and not in the inbox yet.
    pub async fn is_fetched(&self, thread: &ThreadId, login: &LoginId, keys: &[String]) -> Result<bool, StoreError> {
        read!(self, history::is_fetched(thread, login, keys))
    }

    /// Forgets fetched rows that are not in the inbox yet.
    pub async fn forget_fetched(&self, thread: &ThreadId, login: &LoginId, keys: &[String]) -> Result<(), StoreError> {
        let (thread, login, keys) = (thread.clone(), login.clone(), keys.to_vec());
        self.done(Write::ForgetFetched { thread, login, keys }).await
    }

    fn history_page(&self, history: &History, rows: Vec<NewRow>) -> Result<HistoryPage, StoreError> {
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            let sealed = self.key.seal(PAYLOAD, &row.dedup_key, row.payload.as_bytes())?;
            items.push((row.dedup_key, BASE64.encode(&sealed)));
        }
        Ok(HistoryPage { history: history.clone(), items })
    }
}
