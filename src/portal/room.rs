//! The room of a portal: made once, adopted when it was made before a crash, kept in step with the thread.

mod budget;
mod members;
mod names;

use std::sync::Arc;
use std::time::Duration;

use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Value, json};

use super::{ghost, puppet, request};
use crate::bridge::Bridge;
use crate::config::Requests;
use crate::domain::event::RemoteThread;
use crate::domain::ids::{LoginId, PortalKey, RemoteUserId, ThreadId};
use crate::domain::record::{Portal, Rules, Standing};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::StepError;
use crate::matrix::{HomeserverError, Intent, NewRoom};
use crate::network::RemoteError;

pub use budget::RoomBudget;
pub use members::{doubt_member, ensure_member};
pub(super) use members::{ensure_user, set_admins, without_login};
pub(super) use names::name_again;

use members::{invite_quietly, owner, update_members};
use names::{is_renamed, name, name_ghosts};

/// What a room is told when what is written begins to disappear.
pub(super) const VANISH_MODE_ON: &str = "Vanish mode was switched on in this chat: on Instagram its messages disappear \
    once they are read. This room keeps them.";

/// How often, four times a second, a room is looked for that has an alias.
const ADOPTING: usize = 40;

/// Where a thread is on Instagram.
pub fn link(thread: &ThreadId) -> String {
    format!("https://www.instagram.com/direct/t/{thread}/")
}

/// The portal of a thread for a login, its room included. Nothing to do nearly always. None for a message request that
/// is to have no room, or was declined.
pub async fn ensure(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &ThreadId,
    sender: Option<&RemoteUserId>,
) -> Result<Option<Portal>, StepError> {
    let known = portal_for(bridge, login, thread).await?;
    if let Some(portal) = &known {
        if !is_wanted(bridge, portal, login, sender).await? {
            return Ok(None);
        }
        if portal.room.is_some() {
            ensure_user(bridge, portal, login).await?;
            return Ok(known);
        }
    }
    bridge.rooms.check(bridge.config.bridge.rooms_per_hour)?;
    let shown = fetch(bridge, login, thread, sender).await?;
    if shown.pending == Some(true) && bridge.config.bridge.message_requests != Requests::Room {
        return request::arrived(bridge, login, &shown).await.map(|()| None);
    }
    create(bridge, login, &shown, true).await.map(Some)
}

/// Whether a login is to be shown now what is said in a known thread: not in a request that it did not accept, unless
/// that has a room of its own.
async fn is_wanted(
    bridge: &Arc<Bridge>,
    portal: &Portal,
    login: &LoginId,
    sender: Option<&RemoteUserId>,
) -> Result<bool, StepError> {
    let thread = &portal.key.thread;
    let is_in = portal.key.receiver.is_some() || bridge.store.logins_in_thread(thread).await?.contains(login);
    let waits = match (bridge.store.standing(thread, login).await?, &portal.room) {
        // A stranger may have added this login to a group of which others have a room.
        (Standing::Open, Some(_)) if !is_in => return request::is_none(bridge, login, thread, sender).await,
        (Standing::Open, _) => false,
        (Standing::Declined, _) => true,
        (Standing::Request, None) => bridge.config.bridge.message_requests != Requests::Room,
        (Standing::Request, Some(_)) => !is_in,
    };
    if !waits {
        return Ok(true);
    }
    if !request::is_over(bridge, login, thread, sender).await? {
        return Ok(false);
    }
    // Accepted where nobody told us.
    request::accepted(bridge, login, portal).await?;
    match bridge.histories.holds(thread, login) {
        // What was said so far is fetched. This too, if Instagram's clock and ours agree: it is looked at after that.
        true => Err(StepError::Hold("earlier messages of this chat are being fetched")),
        false => Ok(true),
    }
}

