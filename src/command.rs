//! Commands to the bridge bot: every message in the management room, and messages with the prefix elsewhere.

pub(crate) mod account;
mod chat;
mod parked;
mod progress;
mod status;

use std::sync::Arc;
use std::time::Duration;

use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Value, json};

use crate::bridge::Bridge;
use crate::config::Permission;
use crate::domain::ids::{LoginId, RequestId};
use crate::domain::notice::Notice;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::{Intent, NewRoom};
use crate::network::ChatChange;
use crate::portal::from_matrix::RoomEvent;
use crate::runtime;

pub use progress::Progress;

/// Who said what to the bot, and where.
pub(crate) struct Asked<'a> {
    /// Of the message, for the ids of our answers.
    pub event: &'a RoomEvent,
    /// Everything after the command's name.
    pub rest: &'a str,
    /// The login that is meant, if it was named before the command.
    pub login: Option<&'a str>,
}

const HELP: &str = "\
`help` – this list
`login` – attach an Instagram account with the cookie of a session in your browser
`logout [username] [keep|remove]` – end the session at Instagram; keep the rooms (default) or remove them
`list-logins` – your accounts and their state
`ping` – whether messages really arrive, with the evidence
`reconnect [username]` – connect anew, for example after you confirmed something in the app
`search NAME` – find people
`start-chat @NAME [text]` – open a chat; with a text, start one
`create-group @NAME @NAME [title]` – make a group
`mute`, `unmute`, `mark-unread`, `leave-group`, `delete-chat` – in a chat: the same on Instagram
`accept`, `decline` – in a message request; elsewhere `accept @NAME`, `decline @NAME`
`set-relay`, `unset-relay` – in a chat: your account speaks for people who have none, or no longer
`backfill [count]` – in a chat: fetch earlier messages, 100 if you do not say how many
`as @LOGIN COMMAND` – a command for one of your accounts, if you have several
`cancel` – stop a login that waits for your cookie
`parked [retry|discard]` – for admins: what could not be bridged and is kept
`version` – what is running here";

/// Pauses before the answer to a command is sent again.
const REPLY_PAUSES: [Duration; 6] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// True for messages that are for the bot although they are in a portal.
pub fn is_command(bridge: &Bridge, event: &RoomEvent) -> bool {
    let body = event.content["body"].as_str().unwrap_or_default();
    stripped(bridge, body).is_some()
}

/// The rest of a message that starts with the prefix and a space, or is the prefix.
fn stripped<'a>(bridge: &Bridge, body: &'a str) -> Option<&'a str> {
    let rest = body.strip_prefix(bridge.config.command_prefix())?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
}

