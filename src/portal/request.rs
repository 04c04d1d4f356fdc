//! Message requests: what strangers write waits for the user's answer, under the admin's policy. A group may be one for
//! one login and none for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ruma::OwnedEventId;
use serde::Deserialize;
use serde_json::json;

use super::from_matrix::RoomEvent;
use super::room;
use crate::bridge::Bridge;
use crate::command;
use crate::config::Requests;
use crate::domain::event::RemoteThread;
use crate::domain::ids::{LoginId, RemoteUserId, ThreadId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{Portal, Standing};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::login::history;
use crate::matrix::Intent;
use crate::network::ChatChange;
use crate::runtime;

/// Where the bot's words about a request say which one they are about.
const REQUEST: &str = "dev.puppetgram.message_request";

/// How long Instagram's word that a request still waits is believed, in milliseconds. What ends it is heard of at once
/// nearly always.
const BELIEVED_MS: i64 = 60_000;

/// When Instagram said last that a request still waits.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<(ThreadId, LoginId), Timestamp>>);

impl Waiting {
    fn is_known(&self, place: &(ThreadId, LoginId)) -> bool {
        let now = runtime::now();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, at| now.0.saturating_sub(at.0) < BELIEVED_MS);
        waiting.contains_key(place)
    }

    fn note(&self, place: (ThreadId, LoginId)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place, runtime::now());
    }
}

/// The first message of a request came, and it has no room, or one that others use.
pub(super) async fn arrived(bridge: &Bridge, login: &LoginId, thread: &RemoteThread) -> Result<(), StepError> {
    bridge.store.ensure_portal(&room::key(login, thread)).await?;
    if bridge.config.bridge.message_requests != Requests::Ignore {
        let from = from(thread);
        let text = format!("{from} wants to write to you on Instagram.");
        let by_name =
            if thread.is_group { String::new() } else { format!(", or send `accept {from}` or `decline {from}`") };
        let notice = Notice::new(text).with_hint(format!(
            "react with 👍 to accept or with 👎 to decline{by_name}. Accepted, the chat gets its room."
        ));
        let asked = json!({"login": login, "thread": thread.id});
        // Several logins may be asked of a group.
        let about = if thread.is_group { format!("{}/{login}", thread.id) } else { thread.id.to_string() };
        let request = request_id::notice_transaction(&about, "message request");
        command::ask_owner(bridge, login, &notice, (REQUEST, asked), &request).await?;
    }
    Ok(bridge.store.set_standing(&thread.id, login, Standing::Request).await?)
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
        "This is a message request from {from}. They do not see that you read it. React with 👍 or 👎, or send \
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
    match portal.filter(|_| own) {
        Some(portal) if bridge.store.standing(&asked.thread, &asked.login).await? == Standing::Request => {
            answer(bridge, &asked.login, &portal, &change).await
        }
        _ => Ok(()),
    }
}

/// Accepts or declines, on Instagram and here.
pub(crate) async fn answer(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    portal: &Portal,
    change: &ChatChange,
) -> Result<(), StepError> {
    let thread = &portal.key.thread;
    let done = bridge.remote(login).await?.change(thread, change).await;
    done.map_err(|error| StepError::Remote { login: login.clone(), error })?;
    if *change == ChatChange::Accept {
        return accepted(bridge, login, portal).await;
    }
    bridge.store.set_standing(thread, login, Standing::Declined).await?;
    if portal.key.receiver.is_none() {
        let user = bridge.known_login(login).await?.user;
        room::without_login(bridge, portal, login, &user, "you have declined this group").await?;
    }
    Ok(())
}

/// Whether a chat that was a request for this login is none any more, as Instagram has it. Who writes has accepted.
pub(super) async fn is_over(
    bridge: &Bridge,
    login: &LoginId,
    thread: &ThreadId,
    sender: Option<&RemoteUserId>,
) -> Result<bool, StepError> {
    if sender == Some(&login.as_remote_user()) {
        return Ok(true);
    }
    let place = (thread.clone(), login.clone());
    if bridge.waiting_requests.is_known(&place) {
        return Ok(false);
    }
    let is_over = as_it_is(bridge, login, thread).await?.is_some_and(|shown| shown.pending != Some(true));
    if !is_over {
        bridge.waiting_requests.note(place);
    }
    Ok(is_over)
}

/// Whether a group that others are in already is no message request for this login. If it is one, its user is told.
pub(super) async fn is_none(
    bridge: &Bridge,
    login: &LoginId,
    thread: &ThreadId,
    sender: Option<&RemoteUserId>,
) -> Result<bool, StepError> {
    if sender == Some(&login.as_remote_user()) {
        return Ok(true);
    }
    match as_it_is(bridge, login, thread).await? {
        Some(shown) if shown.pending == Some(true) => arrived(bridge, login, &shown).await.map(|()| false),
        _ => Ok(true),
    }
}

/// The chat as Instagram has it now; none where that is not handed out.
async fn as_it_is(bridge: &Bridge, login: &LoginId, thread: &ThreadId) -> Result<Option<RemoteThread>, StepError> {
    match bridge.remote(login).await?.thread(thread).await {
        Ok(shown) => Ok(Some(shown)),
        Err(error) if error.is_refusal() => Ok(None),
        Err(error) => Err(StepError::Remote { login: login.clone(), error }),
    }
}

/// The request was accepted, here or in the app. What was not shown so far is fetched now, unless others have seen to it.
pub(super) async fn accepted(bridge: &Arc<Bridge>, login: &LoginId, portal: &Portal) -> Result<(), StepError> {
    let thread = &portal.key.thread;
    let was_declined = bridge.store.standing(thread, login).await? == Standing::Declined;
    let is_missed = portal.room.is_none() || (was_declined && portal.key.receiver.is_some());
    if is_missed {
        let wanted = bridge.config.bridge.history_messages.max(20);
        history::ask_for_first(bridge, login, thread, wanted).await?;
    }
    bridge.store.set_standing(thread, login, Standing::Open).await?;
    if is_missed {
        return Ok(());
    }
    room::ensure_user(bridge, portal, login).await
}
