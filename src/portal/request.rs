//! Message requests: what strangers write waits for the user's answer, under the admin's policy.

use std::sync::Arc;

use serde_json::json;

use super::room;
use crate::bridge::Bridge;
use crate::command;
use crate::config::Requests;
use crate::domain::event::RemoteThread;
use crate::domain::ids::LoginId;
use crate::domain::notice::Notice;
use crate::domain::record::{Portal, Standing};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::login::history;
use crate::matrix::Intent;
use crate::network::ChatChange;

/// The first message of a request came. None when it is to have no room.
pub(super) async fn arrived(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &RemoteThread,
) -> Result<Option<Portal>, StepError> {
    let from = thread.users.first().map_or_else(|| "somebody".to_owned(), |user| format!("@{}", user.username));
    if bridge.config.bridge.message_requests == Requests::Room {
        let mut portal = room::create(bridge, login, thread, true).await?;
        portal.standing = Standing::Request;
        bridge.store.save_portal(&portal).await?;
        say_in_room(bridge, &portal, &from).await?;
        return Ok(Some(portal));
    }
    let key = room::key(login, thread);
    let mut portal = bridge.store.ensure_portal(&key).await?;
    portal.standing = Standing::Request;
    bridge.store.save_portal(&portal).await?;
    if bridge.config.bridge.message_requests == Requests::Digest {
        let text = format!("{from} wants to write to you on Instagram.");
        let notice =
            Notice::new(text).with_hint("accept or decline it in the Instagram app; accepted, it gets its room.");
        command::tell_owner(bridge, login, &notice).await;
    }
    Ok(None)
}

async fn say_in_room(bridge: &Bridge, portal: &Portal, from: &str) -> Result<(), StepError> {
    let Some(room) = &portal.room else { return Ok(()) };
    let prefix = bridge.config.command_prefix();
    let text = format!(
        "This is a message request of {from}. They do not see that you read it. React with 👍 or 👎, or send \
         `{prefix} accept` or `{prefix} decline`; to answer is to accept."
    );
    let content = json!({"msgtype": "m.notice", "body": text, "m.mentions": {}});
    let request = request_id::notice_transaction(portal.key.thread.as_str(), "message request");
    bridge.matrix.send(&Intent::Bot, room, "m.room.message", &content, &request, None).await?;
    Ok(())
}

/// Accepts or declines, on Instagram and here.
pub(super) async fn answer(
    bridge: &Bridge,
    login: &LoginId,
    portal: &Portal,
    answer: &ChatChange,
) -> Result<(), StepError> {
    let remote = bridge.remote(login).await?;
    let done = remote.change(&portal.key.thread, answer).await;
    done.map_err(|error| StepError::Remote { login: login.clone(), error })?;
    let standing = if *answer == ChatChange::Decline { Standing::Declined } else { Standing::Open };
    Ok(bridge.store.save_portal(&Portal { standing, ..portal.clone() }).await?)
}

/// The request was accepted, here or in the app. Without a room so far, its messages are fetched now.
pub(super) async fn accepted(bridge: &Arc<Bridge>, login: &LoginId, portal: &mut Portal) -> Result<(), StepError> {
    portal.standing = Standing::Open;
    bridge.store.save_portal(portal).await?;
    if portal.room.is_none() {
        let wanted = bridge.config.bridge.history_messages.max(20);
        history::ask_for_more(bridge, login, &portal.key.thread, None, wanted).await?;
    }
    Ok(())
}
