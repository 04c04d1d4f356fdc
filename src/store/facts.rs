//! The verbs about portals, ghosts and the message map.

use ruma::{EventId, OwnedEventId, RoomId};

use super::error::StoreError;
use super::write::{Answer, Write};
use super::{Readers, Store, postgres, read, sqlite};
use crate::domain::ids::{ClientContext, ItemId, LoginId, PortalId, PortalKey, RemoteUserId, ThreadId, Timestamp};
use crate::domain::record::{Effect, Ghost, Mapping, OwnChange, Portal, Reacted, Standing};

impl Store {
    /// The portal of a key.
    pub async fn portal(&self, key: &PortalKey) -> Result<Option<Portal>, StoreError> {
        if let Some(known) = self.shared.cache.portal_of_key(key) {
            return Ok(known);
        }
        let since = self.shared.cache.version();
        let found = read!(self, facts::portal_of_key(key))?;
        match &found {
            Some(portal) => self.shared.cache.put_portal(since, portal),
            None => self.shared.cache.put_no_portal(since, key),
        }
        Ok(found)
    }

    /// The portal with this database key.
    pub async fn portal_by_id(&self, id: PortalId) -> Result<Option<Portal>, StoreError> {
        if let Some(known) = self.shared.cache.portal(id) {
            return Ok(Some(known));
        }
        let since = self.shared.cache.version();
        let found = read!(self, facts::portal_of_id(id))?;
        if let Some(portal) = &found {
            self.shared.cache.put_portal(since, portal);
        }
        Ok(found)
    }

    /// The portal that a room stands for.
    pub async fn portal_of_room(&self, room: &RoomId) -> Result<Option<Portal>, StoreError> {
        if let Some(known) = self.shared.cache.portal_of_room(room) {
            return Ok(known);
        }
        let since = self.shared.cache.version();
        let found = read!(self, facts::portal_of_room(room))?;
        match &found {
            Some(portal) => self.shared.cache.put_portal(since, portal),
            None => self.shared.cache.put_no_portal_room(since, room),
        }
        Ok(found)
    }

    /// All portals of a thread: one, or one for each login of a direct chat.
    pub async fn portals_of_thread(&self, thread: &ThreadId) -> Result<Vec<Portal>, StoreError> {
        read!(self, facts::portals_of_thread(thread))
    }

    /// The portals a login uses: its own, and the shared ones of threads it is in.
    pub async fn portals_of_login(&self, login: &LoginId) -> Result<Vec<Portal>, StoreError> {
        read!(self, facts::portals_of_login(login))
    }

    /// The portals in whose rooms a ghost bears another name than elsewhere.
    pub async fn portals_naming(&self, user: &RemoteUserId) -> Result<Vec<Portal>, StoreError> {
        read!(self, facts::portals_naming(user))
    }

    /// The portal of a key, made without a room if there is none.
    pub async fn ensure_portal(&self, key: &PortalKey) -> Result<Portal, StoreError> {
        if let Some(portal) = self.portal(key).await? {
            return Ok(portal);
        }
        match self.write(Write::EnsurePortal(key.clone())).await? {
            Answer::Portal(portal) => Ok(portal),
            _ => Err(Answer::unexpected()),
        }
    }

