//! From Instagram's patches to the bridge's events, and the form in which patches rest in the inbox.

use instagram::item::{Item as WireItem, Kind};
use instagram::sync::{Change, Op, Patch, Target};
use instagram::thread::{Thread as WireThread, User as WireUser};
use serde::{Deserialize, Serialize};

use crate::domain::event::{
    Item, ItemContent, Picture, RemoteEvent, RemoteEventKind, RemoteThread, RemoteUser, ReplyTo,
};
use crate::domain::ids::{ClientContext, ItemId, LaneKey, LoginId, RemoteUserId, ThreadId, Timestamp};
use crate::domain::record::{Echo, NewRow, Origin};

/// Raw items larger than this are not kept in an event.
const RAW_LIMIT: usize = 16_000;

/// What rests in the inbox: the patch as received, and who heard it.
#[derive(Serialize, Deserialize)]
struct Payload {
    login: String,
    patch: Patch,
}

/// What becomes of a patch that was heard.
pub(super) fn row(login: &LoginId, seq_id: Option<i64>, index: usize, patch: Patch) -> Heard {
    let (thread, mut key) = match patch.target() {
        Target::Item { thread, .. } | Target::InboxThread { thread } => {
            (ThreadId::new(thread), format!("{login}/{}/{index}/{}", seq_id.unwrap_or_default(), patch.path))
        }
        Target::Unknown => return Heard::Unknown,
        _ => return Heard::Ignored,
    };
    let (mut echo, mut at_us) = (None, 0);
    if patch.op == Op::Add
        && let Change::Item { item, .. } = patch.decode()
    {
        // An item is added once, however often and by whichever way it is heard of.
        key = format!("{login}/add/{}", item.item_id);
        at_us = item.timestamp_us.unwrap_or_default();
        echo = own_echo(login, &item);
    }
    let payload = serde_json::to_string(&Payload { login: login.as_str().to_owned(), patch })
        .expect("strings and enums of strings always serialise");
    let lane = LaneKey::incoming(&thread);
    Heard::Row {
        row: NewRow { lane, origin: Origin::Instagram { reconciled: false }, dedup_key: key, payload, echo },
        at_us,
    }
}

/// What became of a patch.
pub(super) enum Heard {
    /// A room may show it.
    Row {
        /// For the inbox.
        row: NewRow,
        /// The item's time in microseconds; 0 where there is none.
        at_us: i64,
    },
    /// Known, and nothing for a room.
    Ignored,
    /// Never seen before.
    Unknown,
}

/// A row for an item found over HTTP, the same as if it had been heard, and its time in microseconds.
pub(super) fn reconciled_row(login: &LoginId, thread: &ThreadId, item: &WireItem) -> Option<(NewRow, i64)> {
    let path = format!("/direct_v2/threads/{thread}/items/{}", item.item_id);
    match row(login, None, 0, Patch { op: Op::Add, path, value: item.raw.clone() }) {
        Heard::Row { mut row, at_us } => {
            row.origin = Origin::Instagram { reconciled: true };
            Some((row, at_us))
        }
        Heard::Ignored | Heard::Unknown => None,
    }
}

fn own_echo(login: &LoginId, item: &WireItem) -> Option<Echo> {
    let context = *item.client_contexts().first()?;
    (item.user_id.as_deref() == Some(login.as_str()))
        .then(|| Echo { client_context: ClientContext::new(context), item: ItemId::new(&item.item_id) })
}

/// Reads a row's payload. What cannot be understood is an event too.
pub fn decode(payload: &str) -> Option<(LoginId, RemoteEvent)> {
    let Payload { login, patch } = serde_json::from_str(payload).ok()?;
    let thread = match patch.target() {
        Target::Item { thread, .. } | Target::InboxThread { thread } => ThreadId::new(thread),
        _ => return None,
    };
    let kind = match patch.decode() {
        Change::Item { item, replaced: false, .. } => RemoteEventKind::Message(to_item(&item)),
        Change::ItemRemoved { item_id, .. } => RemoteEventKind::Removed(ItemId::new(item_id)),
        Change::Thread(thread) => RemoteEventKind::ThreadChanged(Box::new(to_thread(&thread))),
        Change::Undecodable { reason } => RemoteEventKind::Undecodable { reason: reason.to_owned() },
        _ => RemoteEventKind::Ignored,
    };
    Some((LoginId::new(login), RemoteEvent { thread, kind }))
}

fn to_item(item: &WireItem) -> Item {
    Item {
        id: ItemId::new(&item.item_id),
        sender: item.user_id.as_deref().map(RemoteUserId::new),
        at: Timestamp(item.timestamp_us.unwrap_or_default() / 1000),
        client_context: item.client_contexts().first().map(|context| ClientContext::new(*context)),
        reply_to: item.replied_to.as_ref().map(|quoted| ReplyTo {
            item: ItemId::new(&quoted.item_id),
            client_context: quoted.client_context.as_ref().map(ClientContext::new),
        }),
        content: content(item),
    }
}

fn content(item: &WireItem) -> ItemContent {
    match item.kind() {
        Kind::Text => ItemContent::Text {
            text: item.body().unwrap_or_default().to_owned(),
            mentions: item.mentioned_user_ids.iter().map(RemoteUserId::new).collect(),
        },
        Kind::Action => ItemContent::Admin(item.action.clone()),
        Kind::Internal => ItemContent::Admin(None),
        Kind::Other => ItemContent::Unsupported {
            item_type: item.item_type.clone(),
            summary: item.summary(),
            text: item.best_text().into_iter().chain(item.best_link()).reduce(|text, link| format!("{text}\n{link}")),
            raw: item.raw.clone().filter(|raw| raw.len() <= RAW_LIMIT),
        },
    }
}

pub(super) fn to_thread(thread: &WireThread) -> RemoteThread {
    let mut items: Vec<Item> = thread.items.iter().map(to_item).collect();
    items.sort_by_key(|item| item.at);
    RemoteThread {
        id: ThreadId::new(&thread.thread_id),
        is_group: thread.is_group(),
        pending: thread.pending,
        title: thread.title.clone().filter(|title| thread.named && !title.is_empty()),
        users: thread.users.iter().map(to_user).collect(),
        image: thread
            .image
            .as_ref()
            .map(|image| Picture { id: image.id.clone().unwrap_or_default(), url: image.url.clone() }),
        items,
    }
}

pub(super) fn to_user(user: &WireUser) -> RemoteUser {
    let picture = user.picture_key().zip(user.profile_pic_url.as_ref());
    RemoteUser {
        id: RemoteUserId::new(&user.pk),
        username: user.username.clone(),
        full_name: user.full_name.clone(),
        picture: picture.map(|(id, url)| Picture { id: id.to_owned(), url: url.clone() }),
    }
}
