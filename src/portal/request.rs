//! Message requests: what strangers write waits for the user's answer, under the admin's policy.

use std::sync::Arc;

use ruma::OwnedEventId;
use serde::Deserialize;
use serde_json::json;

use super::from_matrix::RoomEvent;
use super::room;
use crate::bridge::Bridge;
use crate::command;
use crate::config::Requests;
use crate::domain::event::RemoteThread;
use crate::domain::ids::{LoginId, ThreadId};
use crate::domain::notice::Notice;
use crate::domain::record::{Portal, Standing};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::login::history;
use crate::matrix::Intent;
use crate::network::{ChatChange, RemoteError};

/// Where the bot's words about a request say which one they are about.
const REQUEST: &str = "dev.puppetgram.message_request";

/// The first message of a request came, and it is to have no room.
pub(super) async fn arrived(bridge: &Bridge, login: &LoginId, thread: &RemoteThread) -> Result<(), StepError> {
    let portal = bridge.store.ensure_portal(&room::key(login, thread)).await?;
    if bridge.config.bridge.message_requests == Requests::Digest {
        let from = from(thread);
        let text = format!("{from} wants to write to you on Instagram.");
        let by_name =
            if thread.is_group { String::new() } else { format!(", or send `accept {from}` or `decline {from}`") };
        let notice = Notice::new(text).with_hint(format!(
            "react with 👍 to accept or with 👎 to decline{by_name}. Accepted, the chat gets its room."
        ));
        let asked = json!({"login": login, "thread": thread.id});
        let request = request_id::notice_transaction(thread.id.as_str(), "message request");
        command::ask_owner(bridge, login, &notice, (REQUEST, asked), &request).await?;
    }
    let asked = Portal { standing: Standing::Request, ..portal.clone() };
    Ok(bridge.store.save_portal(&portal, &asked).await?)
}

/// Whom a request is of.
fn from(thread: &RemoteThread) -> String {
    thread.users.first().map_or_else(|| "somebody".to_owned(), |user| format!("@{}", user.username))
}

/// Says in its room what the chat is.
pub(super) async fn say_in_room(bridge: &Bridge, portal: &Portal, thread: &RemoteThread) -> Result<(), StepError> {
    let Some(room) = &portal.room else { return Ok(()) };
    let (prefix, from) = (bridge.config.command_prefix(), from(thread));
    let text = format!(
        "This is a message request of {from}. They do not see that you read it. React with 👍 or 👎, or send \
         `{prefix} accept` or `{prefix} decline`; to answer is to accept."
    );
    let content = json!({"msgtype": "m.notice", "body": text, "m.mentions": {}});
    let request = request_id::notice_transaction(portal.key.thread.as_str(), "message request");
    bridge.matrix.send(&Intent::Bot, room, "m.room.message", &content, &request, None).await?;
    Ok(())
}

/// The answer that a reaction is.
pub(super) fn answer_of(key: &str) -> Option<ChatChange> {
    let key: String = key.chars().filter(|c| !matches!(*c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')).collect();
    match key.as_str() {
        "👍" | "✅" | "✔" => Some(ChatChange::Accept),
        "👎" | "❌" | "✖" => Some(ChatChange::Decline),
        _ => None,
    }
}

/// A reaction in a management room: to what the bot has said of a request, it is the answer.
pub(super) async fn answered_by_reaction(bridge: &Arc<Bridge>, event: &RoomEvent) -> Result<(), StepError> {
    let relation = &event.content["m.relates_to"];
    let change = relation["key"].as_str().and_then(answer_of);
    let target = relation["event_id"].as_str().and_then(|id| OwnedEventId::try_from(id).ok());
    let (Some(change), Some(target)) = (change, target) else { return Ok(()) };
    if bridge.store.user_of_management_room(&event.room_id).await?.as_ref() != Some(&event.sender) {
        return Ok(());
    }
    let Some(asked) = bridge.matrix.said_by_bot(&event.room_id, &target).await? else { return Ok(()) };
    #[derive(Deserialize)]
    struct Asked {
        login: LoginId,
        thread: ThreadId,
    }
    let Ok(asked) = serde_json::from_value::<Asked>(asked[REQUEST].clone()) else { return Ok(()) };
    let own = bridge.store.login(&asked.login).await?.is_some_and(|login| login.user == event.sender);
    let portal = room::portal_for(bridge, &asked.login, &asked.thread).await?;
    match portal.filter(|portal| own && portal.standing == Standing::Request) {
        Some(mut portal) => answer(bridge, &asked.login, &mut portal, &change).await,
        None => Ok(()),
    }
}

/// Accepts or declines, on Instagram and here.
pub(crate) async fn answer(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    portal: &mut Portal,
    change: &ChatChange,
) -> Result<(), StepError> {
    let remote = bridge.remote(login).await?;
    let done = remote.change(&portal.key.thread, change).await;
    done.map_err(|error| StepError::Remote { login: login.clone(), error })?;
    if *change == ChatChange::Accept {
        return accepted(bridge, login, portal).await;
    }
    stand(bridge, portal, Standing::Declined).await
}

/// Whether a chat that was a request for somebody is none for this login, as Instagram has it now.
pub(super) async fn is_over(bridge: &Bridge, login: &LoginId, thread: &ThreadId) -> Result<bool, StepError> {
    match bridge.remote(login).await?.thread(thread).await {
        Ok(shown) => Ok(shown.pending != Some(true)),
        Err(RemoteError::NotFound | RemoteError::Rejected(_) | RemoteError::Impossible(_)) => Ok(false),
        Err(error) => Err(StepError::Remote { login: login.clone(), error }),
    }
}

/// The request was accepted, here or in the app. Without a room so far, its messages are fetched now.
pub(super) async fn accepted(bridge: &Arc<Bridge>, login: &LoginId, portal: &mut Portal) -> Result<(), StepError> {
    if portal.room.is_none() {
        let wanted = bridge.config.bridge.history_messages.max(20);
        history::ask_for_first(bridge, login, &portal.key.thread, wanted).await?;
    }
    stand(bridge, portal, Standing::Open).await
}

async fn stand(bridge: &Bridge, portal: &mut Portal, standing: Standing) -> Result<(), StepError> {
    let changed = Portal { standing, ..portal.clone() };
    bridge.store.save_portal(portal, &changed).await?;
    *portal = changed;
    Ok(())
}
