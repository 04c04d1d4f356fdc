//! Changes of a chat that come as patches of their own: its picture, its admins, its rules, its end.

use serde_json::json;

use super::{Action, Heard, Outcome, Plan, Planned};
use crate::domain::event::Picture;
use crate::domain::ids::RemoteUserId;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::{ghost, room};

/// The group has another picture.
pub(super) async fn pictured(heard: &Heard<'_>, image: Option<Picture>) -> Result<Plan, StepError> {
    match ghost::set_room_picture(heard.bridge, &heard.login, &heard.portal, image).await {
        Err(StepError::Remote { error, .. }) if !error.is_transient() => tracing::warn!(%error, "picture not set"),
        outcome => outcome?,
    }
    Ok(Plan::nothing(heard.row))
}

/// An admin on Instagram is a moderator of the room.
pub(super) async fn admin(heard: &Heard<'_>, user: &RemoteUserId, granted: bool) -> Result<Plan, StepError> {
    room::set_admins(heard.bridge, &heard.portal, &[(user.clone(), granted)]).await?;
    Ok(Plan::nothing(heard.row))
}

/// Whether new members have to be let in.
pub(super) fn approval(heard: &Heard<'_>, required: bool) -> Plan {
    let text = match required {
        true => "New members of this group now have to be let in by an admin.",
        false => "New members of this group need no admin any more to let them in.",
    };
    notice(heard, text)
}

/// Said at once, since what comes next will vanish on Instagram and stay here.
pub(super) fn vanish_mode(heard: &Heard<'_>, on: bool) -> Plan {
    let text = match on {
        true => {
            "Vanish mode was switched on in this chat: on Instagram its messages disappear once they are read. \
             This room keeps them."
        }
        false => "Vanish mode was switched off in this chat.",
    };
    notice(heard, text)
}

/// The chat is gone from the login's inbox: deleted there, or the login is in the group no more. The room stays.
pub(super) async fn removed(heard: &Heard<'_>) -> Result<Plan, StepError> {
    let store = &heard.bridge.store;
    if heard.portal.key.receiver.is_some() {
        return Ok(notice(heard, "This chat was deleted on Instagram. The room stays; a new message goes on in it."));
    }
    store.forget_login_in_thread(&heard.portal.key.thread, &heard.login).await?;
    let name = heard.bridge.known_login(&heard.login).await?.username;
    let text = format!(
        "@{name} is in this Instagram group no more: the group was left or deleted, or an admin removed the account. \
         The room stays; nothing is bridged for this account."
    );
    Ok(notice(heard, &text))
}

/// A line of the bot about the chat.
fn notice(heard: &Heard<'_>, text: &str) -> Plan {
    let mut plan = Plan::nothing(heard.row);
    let Some(room) = heard.portal.room.clone() else { return plan };
    plan.events.push(Planned {
        request: request_id::row_transaction(&heard.row.dedup_key, "notice", 0),
        intent: Intent::Bot,
        sender: String::new(),
        portal: heard.portal.id,
        room,
        action: Action::Send {
            kind: "m.room.message",
            content: json!({"msgtype": "m.notice", "body": text, "m.mentions": {}}),
            at: None,
            media: None,
        },
        outcome: Outcome::Nothing,
    });
    plan
}
