//! From Instagram's patches to the bridge's events, and the form in which patches rest in the inbox.

mod content;

use instagram::item::{Item as WireItem, Media};
use instagram::sync::{Change, Op, Patch, Target};
use instagram::thread::{Image, Thread as WireThread, User as WireUser};
use serde::{Deserialize, Serialize};

use crate::domain::event::{
    Attachment, AttachmentKind, Item, ItemReaction, Picture, RemoteEvent, RemoteEventKind, RemoteThread, RemoteUser,
    ReplyTo,
};
use crate::domain::ids::{ClientContext, ItemId, LaneKey, LoginId, RemoteUserId, ThreadId, Timestamp, without_nul};
use crate::domain::record::{Echo, NewRow, Origin};

/// Our own path for the end of a piece of history.
const HISTORY_END: &str = "puppetgram_history_end";

/// Our own path for a thread that was not heard of for a while.
const RECONCILED: &str = "puppetgram_reconciled";

/// What rests in the inbox: the patch as received, who heard it, and which request caused it.
#[derive(Serialize, Deserialize)]
struct Payload {
    login: String,
    patch: Patch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// Where a patch stood in the account's queue.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    /// Number of the envelope.
    pub(super) seq_id: Option<i64>,
    /// Position in it.
    pub(super) index: usize,
    /// Client context of the request that caused it.
    pub(super) cause: Option<&'a str>,
}

/// What becomes of a patch that was heard.
pub(super) fn row(login: &LoginId, place: Place<'_>, patch: Patch) -> Heard {
    let Some(thread) = thread_of(&patch) else {
        return if patch.target() == Target::Unknown { Heard::Unknown } else { Heard::Ignored };
    };
    let mut key = format!("{login}/{}/{}/{}", place.seq_id.unwrap_or_default(), place.index, patch.path);
    let (mut echo, mut at_us) = (None, 0);
    if patch.op == Op::Add
        && let Change::Item { item, .. } = patch.decode()
    {
        // An item is added once, however often and by whichever way it is heard of.
        key = format!("{login}/add/{}", item.item_id);
        at_us = item.timestamp_us.unwrap_or_default();
        echo = own_echo(login, &item);
    }
    let payload = payload(login, patch, place.cause);
    let lane = LaneKey::incoming(&thread);
    Heard::Row {
        row: NewRow { lane, origin: Origin::Instagram { reconciled: false }, dedup_key: key, payload, echo },
        at_us,
    }
}

fn payload(login: &LoginId, patch: Patch, cause: Option<&str>) -> String {
    let payload = Payload { login: login.as_str().to_owned(), patch, cause: cause.map(str::to_owned) };
    serde_json::to_string(&payload).expect("strings and enums of strings always serialise")
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
    match row(login, Place::default(), Patch { op: Op::Add, path, value: item.raw.clone() }) {
        Heard::Row { mut row, at_us } => {
            row.origin = Origin::Instagram { reconciled: true };
            Some((row, at_us))
        }
        Heard::Ignored | Heard::Unknown => None,
    }
}

/// The rows of the items that a thread object brings along, oldest first, and their times in microseconds: a message
/// request or a new chat may be heard of in no other way. What is older than `since` is history, except in a request.
pub(super) fn rows_of_thread(login: &LoginId, patch: &Patch, since: Timestamp) -> Vec<(NewRow, i64)> {
    let Target::InboxThread { .. } = patch.target() else { return Vec::new() };
    let Change::Thread(thread) = patch.decode() else { return Vec::new() };
    let id = ThreadId::new(&thread.thread_id);
    let is_news = |item: &&WireItem| item.timestamp_us.is_some_and(|at| at / 1000 > since.0);
    let mut items: Vec<_> = thread.items.iter().filter(|item| thread.pending == Some(true) || is_news(item)).collect();
    items.sort_by_key(|item| item.timestamp_us);
    let rows = items.into_iter().filter_map(|item| reconciled_row(login, &id, item));
    rows.map(|(row, at_us)| (NewRow { origin: Origin::Instagram { reconciled: false }, ..row }, at_us)).collect()
}

/// The keys of the rows of an item of history.
pub fn history_keys(login: &LoginId, item: &ItemId) -> [String; 2] {
    ["history", "history reactions"].map(|kind| history_key(login, kind, item.as_str()))
}

fn history_key(login: &LoginId, kind: &str, item: &str) -> String {
    format!("{login}/{kind}/{item}")
}

