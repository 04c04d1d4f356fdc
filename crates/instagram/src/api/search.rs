//! People found by a name or a part of one.

use http::{Request, Response};

use crate::error::ApiError;
use crate::number::Object;
use crate::session::Session;
use crate::thread::User;

use super::{Context, Endpoint, read_answer, read_user, request};

/// `users/search/`: among everybody.
#[derive(Clone)]
pub struct SearchUsers {
    /// A handle, a name, or the beginning of one.
    pub query: String,
}

/// `direct_v2/ranked_recipients/`: those one may write to, the likeliest first. Without a query, the usual ones.
#[derive(Clone)]
pub struct RankedRecipients {
    /// A handle, a name, or the beginning of one.
    pub query: String,
}

/// `users/<handle>/usernameinfo/`
#[derive(Clone)]
pub struct UserByName {
    /// The exact handle, without `@`.
    pub username: String,
}

// What somebody looks for is private.

impl std::fmt::Debug for SearchUsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchUsers")
    }
}

impl std::fmt::Debug for RankedRecipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RankedRecipients")
    }
}

impl std::fmt::Debug for UserByName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserByName")
    }
}

impl Endpoint for SearchUsers {
    type Answer = Vec<User>;
    const NAME: &'static str = "search_users";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        request::get(session, context, &["users", "search"], &[("query", &self.query), ("count", "30")])
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<Vec<User>, ApiError> {
        read_answer(response, "the users", |body| {
            body.raw("users")?;
            Some(body.objects("users").iter().filter_map(User::from_object).collect())
        })
    }
}

impl Endpoint for RankedRecipients {
    type Answer = Vec<User>;
    const NAME: &'static str = "ranked_recipients";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let query = [
            ("max_ai_bot_results", "0"),
            ("max_ig_bus_results", "10"),
            ("mode", "universal"),
            ("show_threads", "true"),
            ("query", &self.query),
            ("max_ig_results", "10"),
            ("max_ibc_results", "20"),
            ("max_fb_results", "0"),
        ];
        request::get(session, context, &["direct_v2", "ranked_recipients"], &query)
    }

    /// People stand there themselves or through the thread with them; groups are passed over.
    fn answer(response: &Response<Vec<u8>>) -> Result<Vec<User>, ApiError> {
        read_answer(response, "the recipients", |body| {
            body.raw("ranked_recipients")?;
            let mut users: Vec<User> = Vec::new();
            for user in body.objects("ranked_recipients").iter().filter_map(recipient) {
                if users.iter().all(|known| known.pk != user.pk) {
                    users.push(user);
                }
            }
            Some(users)
        })
    }
}

fn recipient(entry: &Object<'_>) -> Option<User> {
    if let Some(user) = entry.object("user") {
        return User::from_object(&user);
    }
    let thread = entry.object("thread").filter(|thread| !thread.flag("is_group"))?;
    match thread.objects("users").as_slice() {
        [user] => User::from_object(user),
        _ => None,
    }
}

impl Endpoint for UserByName {
    type Answer = User;
    const NAME: &'static str = "user_by_name";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        request::get(session, context, &["users", &self.username, "usernameinfo"], &[])
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<User, ApiError> {
        read_user(response)
    }
}
