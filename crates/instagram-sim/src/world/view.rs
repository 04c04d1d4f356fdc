//! Users, threads and inbox pages as JSON, in the shapes of section 7 of the protocol notes.

use serde_json::{Value, json};

use super::{
    Account, World,
    item::{Item, ItemView},
    thread::Thread,
};
use crate::{cdn::Cdn, picture};

/// A number, or a string where the account's options ask for it.
fn number(value: i64, as_string: bool) -> Value {
    if as_string { Value::from(value.to_string()) } else { Value::from(value) }
}

/// The signed address of an account's profile picture.
pub(crate) fn picture_url(world: &World, account: &Account) -> String {
    let path = format!("/v/t51.2885-19/{}_{}_n.png", account.pk, account.picture_version);
    let signature = picture::signature(&path);
    format!("{}{path}?_nc_ht=127.0.0.1&_nc_cat=1&oh={signature}&oe=7FFFFFFF", world.cdn.base)
}

/// The short form of a user, as threads carry it.
pub(crate) fn user(world: &World, account: &Account, string_ids: bool) -> Value {
    let pk = account.pk.to_string();
    json!({
        "pk": number(account.pk as i64, string_ids),
        "pk_id": pk,
        "id": pk,
        "strong_id__": pk,
        "username": account.username,
        "full_name": account.full_name,
        "is_private": false,
        "is_verified": false,
        "profile_pic_id": format!("{}_{}", account.picture_version, account.pk),
        "profile_pic_url": picture_url(world, account),
        "has_anonymous_profile_picture": false,
        "interop_user_type": 0,
        "account_badges": [],
    })
}

/// The long form of a user.
pub(crate) fn full_user(world: &World, account: &Account, string_ids: bool) -> Value {
    let mut value = user(world, account, string_ids);
    let more = json!({
        "biography": "",
        "external_url": "",
        "media_count": 0,
        "follower_count": 3,
        "following_count": 3,
        "account_type": 1,
        "is_business": false,
        "bio_links": [],
        "hd_profile_pic_url_info": { "url": picture_url(world, account), "width": 96, "height": 96 },
        "hd_profile_pic_versions": [],
        "allow_contacts_sync": true,
        "phone_number": "",
        "email": format!("{}@example.com", account.username),
        "gender": 3,
        "birthday": null,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more);
    }
    value
}

/// An item as one viewer sees it.
pub(crate) fn item<'a>(
    cdn: &'a Cdn,
    thread: &'a Thread,
    item: &'a Item,
    viewer: u64,
    string_ids: bool,
) -> ItemView<'a> {
    let replied = item.reply_to.as_deref().and_then(|id| thread.item(id));
    ItemView { item, replied, viewer, string_ids, cdn }
}

/// A thread with its newest `items` items, as one viewer sees it.
pub(crate) fn thread(world: &World, thread: &Thread, viewer: u64, items: usize) -> Value {
    thread_page(world, thread, viewer, None, items)
}

