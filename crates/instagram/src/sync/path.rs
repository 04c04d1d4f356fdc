//! What the path of a patch points at.

/// A place in the account's state.
///
/// Thread and item ids are opaque: digits today, `[A-Za-z0-9_]+` by the rules of the peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// One message.
    Item {
        /// Where.
        thread: &'a str,
        /// Which.
        item: &'a str,
    },
    /// One person's reaction to one message.
    Reaction {
        /// Where.
        thread: &'a str,
        /// The message.
        item: &'a str,
        /// With an emoji or the old heart.
        kind: ReactionKind<'a>,
        /// Who reacted.
        user: &'a str,
    },
    /// Some other part of one message.
    ItemOther {
        /// Where.
        thread: &'a str,
        /// The message.
        item: &'a str,
        /// Which part.
        rest: &'a str,
    },
    /// How far one person has read.
    Seen {
        /// Where.
        thread: &'a str,
        /// The reader.
        user: &'a str,
    },
    /// The picture of a group.
    ThreadImage {
        /// Where.
        thread: &'a str,
    },
    /// Whether one person may administrate.
    Admin {
        /// Where.
        thread: &'a str,
        /// Who.
        user: &'a str,
    },
    /// Whether joining needs an admin.
    ApprovalRequired {
        /// Where.
        thread: &'a str,
    },
    /// Whether what is written disappears once it is read.
    VanishMode {
        /// Where.
        thread: &'a str,
    },
    /// Somebody is writing.
    Typing {
        /// Where.
        thread: &'a str,
        /// Tells repeated deliveries apart.
        indicator: &'a str,
    },
    /// The thread as a whole.
    InboxThread {
        /// Which.
        thread: &'a str,
    },
    /// Some other part of one thread; nothing a chat needs, as far as known.
    ThreadOther {
        /// Where.
        thread: &'a str,
        /// Which part; empty for the bare thread path.
        rest: &'a str,
    },
    /// Something about a person or the account: blocks, presence, settings.
    User {
        /// The path below `/users` or `/accounts`.
        rest: &'a str,
    },
    /// Something else about the inbox, such as the number of unseen threads.
    Inbox {
        /// The path below `/direct_v2/inbox`.
        rest: &'a str,
    },
    /// Not a path of any known form.
    Unknown,
}

/// The two lists of reactions that a message has, and any third.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReactionKind<'a> {
    /// With an emoji.
    Emoji,
    /// A heart that names no emoji.
    Like,
    /// Not known.
    Other(&'a str),
}

impl<'a> Target<'a> {
    /// Reads a path. Never fails: see [`Target::Unknown`].
    pub fn parse(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix('/') else { return Self::Unknown };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(rest) = rest.strip_prefix("direct_v2/threads/") {
            return Self::in_thread(rest);
        }
        if let Some(thread) = rest.strip_prefix("direct_v2/inbox/threads/") {
            return match thread.split_once('/') {
                None if is_id(thread) => Self::InboxThread { thread },
                Some((thread, rest)) if is_id(thread) => Self::ThreadOther { thread, rest },
                _ => Self::Unknown,
            };
        }
        if let Some(rest) = rest.strip_prefix("direct_v2/inbox/") {
            return Self::Inbox { rest };
        }
        match rest.strip_prefix("users/").or_else(|| rest.strip_prefix("accounts/")) {
            Some(rest) => Self::User { rest },
            None => Self::Unknown,
        }
    }

    fn in_thread(path: &'a str) -> Self {
        let (thread, rest) = path.split_once('/').unwrap_or((path, ""));
        if !is_id(thread) {
            return Self::Unknown;
        }
        let mut parts = [""; 6];
        let mut count = 0;
        for part in rest.split('/') {
            if let Some(slot) = parts.get_mut(count) {
                *slot = part;
            }
            count += 1;
        }
        let parts = parts.get(..count).unwrap_or_default();
        match *parts {
            ["items", item] if is_id(item) => Self::Item { thread, item },
            ["items", item, "reactions", kind, user] if is_id(item) && is_id(user) => {
                let kind = match kind {
                    "emojis" => ReactionKind::Emoji,
                    "likes" => ReactionKind::Like,
                    other => ReactionKind::Other(other),
                };
                Self::Reaction { thread, item, kind, user }
            }
            ["items", item, ..] if is_id(item) => {
                let rest = rest.splitn(3, '/').nth(2).unwrap_or_default();
                Self::ItemOther { thread, item, rest }
            }
            ["participants", user, "has_seen"] if is_id(user) => Self::Seen { thread, user },
            ["thread_image"] => Self::ThreadImage { thread },
            ["admin_user_ids", user] if is_id(user) => Self::Admin { thread, user },
            ["approval_required_for_new_members"] => Self::ApprovalRequired { thread },
            ["shh_mode_enabled"] => Self::VanishMode { thread },
            ["activity_indicator_id", indicator] => Self::Typing { thread, indicator },
            _ => Self::ThreadOther { thread, rest },
        }
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