    /// Stores what has changed of a portal since it was read. A portal that was removed stays removed.
    pub async fn save_portal(&self, before: &Portal, after: &Portal) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        self.done(Write::SavePortal(Box::new((before.clone(), after.clone())))).await
    }

    /// Removes a portal and its part of the message map.
    pub async fn remove_portal(&self, id: PortalId) -> Result<(), StoreError> {
        self.done(Write::RemovePortal(id)).await
    }

    /// Records that a login is in a thread.
    pub async fn note_login_in_thread(&self, thread: &ThreadId, login: &LoginId) -> Result<(), StoreError> {
        if self.logins_in_thread(thread).await?.contains(login) {
            return Ok(());
        }
        self.done(Write::NoteLogin { thread: thread.clone(), login: login.clone() }).await
    }

    /// Records that a login is in a thread no more.
    pub async fn forget_login_in_thread(&self, thread: &ThreadId, login: &LoginId) -> Result<(), StoreError> {
        self.done(Write::ForgetLogin { thread: thread.clone(), login: login.clone() }).await
    }

    /// The logins in a thread, in the order of their ids.
    pub async fn logins_in_thread(&self, thread: &ThreadId) -> Result<Vec<LoginId>, StoreError> {
        if let Some(known) = self.shared.cache.logins_in_thread(thread) {
            return Ok(known);
        }
        let since = self.shared.cache.version();
        let found = read!(self, facts::logins_in_thread(thread))?;
        self.shared.cache.put_logins_in_thread(since, thread, &found);
        Ok(found)
    }

    /// What a thread is to a login.
    pub async fn standing(&self, thread: &ThreadId, login: &LoginId) -> Result<Standing, StoreError> {
        let of_login = |standings: &[(LoginId, Standing)]| {
            let found = standings.iter().find(|(other, _)| other == login);
            found.map_or(Standing::Open, |(_, standing)| *standing)
        };
        if let Some(known) = self.shared.cache.with_standings(thread, of_login) {
            return Ok(known);
        }
        let since = self.shared.cache.version();
        let found = read!(self, facts::standings(thread))?;
        let standing = of_login(&found);
        self.shared.cache.put_standings(since, thread, found);
        Ok(standing)
    }

    /// Stores what a thread is to a login.
    pub async fn set_standing(&self, thread: &ThreadId, login: &LoginId, standing: Standing) -> Result<(), StoreError> {
        if self.standing(thread, login).await? == standing {
            return Ok(());
        }
        self.done(Write::SetStanding { thread: thread.clone(), login: login.clone(), standing }).await
    }

    /// The ghost of an Instagram user.
    pub async fn ghost(&self, id: &RemoteUserId) -> Result<Option<Ghost>, StoreError> {
        if let Some(known) = self.shared.cache.ghost(id) {
            return Ok(known);
        }
        let since = self.shared.cache.version();
        let found = read!(self, facts::ghost(id))?;
        self.shared.cache.put_ghost(since, id, found.as_ref());
        Ok(found)
    }

    /// Stores a ghost.
    pub async fn save_ghost(&self, ghost: &Ghost) -> Result<(), StoreError> {
        self.done(Write::SaveGhost(ghost.clone())).await
    }

    /// The events of an item in a portal, by part.
    pub async fn mapping_of_item(&self, portal: PortalId, item: &ItemId) -> Result<Vec<Mapping>, StoreError> {
        read!(self, facts::mapping_of_item(portal, item))
    }

    /// The items of an event, by part.
    pub async fn mapping_of_event(&self, event: &EventId) -> Result<Vec<Mapping>, StoreError> {
        read!(self, facts::mapping_of_event(event))
    }

    /// The further events of an item: edits, corrections, and what another event has taken the place of.
    pub async fn revisions_of_item(&self, portal: PortalId, item: &ItemId) -> Result<Vec<OwnedEventId>, StoreError> {
        read!(self, facts::revisions_of_item(portal, item))
    }

    /// The item that an event is a further one of, and its portal.
    pub async fn item_of_revision(&self, event: &EventId) -> Result<Option<(PortalId, ItemId)>, StoreError> {
        read!(self, facts::item_of_revision(event))
    }

    /// The first event of the item that was sent with a client context.
    pub async fn mapping_of_context(
        &self,
        portal: PortalId,
        context: &ClientContext,
    ) -> Result<Option<Mapping>, StoreError> {
        read!(self, facts::mapping_of_context(portal, context))
    }

    /// The last event of a portal that is not younger than a time, does not come from a sender and was not taken back.
    pub async fn last_mapping(
        &self,
        portal: PortalId,
        not_after: Timestamp,
        not_from: &str,
    ) -> Result<Option<Mapping>, StoreError> {
        read!(self, facts::last_mapping(portal, not_after, not_from))
    }

    /// Events that are due to be redacted, because what they show disappears.
    pub async fn due_redactions(&self, now: Timestamp) -> Result<Vec<Mapping>, StoreError> {
        read!(self, facts::due_redactions(now))
    }

    /// Everybody's reaction to an item.
    pub async fn reactions_of_item(&self, portal: PortalId, item: &ItemId) -> Result<Vec<Reacted>, StoreError> {
        read!(self, facts::reactions_of_item(portal, item))
    }

    /// The reaction that an event shows.
    pub async fn reaction_of_event(&self, event: &EventId) -> Result<Option<Reacted>, StoreError> {
        read!(self, facts::reaction_of_event(event))
    }

    /// Whether another login was the first to hear of a change that this one hears of now.
    pub async fn is_heard_already(&self, portal: PortalId, login: &LoginId, what: &str) -> Result<bool, StoreError> {
        Ok(read!(self, happenings::heard_at(portal, login, what))?.is_some())
    }

    /// Writes down what is about to be done to an item from here.
    pub async fn note_own_change(&self, change: OwnChange) -> Result<(), StoreError> {
        self.done(Write::NoteOwnChange(change)).await
    }

    /// What was done to an item from here in the last week.
    pub async fn own_changes(&self, portal: PortalId, item: &ItemId) -> Result<Vec<OwnChange>, StoreError> {
        read!(self, facts::own_changes(portal, item))
    }

    /// Applies a change that no row stands for.
    pub async fn apply(&self, effect: Effect) -> Result<(), StoreError> {
        self.done(Write::Apply(effect)).await
    }

    /// How far somebody has read.
    pub async fn read_position(&self, portal: PortalId, user: &RemoteUserId) -> Result<Option<Timestamp>, StoreError> {
        read!(self, facts::read_position(portal, user))
    }

    /// Records how far somebody has read; less than is known changes nothing.
    pub async fn advance_read(&self, portal: PortalId, user: &RemoteUserId, at: Timestamp) -> Result<(), StoreError> {
        self.done(Write::AdvanceRead { portal, user: user.clone(), at }).await
    }
}
