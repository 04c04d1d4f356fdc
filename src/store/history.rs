//! The verbs of history: begin, add a page, finish. Each is one commit, so that fetching goes on after a crash.

use data_encoding::BASE64;

use super::delivery::PAYLOAD;
use super::error::StoreError;
use super::write::Write;
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
        self.done(Write::BeginHistories { histories, first: None }).await
    }

    /// Writes down what is to be fetched for a new login, together with its first cursor: what comes after the cursor is
    /// heard, what came before is history.
    pub async fn begin_login(
        &self,
        login: &LoginId,
        histories: Vec<History>,
        cursor: &Cursor,
    ) -> Result<(), StoreError> {
        self.done(Write::BeginHistories { histories, first: Some((login.clone(), *cursor)) }).await
    }

    /// Adds a page of items, newest first. `history` says how many there are then, and where the next page begins.
    pub async fn add_history_page(&self, history: &History, rows: Vec<NewRow>) -> Result<(), StoreError> {
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            let sealed = self.key.seal(PAYLOAD, &row.dedup_key, row.payload.as_bytes())?;
            items.push((row.dedup_key, BASE64.encode(&sealed)));
        }
        self.done(Write::AddHistoryPage { history: history.clone(), items }).await
    }

    /// Makes rows of the inbox from all that was fetched.
    pub async fn finish_history(&self, thread: &ThreadId, login: &LoginId, now: Timestamp) -> Result<(), StoreError> {
        let lane = LaneKey::incoming(thread);
        self.done(Write::FinishHistory { thread: thread.clone(), login: login.clone(), lane, now }).await
    }
}
