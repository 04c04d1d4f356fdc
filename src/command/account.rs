//! `login`, `logout` and `reconnect`.

use std::sync::Arc;

use super::{Asked, reply};
use crate::bridge::Bridge;
use crate::domain::ids::LoginId;
use crate::domain::notice::Notice;
use crate::domain::record::{Login, LoginState, Portal};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::{HomeserverError, Intent};
use crate::network::RemoteError;
use crate::portal::from_matrix::RoomEvent;
use crate::portal::{self, ghost};
use crate::runtime;

const HOW_TO_LOG_IN: &str = "\
Send me the session of your Instagram account in your next message. I delete the message as soon as I have read it.

1. Open https://www.instagram.com in a private window of your browser and log in there.
2. Press F12, open «Network», reload the page, choose any request to www.instagram.com, and copy it «as cURL».
   The `Cookie:` header, the `sessionid` cookie alone, or an exported cookie file are just as good.
3. Paste it here. Then close the private window without logging out.

Send `cancel` if you changed your mind.";

/// Asks for the session, so that it need not stand behind a command.
pub(super) async fn ask_for_cookie(bridge: &Bridge, asked: &Asked<'_>) -> Result<(), StepError> {
    let (sender, room) = (&asked.event.sender, &asked.event.room_id);
    if bridge.store.user_of_management_room(room).await?.as_ref() != Some(sender) {
        let hint = format!("start a chat with {} and send `login` there.", bridge.bot());
        let notice = Notice::new("Not here: a session is as good as your password.").with_hint(hint);
        return reply(bridge, asked.event, &notice.to_string()).await;
    }
    bridge.await_login(&asked.event.sender, &asked.event.room_id);
    reply(bridge, asked.event, HOW_TO_LOG_IN).await
}

/// Reads the session, asks Instagram whose it is, stores and starts the login.
pub(super) async fn log_in(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let event = asked.event;
    // The secret leaves the room whatever becomes of it.
    let removed = take_away(bridge, event).await;
    let outcome = attach(bridge, asked).await?;
    let mut text = match outcome {
        Ok(name) => format!("Logged in as {name}. Your chats appear here as messages come in."),
        Err(notice) => notice.to_string(),
    };
    if removed.is_err() {
        text.push_str("\nI could not delete your message with the session: please delete it yourself.");
    }
    reply(bridge, event, &text).await
}

/// Removes a message with a session from its room.
async fn take_away(bridge: &Bridge, event: &RoomEvent) -> Result<(), HomeserverError> {
    let request = request_id::notice_transaction(event.event_id.as_str(), "redact");
    let redact =
        || bridge.matrix.redact(&Intent::Bot, &event.room_id, &event.event_id, &request, Some("session removed"));
    let mut removed = redact().await;
    for pause in super::REPLY_PAUSES {
        match &removed {
            Err(error) if error.is_transient() => tokio::time::sleep(pause).await,
            _ => break,
        }
        removed = redact().await;
    }
    removed.map(drop)
}

/// True for a text that holds a session.
pub(crate) fn is_session(bridge: &Bridge, event: &RoomEvent) -> bool {
    let body = event.content["body"].as_str().unwrap_or_default();
    bridge.network.account_in(body).is_ok()
}

/// Keeps a session that was written into a chat from the people in it.
pub(crate) async fn refuse_session(bridge: &Bridge, event: &RoomEvent) -> Result<(), StepError> {
    let removed = take_away(bridge, event).await;
    let notice = Notice::new("That was an Instagram session, as good as your password: it was not sent to the chat.");
    let hint = match removed {
        Ok(()) => "I have removed it from the room; for a login, send it to the bridge bot.",
        Err(_) => "delete your message; for a login, send it to the bridge bot.",
    };
    reply(bridge, event, &notice.with_hint(hint).to_string()).await
}

async fn attach(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<Result<String, Notice>, StepError> {
    let id = match bridge.network.account_in(asked.rest) {
        Ok(id) => id,
        Err(notice) => return Ok(Err(notice)),
    };
    let known = bridge.store.login(&id).await?;
    if known.as_ref().is_some_and(|login| login.user != asked.event.sender) {
        let notice = Notice::new("This Instagram account is attached to another user of this bridge.");
        return Ok(Err(notice.with_hint("log it out there first.")));
    }
    let earlier = if known.is_some() { bridge.store.session(&id).await? } else { None };
    let checked = match bridge.network.check(asked.rest, earlier.as_deref()).await {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(login_notice(&error))),
    };
    // An account may be known under another id than the cookie claims.
    if checked.id != id {
        return Ok(Err(Notice::new(
            "Instagram says that this session belongs to another account than its cookie names.",
        )));
    }
    let login = Login {
        id: checked.id,
        user: asked.event.sender.clone(),
        username: checked.user.username.clone(),
        state: LoginState::Active,
        reason: None,
        created_at: known.map_or_else(runtime::now, |login| login.created_at),
    };
    bridge.store.save_login(&login).await?;
    bridge.store.save_session(&login.id, &checked.remote.session_json()).await?;
    bridge.sessions.start(bridge, checked.remote);
    ghost::ensure(bridge, &login.id, &checked.user).await?;
    tracing::info!(login = %login.id, user = %login.user, "logged in");
    Ok(Ok(format!("@{}", login.username)))
}

fn login_notice(error: &RemoteError) -> Notice {
    match error {
        RemoteError::LoggedOut => {
            Notice::new("Instagram does not accept this session: it has expired or was logged out.")
                .with_hint("log in again in a private browser window, copy the new session, and do not log out there.")
        }
        other => {
            let (reason, hint) = other.explain();
            let notice = Notice::new(format!("Login failed: {reason}"));
            match hint {
                Some(hint) => notice.with_hint(hint),
                None => notice,
            }
        }
    }
}

