//! What happens on Instagram, as the bridge sees it: one closed enum, so that every `match` lists the kinds.

use super::ids::{ClientContext, ItemId, RemoteUserId, ThreadId, Timestamp};

/// Something that happened in a thread.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoteEvent {
    /// Where.
    pub thread: ThreadId,
    /// What.
    pub kind: RemoteEventKind,
}

/// The kinds of events. What the bridge does not understand is a value too.
#[derive(Clone, PartialEq, Debug)]
pub enum RemoteEventKind {
    /// A new item.
    Message(Item),
    /// An item was unsent.
    Removed(ItemId),
    /// A thread's title, members or picture changed, or a thread is new.
    ThreadChanged(Box<RemoteThread>),
    /// Known, and of no consequence for a room (seen states, typing, themes).
    Ignored,
    /// Could not be understood; the raw text stays in the row.
    Undecodable {
        /// What was wrong, without any content.
        reason: String,
    },
}

/// One entry of a thread.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// Instagram's id.
    pub id: ItemId,
    /// Who wrote it; none for system items.
    pub sender: Option<RemoteUserId>,
    /// Original time.
    pub at: Timestamp,
    /// The sender's dedup token.
    pub client_context: Option<ClientContext>,
    /// The item this one answers.
    pub reply_to: Option<ReplyTo>,
    /// What it says.
    pub content: ItemContent,
}

/// Names an earlier item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyTo {
    /// Instagram's id.
    pub item: ItemId,
    /// Its client context, when the quote carried one.
    pub client_context: Option<ClientContext>,
}

/// What an item says.
#[derive(Clone, PartialEq, Debug)]
pub enum ItemContent {
    /// Plain text, possibly empty, with mentioned users.
    Text {
        /// Byte for byte.
        text: String,
        /// Users mentioned in it.
        mentions: Vec<RemoteUserId>,
    },
    /// An item the bridge cannot show yet.
    Unsupported {
        /// Instagram's `item_type`.
        item_type: String,
        /// A sentence in plain words: what it was.
        summary: String,
        /// The best text or link that came with it.
        text: Option<String>,
        /// The raw item, size-capped JSON.
        raw: Option<String>,
    },
    /// Instagram's own line about the group ("Bob named the group Friends."), or nothing worth showing.
    Admin(Option<String>),
}

/// A thread as far as a room shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoteThread {
    /// Opaque id.
    pub id: ThreadId,
    /// More than two people, or made as a group.
    pub is_group: bool,
    /// A message request that the user has not accepted.
    pub pending: bool,
    /// Title given by people; none when Instagram makes one up.
    pub title: Option<String>,
    /// The other members.
    pub users: Vec<RemoteUser>,
    /// Group picture: stable id and where to fetch it.
    pub image: Option<Picture>,
    /// Latest items, oldest first.
    pub items: Vec<Item>,
}

/// An Instagram user as far as a ghost shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoteUser {
    /// Opaque id.
    pub id: RemoteUserId,
    /// Handle without `@`.
    pub username: String,
    /// Display name; may be empty.
    pub full_name: String,
    /// Profile picture, unless it is the anonymous one.
    pub picture: Option<Picture>,
}

/// A picture on Instagram's media hosts.
#[derive(Clone, PartialEq, Debug)]
pub struct Picture {
    /// Stable across fetches, unlike the address.
    pub id: String,
    /// Signed address; expires.
    pub url: String,
}
