//! Our users: registering them and giving them names and pictures.

use std::collections::BTreeMap;

use ruma::{
    MxcUri, RoomId, UserId,
    api::client::{
        account::register,
        config::{get_global_account_data, set_global_account_data, set_room_account_data},
        profile::set_profile_field,
    },
    events::{GlobalAccountDataEventType, marked_unread::MarkedUnreadEventContent},
    profile::ProfileFieldValue,
    serde::Raw,
};

use super::{client::Client, error::HomeserverError};

impl Client {
    /// Registers a user of our namespace; nothing happens to one that exists.
    pub async fn ensure_registered(&self, user: &UserId) -> Result<(), HomeserverError> {
        let mut request = register::v3::Request::new();
        request.username = Some(user.localpart().to_owned());
        request.login_type = Some(register::LoginType::ApplicationService);
        // Right with and without MSC4190, and demanded with it.
        request.inhibit_login = true;
        let answer = self.execute(self.build(None, request)?).await;
        match answer {
            Ok(_) => Ok(()),
            Err(HomeserverError::Refused { errcode, .. }) if errcode == "M_USER_IN_USE" => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sets the display name of one of our users, in all its rooms.
    pub async fn set_displayname(&self, user: &UserId, name: &str) -> Result<(), HomeserverError> {
        self.set_profile(user, ProfileFieldValue::DisplayName(name.to_owned())).await
    }

    /// Marks a room as unread, or no longer, in what a user has stored about it.
    pub async fn set_marked_unread(&self, user: &UserId, room: &RoomId, unread: bool) -> Result<(), HomeserverError> {
        let content = MarkedUnreadEventContent::new(unread);
        let request = set_room_account_data::v3::Request::new(user.to_owned(), room.to_owned(), &content);
        self.call(user, request.map_err(malformed)?).await.map(drop)
    }

    /// Lists a room among a user's direct chats, in what they have stored about themselves.
    pub async fn list_as_direct(&self, user: &UserId, with: &UserId, room: &RoomId) -> Result<(), HomeserverError> {
        let kind = GlobalAccountDataEventType::Direct;
        let known = self.call(user, get_global_account_data::v3::Request::new(user.to_owned(), kind.clone())).await;
        let mut lists: BTreeMap<String, Vec<String>> = match known {
            Ok(known) => known.account_data.deserialize_as_unchecked().map_err(malformed)?,
            Err(HomeserverError::NotFound) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let rooms = lists.entry(with.to_string()).or_default();
        if rooms.iter().any(|known| known == room.as_str()) {
            return Ok(());
        }
        rooms.push(room.to_string());
        let lists = Raw::new(&lists).map_err(malformed)?.cast_unchecked();
        let request = set_global_account_data::v3::Request::new_raw(user.to_owned(), kind, lists);
        self.call(user, request).await.map(drop)
    }

    /// Sets the picture of one of our users, in all its rooms.
    pub async fn set_avatar(&self, user: &UserId, avatar: &MxcUri) -> Result<(), HomeserverError> {
        self.set_profile(user, ProfileFieldValue::AvatarUrl(avatar.to_owned())).await
    }

    async fn set_profile(&self, user: &UserId, value: ProfileFieldValue) -> Result<(), HomeserverError> {
        let request = set_profile_field::v3::Request::new(user.to_owned(), value);
        self.call(user, request).await.map(drop)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: serde_json::Error) -> HomeserverError {
    HomeserverError::Malformed(error.to_string())
}
