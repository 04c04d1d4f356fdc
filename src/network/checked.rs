//! Logging in with a session that the user brings: read what was pasted, ask Instagram whose it is.

use instagram::api;
use instagram::client::http::SharedSession;
use instagram::credentials::Credentials;
use instagram::device::Device;
use instagram::session::Session;

use super::error::RemoteError;
use super::remote::Remote;
use super::{Network, random};
use crate::domain::event::RemoteUser;
use crate::domain::ids::LoginId;
use crate::domain::notice::Notice;
use crate::network::decode;

/// A login that Instagram has accepted.
pub struct CheckedLogin {
    /// The account.
    pub id: LoginId,
    /// Who it is.
    pub user: RemoteUser,
    /// Its connection-less half, with the session inside.
    pub remote: Remote,
}

impl Network {
    /// The account a pasted session belongs to, by its own words.
    ///
    /// # Errors
    /// A sentence with the cure; it never contains what was pasted.
    pub fn account_in(&self, pasted: &str) -> Result<LoginId, Notice> {
        let credentials = Credentials::parse(pasted).map_err(|error| Notice::new(error.to_string()))?;
        Ok(LoginId::new(credentials.user_id.to_string()))
    }

    /// Asks Instagram whether a pasted session works. An account that was logged in before keeps its device
    /// (`earlier` is its stored session): a new device is what triggers challenges.
    ///
    /// # Errors
    /// What Instagram said.
    pub async fn check(&self, pasted: &str, earlier: Option<&str>) -> Result<CheckedLogin, RemoteError> {
        let credentials = Credentials::parse(pasted).map_err(|error| RemoteError::Impossible(error.to_string()))?;
        let device = earlier
            .and_then(|json| serde_json::from_str::<Session>(json).ok())
            .map_or_else(|| Device::from_random(random()), |session| session.device);
        let session = Session::new(&credentials, device);
        let id = LoginId::new(session.user_id.to_string());
        let shared = SharedSession::new(session);
        let http = self.http(&id)?;
        let user = http.call(&shared, api::CurrentUser).await?;
        let remote = Remote::new(self.clone(), http, id.clone(), shared);
        Ok(CheckedLogin { id, user: decode::to_user(&user), remote })
    }

    /// The half of a stored login that needs no connection. None when the stored text is of no use.
    pub fn remote(&self, login: &LoginId, session: &str) -> Option<Remote> {
        let session: Session = serde_json::from_str(session).ok()?;
        let http = self.http(login).ok()?;
        Some(Remote::new(self.clone(), http, login.clone(), SharedSession::new(session)))
    }
}
