//! Making a room: the events a new one starts with, as room version 12 wants them.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{World, content};
use crate::{
    error::{Answer, MatrixError},
    event::Draft,
    ids,
    room::{Membership, Room},
};

/// The body of `createRoom`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct CreateRoom {
    pub(crate) preset: Option<String>,
    pub(crate) visibility: Option<String>,
    pub(crate) room_alias_name: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) is_direct: bool,
    pub(crate) invite: Vec<String>,
    pub(crate) initial_state: Vec<InitialState>,
    pub(crate) power_level_content_override: Option<Map<String, Value>>,
    pub(crate) creation_content: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
pub(crate) struct InitialState {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state_key: String,
    content: Value,
}

impl World {
    pub(crate) fn create_room(&mut self, creator: &Arc<str>, request: &CreateRoom, now: i64) -> Answer<Arc<str>> {
        let alias = request.room_alias_name.as_ref().map(|name| format!("#{name}:{}", self.server_name));
        if let Some(alias) = &alias {
            self.expect_free_alias(alias, creator)?;
        }
        let levels = self.power_levels(creator, request)?;
        let id: Arc<str> = ids::random("!", 43).into();
        self.rooms.insert(id.clone(), Room::new(id.clone()));

        let mut creation = request.creation_content.clone().unwrap_or_default();
        creation.insert("room_version".to_owned(), "12".into());
        self.set(&id, creator, "m.room.create", "", &Value::Object(creation), now);
        let member = self.member_content(creator, Membership::Join);
        self.set_member(&id, creator, creator, &member, now);
        self.set(&id, creator, "m.room.power_levels", "", &levels, now);
        if let Some(alias) = alias {
            self.set(&id, creator, "m.room.canonical_alias", "", &json!({ "alias": alias }), now);
            self.aliases.insert(alias, id.clone());
        }
        let is_public = match request.preset.as_deref() {
            Some(preset) => preset == "public_chat",
            None => request.visibility.as_deref() == Some("public"),
        };
        let rule = if is_public { "public" } else { "invite" };
        self.set(&id, creator, "m.room.join_rules", "", &json!({ "join_rule": rule }), now);
        self.set(&id, creator, "m.room.history_visibility", "", &json!({ "history_visibility": "shared" }), now);
        self.set(&id, creator, "m.room.guest_access", "", &json!({ "guest_access": "can_join" }), now);
        for state in &request.initial_state {
            self.set(&id, creator, &state.kind, &state.state_key, &state.content, now);
        }
        if let Some(name) = &request.name {
            self.set(&id, creator, "m.room.name", "", &json!({ "name": name }), now);
        }
        if let Some(topic) = &request.topic {
            self.set(&id, creator, "m.room.topic", "", &json!({ "topic": topic }), now);
        }
        for user in &request.invite {
            self.invite(&id, creator, user, request.is_direct, now)?;
        }
        Ok(id)
    }

    /// Stores the alias of a room that is never made.
    pub(crate) fn half_a_room(&mut self, body: &[u8]) {
        let request: CreateRoom = serde_json::from_slice(body).unwrap_or_default();
        if let Some(name) = request.room_alias_name {
            self.aliases.insert(format!("#{name}:{}", self.server_name), ids::random("!", 43).into());
        }
    }

    /// An alias that is not taken and that the user may take.
    pub(crate) fn expect_free_alias(&self, alias: &str, user: &str) -> Answer<()> {
        if self.aliases.contains_key(alias) {
            return Err(MatrixError::new(StatusCode::BAD_REQUEST, "M_ROOM_IN_USE", "Room alias already taken"));
        }
        let reserved = self.appservice.as_ref().is_some_and(|appservice| {
            alias.strip_prefix('#').is_some_and(|localpart| localpart.starts_with(&appservice.alias_prefix))
        });
        if reserved && !self.covers(user) {
            let error = "This alias is reserved by an application service.";
            return Err(MatrixError::bad_request("M_EXCLUSIVE", error));
        }
        Ok(())
    }

    fn power_levels(&self, creator: &str, request: &CreateRoom) -> Answer<Value> {
        let mut levels = json!({
            "users": {}, "users_default": 0, "events_default": 0, "state_default": 50,
            "ban": 50, "kick": 50, "redact": 50, "invite": 0, "historical": 100,
            "events": {
                "m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100,
                "m.room.canonical_alias": 50, "m.room.avatar": 50, "m.room.tombstone": 150,
                "m.room.server_acl": 100, "m.room.encryption": 100,
            },
        });
        for (key, value) in request.power_level_content_override.iter().flatten() {
            levels[key.as_str()] = value.clone();
        }
        if levels["users"].get(creator).is_some() {
            let error = format!("Creator user {creator} must not appear in content.users");
            return Err(MatrixError::bad_request("M_UNKNOWN", error));
        }
        Ok(levels)
    }

    fn set(&mut self, room: &Arc<str>, sender: &Arc<str>, kind: &str, key: &str, value: &Value, now: i64) {
        let draft = Draft {
            sender: sender.clone(),
            kind: kind.into(),
            state_key: Some(key.into()),
            content: content(value),
            at: now,
        };
        self.append(room, draft);
    }
}
