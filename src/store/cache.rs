//! Facts kept in memory, because nearly every message asks for them: portals, ghosts, logins, who is in a thread.
//!
//! One process owns the database, so the cache only has to follow the store's own writes: the writer reports each
//! commit before it answers. What was read from the database is put in only if no write was reported since the read
//! began; otherwise an old value could overtake a new one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ruma::{OwnedRoomId, RoomId};

use super::write::{Answer, Write};
use crate::domain::ids::{LoginId, PortalId, PortalKey, RemoteUserId, ThreadId};
use crate::domain::record::{Effect, Ghost, Login, Portal, Standing};

/// Entries of each kind.
const CAPACITY: usize = 10_000;

/// See the module's first lines.
#[derive(Default)]
pub(super) struct Cache(Mutex<Facts>);

#[derive(Default)]
struct Facts {
    /// Counts the reported writes.
    version: u64,
    portals: Bounded<PortalId, Portal>,
    portal_of_key: Bounded<PortalKey, Option<PortalId>>,
    /// May name a portal that has another room by now: check it.
    portal_of_room: Bounded<OwnedRoomId, Option<PortalId>>,
    ghosts: Bounded<RemoteUserId, Option<Ghost>>,
    logins_in_thread: Bounded<ThreadId, Vec<LoginId>>,
    /// Of the logins for which a thread is no ordinary chat.
    standings: Bounded<ThreadId, Vec<(LoginId, Standing)>>,
    /// All logins, once they were read.
    logins: Option<HashMap<LoginId, Login>>,
}

/// Says when a read began.
#[derive(Clone, Copy)]
pub(super) struct Version(u64);

impl Cache {
    /// To be taken before reading from the database what is then put into the cache.
    pub(super) fn version(&self) -> Version {
        Version(self.facts().version)
    }

    pub(super) fn portal(&self, id: PortalId) -> Option<Portal> {
        self.facts().portals.0.get(&id).cloned()
    }

    /// `Some(None)` says that there is no such portal.
    pub(super) fn portal_of_key(&self, key: &PortalKey) -> Option<Option<Portal>> {
        let facts = self.facts();
        match facts.portal_of_key.0.get(key)? {
            Some(id) => facts.portals.0.get(id).cloned().map(Some),
            None => Some(None),
        }
    }

    /// `Some(None)` says that the room is no portal.
    pub(super) fn portal_of_room(&self, room: &RoomId) -> Option<Option<Portal>> {
        let facts = self.facts();
        match facts.portal_of_room.0.get(room)? {
            Some(id) => {
                facts.portals.0.get(id).filter(|portal| portal.room.as_deref() == Some(room)).cloned().map(Some)
            }
            None => Some(None),
        }
    }

    pub(super) fn ghost(&self, id: &RemoteUserId) -> Option<Option<Ghost>> {
        self.facts().ghosts.0.get(id).cloned()
    }

    pub(super) fn logins_in_thread(&self, thread: &ThreadId) -> Option<Vec<LoginId>> {
        self.facts().logins_in_thread.0.get(thread).cloned()
    }

    /// Asks what a thread is to whom, if that was read.
    pub(super) fn with_standings<T>(
        &self,
        thread: &ThreadId,
        ask: impl FnOnce(&[(LoginId, Standing)]) -> T,
    ) -> Option<T> {
        self.facts().standings.0.get(thread).map(|standings| ask(standings))
    }

    /// Asks the table of logins, if it was read.
    pub(super) fn with_logins<T>(&self, ask: impl FnOnce(&HashMap<LoginId, Login>) -> T) -> Option<T> {
        self.facts().logins.as_ref().map(ask)
    }

    pub(super) fn put_portal(&self, since: Version, portal: &Portal) {
        self.put(since, |facts| facts.put_portal(portal));
    }

    pub(super) fn put_no_portal(&self, since: Version, key: &PortalKey) {
        self.put(since, |facts| facts.portal_of_key.insert(key.clone(), None));
    }

    pub(super) fn put_no_portal_room(&self, since: Version, room: &RoomId) {
        self.put(since, |facts| facts.portal_of_room.insert(room.to_owned(), None));
    }

    pub(super) fn put_ghost(&self, since: Version, id: &RemoteUserId, ghost: Option<&Ghost>) {
        self.put(since, |facts| facts.ghosts.insert(id.clone(), ghost.cloned()));
    }

