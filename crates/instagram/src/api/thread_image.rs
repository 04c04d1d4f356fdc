//! The picture of a group.

use http::{Request, Response};
use serde_json::json;

use crate::error::ApiError;
use crate::number::Object;
use crate::session::Session;

use super::{Context, Endpoint, read_answer, request};

/// A GraphQL call of the app to `graphql_www`: name, stored query and root field are those of mautrix-meta (August
/// 2026), the names of the variables those of the app.
const UPDATE: request::Mutation = request::Mutation {
    name: "IGDirectUpdateThreadImageMutation",
    document: "5576567352987267181917649770",
    root_field: "xig_direct_update_thread_image",
};

/// Likewise. What its variables are called is an assumption: those of the other that it needs.
const REMOVE: request::Mutation = request::Mutation {
    name: "IGDirectRemoveThreadImageMutation",
    document: "50027745118339199321503686240",
    root_field: "xig_direct_remove_thread_image",
};

/// Sets the picture of a group to one that was uploaded as an image.
#[derive(Clone, Debug)]
pub struct SetThreadImage {
    /// The group, by the id that the web uses ([`Thread::thread_v2_id`](crate::thread::Thread::thread_v2_id)) where
    /// it is known: the app calls it `ig_thread_igid`. Which of the two ids Instagram wants is an assumption.
    pub thread_id: String,
    /// The upload's media id.
    pub attachment_fbid: String,
    /// The idempotency key, the same at every repetition.
    pub client_context: String,
}

/// Takes the picture of a group away.
#[derive(Clone, Debug)]
pub struct RemoveThreadImage {
    /// As of [`SetThreadImage`].
    pub thread_id: String,
    /// The idempotency key, the same at every repetition.
    pub client_context: String,
}

impl Endpoint for RemoveThreadImage {
    type Answer = ();
    const NAME: &'static str = "remove_thread_image";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let variables = json!({ "ig_thread_igid": self.thread_id, "offline_threading_id": self.client_context });
        request::post_mutation(session, context, &REMOVE, &variables)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        outcome(response, &REMOVE)
    }
}

impl Endpoint for SetThreadImage {
    type Answer = ();
    const NAME: &'static str = "set_thread_image";

    fn request(&self, session: &Session, context: &Context) -> Request<Vec<u8>> {
        let variables = json!({
            "ig_thread_igid": self.thread_id,
            "offline_threading_id": self.client_context,
            "attachment_fbid": self.attachment_fbid,
        });
        request::post_mutation(session, context, &UPDATE, &variables)
    }

    fn answer(response: &Response<Vec<u8>>) -> Result<(), ApiError> {
        outcome(response, &UPDATE)
    }
}

fn outcome(response: &Response<Vec<u8>>, mutation: &request::Mutation) -> Result<(), ApiError> {
    let refusal = read_answer(response, "the outcome", |body| {
        let error = body.objects("errors").into_iter().next();
        match error {
            Some(error) => Some(Some(refused(response, &error))),
            // The field's name may have a prefix: canonical naming.
            None => {
                let data = body.object("data")?;
                let done = data.fields().any(|(name, value)| name.contains(mutation.root_field) && value != "null");
                done.then_some(None)
            }
        }
    })?;
    refusal.map_or(Ok(()), Err)
}

fn refused(response: &Response<Vec<u8>>, error: &Object<'_>) -> ApiError {
    let message = error.text("summary").or_else(|| error.text("message"));
    ApiError::Refused {
        status: response.status().as_u16(),
        message: message.map(|message| message.chars().filter(|c| !c.is_control()).take(300).collect()),
        error_type: error.id("code"),
    }
}
