//! One room: its timeline, its current state and who is in it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::Deserialize;

use crate::event::Event;

/// What a user is to a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Membership {
    Invite,
    Join,
    Leave,
    Ban,
}

/// A room.
pub(crate) struct Room {
    pub(crate) id: Arc<str>,
    /// Every event, oldest first.
    pub(crate) timeline: Vec<Arc<Event>>,
    pub(crate) index: HashMap<Arc<str>, usize>,
    pub(crate) state: BTreeMap<(Box<str>, Box<str>), Arc<Event>>,
    pub(crate) members: HashMap<Arc<str>, Membership>,
    /// How many users of the application service are joined.
    pub(crate) covered: usize,
    /// How many events are `m.room.message`.
    pub(crate) messages: usize,
    /// Who types until when, and the position of the last change.
    pub(crate) typing: BTreeMap<Arc<str>, i64>,
    pub(crate) typing_position: u64,
    /// Who has read up to where and when, and the position of the last change.
    pub(crate) receipts: BTreeMap<Arc<str>, (Arc<str>, i64)>,
    pub(crate) receipts_position: u64,
}

#[derive(Deserialize)]
struct MemberContent {
    membership: String,
}

#[derive(Deserialize)]
struct JoinRules {
    join_rule: String,
}

impl Room {
    pub(crate) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            timeline: Vec::new(),
            index: HashMap::new(),
            state: BTreeMap::new(),
            members: HashMap::new(),
            covered: 0,
            messages: 0,
            typing: BTreeMap::new(),
            typing_position: 0,
            receipts: BTreeMap::new(),
            receipts_position: 0,
        }
    }

    /// Adds an event; `covers` tells whether a user belongs to the application service.
    pub(crate) fn push(&mut self, event: &Arc<Event>, covers: impl Fn(&str) -> bool) {
        self.index.insert(event.id.clone(), self.timeline.len());
        self.timeline.push(event.clone());
        if &*event.kind == "m.room.message" {
            self.messages += 1;
        }
        let Some(key) = &event.state_key else { return };
        self.state.insert((event.kind.clone(), key.clone()), event.clone());
        if &*event.kind == "m.room.member" {
            let membership = membership_in(event);
            let before = self.members.insert(Arc::from(&**key), membership);
            if covers(key) {
                self.covered += usize::from(membership == Membership::Join);
                self.covered -= usize::from(before == Some(Membership::Join));
            }
        }
    }

    pub(crate) fn membership(&self, user: &str) -> Option<Membership> {
        self.members.get(user).copied()
    }

    pub(crate) fn is_joined(&self, user: &str) -> bool {
        self.membership(user) == Some(Membership::Join)
    }

    pub(crate) fn is_public(&self) -> bool {
        self.state_event("m.room.join_rules", "")
            .and_then(|event| serde_json::from_str::<JoinRules>(event.content.get()).ok())
            .is_some_and(|rules| rules.join_rule == "public")
    }

    pub(crate) fn state_event(&self, kind: &str, key: &str) -> Option<&Arc<Event>> {
        self.state.get(&(Box::from(kind), Box::from(key)))
    }

    pub(crate) fn event(&self, id: &str) -> Option<&Arc<Event>> {
        self.timeline.get(*self.index.get(id)?)
    }

    /// The timeline index of the first event after a position.
    pub(crate) fn after(&self, position: u64) -> usize {
        self.timeline.partition_point(|event| event.position <= position)
    }
}

/// What a member event makes of the user.
pub(crate) fn membership_in(event: &Event) -> Membership {
    match serde_json::from_str::<MemberContent>(event.content.get()) {
        Ok(MemberContent { membership }) => match membership.as_str() {
            "join" => Membership::Join,
            "invite" => Membership::Invite,
            "ban" => Membership::Ban,
            _ => Membership::Leave,
        },
        Err(_) => Membership::Leave,
    }
}
