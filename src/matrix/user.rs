//! Our users: registering them and giving them names and pictures.

use ruma::{
    MxcUri, RoomId, UserId,
    api::client::{account::register, config::set_room_account_data, profile::set_profile_field},
    events::marked_unread::MarkedUnreadEventContent,
    profile::ProfileFieldValue,
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
        let request = request.map_err(|error| HomeserverError::Malformed(error.to_string()))?;
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
