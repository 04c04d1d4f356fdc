//! Direct messages over HTTP: inbox, threads and what is done to them.

use std::collections::HashMap;

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
use crate::{
    clock,
    error::SimError,
    fault::Stage,
    world::{World, view},
};

pub(super) const PAGE: usize = 20;

pub(super) fn count(fields: &HashMap<String, String>, name: &str, default: usize) -> usize {
    fields.get(name).and_then(|text| text.parse().ok()).unwrap_or(default).clamp(1, 200)
}

pub(super) fn done(result: Result<(), SimError>) -> Response {
    match result {
        Ok(()) => ok(json!({})),
        Err(error) => refused(&error),
    }
}

pub(super) async fn inbox(State(shared): App, Extension(viewer): Who, RawQuery(query): RawQuery) -> Response {
    inbox_page(&shared, viewer.pk, &query.unwrap_or_default(), false)
}

pub(super) async fn pending_inbox(State(shared): App, Extension(viewer): Who, RawQuery(query): RawQuery) -> Response {
    inbox_page(&shared, viewer.pk, &query.unwrap_or_default(), true)
}

fn inbox_page(shared: &crate::shared::Shared, pk: u64, query: &str, pending: bool) -> Response {
    let fields = form::fields(query);
    let cursor = fields.get("cursor").and_then(|text| text.parse().ok());
    let (limit, items) = (count(&fields, "limit", PAGE), count(&fields, "thread_message_limit", 10));
    shared.look(|world| {
        let Ok(account) = world.account(pk) else { return refused(&SimError::UnknownAccount(pk)) };
        let requests = account.threads.iter().filter_map(|id| world.threads.get(id));
        let requests = requests.filter(|thread| thread.waits_for(pk)).count();
        ok(json!({
            "viewer": view::user(world, account, account.options.string_ids),
            "inbox": view::inbox(world, account, cursor, limit, items, pending),
            "seq_id": account.queue.head(),
            "snapshot_at_ms": clock::now_us() / 1000,
            "pending_requests_total": requests,
            "has_pending_top_requests": false,
            "most_recent_inviter": null,
        }))
    })
}

pub(super) async fn pending_preview(State(shared): App, Extension(viewer): Who) -> Response {
    let total = shared.look(|world| world.threads.values().filter(|one| one.waits_for(viewer.pk)).count());
    ok(json!({ "pending_requests_total": total, "unread_pending_requests": total }))
}

pub(super) async fn presence() -> Response {
    ok(json!({ "user_presence": {} }))
}

pub(super) async fn has_interop_upgraded() -> Response {
    ok(json!({ "has_interop_upgraded": true }))
}

pub(super) async fn by_participants(State(shared): App, Extension(viewer): Who, RawQuery(query): RawQuery) -> Response {
    let fields = form::fields(&query.unwrap_or_default());
    let mut members = vec![viewer.pk];
    let listed = fields.get("recipient_users").map(|text| form::numbers(text)).unwrap_or_default();
    members.extend(listed.iter().filter_map(|text| text.parse::<u64>().ok()));
    shared.look(|world| match world.direct_thread(&members).and_then(|id| world.threads.get(&id)) {
        Some(thread) => ok(json!({ "thread": view::thread(world, thread, viewer.pk, count(&fields, "limit", PAGE)) })),
        None => {
            let known = members.iter().filter(|pk| **pk != viewer.pk).filter_map(|pk| world.accounts.get(pk));
            let users: Vec<Value> = known.map(|account| view::user(world, account, false)).collect();
            ok(json!({ "thread": null, "users": users }))
        }
    })
}

pub(super) async fn thread(
    State(shared): App,
    Extension(viewer): Who,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = form::fields(&query.unwrap_or_default());
    let cursor = fields.get("cursor").map(String::as_str).filter(|cursor| !cursor.is_empty());
    // However many are asked for, no more come.
    let limit = count(&fields, "limit", PAGE).min(PAGE);
    shared.look(|world| {
        let Ok(thread) = world.thread_of(&id, viewer.pk) else {
            return failure(StatusCode::NOT_FOUND, json!({ "message": "Thread does not exist" }));
        };
        let mut page = view::thread_page(world, thread, viewer.pk, cursor, limit);
        if page["has_older"] == false && world.take_fault(viewer.pk, Stage::Page, &id).is_some() {
            repeat_first(world, &id, viewer.pk, &mut page);
        }
        ok(json!({ "thread": page }))
    })
}

/// The end of a thread as it sometimes is: the first item again, and the promise of more.
fn repeat_first(world: &World, id: &str, viewer: u64, page: &mut Value) {
    let Some(first) = world.threads.get(id).and_then(|thread| thread.items.iter().find(|item| !item.unsent)) else {
        return;
    };
    let Some(thread) = world.threads.get(id) else { return };
    if page["items"].as_array().is_none_or(Vec::is_empty) {
        page["items"] = json!([view::item(&world.cdn, thread, first, viewer, false)]);
    }
    page["has_older"] = json!(true);
    page["oldest_cursor"] = json!(first.item_id);
    page["next_cursor"] = json!(first.item_id);
}

pub(super) async fn delete_item(
    State(shared): App,
    Extension(viewer): Who,
    Path((id, item)): Path<(String, String)>,
) -> Response {
    done(shared.act(|world| {
        world.thread_of(&id, viewer.pk)?;
        world.unsend(viewer.pk, &id, &item)
    }))
}

pub(super) async fn edit_item(
    State(shared): App,
    Extension(viewer): Who,
    Path((id, item)): Path<(String, String)>,
    body: String,
) -> Response {
    let text = form::fields(&body).remove("body").unwrap_or_default();
    done(shared.act(|world| {
        world.thread_of(&id, viewer.pk)?;
        world.edit(viewer.pk, &id, &item, &text)
    }))
}

pub(super) async fn seen(
    State(shared): App,
    Extension(viewer): Who,
    Path((id, item)): Path<(String, String)>,
) -> Response {
    done(shared.act(|world| world.mark_seen(viewer.pk, &id, &item)))
}
