//! Changes of a chat: its title, its members, its picture, its admins, its rules, its end.

use std::sync::Arc;

use serde_json::json;

use super::{Action, Heard, Outcome, Plan, Planned, change, message, seen, shared};
use crate::bridge::Bridge;
use crate::domain::event::{Picture, RemoteThread};
use crate::domain::ids::{LoginId, RemoteUserId, ThreadId};
use crate::domain::record::{Effect, InboxRow, Portal, Rules, Standing};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::network::RemoteError;
use crate::portal::room::VANISH_MODE_ON;
use crate::portal::{echo, ghost, room};

/// How often the picture of a group is asked for.
const PICTURE_TRIES: i64 = 2;

/// The chat is described anew: its title, its members, its rules.
pub(super) async fn changed(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    login: LoginId,
    thread: &RemoteThread,
) -> Result<Plan, StepError> {
    let Some(heard) = described(bridge, row, login, thread).await? else { return Ok(Plan::nothing(row)) };
    let change = shared::Change::of_thread(&heard, thread);
    let mut plan = match change.is_known(&heard).await? {
        true => Plan::nothing(row),
        false => brought_in_step(&heard, thread).await?,
    };
    change.note(&heard, &mut plan);
    Ok(plan)
}

/// Looks at a chat that was not heard of for a while: what changed of itself, of its latest messages, and who has read
/// them. What was taken back meanwhile stays: over HTTP that looks like what has vanished by itself.
pub(super) async fn reconciled(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    login: LoginId,
    thread: &ThreadId,
) -> Result<Plan, StepError> {
    let thread = match bridge.remote(&login).await?.thread(thread).await {
        Ok(thread) => thread,
        Err(RemoteError::NotFound | RemoteError::Rejected(_) | RemoteError::Impossible(_)) => {
            return Ok(Plan::nothing(row));
        }
        Err(error) => return Err(StepError::Remote { login, error }),
    };
    let Some(heard) = described(bridge, row, login, &thread).await? else { return Ok(Plan::nothing(row)) };
    let mut plan = brought_in_step(&heard, &thread).await?;
    for item in &thread.items {
        // Requests are named by their row: each state of each item has a name of its own in it. After a death it may be
        // another state than the one that was begun.
        let state = message::digest_with_reactions(bridge, item);
        let row = InboxRow { dedup_key: format!("{}/{}/{state}", row.dedup_key, item.id), ..row.clone() };
        let heard = Heard { row: &row, login: heard.login.clone(), portal: heard.portal.clone(), ..heard };
        let Plan { events, effects, .. } = change::changed(&heard, item).await?;
        plan.events.extend(events);
        plan.effects.extend(effects);
    }
    for (reader, at) in &thread.seen {
        seen::shown(&heard, reader, None, *at).await?;
    }
    shared::note_all(&heard, &mut plan);
    Ok(plan)
}

/// Takes from a description what is for its login alone. None when no room shows the chat.
async fn described<'a>(
    bridge: &'a Arc<Bridge>,
    row: &'a InboxRow,
    login: LoginId,
    thread: &RemoteThread,
) -> Result<Option<Heard<'a>>, StepError> {
    room::update_own(bridge, &login, thread).await?;
    let known = room::portal_for(bridge, &login, &thread.id).await?;
    let portal = known.filter(|portal| portal.room.is_some());
    Ok(portal.map(|portal| Heard { bridge, row, login, portal }))
}

/// Brings the room in step with a description.
async fn brought_in_step(heard: &Heard<'_>, thread: &RemoteThread) -> Result<Plan, StepError> {
    room::update(heard.bridge, &heard.login, thread).await?;
    Ok(ruled(heard, thread.vanish_mode, thread.approval_required))
}

/// The group has another picture.
pub(super) async fn pictured(heard: &Heard<'_>, image: Option<Picture>) -> Result<Plan, StepError> {
    if image.as_ref().is_some_and(|image| Some(&image.id) == heard.portal.avatar_id.as_ref()) {
        return Ok(Plan::nothing(heard.row));
    }
    if echo::is_own_picture(heard.bridge, heard.portal.id, heard.row.accepted_at).await? {
        let known = Portal { avatar_id: image.map(|image| image.id), ..heard.portal.clone() };
        heard.bridge.store.save_portal(&heard.portal, &known).await?;
        return Ok(Plan::nothing(heard.row));
    }
    match ghost::set_room_picture(heard.bridge, &heard.login, &heard.portal, image).await {
        // No picture is worth that messages wait for it.
        Err(StepError::Remote { error, .. }) if !error.is_transient() || heard.row.attempts >= PICTURE_TRIES => {
            tracing::warn!(%error, "picture not set");
        }
        outcome => outcome?,
    }
    Ok(Plan::nothing(heard.row))
}

