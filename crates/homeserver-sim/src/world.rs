//! Everything the homeserver knows, behind one lock: accounts, rooms, media, the order of what happened.
//!
//! The methods here and in the files below are the rules of Matrix as far as they are simulated. They neither wait nor
//! know about HTTP.

mod create;
mod member;
mod user;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use serde_json::value::RawValue;

pub(crate) use create::CreateRoom;
pub(crate) use user::Account;

use crate::{
    error::{Answer, MatrixError},
    event::{Draft, Event},
    ids,
    options::Appservice,
    room::Room,
};

/// The state of the server.
pub(crate) struct World {
    pub(crate) server_name: String,
    pub(crate) appservice: Option<Appservice>,
    pub(crate) accounts: HashMap<Arc<str>, Account>,
    /// Access token to user and device.
    pub(crate) tokens: HashMap<String, (Arc<str>, String)>,
    pub(crate) rooms: HashMap<Arc<str>, Room>,
    pub(crate) aliases: HashMap<String, Arc<str>>,
    pub(crate) media: HashMap<String, Medium>,
    /// Every event of every room, oldest first.
    pub(crate) stream: Vec<Arc<Event>>,
    /// Counts everything that a sync may have to tell.
    pub(crate) position: u64,
    /// Requests with a transaction id and what they led to.
    pub(crate) transactions: HashMap<String, Arc<str>>,
    /// What the application service has not been sent yet.
    pub(crate) outgoing: VecDeque<Arc<Event>>,
    pub(crate) outgoing_ephemeral: VecDeque<String>,
}

/// An upload; without bytes while only its id was handed out.
#[derive(Clone)]
pub(crate) struct Medium {
    pub(crate) bytes: Option<axum::body::Bytes>,
    pub(crate) content_type: String,
}

impl World {
    pub(crate) fn new(server_name: String, appservice: Option<Appservice>) -> Self {
        Self {
            server_name,
            appservice,
            accounts: HashMap::new(),
            tokens: HashMap::new(),
            rooms: HashMap::new(),
            aliases: HashMap::new(),
            media: HashMap::new(),
            stream: Vec::new(),
            position: 0,
            transactions: HashMap::new(),
            outgoing: VecDeque::new(),
            outgoing_ephemeral: VecDeque::new(),
        }
    }

    pub(crate) fn room(&self, room: &str) -> Answer<&Room> {
        self.rooms.get(room).ok_or_else(|| MatrixError::not_found("Room not found"))
    }

    /// The room, if the user is joined to it.
    pub(crate) fn joined_room(&self, room: &str, user: &str) -> Answer<&Room> {
        match self.rooms.get(room) {
            Some(found) if found.is_joined(user) => Ok(found),
            _ => Err(MatrixError::forbidden(format!("User {user} not in room {room}"))),
        }
    }

    /// True for the users of the application service.
    pub(crate) fn covers(&self, user: &str) -> bool {
        self.appservice.as_ref().is_some_and(|appservice| appservice.covers(user, &self.server_name))
    }

    pub(crate) fn next_position(&mut self) -> u64 {
        self.position += 1;
        self.position
    }

    /// Adds an event to a room that exists, without asking whether the sender may.
    pub(crate) fn append(&mut self, room: &Arc<str>, draft: Draft) -> Arc<Event> {
        let id: Arc<str> = ids::random("$", 43).into();
        let position = self.next_position();
        let event = Arc::new(Event::new(id, room.clone(), position, draft));
        let (appservice, server_name) = (&self.appservice, &self.server_name);
        let covers = |user: &str| appservice.as_ref().is_some_and(|service| service.covers(user, server_name));
        if let Some(room) = self.rooms.get_mut(room) {
            let was_covered = room.covered > 0;
            room.push(&event, covers);
            let is_interesting = was_covered
                || room.covered > 0
                || covers(&event.sender)
                || (&*event.kind == "m.room.member" && event.state_key.as_deref().is_some_and(covers));
            if is_interesting && self.appservice.is_some() {
                self.outgoing.push_back(event.clone());
            }
        }
        self.stream.push(event.clone());
        event
    }