/// As [`ensure`], for a user who asks for the chat: it comes back if they had declined it, and invites them anew if they
/// had left.
pub async fn reopen(bridge: &Arc<Bridge>, login: &LoginId, thread: &ThreadId) -> Result<Option<Portal>, StepError> {
    bridge.store.forget_login_in_thread(thread, login).await?;
    if bridge.store.standing(thread, login).await? == Standing::Declined {
        bridge.store.set_standing(thread, login, Standing::Open).await?;
    }
    ensure(bridge, login, thread, None).await
}

/// As [`ensure`], without inviting the user.
pub async fn ensure_quietly(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &ThreadId,
    sender: Option<&RemoteUserId>,
) -> Result<Portal, StepError> {
    let known = portal_for(bridge, login, thread).await?;
    if let Some(portal) = known.filter(|portal| portal.room.is_some()) {
        if bridge.store.standing(thread, login).await? != Standing::Open
            && request::is_over(bridge, login, thread, None).await?
        {
            bridge.store.set_standing(thread, login, Standing::Open).await?;
        }
        return Ok(portal);
    }
    bridge.rooms.check(bridge.config.bridge.rooms_per_hour)?;
    let shown = fetch(bridge, login, thread, sender).await?;
    // Whoever asks for what was said before has accepted.
    create(bridge, login, &RemoteThread { pending: None, ..shown }, false).await
}

/// The portal that shows a thread to a login: shared if the thread is a group, else the login's own.
pub(crate) async fn portal_for(
    bridge: &Bridge,
    login: &LoginId,
    thread: &ThreadId,
) -> Result<Option<Portal>, StepError> {
    let shared = PortalKey { thread: thread.clone(), receiver: None };
    if let Some(portal) = bridge.store.portal(&shared).await? {
        return Ok(Some(portal));
    }
    Ok(bridge.store.portal(&PortalKey { receiver: Some(login.clone()), ..shared }).await?)
}

/// Fetches the thread; when Instagram does not know it any more, the sender alone has to do.
async fn fetch(
    bridge: &Bridge,
    login: &LoginId,
    thread: &ThreadId,
    sender: Option<&RemoteUserId>,
) -> Result<RemoteThread, StepError> {
    let remote = bridge.remote(login).await?;
    match remote.thread(thread).await {
        Ok(shown) => Ok(shown),
        Err(RemoteError::NotFound | RemoteError::Rejected(_) | RemoteError::Impossible(_)) => {
            let mut users = Vec::new();
            if let Some(sender) = sender.filter(|sender| **sender != login.as_remote_user()) {
                users.push(ghost::look_up(bridge, login, sender).await?);
            }
            let id = thread.clone();
            Ok(RemoteThread::direct(id, users))
        }
        Err(error) => Err(StepError::Remote { login: login.clone(), error }),
    }
}

/// What names the portal of a thread for a login.
pub(super) fn key(login: &LoginId, thread: &RemoteThread) -> PortalKey {
    PortalKey { thread: thread.id.clone(), receiver: Some(login.clone()).filter(|_| !thread.is_group) }
}