/// An admin on Instagram is a moderator of the room.
pub(super) async fn admin(heard: &Heard<'_>, user: &RemoteUserId, granted: bool) -> Result<Plan, StepError> {
    room::set_admins(heard.bridge, &heard.portal, &[(user.clone(), granted)]).await?;
    Ok(Plan::nothing(heard.row))
}

/// Says which rules of the chat have changed; what is not said of one is none. Several logins hear of each change of a
/// group: its room is told once.
pub(super) fn ruled(heard: &Heard<'_>, vanish_mode: Option<bool>, approval_required: Option<bool>) -> Plan {
    let known = heard.portal.rules;
    let rules = Rules {
        vanish_mode: vanish_mode.unwrap_or(known.vanish_mode),
        approval_required: approval_required.unwrap_or(known.approval_required),
        vanish_mode_by_message: known.vanish_mode_by_message && vanish_mode != Some(true),
    };
    let mut lines = Vec::new();
    if rules.approval_required != known.approval_required {
        lines.push(match rules.approval_required {
            true => "New members of this group now have to be let in by an admin.",
            false => "New members of this group no longer need an admin's approval.",
        });
    }
    if rules.vanish_mode != known.vanish_mode {
        // Said at once, since what comes next will vanish on Instagram and stay here.
        lines.push(match rules.vanish_mode {
            true => VANISH_MODE_ON,
            false => "Vanish mode was switched off in this chat.",
        });
    }
    if rules == known {
        return Plan::nothing(heard.row);
    }
    let mut plan = if lines.is_empty() { Plan::nothing(heard.row) } else { notice(heard, &lines.join("\n")) };
    plan.effects.push(Effect::Ruled { portal: heard.portal.id, rules });
    plan
}

/// The chat is gone from the login's inbox: deleted there, or the login is in the group no more. The room stays.
pub(super) async fn removed(heard: &Heard<'_>) -> Result<Plan, StepError> {
    let Heard { bridge, login, portal, .. } = heard;
    if bridge.store.standing(&portal.key.thread, login).await? != Standing::Open {
        // Whoever declines a request has been told what that means.
        return Ok(Plan::nothing(heard.row));
    }
    if portal.key.receiver.is_some() {
        return Ok(notice(heard, "This chat was deleted on Instagram. The room stays; a new message goes on in it."));
    }
    let known = bridge.known_login(login).await?;
    let name = known.username;
    match bridge.remote(login).await?.thread(&portal.key.thread).await {
        Ok(_) => {
            let text = format!("@{name} has deleted this chat on Instagram and is still in the group. The room stays.");
            return Ok(notice(heard, &text));
        }
        Err(RemoteError::NotFound | RemoteError::Rejected(_) | RemoteError::Impossible(_)) => {}
        Err(error) => return Err(StepError::Remote { login: login.clone(), error }),
    }
    let reason = "your Instagram account is no longer in this group";
    room::without_login(bridge, portal, login, &known.user, reason).await?;
    let text = format!(
        "@{name} is no longer in this Instagram group: the group was left or deleted, or an admin removed the account. \
         The room stays; nothing is bridged for this account."
    );
    Ok(notice(heard, &text))
}

/// Says that vanish mode is on, because of a message that vanishes in a room that was not told of it. Once, until the
/// chat itself says so: a chat and its messages that disagree would else be told of for ever.
pub(super) fn ruled_by_message(heard: &Heard<'_>) -> Option<Plan> {
    let known = heard.portal.rules;
    if known.vanish_mode || known.vanish_mode_by_message {
        return None;
    }
    let mut plan = notice(heard, VANISH_MODE_ON);
    let rules = Rules { vanish_mode: true, vanish_mode_by_message: true, ..known };
    plan.effects.push(Effect::Ruled { portal: heard.portal.id, rules });
    Some(plan)
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
