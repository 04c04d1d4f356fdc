//! A chat that begins in Matrix: a ghost is invited to a room that is no chat. Where there is a chat with that person, the
//! ghost says where. Where there is none, it stays, and what is written to it there begins the chat.

use std::slice;
use std::sync::Arc;

use ruma::{OwnedRoomId, UserId};
use serde_json::json;

use super::message::{self, Said};
use super::{RoomEvent, file, group, quietly};
use crate::bridge::Bridge;
use crate::config::Permission;
use crate::domain::convert::to_remote::{MessageContent, OutgoingPart};
use crate::domain::ids::{ClientContext, LoginId, RemoteUserId, ThreadId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::InboxRow;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::{HomeserverError, Intent};
use crate::network::{Remote, RemoteError};
use crate::portal::{ghost, room};

/// What the ghost says where there is no chat yet.
const BEGIN_HERE: &str = "We have no chat yet. Your first message here starts it.";

/// A ghost was invited to a room that is no chat.
pub(super) async fn ghost_invited(bridge: &Arc<Bridge>, event: &RoomEvent) -> Result<(), StepError> {
    let Some(user) = group::ghost_of(bridge, event).filter(|_| event.content["membership"] == "invite") else {
        return Ok(());
    };
    let intent = Intent::As(ghost::user_id(bridge, &user));
    if bridge.config.permission(&event.sender) < Permission::User {
        return quietly(bridge.matrix.leave(&intent, &event.room_id).await);
    }
    let (text, stays) = match acquaintance(bridge, &event.sender, &user).await {
        Ok(Some(Acquaintance { login, thread: Some(thread), .. })) => (place(bridge, &login, &thread).await?, false),
        Ok(Some(_)) => {
            bridge.matrix.join_as(&intent, &event.room_id).await?;
            match may_begin_in(bridge, &intent, event).await? {
                true => (BEGIN_HERE.to_owned(), true),
                false => (how_to_begin(bridge, &user).await?.to_string(), false),
            }
        }
        Ok(None) => {
            let hint = format!("send `login` to {}.", bridge.bot());
            (Notice::new("You have no Instagram login.").with_hint(hint).to_string(), false)
        }
        Err(StepError::Remote { error, .. }) if !error.is_transient() => {
            (format!("Our chat was not opened: {}", error.explain().0), false)
        }
        Err(error) => return Err(error),
    };
    bridge.matrix.join_as(&intent, &event.room_id).await?;
    say(bridge, &intent, event, &text).await?;
    match stays {
        true => Ok(()),
        false => quietly(bridge.matrix.leave(&intent, &event.room_id).await),
    }
}

/// A login that has a chat with somebody, or may begin one.
struct Acquaintance {
    login: LoginId,
    thread: Option<ThreadId>,
    /// No other login of the user can have the chat.
    is_certain: bool,
}

/// The login of a user that has a chat with somebody, else one that works; none if none does.
async fn acquaintance(bridge: &Bridge, user: &UserId, with: &RemoteUserId) -> Result<Option<Acquaintance>, StepError> {
    let (mut able, mut refused, mut is_certain) = (None, None, true);
    for login in bridge.store.logins_of_user(user).await?.into_iter().map(|login| login.id) {
        let remote = match bridge.remote(&login).await {
            Ok(remote) => remote,
            Err(StepError::Remote { error: RemoteError::LoggedOut, .. }) => {
                is_certain = false;
                continue;
            }
            Err(error) => return Err(error),
        };
        match remote.thread_with(slice::from_ref(with)).await {
            Ok(Some(thread)) => {
                return Ok(Some(Acquaintance { login, thread: Some(thread.id), is_certain: true }));
            }
            Ok(None) => able = able.or(Some(login)),
            Err(error) if error.is_transient() => return Err(StepError::Remote { login, error }),
            Err(error) => refused = Some(StepError::Remote { login, error }),
        }
    }
    match (able, refused) {
        (None, Some(error)) => Err(error),
        (able, refused) => {
            let is_certain = is_certain && refused.is_none();
            Ok(able.map(|login| Acquaintance { login, thread: None, is_certain }))
        }
    }
}

/// Brings the bot in, which sees who is there and says what goes wrong, and tells whether what is said here is for the
/// ghost alone and can be read. Else the bot leaves again.
async fn may_begin_in(bridge: &Bridge, ghost: &Intent, event: &RoomEvent) -> Result<bool, StepError> {
    let room = &event.room_id;
    if bridge.store.user_of_management_room(room).await?.is_some() {
        return Ok(false);
    }
    // Refused where it is in already; the join tells.
    quietly(bridge.matrix.invite_as(ghost, room, bridge.bot()).await)?;
    match bridge.matrix.join_as(&Intent::Bot, room).await {
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(_) => return Ok(false),
        Ok(()) => {}
    }
    let is_encrypted = bridge.matrix.state(room, "m.room.encryption", "").await?.is_some();
    if !is_encrypted && !people_in(bridge, event).await?.is_empty() {
        return Ok(true);
    }
    quietly(bridge.matrix.leave(&Intent::Bot, room).await)?;
    Ok(false)
}

/// The people whose ghosts are alone in a room with the sender of an event and the bot; nobody in rooms of another kind.
pub(super) async fn people_in(bridge: &Bridge, event: &RoomEvent) -> Result<Vec<RemoteUserId>, StepError> {
    let nobody = Vec::new();
    if bridge.config.permission(&event.sender) < Permission::User
        || bridge.store.user_of_management_room(&event.room_id).await?.is_some()
    {
        return Ok(nobody);
    }
    let members = match bridge.matrix.joined_members(&event.room_id).await {
        Ok(members) => members,
        Err(error) if error.is_transient() => return Err(error.into()),
        // The bot is not there.
        Err(_) => return Ok(nobody),
    };
    if members.iter().any(|member| *member != event.sender && !bridge.matrix.is_ours(member)) {
        return Ok(nobody);
    }
    Ok(members.iter().filter_map(|member| ghost::remote_user(bridge, member)).collect())
}

async fn how_to_begin(bridge: &Bridge, user: &RemoteUserId) -> Result<Notice, StepError> {
    let name = bridge.store.ghost(user).await?.map(|ghost| ghost.username).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "name".to_owned());
    let hint = format!("start it with a first message: send `start-chat @{name} Hello!` to {}.", bridge.bot());
    Ok(Notice::new("We have no chat yet.").with_hint(hint))
}