/// The rows of an item of history: the item, and the reactions it has by now. Newest first, as pages are.
pub(super) fn history_rows(login: &LoginId, thread: &ThreadId, item: &WireItem) -> Vec<NewRow> {
    let path = format!("/direct_v2/threads/{thread}/items/{}", item.item_id);
    let patch = |op| Patch { op, path: path.clone(), value: item.raw.clone() };
    let mut rows = Vec::new();
    if item.reactions.as_ref().is_some_and(|reactions| !reactions.is_empty())
        && let Heard::Row { mut row, .. } = row(login, Place::default(), patch(Op::Replace))
    {
        row.dedup_key = history_key(login, "history reactions", &item.item_id);
        rows.push(row);
    }
    if let Heard::Row { mut row, .. } = row(login, Place::default(), patch(Op::Add)) {
        // Not the key of a live message: one that came when there was no room for it left nothing behind but its key.
        row.dedup_key = history_key(login, "history", &item.item_id);
        rows.push(row);
    }
    for row in &mut rows {
        row.origin = Origin::History;
        row.echo = None;
    }
    rows
}

/// The row that ends a piece of history, with how far everybody has read.
pub(super) fn history_end(login: &LoginId, thread: &WireThread, key: &str) -> NewRow {
    let seen: Vec<_> = thread.last_seen.iter().map(|seen| (&seen.user_id, seen.timestamp_us)).collect();
    let value = serde_json::to_string(&seen).expect("ids and numbers serialise");
    let path = format!("/direct_v2/threads/{}/{HISTORY_END}", thread.thread_id);
    let patch = Patch { op: Op::Replace, path, value: Some(value) };
    NewRow {
        lane: LaneKey::incoming(&ThreadId::new(&thread.thread_id)),
        origin: Origin::History,
        dedup_key: format!("{login}/history end/{}/{key}", thread.thread_id),
        payload: payload(login, patch, None),
        echo: None,
    }
}

/// Reads what [`history_end`] has written.
fn read_history_end(value: Option<&str>) -> RemoteEventKind {
    let seen: Vec<(String, Option<i64>)> = value.and_then(|value| serde_json::from_str(value).ok()).unwrap_or_default();
    let seen = seen.into_iter().filter_map(|(user, at)| Some((RemoteUserId::new(user), Timestamp(at? / 1000))));
    RemoteEventKind::HistoryEnd(seen.collect())
}

/// The row that has a chat looked at as a whole, after what it said while nobody heard it; the time is that of the look.
pub(super) fn reconciled_thread(login: &LoginId, thread: &str, at_ms: i64) -> NewRow {
    let path = format!("/direct_v2/threads/{thread}/{RECONCILED}");
    NewRow {
        lane: LaneKey::incoming(&ThreadId::new(thread)),
        origin: Origin::Instagram { reconciled: true },
        dedup_key: format!("{login}/reconciled/{thread}/{at_ms}"),
        payload: payload(login, Patch { op: Op::Replace, path, value: None }, None),
        echo: None,
    }
}

fn own_echo(login: &LoginId, item: &WireItem) -> Option<Echo> {
    let context = *item.client_contexts().first()?;
    (item.user_id.as_deref() == Some(login.as_str()))
        .then(|| Echo { client_context: ClientContext::new(context), item: ItemId::new(&item.item_id) })
}

