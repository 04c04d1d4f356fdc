//! The one task that writes. What waits for it is run in one transaction and committed once (group commit): fifty
//! writes cost little more than one, and none is answered before it is on disk.
//!
//! A write that the database refuses must not fail its neighbours: the group is rolled back and each runs alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlx::Connection;
use tokio::sync::mpsc;

use super::{BEGIN, Conn, Source, accounts, delivery, facts, history, parked};
use crate::store::error::StoreError;
use crate::store::seal::SealKey;
use crate::store::write::{Answer, Job, Message, Write};
use crate::store::{GROUP, Shared};

/// The writing connection and its source.
pub(in crate::store) struct Writer {
    source: Source,
    /// None after it broke; made again for the next write.
    connection: Option<Conn>,
    shared: Arc<Shared>,
}

/// What committed writes did to the number of pending rows.
type Depth = i64;

impl Writer {
    /// Takes an open connection with up-to-date tables; checks that the key is the one this database knows.
    pub(super) async fn new(
        source: Source,
        mut connection: Conn,
        key: &SealKey,
        shared: Arc<Shared>,
    ) -> Result<Self, StoreError> {
        const PURPOSE: &str = "key check";
        let fresh = key.seal(PURPOSE, "", b"")?;
        let stored = accounts::ensure_meta(&mut connection, PURPOSE, &fresh).await?;
        key.open(PURPOSE, "", &stored).ok_or(StoreError::WrongKey)?;
        shared.depth.store(delivery::pending_count(&mut connection).await?, Ordering::Relaxed);
        Ok(Self { source, connection: Some(connection), shared })
    }

    /// Serves the queue until it is closed.
    pub(in crate::store) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(GROUP);
        let mut closing = None;
        while queue.recv_many(&mut messages, GROUP).await > 0 {
            gather(&mut queue, &mut messages).await;
            let mut jobs = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Write(job) => jobs.push(job),
                    Message::Close(done) => {
                        queue.close();
                        closing = Some(done);
                    }
                }
            }
            self.serve(jobs).await;
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await.ok();
        }
        // Lets go of the database before it says so.
        drop(self);
        if let Some(done) = closing {
            done.send(()).ok();
        }
    }

    async fn serve(&mut self, jobs: Vec<Job>) {
        let (writes, listeners): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.write, job.answer)).unzip();
        let answers = match self.commit(&writes).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if error.is_transient() || writes.len() == 1 => vec![Err(error); writes.len()],
            Err(_) => self.commit_each(&writes).await,
        };
        for (listener, answer) in listeners.into_iter().zip(answers) {
            // A caller that was cancelled listens no more.
            listener.send(answer).ok();
        }
    }

    async fn commit_each(&mut self, writes: &[Write]) -> Vec<Result<Answer, StoreError>> {
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            let mut answer = self.commit(std::slice::from_ref(write)).await;
            answers.push(
                answer
                    .as_mut()
                    .map_err(|error| error.clone())
                    .and_then(|answers| answers.pop().ok_or(StoreError::Closed)),
            );
        }
        answers
    }

    /// All or none of the writes.
    async fn commit(&mut self, writes: &[Write]) -> Result<Vec<Answer>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.take_connection().await?;
        match transact(&mut connection, writes).await {
            Ok((answers, depth)) => {
                self.connection = Some(connection);
                self.shared.depth.fetch_add(depth, Ordering::Relaxed);
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                self.shared.writes.fetch_add(writes.len() as u64, Ordering::Relaxed);
                for (write, answer) in writes.iter().zip(&answers) {
                    self.shared.cache.committed(write, answer);
                }
                Ok(answers)
            }
            Err(error) => {
                if sqlx::query("ROLLBACK").execute(&mut connection).await.is_ok() {
                    self.connection = Some(connection);
                } else {
                    // The commit may have come through before the connection broke.
                    self.shared.cache.clear();
                }
                Err(error)
            }
        }
    }

    async fn take_connection(&mut self) -> Result<Conn, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        // Whatever the reason, even that a server still holds the lock of the broken connection: it may pass.
        let connected = self.source.connect().await;
        let mut connection = connected.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.shared.depth.store(delivery::pending_count(&mut connection).await?, Ordering::Relaxed);
        Ok(connection)
    }
}

/// Lets the callers that were just answered run on: what they queue next then shares the coming commit.
async fn gather(queue: &mut mpsc::Receiver<Message>, messages: &mut Vec<Message>) {
    let mut before = 0;
    while before < messages.len() && messages.len() < GROUP {
        before = messages.len();
        tokio::task::yield_now().await;
        while messages.len() < GROUP
            && let Ok(message) = queue.try_recv()
        {
            messages.push(message);
        }
    }
}

async fn transact(conn: &mut Conn, writes: &[Write]) -> Result<(Vec<Answer>, Depth), StoreError> {
    sqlx::query(BEGIN).execute(&mut *conn).await?;
    let answers = apply(conn, writes).await?;
    sqlx::query("COMMIT").execute(conn).await?;
    Ok(answers)
}