/// Where the chat is, in the ghost's words.
async fn place(bridge: &Arc<Bridge>, login: &LoginId, thread: &ThreadId) -> Result<String, StepError> {
    let here = |room: OwnedRoomId| format!("Our chat is here: https://matrix.to/#/{room}");
    match room::reopen(bridge, login, thread).await {
        Ok(portal) => {
            Ok(portal.and_then(|portal| portal.room).map_or_else(|| "This chat is not bridged.".to_owned(), here))
        }
        Err(StepError::Hold(why)) => Ok(format!("Our chat has no room yet ({why}); its next message brings it.")),
        Err(error) => Err(error),
    }
}

async fn say(bridge: &Bridge, ghost: &Intent, event: &RoomEvent, text: &str) -> Result<(), HomeserverError> {
    let request = request_id::row_transaction(event.event_id.as_str(), "invited", 0);
    let content = json!({"msgtype": "m.notice", "body": text, "m.mentions": {}});
    bridge.matrix.send(ghost, &event.room_id, "m.room.message", &content, &request, None).await.map(drop)
}

/// Something was said to a ghost that waits for it: it begins the chat, or goes to the chat that has begun meanwhile.
pub(super) async fn said(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    event: &RoomEvent,
    people: &[RemoteUserId],
) -> Result<(), StepError> {
    let refused = |why: &str, hint: &str| {
        StepError::Refuse(Notice::new(format!("Your message was not sent: {why}.")).with_hint(hint))
    };
    let [person] = people else {
        return Err(refused("a chat has one other person", "for a group, send `create-group` to the bridge bot."));
    };
    if message::is_withdrawn(bridge, row, event).await {
        return Ok(());
    }
    let Some(Acquaintance { login, mut thread, is_certain }) = acquaintance(bridge, &event.sender, person).await?
    else {
        return Err(StepError::NoLogin);
    };
    if thread.is_none() && !is_certain {
        let hint = "have it connected again, or send `as @LOGIN start-chat @NAME` with a text to the bridge bot.";
        return Err(refused("another account of yours, which may have this chat, is not connected", hint));
    }
    let Some(content) = MessageContent::from_value(&event.content) else {
        return Err(refused("its content makes no sense", "send it as a text."));
    };
    let link = event.room_id.matrix_to_event_uri(event.event_id.clone()).to_string();
    let unknown = ThreadId::new("");
    let place_of = thread.as_ref().unwrap_or(&unknown);
    let said = Said { thread: place_of, content: &content, reply_to: None, link: Some(link) };
    let parts = message::parts(bridge, &event.kind, said, &login, None).await?;
    let remote = bridge.remote(&login).await?;
    let at = Timestamp(event.origin_server_ts);
    for (number, part) in (0..).zip(&parts) {
        let context = request_id::client_context(&event.event_id, at, number);
        match (&thread, part) {
            (Some(thread), part) => deliver(bridge, &remote, row, thread, part, &context).await?,
            (None, OutgoingPart::Text(text)) => {
                let begun = remote.start_chat(slice::from_ref(person), &text.text, &context).await;
                let begun = begun.map_err(|error| StepError::Remote { login: login.clone(), error })?;
                thread = Some(begun.ok_or(StepError::Later("the chat that has begun"))?);
            }
            (None, OutgoingPart::File(_)) => {
                return Err(refused("a chat begins with a text", "send a text first, then the file."));
            }
        }
    }
    let Some(thread) = thread.filter(|_| !parts.is_empty()) else { return Ok(()) };
    let text = place(bridge, &login, &thread).await?;
    Ok(say(bridge, &Intent::As(ghost::user_id(bridge, person)), event, &text).await?)
}

/// Delivers a part, unless it is there from an earlier attempt.
async fn deliver(
    bridge: &Bridge,
    remote: &Remote,
    row: &InboxRow,
    thread: &ThreadId,
    part: &OutgoingPart,
    context: &ClientContext,
) -> Result<(), StepError> {
    let failed = |error| StepError::Remote { login: remote.login().clone(), error };
    if remote.find_sent(thread, context, row.accepted_at).await.map_err(failed)?.is_some() {
        return Ok(());
    }
    match part {
        OutgoingPart::Text(text) => remote.deliver(thread, text, context).await.map(drop).map_err(failed),
        OutgoingPart::File(part) => file::deliver(bridge, remote, thread, part, context).await.map(drop),
    }
}