/// A thread with the page of items that are older than `before`, newest first.
pub(crate) fn thread_page(world: &World, thread: &Thread, viewer: u64, before: Option<&str>, limit: usize) -> Value {
    let string_ids = world.accounts.get(&viewer).is_some_and(|account| account.options.string_ids);
    let end = before.map_or(thread.items.len(), |id| thread.index.get(id).copied().unwrap_or(0));
    let visible = || thread.items.iter().take(end).rev().filter(|item| !item.unsent);
    let page: Vec<&Item> = visible().take(limit).collect();
    let has_older = visible().nth(limit).is_some();
    let shown: Vec<Value> = page
        .iter()
        .map(|one| serde_json::to_value(item(&world.cdn, thread, one, viewer, string_ids)).unwrap_or(Value::Null))
        .collect();
    let others = |pks: &[u64]| -> Vec<Value> {
        let known = pks.iter().filter(|pk| **pk != viewer).filter_map(|pk| world.accounts.get(pk));
        known.map(|account| user(world, account, string_ids)).collect()
    };
    let users = others(&thread.members);
    let title = thread.title.clone().unwrap_or_else(|| {
        let names: Vec<&str> = users.iter().filter_map(|user| user["full_name"].as_str()).collect();
        names.join(", ")
    });
    let seen: serde_json::Map<String, Value> = thread
        .seen
        .iter()
        .map(|(pk, (item_id, at))| {
            let one = json!({ "item_id": item_id, "timestamp": at.to_string(), "created_at": at.to_string() });
            (pk.to_string(), one)
        })
        .collect();
    let nickname = |(pk, name): (&u64, &String)| json!({ "igid": pk.to_string(), "nickname": name });
    let nicknames: Vec<Value> = thread.nicknames.iter().map(nickname).collect();
    let newest = page.first().map(|item| item.item_id.clone());
    let oldest = page.last().map(|item| item.item_id.clone());
    let unread = thread.unread_for.contains(&viewer)
        || thread.items.last().is_some_and(|last| {
            last.sender != viewer && thread.seen.get(&viewer).is_none_or(|(item_id, _)| *item_id != last.item_id)
        });
    let others_last = thread.items.iter().rev().find(|item| item.sender != viewer).map_or(0, |item| item.timestamp_us);
    let mut shown = json!({
        "thread_id": thread.id,
        "thread_v2_id": thread.v2_id,
        "users": users,
        "left_users": others(&thread.left),
        "inviter": world.accounts.get(&thread.inviter).map(|account| user(world, account, string_ids)),
        "admin_user_ids": thread.admins.iter().map(|pk| number(*pk as i64, string_ids)).collect::<Vec<_>>(),
        "items": shown,
        "last_permanent_item": shown.first().cloned().unwrap_or(Value::Null),
        "last_activity_at": number(thread.last_activity_us(), string_ids),
        "last_non_sender_item_at": number(others_last, string_ids),
        "muted": thread.muted_for.contains(&viewer),
        "vc_muted": thread.calls_muted_for.contains(&viewer),
        "mentions_muted": false,
        "is_pin": false,
        "named": thread.title.is_some(),
        "canonical": !thread.is_group,
        "pending": thread.pending_for.contains(&viewer),
        "archived": false,
        "thread_type": "private",
        "viewer_id": number(viewer as i64, string_ids),
        "thread_title": title,
        "folder": 0,
        "is_group": thread.is_group,
        "approval_required_for_new_members": thread.approval_required,
        "input_mode": 0,
        "business_thread_folder": 0,
        "read_state": i32::from(unread),
        "assigned_admin_id": 0,
        "shh_mode_enabled": thread.shh_mode,
        "is_close_friend_thread": false,
        "theme": null,
        "thread_image": thread_image(world, thread),
        "last_seen_at": seen,
        "has_older": has_older,
        "has_newer": before.is_some(),
        "oldest_cursor": oldest,
        "newest_cursor": newest,
        "next_cursor": oldest,
        "prev_cursor": newest,
        "is_spam": false,
        "valued_request": false,
    });
    shown["nicknames"] = Value::from(nicknames);
    shown
}

/// The picture of a group, or null.
pub(crate) fn thread_image(world: &World, thread: &Thread) -> Value {
    let Some(image) = &thread.image else { return Value::Null };
    let url = world.cdn.renewed(&image.url).unwrap_or_else(|| image.url.clone());
    json!({
        "id": image.id,
        "media_type": 1,
        "image_versions2": { "candidates": [{ "width": image.width, "height": image.height, "url": url }] },
        "original_width": image.width,
        "original_height": image.height,
    })
}

/// One page of the inbox, threads with the latest activity first. The cursor is the last thread's activity.
pub(crate) fn inbox(
    world: &World,
    viewer: &Account,
    cursor: Option<i64>,
    limit: usize,
    items: usize,
    pending: bool,
) -> Value {
    let mut threads: Vec<&Thread> = viewer
        .threads
        .iter()
        .filter_map(|id| world.threads.get(id))
        .filter(|thread| thread.pending_for.contains(&viewer.pk) == pending)
        .filter(|thread| !thread.hidden_for.contains(&viewer.pk))
        .filter(|thread| cursor.is_none_or(|before| thread.last_activity_us() < before))
        .collect();
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.last_activity_us()));
    let has_older = threads.len() > limit;
    threads.truncate(limit);
    let oldest = threads.last().map(|thread| thread.last_activity_us());
    let shown: Vec<Value> = threads.iter().map(|one| thread(world, one, viewer.pk, items)).collect();
    let unseen = shown.iter().filter(|thread| thread["read_state"] == 1).count();
    let mut inbox = json!({
        "threads": shown,
        "has_older": has_older,
        "unseen_count": unseen,
        "unseen_count_ts": viewer.queue.head(),
        "blended_inbox_enabled": true,
    });
    if has_older && let Some(oldest) = oldest {
        inbox["oldest_cursor"] = Value::from(oldest.to_string());
        inbox["next_cursor"] = json!({ "cursor_timestamp_seconds": oldest / 1_000_000, "cursor_thread_v2_id": 0 });
    }
    inbox
}
