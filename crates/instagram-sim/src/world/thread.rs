//! One thread, as the simulator keeps it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::item::Item;

/// The picture of a group.
#[derive(Debug, Clone)]
pub(crate) struct ThreadImage {
    pub(crate) id: u64,
    pub(crate) url: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

#[derive(Default)]
pub(crate) struct Thread {
    pub(crate) id: String,
    pub(crate) v2_id: String,
    pub(crate) members: Vec<u64>,
    pub(crate) left: Vec<u64>,
    pub(crate) admins: BTreeSet<u64>,
    pub(crate) inviter: u64,
    pub(crate) title: Option<String>,
    pub(crate) image: Option<ThreadImage>,
    pub(crate) is_group: bool,
    pub(crate) created_us: i64,
    /// Oldest first.
    pub(crate) items: Vec<Item>,
    pub(crate) index: HashMap<String, usize>,
    /// How many items each member has sent.
    pub(crate) counts: HashMap<u64, usize>,
    /// Who has read up to which item, and when.
    pub(crate) seen: BTreeMap<u64, (String, i64)>,
    /// For whom it is a message request.
    pub(crate) pending_for: BTreeSet<u64>,
    /// Who has put it out of their inbox, until something new comes.
    pub(crate) hidden_for: BTreeSet<u64>,
    /// Who has marked it as unread.
    pub(crate) unread_for: BTreeSet<u64>,
    /// What members are called here.
    pub(crate) nicknames: BTreeMap<u64, String>,
    pub(crate) muted_for: BTreeSet<u64>,
    pub(crate) calls_muted_for: BTreeSet<u64>,
    pub(crate) approval_required: bool,
    /// Who waits for an admin's approval.
    pub(crate) join_requests: BTreeSet<u64>,
    /// Vanish mode.
    pub(crate) shh_mode: bool,
}

impl Thread {
    /// The first member is who started it.
    pub(crate) fn new(id: String, v2_id: String, members: Vec<u64>, created_us: i64) -> Thread {
        let inviter = members.first().copied().unwrap_or(0);
        Thread { id, v2_id, members, inviter, created_us, ..Thread::default() }
    }

    pub(crate) fn item(&self, item_id: &str) -> Option<&Item> {
        self.index.get(item_id).and_then(|index| self.items.get(*index))
    }

    pub(crate) fn last_activity_us(&self) -> i64 {
        self.items.last().map_or(self.created_us, |item| item.timestamp_us)
    }

    /// Whether it is a message request that somebody has neither accepted nor declined.
    pub(crate) fn waits_for(&self, pk: u64) -> bool {
        self.pending_for.contains(&pk) && !self.hidden_for.contains(&pk)
    }

    /// Puts items before all others, oldest first.
    pub(crate) fn prepend(&mut self, items: Vec<Item>) {
        for item in &items {
            *self.counts.entry(item.sender).or_default() += 1;
        }
        self.items.splice(0..0, items);
        self.index = self.items.iter().enumerate().map(|(index, item)| (item.item_id.clone(), index)).collect();
    }
}