    /// Adds a message-like event for a joined user. A transaction seen before gives the event it led to.
    pub(crate) fn send(&mut self, room: &str, draft: Draft, transaction: Option<String>) -> Answer<Arc<str>> {
        if let Some(known) = transaction.as_ref().and_then(|key| self.transactions.get(key)) {
            return Ok(known.clone());
        }
        let room = self.joined_room(room, &draft.sender)?.id.clone();
        let event = self.append(&room, draft);
        if let Some(transaction) = transaction {
            self.transactions.insert(transaction, event.id.clone());
        }
        Ok(event.id.clone())
    }

    /// Sets a state event for a joined user; the same content again is the same event.
    pub(crate) fn set_state(&mut self, room: &str, draft: Draft) -> Answer<Arc<str>> {
        let found = self.joined_room(room, &draft.sender)?;
        let key = draft.state_key.as_deref().unwrap_or_default();
        if let Some(current) = found.state_event(&draft.kind, key)
            && current.sender == draft.sender
            && current.content.get() == draft.content.get()
        {
            return Ok(current.id.clone());
        }
        let room = found.id.clone();
        Ok(self.append(&room, draft).id.clone())
    }

    /// Removes the content of an event and says so in the room.
    pub(crate) fn redact(
        &mut self,
        room: &str,
        target: &str,
        draft: Draft,
        transaction: Option<String>,
    ) -> Answer<Arc<str>> {
        let found = self.joined_room(room, &draft.sender)?;
        let room = found.id.clone();
        let index = *found.index.get(target).ok_or_else(|| MatrixError::not_found("Event not found"))?;
        let id = self.send(&room, draft, transaction)?;
        if let Some(found) = self.rooms.get_mut(&room)
            && let Some(because) = found.event(&id).cloned()
        {
            let redacted = Arc::new(found.timeline[index].redacted(&because));
            found.timeline[index] = redacted;
        }
        Ok(id)
    }

    /// Shows a user as typing until a time, or as no longer typing.
    pub(crate) fn set_typing(&mut self, room: &str, user: &Arc<str>, until: Option<i64>) -> Answer<()> {
        self.joined_room(room, user)?;
        let position = self.next_position();
        let Some(found) = self.rooms.get_mut(room) else { return Ok(()) };
        match until {
            Some(until) => found.typing.insert(user.clone(), until),
            None => found.typing.remove(user),
        };
        found.typing_position = position;
        let users: Vec<&Arc<str>> = found.typing.keys().collect();
        let event = serde_json::json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": users } });
        if found.covered > 0 {
            self.push_ephemeral(&event);
        }
        Ok(())
    }

    /// Notes how far a user has read.
    pub(crate) fn set_receipt(&mut self, room: &str, user: &Arc<str>, event: &str, now: i64) -> Answer<()> {
        self.joined_room(room, user)?;
        let position = self.next_position();
        let Some(found) = self.rooms.get_mut(room) else { return Ok(()) };
        found.receipts.insert(user.clone(), (Arc::from(event), now));
        found.receipts_position = position;
        let content = serde_json::json!({ event: { "m.read": { (&**user): { "ts": now } } } });
        let receipt = serde_json::json!({ "type": "m.receipt", "room_id": room, "content": content });
        if found.covered > 0 {
            self.push_ephemeral(&receipt);
        }
        Ok(())
    }

    fn push_ephemeral(&mut self, event: &serde_json::Value) {
        if self.appservice.as_ref().is_some_and(|appservice| appservice.receive_ephemeral) {
            self.outgoing_ephemeral.push_back(event.to_string());
        }
    }
}

/// JSON made of values we made ourselves.
pub(crate) fn content(value: &serde_json::Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a JSON value can be written as JSON")
}