/// Reads a row's payload. What cannot be understood is an event too.
pub fn decode(payload: &str) -> Option<(LoginId, RemoteEvent)> {
    let Payload { login, patch, cause } = serde_json::from_str(payload).ok()?;
    let own = match patch.target() {
        Target::ThreadOther { thread, rest: HISTORY_END } => Some((thread, read_history_end(patch.value.as_deref()))),
        Target::ThreadOther { thread, rest: RECONCILED } => Some((thread, RemoteEventKind::Reconciled)),
        _ => None,
    };
    if let Some((thread, kind)) = own {
        return Some((LoginId::new(login), RemoteEvent { thread: ThreadId::new(thread), kind }));
    }
    let thread = thread_of(&patch)?;
    let at = |us: Option<i64>| Timestamp(us.unwrap_or_default() / 1000);
    let kind = match patch.decode() {
        Change::Item { item, replaced: false, .. } => RemoteEventKind::Message(to_item(&item)),
        Change::Item { item, replaced: true, .. } => RemoteEventKind::Changed(to_item(&item)),
        Change::ItemRemoved { item_id, .. } => RemoteEventKind::Removed(ItemId::new(item_id)),
        Change::Reaction { item_id, user_id, emoji, timestamp_us, client_context, .. } => RemoteEventKind::Reaction {
            item: ItemId::new(item_id),
            sender: RemoteUserId::new(user_id),
            emoji: emoji.map(|emoji| plain_emoji(&emoji)),
            context: client_context.or(cause).map(ClientContext::new),
            at: at(timestamp_us),
        },
        Change::Seen { user_id, item_id, timestamp_us, .. } => RemoteEventKind::Seen {
            reader: RemoteUserId::new(user_id),
            item: item_id.map(ItemId::new),
            at: at(timestamp_us),
        },
        Change::Thread(thread) => RemoteEventKind::ThreadChanged(Box::new(to_thread(&thread))),
        Change::ThreadRemoved { .. } => RemoteEventKind::ThreadRemoved,
        Change::ThreadImage { image, .. } => RemoteEventKind::Image(image.as_ref().map(to_picture)),
        Change::Admin { user_id, granted, .. } => RemoteEventKind::Admin { user: RemoteUserId::new(user_id), granted },
        Change::ApprovalRequired { required, .. } => RemoteEventKind::ApprovalRequired(required),
        Change::VanishMode { on, .. } => RemoteEventKind::VanishMode(on),
        Change::Undecodable { reason } => RemoteEventKind::Undecodable { reason: reason.to_owned() },
        Change::Typing { .. } | Change::Ignored => RemoteEventKind::Ignored,
    };
    Some((LoginId::new(login), RemoteEvent { thread, kind }))
}

/// The thread of a patch that a room may show something of.
fn thread_of(patch: &Patch) -> Option<ThreadId> {
    match patch.target() {
        Target::Item { thread, .. }
        | Target::InboxThread { thread }
        | Target::Reaction { thread, .. }
        | Target::Seen { thread, .. }
        | Target::ThreadImage { thread }
        | Target::Admin { thread, .. }
        | Target::ApprovalRequired { thread }
        | Target::VanishMode { thread } => Some(ThreadId::new(thread)),
        Target::ItemOther { .. }
        | Target::Typing { .. }
        | Target::ThreadOther { .. }
        | Target::User { .. }
        | Target::Inbox { .. }
        | Target::Unknown => None,
    }
}

/// An emoji as the database takes it: PostgreSQL stores no NUL.
fn plain_emoji(emoji: &str) -> String {
    without_nul(emoji.to_owned()).chars().take(64).collect()
}

pub(super) fn to_item(item: &WireItem) -> Item {
    Item {
        id: ItemId::new(&item.item_id),
        sender: item.user_id.as_deref().map(RemoteUserId::new),
        at: Timestamp(item.timestamp_us.unwrap_or_default() / 1000),
        client_context: item.client_contexts().first().map(|context| ClientContext::new(*context)),
        reply_to: item.replied_to.as_ref().map(|quoted| ReplyTo {
            item: ItemId::new(&quoted.item_id),
            client_context: quoted.client_context.as_ref().map(ClientContext::new),
        }),
        content: content::of(item),
        mentioned_names: item.mentioned_names(),
        kind: without_nul(item.item_type.clone()),
        reactions: item.reactions.as_ref().map(|reactions| reactions.iter().map(to_reaction).collect()),
        vanishing: item.vanish_mode,
    }
}

fn to_reaction(reaction: &instagram::item::Reaction) -> ItemReaction {
    ItemReaction {
        sender: RemoteUserId::new(&reaction.sender_id),
        emoji: plain_emoji(&reaction.emoji),
        context: reaction.client_context.as_ref().map(ClientContext::new),
        at: Timestamp(reaction.timestamp_us.unwrap_or_default() / 1000),
    }
}

pub(super) fn to_thread(thread: &WireThread) -> RemoteThread {
    let mut items: Vec<Item> = thread.items.iter().map(to_item).collect();
    items.sort_by_key(|item| item.at);
    RemoteThread {
        id: ThreadId::new(&thread.thread_id),
        is_group: thread.is_group(),
        pending: thread.pending,
        title: thread.title.clone().map(without_nul).filter(|title| thread.named == Some(true) && !title.is_empty()),
        is_untitled: thread.named == Some(false),
        users: thread.users.iter().map(to_user).collect(),
        image: thread.image.as_ref().map(to_picture),
        items,
        admins: thread.admin_user_ids.as_ref().map(|admins| admins.iter().map(RemoteUserId::new).collect()),
        seen: thread
            .last_seen
            .iter()
            .filter_map(|seen| Some((RemoteUserId::new(&seen.user_id), Timestamp(seen.timestamp_us? / 1000))))
            .collect(),
        nicknames: thread.nicknames.as_ref().map(|all| all.iter().map(to_nickname).collect()),
        marked_unread: marked_unread(thread),
        vanish_mode: thread.vanish_mode,
        approval_required: thread.approval_required,
    }
}

