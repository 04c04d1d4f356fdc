//! Our users: registering them and giving them names and pictures.

use ruma::{
    MxcUri, UserId,
    api::client::{account::register, profile::set_profile_field},
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

    /// Sets the picture of one of our users, in all its rooms.
    pub async fn set_avatar(&self, user: &UserId, avatar: &MxcUri) -> Result<(), HomeserverError> {
        self.set_profile(user, ProfileFieldValue::AvatarUrl(avatar.to_owned())).await
    }

    async fn set_profile(&self, user: &UserId, value: ProfileFieldValue) -> Result<(), HomeserverError> {
        let request = set_profile_field::v3::Request::new(user.to_owned(), value);
        self.call(user, request).await.map(drop)
    }
}
