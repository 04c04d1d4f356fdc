//! Whom one can write to.

use axum::{
    extract::{Extension, RawQuery, State},
    response::Response,
};
use serde_json::{Value, json};

use super::{App, Who, form, ok};
use crate::world::view;

/// People and groups whose names contain the query.
pub(super) async fn ranked(State(shared): App, Extension(viewer): Who, RawQuery(query): RawQuery) -> Response {
    let fields = form::fields(&query.unwrap_or_default());
    let wanted = fields.get("query").map(|text| text.to_lowercase()).unwrap_or_default();
    let with_threads = fields.get("show_threads").is_some_and(|text| text == "true");
    shared.look(|world| {
        let mut others: Vec<_> = world.accounts.values().filter(|account| account.pk != viewer.pk).collect();
        others.sort_by_key(|account| account.pk);
        let fits = |text: &str| text.to_lowercase().contains(&wanted);
        let people = others.into_iter().filter(|account| fits(&account.username) || fits(&account.full_name));
        let mut list: Vec<Value> =
            people.take(10).map(|account| json!({ "user": view::user(world, account, false) })).collect();
        if with_threads {
            let mut groups: Vec<_> = world
                .threads
                .values()
                .filter(|thread| thread.is_group && thread.members.contains(&viewer.pk))
                .filter(|thread| thread.title.as_deref().is_some_and(fits))
                .collect();
            groups.sort_by_key(|thread| std::cmp::Reverse(thread.last_activity_us()));
            list.extend(groups.iter().map(|thread| json!({ "thread": view::thread(world, thread, viewer.pk, 0) })));
        }
        ok(json!({ "ranked_recipients": list, "expires": 3600, "filtered": false, "rank_token": "1" }))
    })
}
