//! Who is in a group and who administrates it.

use http::{Request, Response};

use crate::error::ApiError;
use crate::session::Session;

use super::broadcast::json_array;
use super::{Context, Endpoint, read_done, request};

/// `direct_v2/threads/<id>/add_user/`
#[derive(Clone, Debug)]
pub struct AddUsers {
    /// Which group.
    pub thread_id: String,
    /// Their `pk`.
    pub users: Vec<String>,
}

/// `direct_v2/threads/<id>/remove_users/`: for admins. Known from the app's code only.
#[derive(Clone, Debug)]
pub struct RemoveUsers {
    /// Which group.
    pub thread_id: String,
    /// Their `pk`.
    pub users: Vec<String>,
}

/// `direct_v2/threads/<id>/add_admins/`: for admins. Known from the app's code only.
#[derive(Clone, Debug)]
pub struct AddAdmins {
    /// Which group.
    pub thread_id: String,
    /// Their `pk`.
    pub users: Vec<String>,
}

/// `direct_v2/threads/<id>/remove_admins/`: for admins. Known from the app's code only.
#[derive(Clone, Debug)]
pub struct RemoveAdmins {
    /// Which group.
    pub thread_id: String,
    /// Their `pk`.
    pub users: Vec<String>,
}

fn change(session: &Session, context: &Context, thread_id: &str, action: &str, users: &[String]) -> Request<Vec<u8>> {
    let users = json_array(users, true);
    let form = [("_uuid", session.device.uuid.as_str()), ("user_ids", &users)];
    request::post(session, context, &["direct_v2", "threads", thread_id, action], &form)
}

impl Endpoint for AddUsers {
    type Answer = ();
    const NAME: &'static str = "add_users";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        change(session, context, &self.thread_id, "add_user", &self.users)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for RemoveUsers {
    type Answer = ();
    const NAME: &'static str = "remove_users";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        change(session, context, &self.thread_id, "remove_users", &self.users)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for AddAdmins {
    type Answer = ();
    const NAME: &'static str = "add_admins";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        change(session, context, &self.thread_id, "add_admins", &self.users)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}

impl Endpoint for RemoveAdmins {
    type Answer = ();
    const NAME: &'static str = "remove_admins";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        change(session, context, &self.thread_id, "remove_admins", &self.users)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        read_done(response)
    }
}
