//! Ends the session at Instagram.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::{Context, Endpoint, read_done, request};

/// `accounts/logout/`
#[derive(Clone, Copy, Debug)]
pub struct Logout;

impl Endpoint for Logout {
    type Answer = ();
    const NAME: &'static str = "logout";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let device = &session.device;
        let body = serde_json::json!({
            "guid": device.uuid,
            "phone_id": device.phone_id,
            "device_id": device.android_id,
            "_uuid": device.uuid,
            // No token that would let the device in again.
            "one_tap_app_login": false,
        });
        request::post_signed(session, context, &["accounts", "logout"], &body)
    }

    /// An already ended session counts as ended.
    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        match read_done(response) {
            Err(ApiError::LoggedOut { .. }) => Ok(()),
            other => other,
        }
    }
}
