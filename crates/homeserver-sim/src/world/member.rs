//! Joining, inviting, leaving, removing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{World, content};
use crate::{
    error::{Answer, MatrixError},
    event::Draft,
    room::Membership,
};

impl World {
    /// Joins a user who is invited, or anyone to a public room.
    pub(crate) fn join(&mut self, room: &str, user: &Arc<str>, now: i64) -> Answer<Arc<str>> {
        let found = self.room(room)?;
        let id = found.id.clone();
        match found.membership(user) {
            Some(Membership::Join) => return Ok(id),
            Some(Membership::Ban) => return Err(MatrixError::forbidden("You are banned from this room")),
            Some(Membership::Invite) => {}
            _ if found.is_public() => {}
            _ => return Err(MatrixError::forbidden("You are not invited to this room.")),
        }
        let content = self.member_content(user, Membership::Join);
        self.set_member(&id, user, user, &content, now);
        Ok(id)
    }

    /// Invites a user.
    pub(crate) fn invite(
        &mut self,
        room: &str,
        sender: &Arc<str>,
        user: &str,
        is_direct: bool,
        now: i64,
    ) -> Answer<()> {
        let found = self.joined_room(room, sender)?;
        let id = found.id.clone();
        match found.membership(user) {
            Some(Membership::Join) => return Err(MatrixError::forbidden(format!("{user} is already in the room."))),
            Some(Membership::Ban) => return Err(MatrixError::forbidden(format!("{user} is banned from the room"))),
            _ => {}
        }
        let mut content = self.member_content(user, Membership::Invite);
        if is_direct {
            content["is_direct"] = true.into();
        }
        self.set_member(&id, sender, user, &content, now);
        Ok(())
    }

    /// Leaves a room or declines an invitation.
    pub(crate) fn leave(&mut self, room: &str, user: &Arc<str>, now: i64) -> Answer<()> {
        let found = self.room(room)?;
        let id = found.id.clone();
        match found.membership(user) {
            Some(Membership::Join | Membership::Invite) => {}
            Some(Membership::Leave) => return Ok(()),
            _ => return Err(MatrixError::forbidden(format!("User {user} not in room {room}"))),
        }
        let content = self.member_content(user, Membership::Leave);
        self.set_member(&id, user, user, &content, now);
        Ok(())
    }

    /// Removes another user, for a while or for good.
    pub(crate) fn remove(
        &mut self,
        room: &str,
        sender: &Arc<str>,
        user: &str,
        membership: Membership,
        reason: Option<&str>,
        now: i64,
    ) -> Answer<()> {
        let found = self.joined_room(room, sender)?;
        let id = found.id.clone();
        if membership == Membership::Leave
            && !matches!(found.membership(user), Some(Membership::Join | Membership::Invite | Membership::Ban))
        {
            return Err(MatrixError::forbidden("The target user is not in the room"));
        }
        let mut content = self.member_content(user, membership);
        if let Some(reason) = reason {
            content["reason"] = reason.into();
        }
        self.set_member(&id, sender, user, &content, now);
        Ok(())
    }

    /// The users in a room with what they look like.
    pub(crate) fn joined_members(&self, room: &str, user: &str) -> Answer<Value> {
        let found = self.joined_room(room, user)?;
        let mut joined = serde_json::Map::new();
        for (member, membership) in &found.members {
            if *membership == Membership::Join {
                let account = self.accounts.get(member);
                let name = account.and_then(|account| account.displayname.clone());
                let avatar = account.and_then(|account| account.avatar_url.clone());
                joined.insert(member.to_string(), json!({ "display_name": name, "avatar_url": avatar }));
            }
        }
        Ok(Value::Object(joined))
    }

    pub(super) fn set_member(&mut self, room: &Arc<str>, sender: &Arc<str>, user: &str, member: &Value, now: i64) {
        let draft = Draft {
            sender: sender.clone(),
            kind: "m.room.member".into(),
            state_key: Some(user.into()),
            content: content(member),
            at: now,
        };
        self.append(room, draft);
    }
}
