//! Accounts and users: who am I, who is that, log out.

use axum::{
    extract::{Extension, Path, RawQuery, State},
    response::Response,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    App, Who,
    answer::{failure, refused},
    form, ok,
};
use crate::world::{item::Renewed, view};

pub(super) async fn current_user(State(shared): App, Extension(viewer): Who) -> Response {
    shared.look(|world| match world.account(viewer.pk) {
        Ok(account) => ok(json!({ "user": view::full_user(world, account, account.options.string_ids) })),
        Err(error) => refused(&error),
    })
}

pub(super) async fn logout(State(shared): App, Extension(viewer): Who) -> Response {
    shared.act(|world| world.end_session(&viewer.session));
    ok(json!({ "login_nonce": null }))
}

pub(super) async fn info(State(shared): App, Extension(viewer): Who, Path(user): Path<String>) -> Response {
    user_answer(&shared, viewer.pk, user.parse().ok())
}

pub(super) async fn info_by_name(State(shared): App, Extension(viewer): Who, Path(name): Path<String>) -> Response {
    let pk = shared.look(|world| world.names.get(&name).copied());
    user_answer(&shared, viewer.pk, pk)
}

fn user_answer(shared: &crate::shared::Shared, viewer: u64, pk: Option<u64>) -> Response {
    shared.look(|world| {
        let string_ids = world.account(viewer).is_ok_and(|account| account.options.string_ids);
        match pk.and_then(|pk| world.accounts.get(&pk)) {
            Some(account) => ok(json!({ "user": view::full_user(world, account, string_ids) })),
            None => failure(StatusCode::NOT_FOUND, json!({ "message": "User not found" })),
        }
    })
}

pub(super) async fn search(State(shared): App, Extension(viewer): Who, RawQuery(query): RawQuery) -> Response {
    let fields = form::fields(&query.unwrap_or_default());
    let wanted = fields.get("query").or_else(|| fields.get("q")).map(|text| text.to_lowercase()).unwrap_or_default();
    shared.look(|world| {
        let string_ids = world.account(viewer.pk).is_ok_and(|account| account.options.string_ids);
        let mut found: Vec<_> =
            world.accounts.values().filter(|account| account.username.to_lowercase().contains(&wanted)).collect();
        found.sort_by_key(|account| account.pk);
        let users: Vec<Value> = found.iter().take(30).map(|account| view::user(world, account, string_ids)).collect();
        ok(json!({ "num_results": users.len(), "users": users, "has_more": false }))
    })
}

/// Feature switches; a client only wants an answer.
pub(super) async fn launcher_sync() -> Response {
    ok(json!({ "configs": {} }))
}

/// A shared reel by its number, alone or with its owner's.
pub(super) async fn clip(State(shared): App, RawQuery(query): RawQuery) -> Response {
    let fields = form::fields(&query.unwrap_or_default());
    let wanted = fields.get("clips_media_id").and_then(|id| id.split('_').next()).unwrap_or_default();
    shared.look(|world| match world.posts.get(wanted) {
        Some(media) => ok(json!({ "media": Renewed { value: media, cdn: &world.cdn } })),
        None => failure(StatusCode::NOT_FOUND, json!({ "message": "Media not found or unavailable" })),
    })
}
