//! Accounts, their tokens and profiles.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{World, content};
use crate::{
    error::{Answer, MatrixError},
    event::Draft,
    ids,
    room::Membership,
};

/// One user of the server.
#[derive(Default)]
pub(crate) struct Account {
    /// None for users of the application service.
    pub(crate) password: Option<String>,
    pub(crate) displayname: Option<String>,
    pub(crate) avatar_url: Option<String>,
    /// Account data, by type.
    pub(crate) data: Map<String, Value>,
}

impl World {
    pub(crate) fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.server_name)
    }

    /// Makes an account; without a password it belongs to the application service.
    pub(crate) fn register(&mut self, localpart: &str, password: Option<String>) -> Answer<Arc<str>> {
        let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
        if localpart.is_empty() || !localpart.bytes().all(is_legal) {
            return Err(MatrixError::bad_request("M_INVALID_USERNAME", "User ID can only contain a-z, 0-9 and ._=-/+"));
        }
        let user = self.user_id(localpart);
        if self.covers(&user) != password.is_none() {
            let error = if password.is_none() {
                "Invalid user localpart for this application service."
            } else {
                "This user ID is reserved by an application service."
            };
            return Err(MatrixError::bad_request("M_EXCLUSIVE", error));
        }
        if self.accounts.contains_key(user.as_str()) {
            return Err(MatrixError::bad_request("M_USER_IN_USE", "User ID already taken."));
        }
        let user: Arc<str> = user.into();
        let displayname = Some(localpart.to_owned());
        self.accounts.insert(user.clone(), Account { password, displayname, ..Account::default() });
        Ok(user)
    }

    /// Checks a password; `user` is a localpart or a whole id.
    pub(crate) fn check_password(&self, user: &str, password: &str) -> Answer<Arc<str>> {
        let id = if user.starts_with('@') { user.to_owned() } else { self.user_id(user) };
        match self.accounts.get_key_value(id.as_str()) {
            Some((id, account)) if account.password.as_deref() == Some(password) => Ok(id.clone()),
            _ => Err(MatrixError::forbidden("Invalid username or password")),
        }
    }

    /// Makes an access token and its device.
    pub(crate) fn make_token(&mut self, user: &Arc<str>) -> (String, String) {
        let (token, device) = (ids::random("syt_", 40), ids::random("", 10));
        self.tokens.insert(token.clone(), (user.clone(), device.clone()));
        (token, device)
    }

    /// The user behind an access token of an ordinary account.
    pub(crate) fn user_of_token(&self, token: &str) -> Answer<(Arc<str>, String)> {
        let known = self.tokens.get(token).cloned();
        known.ok_or_else(|| {
            MatrixError::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        })
    }

    /// The user that the application service acts as.
    pub(crate) fn masquerade(&self, user: &str) -> Answer<Arc<str>> {
        if !self.covers(user) {
            let error = format!("Application service cannot masquerade as this user ({user}).");
            return Err(MatrixError::forbidden(error));
        }
        match self.accounts.get_key_value(user) {
            Some((user, _)) => Ok(user.clone()),
            None => Err(MatrixError::forbidden(format!("Application service has not registered this user ({user})"))),
        }
    }

    /// A user of this server as whom an application service acts whose namespace is everybody.
    pub(crate) fn local_user(&self, user: &str) -> Answer<Arc<str>> {
        let known = self.accounts.get_key_value(user).map(|(user, _)| user.clone());
        known
            .ok_or_else(|| MatrixError::forbidden(format!("Application service has not registered this user ({user})")))
    }

    /// Changes a profile and shows the change in every room, as homeservers do.
    pub(crate) fn set_profile(&mut self, user: &Arc<str>, change: impl FnOnce(&mut Account), now: i64) -> Answer<()> {
        let account = self.accounts.get_mut(user).ok_or_else(|| MatrixError::not_found("Unknown user"))?;
        change(account);
        let content = content(&self.member_content(user, Membership::Join));
        let mut rooms: Vec<Arc<str>> =
            self.rooms.values().filter(|room| room.is_joined(user)).map(|room| room.id.clone()).collect();
        rooms.sort();
        for room in rooms {
            let unchanged = self.rooms.get(&room).and_then(|room| room.state_event("m.room.member", user));
            if unchanged.is_some_and(|event| event.content.get() == content.get()) {
                continue;
            }
            let draft = Draft {
                sender: user.clone(),
                kind: "m.room.member".into(),
                state_key: Some((&**user).into()),
                content: content.clone(),
                at: now,
            };
            self.append(&room, draft);
        }
        Ok(())
    }

    /// What a member event of the user contains.
    pub(crate) fn member_content(&self, user: &str, membership: Membership) -> Value {
        let membership = match membership {
            Membership::Join => "join",
            Membership::Invite => "invite",
            Membership::Leave => "leave",
            Membership::Ban => "ban",
        };
        let mut content = json!({ "membership": membership });
        if membership == "join" || membership == "invite" {
            let account = self.accounts.get(user);
            if let Some(name) = account.and_then(|account| account.displayname.as_deref()) {
                content["displayname"] = name.into();
            }
            if let Some(avatar) = account.and_then(|account| account.avatar_url.as_deref()) {
                content["avatar_url"] = avatar.into();
            }
        }
        content
    }
}
