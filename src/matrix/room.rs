//! Rooms: making one under an alias that names it for ever, and finding it again by that alias.

use ruma::{
    OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId,
    api::client::{alias, discovery, room::create_room},
    events::AnyInitialStateEvent,
    serde::Raw,
};
use serde_json::{Value, json};

use super::{client::Client, error::HomeserverError};

/// A room to be made by the bot: private, invitation only.
#[derive(Clone, Default, Debug)]
pub struct NewRoom {
    /// Local part of an alias in our namespace: makes the creation repeatable, see [`HomeserverError::AliasInUse`].
    pub alias_localpart: Option<String>,
    /// Shown to its members.
    pub name: Option<String>,
    /// Shown to its members.
    pub topic: Option<String>,
    /// Marks the invitations as those to a direct chat.
    pub is_direct: bool,
    /// Everybody invited at once.
    pub invite: Vec<OwnedUserId>,
    /// State events: objects with `type`, `state_key` and `content`.
    pub initial_state: Vec<Value>,
    /// Overrides parts of the power levels. The bot has all power whether it is named or not.
    pub power_levels: Option<Value>,
}

impl Client {
    /// Makes a room as the bot.
    ///
    /// # Errors
    /// [`HomeserverError::AliasInUse`] when it was made before: [`Client::resolve_alias`] says which it is.
    pub async fn create_room(&self, room: &NewRoom) -> Result<OwnedRoomId, HomeserverError> {
        let mut request = create_room::v3::Request::new();
        request.preset = Some(create_room::v3::RoomPreset::PrivateChat);
        request.room_alias_name.clone_from(&room.alias_localpart);
        request.name.clone_from(&room.name);
        request.topic.clone_from(&room.topic);
        request.is_direct = room.is_direct;
        request.invite.clone_from(&room.invite);
        for event in &room.initial_state {
            request.initial_state.push(raw::<AnyInitialStateEvent>(event)?);
        }
        if let Some(levels) = &room.power_levels {
            let levels = self.power_levels_with_bot(levels.clone()).await?;
            request.power_level_content_override = Some(raw(&levels)?);
        }
        match self.call(self.bot(), request).await {
            Ok(answer) => Ok(answer.room_id),
            // Synapse, where two make it at the same moment: both have found the alias free.
            Err(HomeserverError::Refused { status: 409, .. }) if room.alias_localpart.is_some() => {
                Err(HomeserverError::AliasInUse)
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches the room behind an alias of our homeserver.
    pub async fn resolve_alias(&self, localpart: &str) -> Result<Option<OwnedRoomId>, HomeserverError> {
        let request = alias::get_alias::v3::Request::new(self.alias(localpart)?);
        match self.call(self.bot(), request).await {
            Ok(answer) => Ok(Some(answer.room_id)),
            Err(HomeserverError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Frees an alias, so that the next room of the same thread can have it.
    pub async fn remove_alias(&self, localpart: &str) -> Result<(), HomeserverError> {
        let request = alias::delete_alias::v3::Request::new(self.alias(localpart)?);
        match self.call(self.bot(), request).await {
            Ok(_) | Err(HomeserverError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn alias(&self, localpart: &str) -> Result<OwnedRoomAliasId, HomeserverError> {
        RoomAliasId::parse(format!("#{localpart}:{}", self.domain()))
            .map_err(|_| HomeserverError::Malformed("the alias has characters that no alias has".to_owned()))
    }

    /// From room version 12 on, a creator must not be listed among `users`; before, it must be.
    async fn power_levels_with_bot(&self, mut levels: Value) -> Result<Value, HomeserverError> {
        let Some(users) = levels.get_mut("users").and_then(Value::as_object_mut) else { return Ok(levels) };
        let has_power = *self.creators_have_power().get_or_try_init(|| self.fetch_creators_have_power()).await?;
        if has_power {
            users.remove(self.bot().as_str());
        } else {
            users.insert(self.bot().as_str().to_owned(), json!(100));
        }
        Ok(levels)
    }

    /// Asks for the version that new rooms get.
    async fn fetch_creators_have_power(&self) -> Result<bool, HomeserverError> {
        let answer = self.call(self.bot(), discovery::get_capabilities::v3::Request::new()).await?;
        let rules = answer.capabilities.room_versions.default.rules();
        Ok(rules.is_some_and(|rules| rules.authorization.explicitly_privilege_room_creators))
    }
}

fn raw<T>(value: &Value) -> Result<Raw<T>, HomeserverError> {
    Raw::from_json_string(value.to_string()).map_err(|error| HomeserverError::Malformed(error.to_string()))
}