    pub(super) fn put_logins_in_thread(&self, since: Version, thread: &ThreadId, logins: &[LoginId]) {
        self.put(since, |facts| facts.logins_in_thread.insert(thread.clone(), logins.to_vec()));
    }

    pub(super) fn put_standings(&self, since: Version, thread: &ThreadId, standings: Vec<(LoginId, Standing)>) {
        self.put(since, |facts| facts.standings.insert(thread.clone(), standings));
    }

    pub(super) fn put_logins(&self, since: Version, logins: HashMap<LoginId, Login>) {
        self.put(since, |facts| facts.logins = Some(logins));
    }

    fn put(&self, since: Version, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts();
        if facts.version == since.0 {
            change(&mut facts);
        }
    }

    /// Follows a write that was committed.
    pub(super) fn committed(&self, write: &Write, answer: &Answer) {
        match write {
            Write::EnsurePortal(_) | Write::SavePortal(_) => {
                if let Answer::Portal(portal) = answer {
                    self.change(|facts| facts.put_portal(portal));
                }
            }
            Write::RemovePortal(id) => self.change(|facts| {
                facts.portals.0.remove(id);
                facts.portal_of_key.0.retain(|_, found| found.as_ref() != Some(id));
            }),
            Write::NoteLogin { thread, .. } | Write::ForgetLogin { thread, .. } => {
                self.change(|facts| drop(facts.logins_in_thread.0.remove(thread)));
            }
            Write::SetStanding { thread, .. } => self.change(|facts| drop(facts.standings.0.remove(thread))),
            Write::SaveGhost(ghost) => {
                self.change(|facts| facts.ghosts.insert(ghost.id.clone(), Some(ghost.clone())));
            }
            Write::SaveLogin(login) => self.change(|facts| {
                facts.logins.iter_mut().for_each(|logins| drop(logins.insert(login.id.clone(), login.clone())));
            }),
            Write::SetLoginState { login, state, reason } => self.change(|facts| {
                if let Some(login) = facts.logins.as_mut().and_then(|logins| logins.get_mut(login)) {
                    login.state = *state;
                    login.reason.clone_from(reason);
                }
            }),
            Write::RemoveLogin(login) => self.change(|facts| {
                facts.logins.iter_mut().for_each(|logins| drop(logins.remove(login)));
                facts.logins_in_thread.0.clear();
            }),
            Write::Settle { settlements, .. } => {
                for effect in settlements.iter().flat_map(|settlement| &settlement.effects) {
                    if let Effect::Ruled { portal, rules } = effect {
                        self.change(|facts| {
                            facts.portals.0.entry(*portal).and_modify(|portal| portal.rules = *rules);
                        });
                    }
                }
            }
            Write::Accept(_)
            | Write::Intend { .. }
            | Write::Confirm { .. }
            | Write::PutBack { .. }
            | Write::Rest { .. }
            | Write::Apply(_)
            | Write::NoteOwnChange(_)
            | Write::BeginHistories(_)
            | Write::AddHistoryPage(_)
            | Write::BeginLogin { .. }
            | Write::EndHistory { .. }
            | Write::CloseGap(_)
            | Write::AdvanceRead { .. }
            | Write::Prune { .. }
            | Write::SaveSession { .. }
            | Write::SetManagementRoom { .. }
            | Write::ForgetManagementRoom(_)
            | Write::Map(_)
            | Write::ForgetFetched { .. }
            | Write::RetryParked
            | Write::DiscardParked => {}
        }
    }

    /// Forgets everything, because nobody knows whether a commit took place.
    pub(super) fn clear(&self) {
        self.change(|facts| *facts = Facts { version: facts.version, ..Facts::default() });
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts();
        facts.version += 1;
        change(&mut facts);
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn put_portal(&mut self, portal: &Portal) {
        self.portal_of_key.insert(portal.key.clone(), Some(portal.id));
        if let Some(room) = &portal.room {
            self.portal_of_room.insert(room.clone(), Some(portal.id));
        }
        self.portals.insert(portal.id, portal.clone());
    }
}

/// A map that makes room for a new entry by dropping any other one.
struct Bounded<K, V>(HashMap<K, V>);

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone, V> Bounded<K, V> {
    fn insert(&mut self, key: K, value: V) {
        if self.0.len() >= CAPACITY
            && !self.0.contains_key(&key)
            && let Some(other) = self.0.keys().next().cloned()
        {
            self.0.remove(&other);
        }
        self.0.insert(key, value);
    }
}