/// A name as the database takes it: PostgreSQL stores no NUL.
fn to_nickname((id, name): &(String, String)) -> (RemoteUserId, String) {
    (RemoteUserId::new(id), without_nul(name.clone()).chars().take(200).collect())
}

/// A thread is unread because of its last item, or because the account says so after reading that.
fn marked_unread(thread: &WireThread) -> Option<bool> {
    let viewer = thread.viewer_id.as_ref()?;
    let own = thread.last_seen.iter().find(|seen| seen.user_id == *viewer)?;
    let newest = thread.items.iter().max_by_key(|item| item.timestamp_us)?;
    let is_read = own.item_id.as_ref() == Some(&newest.item_id) || newest.user_id.as_ref() == Some(viewer);
    is_read.then_some(thread.unread?)
}

fn to_picture(image: &Image) -> Picture {
    Picture { id: without_nul(image.id.clone().unwrap_or_default()), url: image.url.clone() }
}

pub(super) fn to_user(user: &WireUser) -> RemoteUser {
    let picture = user.picture_key().zip(user.profile_pic_url.as_ref());
    RemoteUser {
        id: RemoteUserId::new(&user.pk),
        username: without_nul(user.username.clone()),
        full_name: without_nul(user.full_name.clone()),
        picture: picture.map(|(id, url)| Picture { id: without_nul(id.to_owned()), url: url.clone() }),
    }
}

/// The video of a reel, from its media object.
pub(super) fn clip(media: &str) -> Option<Attachment> {
    let video = content::attachment(&Media::decode(media)?);
    (video.kind == AttachmentKind::Video && !video.urls.is_empty()).then_some(video)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nul_comes_through_to_the_database() {
        let item = r#"{"item_id":"1","user_id":"7\u0000","item_type":"te\u0000xt","client_context":"9\u0000",
            "timestamp":1,"text":"a\u0000b","replied_to_message":{"item_id":"3\u0000","client_context":"4\u0000"},
            "reactions":{"emojis":[{"sender_id":"5\u0000","emoji":"\u0000x"}]}}"#;
        let patch =
            Patch { op: Op::Add, path: "/direct_v2/threads/8/items/1".to_owned(), value: Some(item.to_owned()) };
        let (login, event) = decode(&payload(&LoginId::new("6\0"), patch, None)).unwrap();
        let RemoteEventKind::Message(item) = &event.kind else { panic!("{event:?}") };
        let reaction = &item.reactions.as_ref().unwrap()[0];
        let reply = item.reply_to.as_ref().unwrap();
        let ids =
            [login.as_str(), event.thread.as_str(), item.id.as_str(), reply.item.as_str(), reaction.sender.as_str()];
        assert_eq!(ids, ["6", "8", "1", "3", "5"]);
        let contexts = [&item.client_context, &reply.client_context].map(|one| one.as_ref().unwrap().as_str());
        assert_eq!(contexts, ["9", "4"]);
        assert_eq!((item.kind.as_str(), reaction.emoji.as_str()), ("text", "x"));
    }

    fn keys(thread: &str, since: Timestamp) -> Vec<String> {
        let path = "/direct_v2/inbox/threads/7".to_owned();
        let patch = Patch { op: Op::Add, path, value: Some(thread.to_owned()) };
        let rows = rows_of_thread(&LoginId::new("1"), &patch, since).into_iter();
        rows.map(|(row, _)| row.dedup_key).collect()
    }

    #[test]
    fn a_thread_brings_along_what_was_said_since_the_login() {
        let items = r#"[{"item_id":"30","user_id":2,"timestamp":3000000,"item_type":"text","text":"c"},
            {"item_id":"20","user_id":2,"timestamp":2000000,"item_type":"text","text":"b"},
            {"item_id":"10","user_id":2,"timestamp":1000000,"item_type":"text","text":"a"}]"#;
        let thread = format!(r#"{{"thread_id":"7","items":{items}}}"#);
        assert_eq!(keys(&thread, Timestamp(1500)), ["1/add/20", "1/add/30"]);
        let request = format!(r#"{{"thread_id":"7","pending":true,"items":{items}}}"#);
        assert_eq!(keys(&request, Timestamp(1500)), ["1/add/10", "1/add/20", "1/add/30"]);
    }
}