/// Picks the login a command means: the named one, that of the chat it is given in, or the only one.
pub(super) async fn meant(
    bridge: &Bridge,
    asked: &Asked<'_>,
    name: Option<&str>,
) -> Result<Result<Login, Notice>, StepError> {
    let mut logins = bridge.store.logins_of_user(&asked.event.sender).await?;
    if let Some(name) = name.or(asked.login).map(|name| name.trim_start_matches('@')) {
        logins.retain(|login| login.username == name || login.id.as_str() == name);
    } else if let Some(portal) = bridge.store.portal_of_room(&asked.event.room_id).await?
        && let Some(here) = portal::own_login(bridge, &asked.event.sender, &portal).await?
    {
        logins.retain(|login| login.id == here);
    }
    Ok(match logins.len() {
        1 => Ok(logins.remove(0)),
        0 => Err(Notice::new("There is no such login.").with_hint("`list-logins` shows yours, `login` makes one.")),
        _ => Err(Notice::new("You have several logins.")
            .with_hint("name one before the command, like `as @anna ping`; `list-logins` shows them.")),
    })
}

/// Ends the session at Instagram and forgets the login.
pub(super) async fn log_out(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let mut words: Vec<&str> = asked.rest.split_whitespace().collect();
    let remove = match words.last() {
        Some(&"remove") => words.pop().is_some(),
        Some(&"keep") => words.pop().is_none(),
        _ => false,
    };
    let login = match meant(bridge, asked, words.first().copied()).await? {
        Ok(login) => login,
        Err(notice) => return reply(bridge, asked.event, &notice.to_string()).await,
    };
    let ended = match bridge.remote(&login.id).await {
        Ok(remote) => remote.log_out().await,
        Err(_) if login.state == LoginState::LoggedOut => Err(RemoteError::LoggedOut),
        Err(_) => Err(RemoteError::NotConnected),
    };
    bridge.sessions.stop(&login.id);
    let portals = bridge.store.portals_of_login(&login.id).await?;
    let mut removed = 0;
    if remove {
        for portal in portals.iter().filter(|portal| portal.key.receiver.as_ref() == Some(&login.id)) {
            remove_portal(bridge, &login, portal).await?;
            removed += 1;
        }
    }
    bridge.histories.forget(&login.id);
    for portal in &portals {
        if portal.relay.as_ref() == Some(&login.id) {
            bridge.store.save_portal(portal, &Portal { relay: None, ..portal.clone() }).await?;
        }
        bridge.store.forget_login_in_thread(&portal.key.thread, &login.id).await?;
    }
    bridge.store.remove_login(&login.id).await?;
    tracing::info!(login = %login.id, "logged out");
    let mut text = format!("Logged out of @{}.", login.username);
    match ended {
        Ok(()) | Err(RemoteError::LoggedOut) => text.push_str(" The session at Instagram has ended."),
        Err(_) => text.push_str(
            " Instagram could not be reached to end the session there: do it in the app under «Where you're logged in».",
        ),
    }
    match removed {
        0 if remove => text.push_str(" It had no rooms of its own."),
        0 => text.push_str(" Your rooms stay."),
        1 => text.push_str(" 1 room was removed; rooms shared with others stay."),
        n => text.push_str(&format!(" {n} rooms were removed; rooms shared with others stay.")),
    }
    reply(bridge, asked.event, &text).await
}

/// Empties a room and forgets it. Its alias goes too, so that a later login makes a new room.
async fn remove_portal(bridge: &Bridge, login: &Login, portal: &Portal) -> Result<(), StepError> {
    let Some(room) = &portal.room else { return Ok(bridge.store.remove_portal(portal.id).await?) };
    let alias = request_id::alias_localpart(bridge.config.ghost_prefix(), bridge.config.secret_key(), &portal.key);
    // One of them who is not there any more keeps nobody else.
    let done = |outcome: Result<(), HomeserverError>| match outcome {
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::warn!(%room, %error, "the room could not be emptied wholly");
            Ok(())
        }
        Ok(()) => Ok(()),
    };
    done(bridge.matrix.remove_alias(&alias).await)?;
    done(bridge.matrix.kick(room, &login.user, Some("logged out of Instagram")).await)?;
    for member in &portal.members {
        done(bridge.matrix.leave(&Intent::As(ghost::user_id(bridge, member)), room).await)?;
    }
    done(bridge.matrix.leave(&Intent::Bot, room).await)?;
    Ok(bridge.store.remove_portal(portal.id).await?)
}

/// Connects anew; a login that was stopped is tried again.
pub(super) async fn reconnect(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let name = asked.rest.split_whitespace().next();
    let login = match meant(bridge, asked, name).await? {
        Ok(login) => login,
        Err(notice) => return reply(bridge, asked.event, &notice.to_string()).await,
    };
    match restart(bridge, &login.id).await? {
        true => reply(bridge, asked.event, "Connecting. `ping` shows how it goes.").await,
        false => {
            let notice = Notice::new("The stored session is of no use.").with_hint("send `login`.");
            reply(bridge, asked.event, &notice.to_string()).await
        }
    }
}

async fn restart(bridge: &Arc<Bridge>, login: &LoginId) -> Result<bool, StepError> {
    bridge.store.set_login_state(login, LoginState::Active, None).await?;
    match bridge.sessions.get(login) {
        Some(running) if !matches!(running.status(), crate::login::Status::Stopped(_)) => running.reconnect(),
        Some(running) => bridge.sessions.start(bridge, running.remote.clone()),
        None => match bridge.store.session(login).await?.and_then(|json| bridge.network.remote(login, &json)) {
            Some(remote) => bridge.sessions.start(bridge, remote),
            None => return Ok(false),
        },
    }
    Ok(true)
}