/// Makes the room. Room creation is not idempotent in Matrix, so the alias is its key: "in use" means that it was made
/// before, and it is adopted.
pub(super) async fn create(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    thread: &RemoteThread,
    with_user: bool,
) -> Result<Portal, StepError> {
    let key = key(login, thread);
    let known = bridge.store.ensure_portal(&key).await?;
    let user = owner(bridge, login).await?;
    let mut invite = if with_user { vec![user.clone()] } else { Vec::new() };
    for member in &thread.users {
        ghost::ensure(bridge, login, member).await?;
        invite.push(ghost::user_id(bridge, &member.id));
    }
    let alias = request_id::alias_localpart(bridge.config.ghost_prefix(), bridge.config.secret_key(), &key);
    let name = name(thread);
    let place = bridge.rooms.reserve(bridge.config.bridge.rooms_per_hour)?;
    let room = match bridge.matrix.create_room(&new_room(bridge, thread, &alias, name.clone(), invite)).await {
        Ok(room) => {
            place.keep();
            failpoint::hit("room-after-create");
            tracing::info!(%room, group = thread.is_group, "portal created");
            room
        }
        Err(HomeserverError::AliasInUse) => {
            drop(place);
            let room = adopt(bridge, &alias).await?;
            if with_user {
                invite_quietly(bridge, &room, &user, !thread.is_group).await?;
            }
            tracing::info!(%room, "portal adopted");
            room
        }
        Err(error) => return Err(error.into()),
    };
    let mut portal = Portal { room: Some(room.clone()), name, ..known.clone() };
    portal.rules = Rules {
        vanish_mode: thread.vanish_mode == Some(true),
        approval_required: thread.approval_required == Some(true),
        vanish_mode_by_message: false,
    };
    if portal.rules.vanish_mode {
        let content = json!({"msgtype": "m.notice", "body": VANISH_MODE_ON, "m.mentions": {}});
        let request = request_id::notice_transaction(thread.id.as_str(), "vanish mode");
        bridge.matrix.send(&Intent::Bot, &room, "m.room.message", &content, &request, None).await?;
    }
    let standing = match thread.pending {
        Some(true) => Standing::Request,
        _ => Standing::Open,
    };
    if standing == Standing::Request {
        request::say_in_room(bridge, &portal, thread).await?;
    }
    bridge.store.set_standing(&key.thread, login, standing).await?;
    bridge.store.save_portal(&known, &portal).await?;
    let known = portal.clone();
    if with_user {
        let others: Vec<_> = thread.users.iter().map(|user| user.id.clone()).collect();
        puppet::enter(bridge, &portal, login, &others).await?;
        bridge.store.note_login_in_thread(&key.thread, login).await?;
    }
    failpoint::hit("room-after-save");
    for member in &thread.users {
        bridge.matrix.ensure_joined(&ghost::user_id(bridge, &member.id), &room).await?;
        portal.members.push(member.id.clone());
    }
    portal.members.sort();
    name_ghosts(bridge, thread, &mut portal).await?;
    bridge.store.save_portal(&known, &portal).await?;
    ghost::refresh_pictures(bridge, login, thread, &portal);
    if let Some(admins) = thread.admins.as_ref().filter(|_| thread.is_group) {
        let admins: Vec<_> = admins.iter().map(|admin| (admin.clone(), true)).collect();
        set_admins(bridge, &portal, &admins).await?;
    }
    Ok(portal)
}

