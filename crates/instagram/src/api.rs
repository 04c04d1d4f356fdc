//! HTTP endpoints as values: each knows its request and how to read its answer, and nothing of sockets.
//!
//! One file per endpoint or per group of like ones below `api/`; `api/request.rs` has what all requests share.

mod broadcast;
mod broadcast_attachment;
mod broadcast_text;
mod clip_item;
mod create_group;
mod current_user;
mod inbox;
mod item;
mod logout;
mod members;
mod pending_inbox;
mod react;
mod request;
mod search;
mod thread;
mod thread_by_participants;
mod thread_image;
mod thread_state;
mod upload;
mod user_info;

use http::{Request, Response};
use url::Url;

use crate::error::ApiError;
use crate::number::Object;
use crate::session::Session;

pub use broadcast::{ReplyTo, Sent};
pub use broadcast_attachment::{AttachmentKind, BroadcastAttachment};
pub use broadcast_text::{BroadcastText, BroadcastTextToUsers};
pub use clip_item::ClipItem;
pub use create_group::CreateGroup;
pub use current_user::CurrentUser;
pub use inbox::{Inbox, InboxPage};
pub use item::{EditText, MarkSeen, Unsend};
pub use logout::Logout;
pub use members::{AddAdmins, AddUsers, RemoveAdmins, RemoveUsers};
pub use pending_inbox::{PendingInbox, SpamInbox};
pub use react::React;
pub use search::{RankedRecipients, SearchUsers, UserByName};
pub use thread::GetThread;
pub use thread_by_participants::ThreadByParticipants;
pub use thread_image::{RemoveThreadImage, SetThreadImage};
pub use thread_state::{ApproveThread, DeclineThread, HideThread, LeaveThread, MarkUnread, Mute, RenameThread};
pub use upload::{Upload, UploadKind};
pub use user_info::UserInfo;

/// One kind of request with its answer.
pub trait Endpoint {
    /// What a success says.
    type Answer;

    /// For logs and metrics; no parameters.
    const NAME: &'static str;

    /// The whole request. A pure function: repeated, it is the same request.
    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>>;

    /// Reads the answer; refusals are decided by [`ApiError::classify`].
    fn answer(response: &Response<Vec<u8>>) -> Result<Self::Answer, ApiError>;
}

/// What a request needs besides the session.
#[derive(Clone, Debug)]
pub struct Context {
    /// Such as `https://i.instagram.com/`; the endpoints are below `api/v1/`.
    pub api_url: Url,
    /// The time of the request.
    pub now_ms: i64,
    /// Randomness for the ids that the app draws anew for each request.
    pub nonce: [u8; 16],
}

/// Reads a success; `read` says what is missing when it cannot.
fn read_answer<T>(
    response: &Response<Vec<u8>>,
    missing: &'static str,
    read: impl FnOnce(&Object<'_>) -> Option<T>,
) -> Result<T, ApiError> {
    if let Some(error) = ApiError::classify(response.status(), response.headers(), response.body()) {
        return Err(error);
    }
    let body = String::from_utf8_lossy(response.body());
    Object::parse(&body).as_ref().and_then(read).ok_or(ApiError::Malformed { missing })
}

/// Reads a success that says nothing more.
fn read_done(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
    read_answer(response, "an object", |_| Some(()))
}

/// Reads a user object in a field of the answer.
fn read_user(response: &Response<Vec<u8>>) -> Result<crate::thread::User, ApiError> {
    read_answer(response, "the user", |body| crate::thread::User::from_object(&body.object("user")?))
}