/// Handles a message that is not for a thread. Messages that are not for the bot either are left alone.
pub async fn handle(bridge: &Arc<Bridge>, event: &RoomEvent) -> Result<(), StepError> {
    let body = event.content["body"].as_str().unwrap_or_default();
    let prefixed = stripped(bridge, body);
    let own_room = bridge.store.user_of_management_room(&event.room_id).await?.as_ref() == Some(&event.sender);
    let text = match (prefixed, own_room) {
        (Some(text), _) => text,
        (None, true) if event.content["msgtype"] == "m.text" => body.trim_start(),
        _ => return Ok(()),
    };
    if bridge.config.permission(&event.sender) < Permission::User {
        let notice =
            Notice::new("You may not use this bridge.").with_hint("ask its admin to add you to `permissions`.");
        return reply(bridge, event, &notice.to_string()).await;
    }
    // A session is taken for one even if nobody remembers having asked for it: it must not stay in the room.
    let awaited = bridge.take_pending_login(&event.sender, &event.room_id);
    if !is_name(text) && (awaited || own_room && bridge.network.account_in(text).is_ok()) {
        return account::log_in(bridge, &Asked { event, rest: text, login: None }).await;
    }
    let (login, text) = named_login(text);
    let (name, rest) = word(text);
    let asked = Asked { event, rest, login };
    match name.to_ascii_lowercase().as_str() {
        "help" | "" => reply(bridge, event, HELP).await,
        "version" => reply(bridge, event, &format!("puppetgram {}", env!("CARGO_PKG_VERSION"))).await,
        "login" if asked.rest.is_empty() => account::ask_for_cookie(bridge, &asked).await,
        "login" => account::log_in(bridge, &asked).await,
        "cancel" if awaited => reply(bridge, event, "Cancelled: I do not wait for a session any more.").await,
        "cancel" => reply(bridge, event, "There was nothing to cancel.").await,
        "logout" => account::log_out(bridge, &asked).await,
        "list-logins" => status::list_logins(bridge, &asked).await,
        "ping" => status::ping(bridge, &asked).await,
        "reconnect" => account::reconnect(bridge, &asked).await,
        "parked" => parked::parked(bridge, &asked).await,
        "backfill" => chat::backfill(bridge, &asked).await,
        "search" => chat::search(bridge, &asked).await,
        "start-chat" => chat::start_chat(bridge, &asked).await,
        "create-group" => chat::create_group(bridge, &asked).await,
        "set-relay" => chat::relay(bridge, &asked, true).await,
        "unset-relay" => chat::relay(bridge, &asked, false).await,
        name => match chat_change(name) {
            Some((change, done)) => chat::change(bridge, &asked, change, done).await,
            None => {
                let notice = Notice::new("I do not know this command.").with_hint("`help` lists what I understand.");
                reply(bridge, event, &notice.to_string()).await
            }
        },
    }
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// The login of `as @NAME COMMAND`, and the command.
fn named_login(text: &str) -> (Option<&str>, &str) {
    match word(text) {
        (first, rest) if first.eq_ignore_ascii_case("as") => {
            let (login, command) = word(rest);
            (Some(login), command)
        }
        _ => (None, text),
    }
}

/// The commands that change a chat on Instagram, and what is said once that is done.
fn chat_change(name: &str) -> Option<(ChatChange, &'static str)> {
    Some(match name {
        "mute" => (ChatChange::Mute(true), "Muted on Instagram."),
        "unmute" => (ChatChange::Mute(false), "No longer muted on Instagram."),
        "mark-unread" => (ChatChange::Unread, "Marked as not read on Instagram."),
        "leave-group" => (ChatChange::Leave, "You have left the group on Instagram. The room stays."),
        "delete-chat" => (ChatChange::Hide, "The chat is deleted from your list on Instagram. The room stays."),
        "accept" => (ChatChange::Accept, "Accepted: you can write to each other now."),
        "decline" => (ChatChange::Decline, "Declined: nothing more of this chat is bridged."),
        _ => return None,
    })
}

/// True for a text that is one of our commands, so that someone who changed their mind is not told about cookies.
fn is_name(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    const NAMES: [&str; 16] = [
        "as",
        "help",
        "version",
        "login",
        "logout",
        "list-logins",
        "ping",
        "reconnect",
        "cancel",
        "parked",
        "backfill",
        "search",
        "start-chat",
        "create-group",
        "set-relay",
        "unset-relay",
    ];
    NAMES.contains(&first.as_str()) || chat_change(&first).is_some()
}

/// Says hello in a new management room.
pub async fn welcome(bridge: &Bridge, event: &RoomEvent) -> Result<(), StepError> {
    let text = "Hello, I am the Instagram bridge. Send `login` to attach your account, or `help` for everything else.";
    reply(bridge, event, text).await
}

/// Answers an event. The same answer to the same event is sent once.
pub(crate) async fn reply(bridge: &Bridge, event: &RoomEvent, text: &str) -> Result<(), StepError> {
    let request = request_id::notice_transaction(event.event_id.as_str(), &format!("reply {text}"));
    // The command is done. Doing it once more because only its answer was lost would give another answer.
    for pause in REPLY_PAUSES {
        match send(bridge, &event.room_id, text, &request).await {
            Err(StepError::Homeserver(error)) if error.is_transient() => {
                tracing::info!(%error, "the answer to a command waits");
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
    send(bridge, &event.room_id, text, &request).await
}

async fn send(bridge: &Bridge, room: &RoomId, text: &str, request: &RequestId) -> Result<(), StepError> {
    bridge.matrix.send(&Intent::Bot, room, "m.room.message", &notice_content(text), request, None).await?;
    Ok(())
}

/// Tells the owner of a login something in their management room. Trouble in telling is logged.
pub async fn tell_owner(bridge: &Bridge, login: &LoginId, notice: &Notice) {
    let told = async {
        let Some(known) = bridge.store.login(login).await? else { return Ok(()) };
        let room = management_room(bridge, &known.user).await?;
        let request = request_id::notice_transaction(login.as_str(), &format!("{} {}", runtime::now().0, notice));
        send(bridge, &room, &notice.to_string(), &request).await
    };
    if let Err(error) = told.await {
        tracing::warn!(%login, %error, "owner could not be told");
    }
}

/// Asks the owner of a login something in their management room, once; `field` says in the event what it is about.
pub async fn ask_owner(
    bridge: &Bridge,
    login: &LoginId,
    notice: &Notice,
    field: (&str, Value),
    request: &RequestId,
) -> Result<(), StepError> {
    let room = management_room(bridge, &bridge.known_login(login).await?.user).await?;
    let mut content = notice_content(&notice.to_string());
    content[field.0] = field.1;
    bridge.matrix.send(&Intent::Bot, &room, "m.room.message", &content, request, None).await?;
    Ok(())
}

fn notice_content(text: &str) -> Value {
    json!({"msgtype": "m.notice", "body": text, "m.mentions": {}})
}

/// The user's management room; made when there is none.
async fn management_room(bridge: &Bridge, user: &OwnedUserId) -> Result<OwnedRoomId, StepError> {
    if let Some(room) = bridge.store.management_room(user).await? {
        return Ok(room);
    }
    let room = NewRoom {
        is_direct: true,
        topic: Some("Management of your Instagram bridge".to_owned()),
        invite: vec![user.clone()],
        ..NewRoom::default()
    };
    let room = bridge.matrix.create_room(&room).await?;
    bridge.store.set_management_room(user, &room).await?;
    Ok(room)
}