/// The room that has an alias, once the bot is in it.
///
/// A room that is being made at this moment has its alias before that. A homeserver that died in between (Synapse stores
/// the alias first) leaves one that leads nowhere: it is freed, and the room is made anew.
async fn adopt(bridge: &Bridge, alias: &str) -> Result<OwnedRoomId, StepError> {
    for _ in 0..ADOPTING {
        if let Some(room) = bridge.matrix.resolve_alias(alias).await?
            && is_in(bridge, &room).await?
        {
            return Ok(room);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    tracing::warn!("the alias of a room leads to none that the bot is in; it is freed");
    bridge.matrix.remove_alias(alias).await?;
    Err(StepError::Later("its room"))
}

/// Whether the bot is in a room. Of one that it is not in, nothing is said to it.
async fn is_in(bridge: &Bridge, room: &RoomId) -> Result<bool, StepError> {
    match bridge.matrix.state(room, "m.room.member", bridge.bot().as_str()).await {
        Ok(member) => Ok(member.is_some_and(|member| member["membership"] == "join")),
        Err(error) if error.is_transient() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

fn new_room(
    bridge: &Bridge,
    thread: &RemoteThread,
    alias: &str,
    name: Option<String>,
    invite: Vec<OwnedUserId>,
) -> NewRoom {
    let info = json!({
        "bridgebot": bridge.bot(),
        "creator": bridge.bot(),
        "protocol": {"id": "instagram", "displayname": "Instagram", "external_url": "https://www.instagram.com/"},
        "channel": {"id": thread.id, "displayname": name, "external_url": link(&thread.id)},
    });
    let state_key = format!("dev.puppetgram://instagram/{}", thread.id);
    let bridge_state = |kind: &str| json!({"type": kind, "state_key": state_key, "content": info});
    NewRoom {
        alias_localpart: Some(alias.to_owned()),
        name,
        topic: thread.is_group.then(|| format!("Instagram group: {}", link(&thread.id))),
        is_direct: !thread.is_group,
        invite,
        initial_state: vec![bridge_state("m.bridge"), bridge_state("uk.half-shot.bridge")],
        power_levels: thread.is_group.then(group_powers),
    }
}

/// Whoever is in a group may rename it, give it a picture and add people, as on Instagram; the rest is the bot's.
fn group_powers() -> Value {
    json!({
        "invite": 0,
        "events": {
            "m.room.name": 0,
            "m.room.avatar": 0,
            "m.room.canonical_alias": 100,
            "m.room.encryption": 100,
            "m.room.history_visibility": 100,
            "m.room.power_levels": 100,
            "m.room.server_acl": 100,
            "m.room.tombstone": 100,
        },
    })
}

/// Takes from a thread what is for the login alone: that its request was accepted, that it has marked the chat as unread.
pub async fn update_own(bridge: &Arc<Bridge>, login: &LoginId, thread: &RemoteThread) -> Result<(), StepError> {
    let Some(portal) = portal_for(bridge, login, &thread.id).await? else { return Ok(()) };
    if thread.pending == Some(false) && bridge.store.standing(&thread.id, login).await? != Standing::Open {
        request::accepted(bridge, login, &portal).await?;
    }
    match thread.marked_unread {
        Some(unread) => puppet::mark_unread(bridge, &portal, login, unread).await,
        None => Ok(()),
    }
}

/// Brings title and members of an existing room in step with the thread. A thread without a room gets one with its
/// first message.
pub async fn update(bridge: &Arc<Bridge>, login: &LoginId, thread: &RemoteThread) -> Result<(), StepError> {
    let known = portal_for(bridge, login, &thread.id).await?;
    let Some(mut portal) = known else { return Ok(()) };
    let known = portal.clone();
    let Some(room) = portal.room.clone() else { return Ok(()) };
    let name = name(thread);
    if portal.name != name && is_renamed(bridge, login, thread, &portal).await? {
        let content = json!({"name": name});
        bridge.matrix.set_state(&Intent::Bot, &room, "m.room.name", "", &content, None).await?;
        portal.name = name;
    }
    if thread.is_group && !thread.users.is_empty() {
        update_members(bridge, login, &thread.users, &room, &mut portal).await?;
    }
    for user in thread.users.iter().filter(|user| !user.username.is_empty()) {
        ghost::ensure(bridge, login, user).await?;
    }
    name_ghosts(bridge, thread, &mut portal).await?;
    bridge.store.save_portal(&known, &portal).await?;
    if thread.is_group {
        if let Some(admins) = &thread.admins {
            let logins = bridge.store.logins_in_thread(&portal.key.thread).await?;
            let members = portal.members.iter().cloned().chain(logins.iter().map(LoginId::as_remote_user));
            let admins: Vec<_> = members.map(|member| (member.clone(), admins.contains(&member))).collect();
            set_admins(bridge, &portal, &admins).await?;
        }
        if thread.image.as_ref().map(|image| &image.id) != portal.avatar_id.as_ref() && thread.image.is_some() {
            ghost::refresh_pictures(bridge, login, thread, &portal);
        }
    }
    Ok(())
}

/// The avatar event of a room.
pub(super) fn avatar_content(url: &ruma::MxcUri) -> Value {
    json!({"url": url})
}
