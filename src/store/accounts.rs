//! The verbs about logins: their state, session, cursor, and the rooms in which their users talk to the bot.

use std::collections::HashMap;

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::error::StoreError;
use super::write::Write;
use super::{Readers, Store, postgres, read, sqlite};
use crate::domain::ids::LoginId;
use crate::domain::record::{Cursor, Login, LoginState};

/// What the sealed sessions are for, as their seal says it.
const SESSION: &str = "session";

impl Store {
    /// A login.
    pub async fn login(&self, id: &LoginId) -> Result<Option<Login>, StoreError> {
        self.ask_logins(|logins| logins.get(id).cloned()).await
    }

    /// All logins, in the order of their ids.
    pub async fn logins(&self) -> Result<Vec<Login>, StoreError> {
        self.logins_where(|_| true).await
    }

    /// The logins of a Matrix user, in the order of their ids.
    pub async fn logins_of_user(&self, user: &UserId) -> Result<Vec<Login>, StoreError> {
        self.logins_where(|login| login.user == user).await
    }

    async fn logins_where(&self, wanted: impl Fn(&Login) -> bool) -> Result<Vec<Login>, StoreError> {
        let found = |logins: &HashMap<LoginId, Login>| -> Vec<Login> {
            logins.values().filter(|login| wanted(login)).cloned().collect()
        };
        let mut found = self.ask_logins(found).await?;
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    async fn ask_logins<T>(&self, ask: impl Fn(&HashMap<LoginId, Login>) -> T) -> Result<T, StoreError> {
        if let Some(known) = self.shared.cache.with_logins(&ask) {
            return Ok(known);
        }
        let since = self.shared.cache.version();
        let logins = read!(self, accounts::logins())?;
        let logins = logins.into_iter().map(|login| (login.id.clone(), login)).collect();
        let found = ask(&logins);
        self.shared.cache.put_logins(since, logins);
        Ok(found)
    }

    /// Stores a login.
    pub async fn save_login(&self, login: &Login) -> Result<(), StoreError> {
        self.done(Write::SaveLogin(login.clone())).await
    }

    /// Stores whether a login may connect, and why not.
    pub async fn set_login_state(
        &self,
        id: &LoginId,
        state: LoginState,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let reason = reason.map(str::to_owned);
        self.done(Write::SetLoginState { login: id.clone(), state, reason }).await
    }

    /// Removes a login with its session, its cursor and its place in threads. Portals stay.
    pub async fn remove_login(&self, id: &LoginId) -> Result<(), StoreError> {
        self.done(Write::RemoveLogin(id.clone())).await
    }

    /// Stores a login's session, sealed. The login must exist.
    pub async fn save_session(&self, id: &LoginId, json: &str) -> Result<(), StoreError> {
        let sealed = self.key.seal(SESSION, id.as_str(), json.as_bytes())?;
        self.done(Write::SaveSession { login: id.clone(), sealed }).await
    }

    /// A login's session. It is a secret: do not log it.
    pub async fn session(&self, id: &LoginId) -> Result<Option<String>, StoreError> {
        let Some(sealed) = read!(self, accounts::sealed_session(id))? else { return Ok(None) };
        let plain = self.key.open(SESSION, id.as_str(), &sealed);
        let text = plain.and_then(|plain| String::from_utf8(plain).ok());
        text.map(Some).ok_or_else(|| StoreError::Sealed(id.to_string()))
    }

    /// Where a login resumes.
    pub async fn cursor(&self, id: &LoginId) -> Result<Option<Cursor>, StoreError> {
        read!(self, accounts::cursor(id))
    }

    /// The room in which a user talks to the bot.
    pub async fn management_room(&self, user: &UserId) -> Result<Option<OwnedRoomId>, StoreError> {
        read!(self, accounts::management_room(user))
    }

    /// Stores the room in which a user talks to the bot, instead of the former one.
    pub async fn set_management_room(&self, user: &UserId, room: &RoomId) -> Result<(), StoreError> {
        self.done(Write::SetManagementRoom { user: user.to_owned(), room: room.to_owned() }).await
    }

    /// Forgets a room in which a user talked to the bot.
    pub async fn forget_management_room(&self, room: &RoomId) -> Result<(), StoreError> {
        self.done(Write::ForgetManagementRoom(room.to_owned())).await
    }

    /// The user who talks to the bot in a room.
    pub async fn user_of_management_room(&self, room: &RoomId) -> Result<Option<OwnedUserId>, StoreError> {
        read!(self, accounts::user_of_management_room(room))
    }
}
