//! What happens on Instagram, as the bridge sees it: one closed enum, so that every `match` lists the kinds.

mod content;

use std::collections::BTreeMap;

use super::ids::{ClientContext, ItemId, RemoteUserId, ThreadId, Timestamp};

pub use content::{Aim, Attachment, AttachmentKind, Fleeting, ItemContent, Place, Preview, RawItem, Rich};

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
    /// An item is different now: its text, its reactions, its media.
    Changed(Item),
    /// An item was unsent.
    Removed(ItemId),
    /// Somebody reacted to an item, or took that back.
    Reaction {
        /// To what.
        item: ItemId,
        /// Who.
        sender: RemoteUserId,
        /// With what; none: taken back.
        emoji: Option<String>,
        /// What the request that did it was called.
        context: Option<ClientContext>,
        /// When.
        at: Timestamp,
    },
    /// Somebody has read up to an item.
    Seen {
        /// Who.
        reader: RemoteUserId,
        /// The last one read.
        item: Option<ItemId>,
        /// Its time.
        at: Timestamp,
    },
    /// A thread's title, members or picture changed, or a thread is new.
    ThreadChanged(Box<RemoteThread>),
    /// The thread is gone from this login's inbox: deleted, or the login is in it no more.
    ThreadRemoved,
    /// A group has another picture, or none.
    Image(Option<Picture>),
    /// Somebody was made an admin of a group, or is none any more.
    Admin {
        /// Who.
        user: RemoteUserId,
        /// Made.
        granted: bool,
    },
    /// Whether an admin has to let new members in.
    ApprovalRequired(bool),
    /// Whether what is written disappears once it is read.
    VanishMode(bool),
    /// All history that was asked for is there; how far each member has read: the time of the last message.
    HistoryEnd(Vec<(RemoteUserId, Timestamp)>),
    /// The chat was not heard of for a while: it is to be looked at as a whole.
    Reconciled,
    /// Known, and of no consequence for a room (themes, calls' states).
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
    /// The usernames of who is mentioned in the words, as they stand there.
    pub mentioned_names: Vec<String>,
    /// Instagram's item type.
    pub kind: String,
    /// Everybody's reactions, when the item speaks of them.
    pub reactions: Option<Vec<ItemReaction>>,
    /// Disappears once it is read.
    pub vanishing: bool,
}

/// One person's reaction to an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ItemReaction {
    /// Whose.
    pub sender: RemoteUserId,
    /// With what.
    pub emoji: String,
    /// What the request that set it was called.
    pub context: Option<ClientContext>,
    /// When; zero if that is not known.
    pub at: Timestamp,
}

/// Names an earlier item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyTo {
    /// Instagram's id.
    pub item: ItemId,
    /// Its client context, when the quote carried one.
    pub client_context: Option<ClientContext>,
}

/// A thread as far as a room shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct RemoteThread {
    /// Opaque id.
    pub id: ThreadId,
    /// More than two people, or made as a group.
    pub is_group: bool,
    /// A message request that the user has not accepted; none when nothing is said of it.
    pub pending: Option<bool>,
    /// Title given by people; none when Instagram makes one up, or when nothing is said of it.
    pub title: Option<String>,
    /// It is said that people gave it none.
    pub is_untitled: bool,
    /// The other members.
    pub users: Vec<RemoteUser>,
    /// Group picture: stable id and where to fetch it.
    pub image: Option<Picture>,
    /// Latest items, oldest first.
    pub items: Vec<Item>,
    /// Members who may administrate; none when nothing is said of them.
    pub admins: Option<Vec<RemoteUserId>>,
    /// How far each member has read: the time of the last message.
    pub seen: Vec<(RemoteUserId, Timestamp)>,
    /// What members are called in this chat; none when nothing is said of it.
    pub nicknames: Option<BTreeMap<RemoteUserId, String>>,
    /// The login has read everything and marked the thread as unread all the same; none when nothing is said of it.
    pub marked_unread: Option<bool>,
    /// What is written now disappears once it is read; none when nothing is said of it.
    pub vanish_mode: Option<bool>,
    /// An admin has to let new members in; none when nothing is said of it.
    pub approval_required: Option<bool>,
}

impl RemoteThread {
    /// A direct chat of which nothing more is known.
    pub fn direct(id: ThreadId, users: Vec<RemoteUser>) -> Self {
        Self {
            id,
            is_group: false,
            pending: None,
            title: None,
            is_untitled: false,
            users,
            image: None,
            items: Vec::new(),
            admins: None,
            seen: Vec::new(),
            nicknames: None,
            marked_unread: None,
            vanish_mode: None,
            approval_required: None,
        }
    }
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
