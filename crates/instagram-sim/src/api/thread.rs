//! How the account treats its threads: muted, unread, hidden, accepted, declined; what media they hold.

use axum::{
    extract::{Extension, Path, RawQuery, State},
    response::Response,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    App, Who,
    answer::failure,
    direct::{PAGE, count, done},
    form, ok,
};
use crate::{
    error::SimError,
    world::{World, group::Treatment, view},
};

/// The last part of an endpoint's path to what it does.
fn treatment(action: &str) -> Option<Treatment> {
    Some(match action {
        "mute" => Treatment::Mute(true),
        "unmute" => Treatment::Mute(false),
        "mute_video_call" => Treatment::MuteCalls(true),
        "unmute_video_call" => Treatment::MuteCalls(false),
        "mark_unread" => Treatment::MarkUnread,
        "hide" => Treatment::Hide,
        "approve" => Treatment::Approve,
        "decline" => Treatment::Decline,
        _ => return None,
    })
}

/// Endpoints that treat one thread.
pub(super) const ACTIONS: [&str; 8] =
    ["mute", "unmute", "mute_video_call", "unmute_video_call", "mark_unread", "hide", "approve", "decline"];

pub(super) async fn treat(
    State(shared): App,
    Extension(viewer): Who,
    uri: http::Uri,
    Path(id): Path<String>,
) -> Response {
    let action = uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    done(match treatment(action) {
        Some(treatment) => shared.act(|world| world.treat(&id, viewer.pk, treatment)),
        None => Err(SimError::Invalid("no such action".into())),
    })
}

pub(super) async fn approve_multiple(state: App, who: Who, body: String) -> Response {
    treat_all(&state, &who, &body, Treatment::Approve)
}

pub(super) async fn decline_multiple(state: App, who: Who, body: String) -> Response {
    treat_all(&state, &who, &body, Treatment::Decline)
}

fn treat_all(State(shared): &App, Extension(viewer): &Who, body: &str, treatment: Treatment) -> Response {
    let fields = form::fields(body);
    let ids = fields.get("thread_ids").map(|text| form::numbers(text)).unwrap_or_default();
    done(shared.act(|world| ids.iter().try_for_each(|id| world.treat(id, viewer.pk, treatment))))
}

pub(super) async fn decline_all(State(shared): App, Extension(viewer): Who) -> Response {
    done(shared.act(|world: &mut World| {
        let waits = world.threads.values().filter(|one| one.pending_for.contains(&viewer.pk));
        let ids: Vec<String> = waits.map(|thread| thread.id.clone()).collect();
        ids.iter().try_for_each(|id| world.treat(id, viewer.pk, Treatment::Decline))
    }))
}

/// Nothing is hidden as spam here.
pub(super) async fn spam_inbox() -> Response {
    ok(json!({ "inbox": { "threads": [], "has_older": false, "unseen_count": 0 }, "pending_requests_total": 0 }))
}

/// Items of the thread that hold media, newest first.
pub(super) async fn media(
    State(shared): App,
    Extension(viewer): Who,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = form::fields(&query.unwrap_or_default());
    let shares = fields.get("media_type").is_some_and(|kind| kind == "media_shares");
    let wanted: &[&str] = if shares { &["media_share", "clip"] } else { &["media", "raven_media"] };
    let before = fields.get("max_timestamp").and_then(|text| text.parse::<i64>().ok());
    let limit = count(&fields, "limit", PAGE);
    shared.look(|world| {
        let Ok(thread) = world.thread_of(&id, viewer.pk) else {
            return failure(StatusCode::NOT_FOUND, json!({ "message": "Thread does not exist" }));
        };
        let fits = thread.items.iter().rev().filter(|item| {
            !item.unsent
                && wanted.contains(&item.item_type.as_str())
                && before.is_none_or(|before| item.timestamp_us < before)
        });
        let mut items: Vec<Value> =
            fits.take(limit + 1).map(|item| json!(view::item(&world.cdn, thread, item, viewer.pk, false))).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        ok(json!({ "items": items, "more_available": more }))
    })
}
