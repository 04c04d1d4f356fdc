//! Groups over HTTP: made, named, pictured; members and admins.

use std::collections::HashMap;

use axum::{
    extract::{Extension, Path, State},
    response::Response,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    App, Who,
    answer::{failure, refused},
    direct::{PAGE, done},
    form, ok,
};
use crate::{
    error::SimError,
    probe::probe,
    world::{World, thread::ThreadImage, view},
};

pub(super) async fn create(State(shared): App, Extension(viewer): Who, body: String) -> Response {
    let fields = form::fields(&body);
    let mut members = vec![viewer.pk];
    members.extend(users(&fields, "recipient_users"));
    if members.len() < 3 {
        return failure(StatusCode::BAD_REQUEST, json!({ "message": "A group needs at least two other people." }));
    }
    let title = fields.get("thread_title").map(String::as_str).filter(|title| !title.is_empty());
    // The same client context again is the same group again.
    let key = fields.get("client_context").map(|context| ("create_group_thread".to_owned(), context.clone()));
    shared.act(|world| {
        let known = key.as_ref().and_then(|key| world.accounts.get(&viewer.pk)?.sent.get(key).cloned());
        let made = match known {
            Some(id) => Ok(id),
            None => make(world, &members, title, key),
        };
        match made.and_then(|id| world.thread(&id).map(|thread| view::thread(world, thread, viewer.pk, PAGE))) {
            Ok(thread) => ok(thread),
            Err(error) => refused(&error),
        }
    })
}

fn make(
    world: &mut World,
    members: &[u64],
    title: Option<&str>,
    key: Option<(String, String)>,
) -> Result<String, SimError> {
    let id = world.create_thread(members, title)?;
    if let Some((key, first)) = key.zip(members.first()) {
        world.account_mut(*first)?.sent.insert(key, id.clone());
    }
    world.announce_thread(&id, "add")?;
    Ok(id)
}

fn users(fields: &HashMap<String, String>, name: &str) -> Vec<u64> {
    let listed = fields.get(name).map(|text| form::numbers(text)).unwrap_or_default();
    listed.iter().filter_map(|text| text.parse().ok()).collect()
}

pub(super) async fn update_title(
    State(shared): App,
    Extension(viewer): Who,
    Path(id): Path<String>,
    body: String,
) -> Response {
    let title = form::fields(&body).remove("title").unwrap_or_default();
    done(shared.act(|world| {
        world.thread_of(&id, viewer.pk)?;
        world.rename_thread(&id, viewer.pk, &title)
    }))
}

pub(super) async fn leave(State(shared): App, Extension(viewer): Who, Path(id): Path<String>) -> Response {
    done(shared.act(|world| world.remove_member(&id, viewer.pk, viewer.pk)))
}

/// Endpoints that change who is in a group or rules it, by `user_ids`.
pub(super) const ACTIONS: [&str; 5] =
    ["add_user", "remove_users", "add_admins", "remove_admins", "approve_participant_requests"];

pub(super) async fn change(
    State(shared): App,
    Extension(viewer): Who,
    uri: http::Uri,
    Path(id): Path<String>,
    body: String,
) -> Response {
    let action = uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let users = users(&form::fields(&body), "user_ids");
    if users.is_empty() {
        return failure(StatusCode::BAD_REQUEST, json!({ "message": "user_ids is needed" }));
    }
    let by = viewer.pk;
    let result = shared.act(|world| {
        let thread = world.thread_of(&id, by)?;
        if !thread.is_group {
            return Err(SimError::Invalid("the thread is not a group".into()));
        }
        if action != "add_user" && !thread.admins.contains(&by) {
            return Err(SimError::Forbidden("only admins can do this"));
        }
        users.iter().try_for_each(|pk| match action.as_str() {
            "add_user" => world.ask_to_add(&id, by, *pk),
            "remove_users" => world.remove_member(&id, by, *pk),
            "approve_participant_requests" => world.approve_member(&id, by, *pk),
            other => world.set_admin(&id, by, *pk, other == "add_admins"),
        })
    });
    match result {
        Ok(()) => shared.look(|world| match world.thread(&id) {
            Ok(thread) => ok(json!({ "thread": view::thread(world, thread, by, 1) })),
            Err(error) => refused(&error),
        }),
        Err(error) => refused(&error),
    }
}

/// The app's GraphQL, of which only the picture of a group is known here: `client_doc_id` and `variables`.
pub(super) async fn graphql(State(shared): App, Extension(viewer): Who, body: String) -> Response {
    let fields = form::fields(&body);
    let name = fields.get("fb_api_req_friendly_name").map(String::as_str).unwrap_or_default();
    let document = fields.get("client_doc_id").map(String::as_str).unwrap_or_default();
    let removes = name == "IGDirectRemoveThreadImageMutation" || document == "50027745118339199321503686240";
    let updates = name == "IGDirectUpdateThreadImageMutation" || document == "5576567352987267181917649770";
    let root = if removes { "xig_direct_remove_thread_image" } else { "xig_direct_update_thread_image" };
    if !removes && !updates {
        return graphql_error("this document is not known");
    }
    let variables = fields.get("variables").map(String::as_str).unwrap_or_default();
    let ids = form::numbers(variables);
    let result = shared.act(|world| {
        // Which of a thread's two ids is wanted is not known; the names of the variables neither.
        let named = world.threads.values().find(|one| ids.contains(&one.id) || ids.contains(&one.v2_id));
        let id = named.map(|one| one.id.clone()).ok_or_else(|| SimError::UnknownThread(String::new()))?;
        world.thread_of(&id, viewer.pk)?;
        let image = if removes { None } else { Some(image(world, viewer.pk, &ids)?) };
        world.set_image(&id, viewer.pk, image)
    });
    match result {
        Ok(()) => ok(json!({ "data": { format!("1${root}(input:$input)"): { "__typename": "XFBIGDirectThread" } } })),
        Err(error) => graphql_error(&error.to_string()),
    }
}

/// GraphQL tells of errors in an answer of status 200.
fn graphql_error(summary: &str) -> Response {
    let error = json!({ "message": "A server error occurred", "summary": summary, "code": 1_675_030 });
    ok(json!({ "data": Value::Null, "errors": [error] }))
}

fn image(world: &mut World, pk: u64, ids: &[String]) -> Result<ThreadImage, SimError> {
    let found = ids.iter().find_map(|id| {
        let (kind, content, mime) = world.uploads.media(pk, id)?;
        (kind == "messenger_image").then(|| (id.parse().unwrap_or(0), content.clone(), mime.to_owned()))
    });
    let (id, content, mime) =
        found.ok_or_else(|| SimError::Invalid("attachment_fbid is no uploaded picture".into()))?;
    let told = probe(&content.read(0, crate::cdn::content::CHUNK));
    let url = world.cdn.add_address(content, &mime);
    Ok(ThreadImage { id, url, width: told.width, height: told.height })
}
