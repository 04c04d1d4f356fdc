//! What a patch means.

use crate::item::{HEART, Item};
use crate::number::{Object, flag};
use crate::thread::{Image, Thread};

use super::{Op, Patch, ReactionKind, Target};

/// A change of a chat, understood as far as it can be.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// A message is there or has changed. A repeated delivery looks the same.
    Item {
        /// Where.
        thread_id: String,
        /// `true`: an existing message has changed, and this is its whole new state.
        replaced: bool,
        /// The message.
        item: Box<Item>,
    },
    /// A message was unsent. Nobody says by whom.
    ItemRemoved {
        /// Where.
        thread_id: String,
        /// Which.
        item_id: String,
    },
    /// A person's reaction to a message, or its end.
    Reaction {
        /// Where.
        thread_id: String,
        /// The message.
        item_id: String,
        /// Who reacted.
        user_id: String,
        /// `None`: the reaction was taken back.
        emoji: Option<String>,
        /// Microseconds.
        timestamp_us: Option<i64>,
        /// The reaction's own idempotency key.
        client_context: Option<String>,
    },
    /// A person has read up to an item.
    Seen {
        /// Where.
        thread_id: String,
        /// The reader; may be the account itself, on another device.
        user_id: String,
        /// The last item read.
        item_id: Option<String>,
        /// Microseconds.
        timestamp_us: Option<i64>,
    },
    /// A person writes or stops.
    Typing {
        /// Where.
        thread_id: String,
        /// Who.
        user_id: String,
        /// `false`: stopped.
        active: bool,
        /// Microseconds.
        timestamp_us: Option<i64>,
        /// How long it lasts.
        ttl_ms: Option<i64>,
    },
    /// A whole thread: new, renamed, with other members, read elsewhere.
    Thread(Box<Thread>),
    /// A thread left this account's inbox.
    ThreadRemoved {
        /// Which.
        thread_id: String,
    },
    /// A group's picture.
    ThreadImage {
        /// Where.
        thread_id: String,
        /// `None`: there is no picture now.
        image: Option<Image>,
    },
    /// An admin was made or unmade.
    Admin {
        /// Where.
        thread_id: String,
        /// Who.
        user_id: String,
        /// `false`: no longer.
        granted: bool,
    },
    /// Whether joining needs an admin.
    ApprovalRequired {
        /// Where.
        thread_id: String,
        /// The new rule.
        required: bool,
    },
    /// Whether what is written disappears once it is read.
    VanishMode {
        /// Where.
        thread_id: String,
        /// The new rule.
        on: bool,
    },
    /// Known, or of a known family, and of no interest to a chat.
    Ignored,
    /// It speaks of a chat and cannot be understood.
    Undecodable {
        /// Why, without any content.
        reason: &'static str,
    },
}

impl Patch {
    /// Says what it means. Never fails: see [`Change::Undecodable`].
    pub fn decode(&self) -> Change {
        let undecodable = |reason| Change::Undecodable { reason };
        let removed = self.op == Op::Remove;
        if self.path.is_empty() {
            return undecodable("not a patch");
        }
        let target = self.target();
        if matches!(self.op, Op::Other(_)) {
            return if target.is_conversation() { undecodable("unknown operation") } else { Change::Ignored };
        }
        let value = self.value.as_deref().unwrap_or("null");
        let object = Object::parse(value);
        match target {
            Target::Item { thread, item } if removed => {
                Change::ItemRemoved { thread_id: thread.to_owned(), item_id: item.to_owned() }
            }
            Target::Item { thread, item } => {
                let Some(object) = object else { return undecodable("the item is not an object") };
                let Some(item) = Item::from_object(&object, Some(item)) else {
                    return undecodable("an item without id");
                };
                let replaced = self.op == Op::Replace;
                Change::Item { thread_id: thread.to_owned(), replaced, item: Box::new(item) }
            }
            Target::Reaction { kind: ReactionKind::Other(_), .. } => Change::Ignored,
            Target::Reaction { thread, item, kind, user } => {
                let field = |key| object.as_ref().and_then(|object| object.text(key));
                let emoji = field("emoji").or_else(|| (kind == ReactionKind::Like).then(|| HEART.to_owned()));
                if emoji.is_none() && !removed {
                    return undecodable("a reaction without emoji");
                }
                Change::Reaction {
                    thread_id: thread.to_owned(),
                    item_id: item.to_owned(),
                    user_id: user.to_owned(),
                    emoji: emoji.filter(|_| !removed),
                    timestamp_us: object.as_ref().and_then(|object| object.integer("timestamp")),
                    client_context: object.as_ref().and_then(|object| object.id("client_context")),
                }
            }
            Target::Seen { thread, user } => {
                let Some(object) = object.filter(|_| !removed) else { return Change::Ignored };
                Change::Seen {
                    thread_id: thread.to_owned(),
                    user_id: user.to_owned(),
                    item_id: object.id("item_id"),
                    timestamp_us: object.integer("timestamp"),
                }
            }
            Target::Typing { thread, .. } => {
                let sender = object.as_ref().and_then(|object| object.id("sender_id"));
                let (Some(object), Some(user_id)) = (object, sender) else { return Change::Ignored };
                Change::Typing {
                    thread_id: thread.to_owned(),
                    user_id,
                    active: !removed && object.integer("activity_status").is_some_and(|status| status != 0),
                    timestamp_us: object.integer("timestamp"),
                    ttl_ms: object.integer("ttl"),
                }
            }
            Target::InboxThread { thread } if removed => Change::ThreadRemoved { thread_id: thread.to_owned() },
            Target::InboxThread { thread } => {
                match object.and_then(|object| Thread::from_object(&object, Some(thread))) {
                    Some(thread) => Change::Thread(Box::new(thread)),
                    None => undecodable("the thread is not an object"),
                }
            }
            Target::ThreadImage { thread } => {
                let image = object.and_then(|object| {
                    let inner = object.object("thread_image");
                    Image::from_object(inner.as_ref().unwrap_or(&object))
                });
                Change::ThreadImage { thread_id: thread.to_owned(), image: image.filter(|_| !removed) }
            }
            Target::Admin { thread, user } => {
                Change::Admin { thread_id: thread.to_owned(), user_id: user.to_owned(), granted: !removed }
            }
            Target::ApprovalRequired { thread } => match flag(value) {
                Some(required) if !removed => Change::ApprovalRequired { thread_id: thread.to_owned(), required },
                _ => Change::Ignored,
            },
            // Either the flag itself or an object that holds it: the shape is not known for certain.
            Target::VanishMode { thread } => {
                let inner = object.as_ref().and_then(|object| object.maybe_flag("shh_mode_enabled"));
                match inner.or_else(|| flag(value)) {
                    Some(on) if !removed => Change::VanishMode { thread_id: thread.to_owned(), on },
                    _ => Change::Ignored,
                }
            }
            Target::ItemOther { .. }
            | Target::ThreadOther { .. }
            | Target::User { .. }
            | Target::Inbox { .. }
            | Target::Unknown => Change::Ignored,
        }
    }
}

impl Target<'_> {
    /// What is said there must not be lost silently.
    fn is_conversation(&self) -> bool {
        matches!(self, Target::Item { .. } | Target::InboxThread { .. } | Target::Reaction { .. })
    }
}
