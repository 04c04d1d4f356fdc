//! From Instagram's patches to the bridge's events, and the form in which patches rest in the inbox.

use instagram::item::Item as WireItem;
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

/// A row for a patch, or none when a room has no use for it. The time is that of the item, in microseconds.
pub(super) fn row(login: &LoginId, seq_id: Option<i64>, index: usize, patch: Patch) -> Heard {
    let target = patch.target();
    let (thread, mut key) = match &target {
        Target::Item { thread, .. } | Target::InboxThread { thread } => {
            (thread.clone(), format!("{login}/{}/{index}/{}", seq_id.unwrap_or_default(), patch.path))
        }
        Target::Unknown => return Heard::Unknown,
        _ => return Heard::Ignored,
    };
    let (mut echo, mut at_us) = (None, 0);
    if let (Target::Item { item, .. }, Op::Add) = (&target, &patch.op) {
        // An item is added once, however often and by whichever way it is heard of.
        key = format!("{login}/add/{item}");
        if let Change::Item(_, item) = patch.decode() {
            at_us = item.timestamp_us.unwrap_or_default();
            echo = own_echo(login, &item);
        }
    }
    let payload = serde_json::to_string(&Payload { login: login.as_str().to_owned(), patch })
        .expect("strings and enums of strings always serialise");
    let lane = LaneKey::incoming(&ThreadId::new(thread));
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
        /// The item's time; 0 where there is none.
        at_us: i64,
    },
    /// Known, and nothing for a room.
    Ignored,
    /// Never seen before.
    Unknown,
}

/// A row for an item found over HTTP, the same as if it had been heard.
pub fn reconciled_row(login: &LoginId, thread: &ThreadId, raw_item: &str) -> Option<(NewRow, i64)> {
    let item = WireItem::from_json(raw_item)?;
    let path = format!("/direct_v2/threads/{thread}/items/{}", item.item_id);
    let patch = Patch { op: Op::Add, path, value: Some(raw_item.to_owned()) };
    match row(login, None, 0, patch) {
        Heard::Row { mut row, at_us } => {
            row.origin = Origin::Instagram { reconciled: true };
            Some((row, at_us))
        }
        Heard::Ignored | Heard::Unknown => None,
    }
}

fn own_echo(login: &LoginId, item: &WireItem) -> Option<Echo> {
    let context = item.client_context()?;
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
        Change::Item(Op::Add, item) => RemoteEventKind::Message(to_item(&item, patch.value.as_deref())),
        Change::Removed { item, .. } => RemoteEventKind::Removed(ItemId::new(item)),
        Change::Thread(Op::Remove, _) => RemoteEventKind::Ignored,
        Change::Thread(_, thread) => RemoteEventKind::ThreadChanged(Box::new(to_thread(&thread))),
        Change::Undecodable { reason } => RemoteEventKind::Undecodable { reason: reason.to_string() },
        _ => RemoteEventKind::Ignored,
    };
    Some((LoginId::new(login), RemoteEvent { thread, kind }))
}

pub(super) fn to_item(item: &WireItem, raw: Option<&str>) -> Item {
    Item {
        id: ItemId::new(&item.item_id),
        sender: item.user_id.as_deref().filter(|id| *id != "0").map(RemoteUserId::new),
        at: Timestamp(item.timestamp_us.unwrap_or_default() / 1000),
        client_context: item.client_context().map(ClientContext::new),
        reply_to: item.replied_to.as_ref().and_then(|quoted| {
            Some(ReplyTo {
                item: ItemId::new(quoted.item_id.clone()?),
                client_context: quoted.client_context.as_ref().map(ClientContext::new),
            })
        }),
        content: content(item, raw),
    }
}

fn content(item: &WireItem, raw: Option<&str>) -> ItemContent {
    if let Some(text) = item.plain_text() {
        let mentions = item.mentions.iter().map(RemoteUserId::new).collect();
        return ItemContent::Text { text: text.to_owned(), mentions };
    }
    match item.item_type.as_str() {
        "action_log" => ItemContent::Admin(item.admin_line()),
        "reaction_log" | "user_reaction" | "history_edit" | "deletion" | "title" | "type_max" | "test"
        | "deprecated_channel" => ItemContent::Admin(None),
        item_type => ItemContent::Unsupported {
            item_type: item_type.to_owned(),
            summary: item.summary(),
            text: item.best_text().into_iter().chain(item.best_link()).reduce(|text, link| format!("{text}\n{link}")),
            raw: raw.filter(|raw| raw.len() <= RAW_LIMIT).map(ToOwned::to_owned),
        },
    }
}

pub(super) fn to_thread(thread: &WireThread) -> RemoteThread {
    let mut items: Vec<Item> = thread.items.iter().map(|item| to_item(item, None)).collect();
    items.sort_by_key(|item| item.at);
    RemoteThread {
        id: ThreadId::new(&thread.thread_id),
        is_group: thread.is_group,
        pending: thread.pending,
        title: thread.title.clone().filter(|title| thread.named && !title.is_empty()),
        users: thread.users.iter().map(to_user).collect(),
        image: thread.image_url().map(|(id, url)| Picture { id, url }),
        items,
    }
}

pub(super) fn to_user(user: &WireUser) -> RemoteUser {
    RemoteUser {
        id: RemoteUserId::new(&user.pk),
        username: user.username.clone().unwrap_or_default(),
        full_name: user.full_name.clone().unwrap_or_default(),
        picture: user.picture().map(|(id, url)| Picture { id, url }),
    }
}
