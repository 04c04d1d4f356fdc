//! What was said while nobody listened and the queue keeps no more: chat by chat over HTTP, going on where trouble has
//! stopped it.

use std::collections::{HashSet, VecDeque};

use instagram::api;
use instagram::thread::Thread;

use super::{Remote, RemoteError, decode};
use crate::domain::ids::ThreadId;
use crate::domain::record::NewRow;
use crate::runtime;

/// A look through the chats of a login for every item newer than a time.
pub struct Missed {
    remote: Remote,
    since_us: i64,
    /// Chats that are still to be looked at.
    waiting: VecDeque<(Thread, Place)>,
    /// Those that were put there, the earlier ones included.
    listed: HashSet<String>,
    next: List,
    position: Option<(i64, i64)>,
    newest_us: i64,
}

/// Where a chat stands in the app.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Inbox,
    Requests,
}

/// The list of chats that is to be asked for next.
enum List {
    /// A page of the inbox. Its first says where the queue stands, so nothing is looked at before it.
    Inbox(Option<String>),
    /// Message requests.
    Requests,
    /// Once more: a chat in which something was said meanwhile has moved from a later page to an earlier one.
    Again(Option<String>),
    None,
}

/// What was missed of one chat.
#[derive(Debug)]
pub struct MissedChat {
    /// For the inbox, oldest first.
    pub rows: Vec<NewRow>,
    /// Looks at the chat as a whole, after all that.
    pub look: Option<NewRow>,
}

/// Where to listen from after a look.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Where the queue stood before the first chat was looked at.
    pub seq_id: i64,
    /// Likewise, milliseconds.
    pub snapshot_at_ms: i64,
    /// Microseconds: the newest item found, and never in the future.
    pub newest_us: i64,
}

impl Remote {
    /// Begins to look for what is newer than `since_us`, in microseconds, in any thread.
    pub fn missed(&self, since_us: i64) -> Missed {
        Missed {
            remote: self.clone(),
            since_us,
            waiting: VecDeque::new(),
            listed: HashSet::new(),
            next: List::Inbox(None),
            position: None,
            newest_us: since_us,
        }
    }
}

impl Missed {
    /// The next chat that may have said something; none at the end.
    ///
    /// # Errors
    /// Whatever Instagram says, except that it does not hand out a chat: that one is left out. Asked again, it goes on
    /// at the same place.
    pub async fn next(&mut self) -> Result<Option<MissedChat>, RemoteError> {
        loop {
            if let Some((thread, place)) = self.waiting.front() {
                let place = *place;
                let found = missed_in(&self.remote, thread, self.since_us).await;
                let found = self.unless_refused(found)?;
                let Some((thread, _)) = self.waiting.pop_front() else { continue };
                let Some(found) = found else { continue };
                let newest_us = found.iter().map(|(_, at)| *at).max().unwrap_or_default();
                self.newest_us = self.newest_us.max(newest_us);
                let rows = found.into_iter().map(|(row, _)| row).collect();
                let login = self.remote.login();
                let look = (place == Place::Inbox)
                    .then(|| decode::reconciled_thread(login, &thread.thread_id, runtime::now().0));
                return Ok(Some(MissedChat { rows, look }));
            }
            match &self.next {
                List::Requests => self.list_requests().await?,
                List::Inbox(cursor) | List::Again(cursor) => self.list_inbox(cursor.clone()).await?,
                List::None => return Ok(None),
            }
        }
    }

    /// Leaves out the chat that is looked at; false where it is a list that cannot be had.
    pub fn skip(&mut self) -> bool {
        let skipped = self.waiting.pop_front();
        if let Some((thread, _)) = &skipped {
            tracing::warn!(thread = %thread.thread_id, "could not be reconciled");
        }
        skipped.is_some()
    }

    /// Where to listen from, once there is no further chat.
    pub fn position(&self) -> Result<Position, RemoteError> {
        let (seq_id, snapshot_at_ms) =
            self.position.ok_or_else(|| RemoteError::Server("the inbox has no seq_id".into()))?;
        // A later look begins here: an item with a time in the future must not hide what comes before that.
        let newest_us = self.newest_us.min(runtime::now().0.saturating_mul(1000));
        Ok(Position { seq_id, snapshot_at_ms, newest_us })
    }

    /// Only a clear no to this one request means that there is nothing to be had.
    fn unless_refused<T>(&self, outcome: Result<T, RemoteError>) -> Result<Option<T>, RemoteError> {
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_refusal() => {
                let thread = self.waiting.front().map(|(thread, _)| &thread.thread_id);
                tracing::warn!(?thread, %error, "could not be reconciled");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn list_requests(&mut self) -> Result<(), RemoteError> {
        let page = self.remote.call(api::PendingInbox { cursor: None }).await;
        if let Some(page) = self.unless_refused(page)? {
            self.list(page.threads, Place::Requests);
        }
        self.next = List::Again(None);
        Ok(())
    }

    async fn list_inbox(&mut self, cursor: Option<String>) -> Result<(), RemoteError> {
        let page = self.remote.call(api::Inbox { cursor, limit: 20 }).await?;
        self.position =
            self.position.or(page.seq_id.map(|seq| (seq, page.snapshot_at_ms.unwrap_or_else(|| runtime::now().0))));
        let is_old = page.threads.is_empty() || page.threads.iter().any(|thread| !is_new(thread, self.since_us));
        let has_more = self.list(page.threads, Place::Inbox);
        let cursor = page.oldest_cursor.filter(|_| page.has_older && !is_old);
        self.next = match (&self.next, cursor) {
            (List::Again(_), Some(cursor)) if has_more => List::Again(Some(cursor)),
            (List::Again(_), _) => List::None,
            (_, Some(cursor)) => List::Inbox(Some(cursor)),
            (_, None) => List::Requests,
        };
        Ok(())
    }

    /// Returns whether there were any to be looked at that were not listed before.
    fn list(&mut self, threads: Vec<Thread>, place: Place) -> bool {
        let before = self.waiting.len();
        for thread in threads {
            if is_new(&thread, self.since_us) && self.listed.insert(thread.thread_id.clone()) {
                self.waiting.push_back((thread, place));
            }
        }
        self.waiting.len() > before
    }
}

fn is_new(thread: &Thread, since_us: i64) -> bool {
    thread.last_activity_us.is_none_or(|at| at > since_us)
}

/// The rows of a chat newer than a time, oldest first, each with its own time.
async fn missed_in(remote: &Remote, thread: &Thread, since_us: i64) -> Result<Vec<(NewRow, i64)>, RemoteError> {
    let id = ThreadId::new(&thread.thread_id);
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    let mut cursor = None;
    loop {
        remote.rest().await;
        let page = remote.thread_page(&id, cursor).await?;
        let before = found.len();
        let mut reached_old = page.items.is_empty();
        for item in &page.items {
            match decode::reconciled_row(remote.login(), &id, item) {
                // Only a time that is known can say that an item is old.
                Some((_, at)) if (1..=since_us).contains(&at) => reached_old = true,
                Some((row, at)) if known.insert(row.dedup_key.clone()) => found.push((row, at)),
                _ => {}
            }
        }
        // The first message may come again and again at the end: stop when a page brings nothing new.
        cursor = page.oldest_cursor.filter(|_| page.has_older && !reached_old && found.len() > before);
        if cursor.is_none() {
            break;
        }
    }
    found.sort_by_key(|(_, at)| *at);
    Ok(found)
}
