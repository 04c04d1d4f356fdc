//! A person by id.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;
use crate::thread::User;

use super::{Context, Endpoint, read_user, request};

/// `users/<pk>/info/`
#[derive(Clone, Debug)]
pub struct UserInfo {
    /// The person's `pk`.
    pub user_id: String,
}

impl Endpoint for UserInfo {
    type Answer = User;
    const NAME: &'static str = "user_info";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let query = [
            ("is_prefetch", "false"),
            ("entry_point", "self_profile"),
            ("from_module", "self_profile"),
            ("is_app_start", "False"),
        ];
        request::get(session, context, &["users", &self.user_id, "info"], &query)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<User, ApiError> {
        read_user(response)
    }
}
