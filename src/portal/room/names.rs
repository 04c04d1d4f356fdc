//! What rooms are called, and what ghosts are called in them.

use serde_json::json;

use crate::bridge::Bridge;
use crate::domain::event::RemoteThread;
use crate::domain::ids::{LoginId, RemoteUserId};
use crate::domain::record::Portal;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::portal::ghost;

/// Members named in the name of a group that has none.
const PEOPLE: usize = 4;

pub(super) fn name(thread: &RemoteThread) -> Option<String> {
    if !thread.is_group {
        return None;
    }
    let people = || {
        let names: Vec<&str> = thread.users.iter().take(PEOPLE).map(ghost::short_name).collect();
        names.join(", ")
    };
    Some(thread.title.clone().unwrap_or_else(people))
}

/// Whether a thread wants another name for its room than that has. A name that is made of members may be made of others
/// for another login, which is no reason.
pub(super) async fn is_renamed(
    bridge: &Bridge,
    login: &LoginId,
    thread: &RemoteThread,
    portal: &Portal,
) -> Result<bool, StepError> {
    if !thread.is_untitled || !thread.is_group || thread.users.is_empty() {
        return Ok(thread.title.is_some());
    }
    let own = bridge.known_login(login).await?;
    let ghost = bridge.store.ghost(&login.as_remote_user()).await?;
    let own_name = ghost.map(|ghost| ghost.full_name).filter(|name| !name.trim().is_empty()).unwrap_or(own.username);
    let people: Vec<&str> = thread.users.iter().map(ghost::short_name).chain([own_name.trim()]).collect();
    let parts: Vec<&str> = portal.name.as_deref().unwrap_or_default().split(", ").collect();
    Ok(parts.len() != thread.users.len().min(PEOPLE) || !parts.iter().all(|part| people.contains(part)))
}

/// Calls ghosts in this room by the names that they have in this chat; without one, by their own again.
pub(super) async fn name_ghosts(bridge: &Bridge, thread: &RemoteThread, portal: &mut Portal) -> Result<(), StepError> {
    let Some(nicknames) = &thread.nicknames else { return Ok(()) };
    let changed = |member: &&RemoteUserId| portal.nicknames.get(*member) != nicknames.get(*member);
    let changed: Vec<_> = portal.members.iter().filter(changed).cloned().collect();
    portal.nicknames.clone_from(nicknames);
    for member in changed {
        name_here(bridge, portal, &member).await?;
    }
    Ok(())
}

/// Names a ghost in its rooms anew: homeservers write its profile over the names that it has in them.
pub(in crate::portal) async fn name_again(bridge: &Bridge, member: &RemoteUserId) -> Result<(), StepError> {
    for portal in bridge.store.portals_naming(member).await? {
        let own = portal.key.receiver.as_ref().is_some_and(|receiver| receiver.as_remote_user() == *member);
        if own || portal.members.contains(member) {
            name_here(bridge, &portal, member).await?;
        }
    }
    Ok(())
}

/// Calls a ghost by the name that it has in this room.
pub(super) async fn name_here(bridge: &Bridge, portal: &Portal, member: &RemoteUserId) -> Result<(), StepError> {
    let (Some(ghost), Some(room)) = (bridge.store.ghost(member).await?, &portal.room) else { return Ok(()) };
    let own = portal.key.receiver.as_ref().is_some_and(|receiver| receiver.as_remote_user() == *member);
    let name = match portal.nicknames.get(member) {
        Some(nickname) => bridge.config.displayname(nickname, &ghost.username),
        None if own => {
            let name = if ghost.full_name.trim().is_empty() { &ghost.username } else { ghost.full_name.trim() };
            format!("{name} (you, in the Instagram app)")
        }
        None => ghost.displayname,
    };
    let user = ghost::user_id(bridge, member);
    let mut content = json!({"membership": "join", "displayname": name});
    if let Some(avatar) = &ghost.avatar {
        content["avatar_url"] = json!(avatar);
    }
    let intent = Intent::As(user.clone());
    match bridge.matrix.set_state(&intent, room, "m.room.member", user.as_str(), &content, None).await {
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "name not shown");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}
