//! Who the session belongs to, and whether it still works.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;
use crate::thread::User;

use super::{Context, Endpoint, read_user, request};

/// `accounts/current_user/`
#[derive(Clone, Copy, Debug)]
pub struct CurrentUser;

impl Endpoint for CurrentUser {
    type Answer = User;
    const NAME: &'static str = "current_user";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        request::get(session, context, &["accounts", "current_user"], &[("edit", "true")])
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<User, ApiError> {
        read_user(response)
    }
}
