//! Who is in a room: joins, invitations, kicks, leaves; and what members show of themselves there.

use std::time::Duration;

use ruma::{
    EventId, OwnedUserId, RoomId, UserId,
    api::client::{
        membership::{self, invite_user::v3::InvitationRecipient},
        receipt::create_receipt,
        typing::create_typing_event,
    },
};

use super::{
    client::{Client, Intent},
    error::HomeserverError,
};

impl Client {
    /// Joins a ghost to a room, with an invitation by the bot and registering it where that is missing.
    pub async fn ensure_joined(&self, user: &UserId, room: &RoomId) -> Result<(), HomeserverError> {
        let intent = Intent::As(user.to_owned());
        match self.join_as(&intent, room).await {
            Err(HomeserverError::Forbidden(_)) => {}
            decided => return decided,
        }
        self.ensure_registered(user).await?;
        // Refused when the ghost is invited or joined already; the join tells.
        match self.invite(room, user).await {
            Ok(()) | Err(HomeserverError::Forbidden(_) | HomeserverError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        self.join_as(&intent, room).await
    }

    /// Joins a room; nothing happens to who is in it already.
    pub async fn join_as(&self, intent: &Intent, room: &RoomId) -> Result<(), HomeserverError> {
        let request = membership::join_room_by_id::v3::Request::new(room.to_owned());
        self.call(self.user_of(intent), request).await.map(drop)
    }

    /// Invites a user as the bot.
    pub async fn invite(&self, room: &RoomId, user: &UserId) -> Result<(), HomeserverError> {
        self.invite_as(&Intent::Bot, room, user).await
    }

    /// Invites a user.
    pub async fn invite_as(&self, intent: &Intent, room: &RoomId, user: &UserId) -> Result<(), HomeserverError> {
        let recipient = InvitationRecipient::UserId(membership::invite_user::v3::InviteUserId::new(user.to_owned()));
        let request = membership::invite_user::v3::Request::new(room.to_owned(), recipient);
        self.call(self.user_of(intent), request).await.map(drop)
    }

    /// Removes a user as the bot.
    pub async fn kick(&self, room: &RoomId, user: &UserId, reason: Option<&str>) -> Result<(), HomeserverError> {
        let mut request = membership::kick_user::v3::Request::new(room.to_owned(), user.to_owned());
        request.reason = reason.map(str::to_owned);
        self.call(self.bot(), request).await.map(drop)
    }

    /// Leaves a room, or declines the invitation to it.
    pub async fn leave(&self, intent: &Intent, room: &RoomId) -> Result<(), HomeserverError> {
        let request = membership::leave_room::v3::Request::new(room.to_owned());
        self.call(self.user_of(intent), request).await.map(drop)
    }

    /// Fetches who is in a room, as the bot sees it.
    pub async fn joined_members(&self, room: &RoomId) -> Result<Vec<OwnedUserId>, HomeserverError> {
        let request = membership::joined_members::v3::Request::new(room.to_owned());
        Ok(self.call(self.bot(), request).await?.joined.into_keys().collect())
    }

    /// Fetches the rooms that somebody of ours is in.
    pub async fn joined_rooms(&self, intent: &Intent) -> Result<Vec<ruma::OwnedRoomId>, HomeserverError> {
        let request = membership::joined_rooms::v3::Request::new();
        Ok(self.call(self.user_of(intent), request).await?.joined_rooms)
    }

    /// Shows that a ghost has read up to an event.
    pub async fn send_receipt(&self, user: &UserId, room: &RoomId, event: &EventId) -> Result<(), HomeserverError> {
        let kind = create_receipt::v3::ReceiptType::Read;
        let request = create_receipt::v3::Request::new(room.to_owned(), kind, event.to_owned());
        self.call(user, request).await.map(drop)
    }

    /// Shows a ghost as typing for so long.
    pub async fn start_typing(&self, user: &UserId, room: &RoomId, lasting: Duration) -> Result<(), HomeserverError> {
        use create_typing_event::v3::{Request, Typing, TypingInfo};
        let state = Typing::Yes(TypingInfo::new(lasting));
        self.call(user, Request::new(user.to_owned(), room.to_owned(), state)).await.map(drop)
    }

    /// Shows a ghost as no longer typing.
    pub async fn stop_typing(&self, user: &UserId, room: &RoomId) -> Result<(), HomeserverError> {
        use create_typing_event::v3::{Request, Typing};
        self.call(user, Request::new(user.to_owned(), room.to_owned(), Typing::No)).await.map(drop)
    }
}