/// Runs a group kind by kind, since each frequent kind is a few statements however many writes there are. Their order
/// does not matter: a caller that waits for one write before it queues the next never has two in a group.
async fn apply(conn: &mut Conn, writes: &[Write]) -> Result<(Vec<Answer>, Depth), StoreError> {
    let mut answers = vec![Answer::Done; writes.len()];
    let mut depth = 0;

    let (places, given) = pick(writes, |write| match write {
        Write::Accept(acceptance) => Some(acceptance),
        _ => None,
    });
    if !given.is_empty() {
        let (accepted, count) = delivery::accept(conn, &given).await?;
        depth += count;
        for (place, accepted) in places.into_iter().zip(accepted) {
            answers[place] = Answer::Accepted(accepted);
        }
    }

    let (places, given) = pick(writes, |write| match write {
        Write::Intend { parts, now } => Some((parts, *now)),
        _ => None,
    });
    let parts: Vec<_> = given.iter().flat_map(|(parts, now)| parts.iter().map(|part| (part, *now))).collect();
    let mut states = delivery::intend(conn, &parts).await?.into_iter();
    for (place, (parts, _)) in places.into_iter().zip(given) {
        answers[place] = Answer::States(states.by_ref().take(parts.len()).collect());
    }

    let (_, results) = pick(writes, |write| match write {
        Write::Confirm { request, id } => Some((request.as_str(), id.as_str())),
        _ => None,
    });
    delivery::confirm(conn, &results).await?;

    let (_, given) = pick(writes, |write| match write {
        Write::Settle { settlements, now } => Some((settlements, *now)),
        _ => None,
    });
    let settlements: Vec<_> = given.iter().flat_map(|(list, now)| list.iter().map(|one| (one, *now))).collect();
    depth -= delivery::settle(conn, &settlements).await?;

    for (write, answer) in writes.iter().zip(&mut answers) {
        apply_rare(conn, write, answer, &mut depth).await?;
    }
    Ok((answers, depth))
}

fn pick<'a, T>(writes: &'a [Write], wanted: impl Fn(&'a Write) -> Option<T>) -> (Vec<usize>, Vec<T>) {
    writes.iter().enumerate().filter_map(|(place, write)| Some((place, wanted(write)?))).unzip()
}

async fn apply_rare(conn: &mut Conn, write: &Write, answer: &mut Answer, depth: &mut Depth) -> Result<(), StoreError> {
    match write {
        Write::Accept(_) | Write::Intend { .. } | Write::Confirm { .. } | Write::Settle { .. } => {}
        Write::EnsurePortal(key) => *answer = Answer::Portal(facts::ensure_portal(conn, key).await?),
        Write::Prune { before } => *answer = Answer::Removed(delivery::prune(conn, *before).await?),
        Write::Map(mappings) => delivery::map(conn, mappings).await?,
        Write::ForgetFetched { thread, login, keys } => history::forget(conn, thread, login, keys).await?,
        Write::RetryParked => {
            let (lanes, count) = parked::retry(conn).await?;
            *depth += count;
            *answer = Answer::Lanes(lanes);
        }
        Write::DiscardParked => *answer = Answer::Removed(parked::discard(conn).await?),
        Write::Rest { row, until } => delivery::rest(conn, *row, *until).await?,
        Write::PutBack { row, retry_at, reason } => delivery::put_back(conn, *row, *retry_at, reason).await?,
        Write::SavePortal(versions) => {
            if let Some(portal) = facts::save_portal(conn, &versions.0, &versions.1).await? {
                *answer = Answer::Portal(portal);
            }
        }
        Write::RemovePortal(id) => facts::remove_portal(conn, *id).await?,
        Write::Apply(effect) => facts::apply_effect(conn, effect).await?,
        Write::NoteOwnChange(change) => facts::note_own_change(conn, change).await?,
        Write::AdvanceRead { portal, user, at } => facts::advance_read(conn, *portal, user, *at).await?,
        Write::BeginHistories(histories) => history::begin(conn, histories).await?,
        Write::BeginLogin { histories, acceptance } => {
            let (accepted, count) = delivery::accept(conn, &[acceptance]).await?;
            *depth += count;
            history::begin(conn, histories).await?;
            *answer = Answer::Accepted(accepted.into_iter().next().unwrap_or_default());
        }
        Write::AddHistoryPage(page) => history::add_page(conn, page).await?,
        Write::EndHistory { page, lane, now } => {
            history::add_page(conn, page).await?;
            history::finish(conn, &page.history, lane.as_str(), *now).await?;
        }
        Write::CloseGap(login) => delivery::close_gap(conn, login).await?,
        Write::NoteLogin { thread, login } => facts::note_login(conn, thread, login).await?,
        Write::ForgetLogin { thread, login } => facts::forget_login(conn, thread, login).await?,
        Write::SetStanding { thread, login, standing } => facts::set_standing(conn, thread, login, *standing).await?,
        Write::SaveGhost(ghost) => facts::save_ghost(conn, ghost).await?,
        Write::SaveLogin(login) => accounts::save_login(conn, login).await?,
        Write::SetLoginState { login, state, reason } => {
            accounts::set_login_state(conn, login, *state, reason.as_deref()).await?;
        }
        Write::RemoveLogin(login) => accounts::remove_login(conn, login).await?,
        Write::SaveSession { login, sealed } => accounts::save_session(conn, login, sealed).await?,
        Write::SetManagementRoom { user, room } => accounts::set_management_room(conn, user, room).await?,
        Write::ForgetManagementRoom(room) => accounts::forget_management_room(conn, room).await?,
    }
    Ok(())
}
