//! The room of a portal: made once, adopted when it was made before a crash, kept in step with the thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::{ghost, puppet, request};
use crate::bridge::Bridge;
use crate::config::Requests;
use crate::domain::event::{RemoteThread, RemoteUser};
use crate::domain::ids::{LoginId, PortalId, PortalKey, RemoteUserId, ThreadId, Timestamp};
use crate::domain::record::{Portal, Rules, Standing};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::StepError;
use crate::matrix::{HomeserverError, Intent, NewRoom};
use crate::network::RemoteError;
use crate::runtime;

/// The power of a ghost whose user is an admin on Instagram.
const ADMIN_POWER: i64 = 50;

/// What a room is told when what is written begins to disappear.
pub(super) const VANISH_MODE_ON: &str = "Vanish mode was switched on in this chat: on Instagram its messages disappear \
    once they are read. This room keeps them.";

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
    if let Some(mut portal) = portal_for(bridge, login, thread).await? {
        let is_shared = portal.key.receiver.is_none();
        match (portal.standing, &portal.room) {
            (Standing::Declined, _) if !is_shared => return Ok(None),
            // Accepted where nobody told us, or by another login of a group: what was said so far is fetched, this too.
            (Standing::Declined, _) | (Standing::Request, None) => {
                if !request::is_over(bridge, login, thread).await? {
                    return Ok(None);
                }
                request::accepted(bridge, login, &mut portal).await?;
                if portal.room.is_none() {
                    return Ok(None);
                }
            }
            (Standing::Open | Standing::Request, _) => {}
        }
        if portal.room.is_some() {
            ensure_user(bridge, &portal, login).await?;
            return Ok(Some(portal));
        }
    }
    bridge.rooms.check(bridge.config.bridge.rooms_per_hour)?;
    let shown = fetch(bridge, login, thread, sender).await?;
    if shown.pending == Some(true) && bridge.config.bridge.message_requests != Requests::Room {
        return request::arrived(bridge, login, &shown).await.map(|()| None);
    }
    create(bridge, login, &shown, true).await.map(Some)
}

/// As [`ensure`], for a user who asks for the chat: it comes back if they had declined it, and invites them anew if they
/// had left.
pub async fn reopen(bridge: &Arc<Bridge>, login: &LoginId, thread: &ThreadId) -> Result<Option<Portal>, StepError> {
    if let Some(portal) = portal_for(bridge, login, thread).await? {
        bridge.store.forget_login_in_thread(thread, login).await?;
        if portal.standing == Standing::Declined {
            bridge.store.save_portal(&portal, &Portal { standing: Standing::Open, ..portal.clone() }).await?;
        }
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
        return Ok(portal);
    }
    bridge.rooms.check(bridge.config.bridge.rooms_per_hour)?;
    let shown = fetch(bridge, login, thread, sender).await?;
    // Whoever asks for what was said before has accepted.
    create(bridge, login, &RemoteThread { pending: None, ..shown }, false).await
}

/// How many rooms were made in the last hour. A flood of chats must not become a flood of rooms.
#[derive(Debug, Default)]
pub struct RoomBudget(Mutex<VecDeque<Timestamp>>);

impl RoomBudget {
    /// Whether another room may be made.
    fn check(&self, most: usize) -> Result<(), StepError> {
        const HOUR_MS: i64 = 3_600_000;
        let now = runtime::now();
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while made.front().is_some_and(|at| now.0.saturating_sub(at.0) > HOUR_MS) {
            made.pop_front();
        }
        match made.len() < most {
            true => Ok(()),
            false => Err(StepError::Hold("too many rooms were made in the last hour")),
        }
    }

    fn note(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(runtime::now());
    }
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
        Err(RemoteError::NotFound | RemoteError::Rejected(_)) => {
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
    let room = match bridge.matrix.create_room(&new_room(bridge, thread, &alias, name.clone(), invite)).await {
        Ok(room) => {
            bridge.rooms.note();
            failpoint::hit("room-after-create");
            tracing::info!(%room, group = thread.is_group, "portal created");
            room
        }
        Err(HomeserverError::AliasInUse) => {
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
    };
    if portal.rules.vanish_mode {
        let content = json!({"msgtype": "m.notice", "body": VANISH_MODE_ON, "m.mentions": {}});
        let request = request_id::notice_transaction(thread.id.as_str(), "vanish mode");
        bridge.matrix.send(&Intent::Bot, &room, "m.room.message", &content, &request, None).await?;
    }
    if thread.pending == Some(true) {
        portal.standing = Standing::Request;
        request::say_in_room(bridge, &portal, thread).await?;
    }
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

/// The room that has an alias. Whoever makes it at this moment has the alias before the room.
async fn adopt(bridge: &Bridge, alias: &str) -> Result<OwnedRoomId, StepError> {
    for _ in 0..20 {
        if let Some(room) = bridge.matrix.resolve_alias(alias).await? {
            return Ok(room);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(StepError::Later("room alias"))
}

fn name(thread: &RemoteThread) -> Option<String> {
    if !thread.is_group {
        return None;
    }
    let people = || {
        let names: Vec<&str> = thread.users.iter().take(4).map(ghost::short_name).collect();
        names.join(", ")
    };
    Some(thread.title.clone().unwrap_or_else(people))
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

/// Invites the owner of a login that was not yet seen in this thread.
pub(super) async fn ensure_user(bridge: &Bridge, portal: &Portal, login: &LoginId) -> Result<(), StepError> {
    if bridge.store.logins_in_thread(&portal.key.thread).await?.contains(login) {
        return Ok(());
    }
    if let Some(room) = &portal.room {
        invite_quietly(bridge, room, &owner(bridge, login).await?, portal.key.receiver.is_some()).await?;
        let mut others = portal.members.clone();
        others.retain(|member| *member != login.as_remote_user());
        puppet::enter(bridge, portal, login, &others).await?;
    }
    Ok(bridge.store.note_login_in_thread(&portal.key.thread, login).await?)
}

/// A login is in a group no more. Where others go on in the room, its owner has no business there any longer.
pub(super) async fn without_login(
    bridge: &Bridge,
    portal: &Portal,
    login: &LoginId,
    user: &UserId,
) -> Result<(), StepError> {
    bridge.store.forget_login_in_thread(&portal.key.thread, login).await?;
    if portal.relay.as_ref() == Some(login) {
        bridge.store.save_portal(portal, &Portal { relay: None, ..portal.clone() }).await?;
    }
    let left = bridge.store.logins_in_thread(&portal.key.thread).await?;
    let own = bridge.store.logins_of_user(user).await?;
    let Some(room) = portal.room.as_ref().filter(|_| !left.is_empty()) else { return Ok(()) };
    if own.iter().any(|own| left.contains(&own.id)) {
        return Ok(());
    }
    let reason = "your Instagram account is in this group no more";
    match bridge.matrix.kick(room, user, Some(reason)).await {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Invites; someone who is in the room already is no error.
async fn invite_quietly(bridge: &Bridge, room: &RoomId, user: &OwnedUserId, is_direct: bool) -> Result<(), StepError> {
    let invited = match is_direct {
        // Only an invitation that is sent as an event can say that the chat is a direct one.
        true => {
            let member = json!({"membership": "invite", "is_direct": true});
            bridge.matrix.set_state(&Intent::Bot, room, "m.room.member", user.as_str(), &member, None).await.map(drop)
        }
        false => bridge.matrix.invite(room, user).await,
    };
    match invited {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}

async fn owner(bridge: &Bridge, login: &LoginId) -> Result<OwnedUserId, StepError> {
    Ok(bridge.known_login(login).await?.user)
}

/// The ghost of a sender, in the room. In a direct chat the user's own ghost says by its name in this room that it
/// shows what was written in the Instagram app.
pub async fn ensure_member(
    bridge: &Arc<Bridge>,
    portal: &Portal,
    login: &LoginId,
    sender: &RemoteUserId,
) -> Result<OwnedUserId, StepError> {
    let user = ghost::user_id(bridge, sender);
    if portal.members.contains(sender) {
        return Ok(user);
    }
    let Some(room) = &portal.room else { return Err(StepError::Later("room")) };
    let shown = ghost::look_up(bridge, login, sender).await?;
    ghost::ensure(bridge, login, &shown).await?;
    bridge.matrix.ensure_joined(&user, room).await?;
    let own = portal.key.receiver.as_ref().is_some_and(|receiver| receiver.as_remote_user() == *sender);
    if own {
        name_here(bridge, portal, sender).await?;
    }
    let mut joined = portal.clone();
    joined.members.push(sender.clone());
    bridge.store.save_portal(portal, &joined).await?;
    Ok(user)
}

/// Forgets that a ghost is in the room, after the homeserver refused it: the next try joins it again.
pub async fn doubt_member(bridge: &Bridge, portal: PortalId, sender: &str) -> Result<(), StepError> {
    if let Some(portal) = bridge.store.portal_by_id(portal).await? {
        let mut without = portal.clone();
        without.members.retain(|member| member.as_str() != sender);
        bridge.store.save_portal(&portal, &without).await?;
    }
    Ok(())
}

/// Brings title and members of an existing room in step with the thread. A thread without a room gets one with its
/// first message.
pub async fn update(bridge: &Arc<Bridge>, login: &LoginId, thread: &RemoteThread) -> Result<(), StepError> {
    let known = portal_for(bridge, login, &thread.id).await?;
    let Some(mut portal) = known else { return Ok(()) };
    if portal.standing == Standing::Request && thread.pending == Some(false) {
        request::accepted(bridge, login, &mut portal).await?;
    }
    let known = portal.clone();
    let Some(room) = portal.room.clone() else { return Ok(()) };
    let name = name(thread);
    if portal.name != name && thread.title.is_some() {
        let content = json!({"name": name});
        bridge.matrix.set_state(&Intent::Bot, &room, "m.room.name", "", &content, None).await?;
        portal.name = name;
    }
    if let Some(unread) = thread.marked_unread {
        puppet::mark_unread(bridge, &portal, login, unread).await?;
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

/// Calls ghosts in this room by the names that they have in this chat; without one, by their own again.
async fn name_ghosts(bridge: &Bridge, thread: &RemoteThread, portal: &mut Portal) -> Result<(), StepError> {
    let Some(nicknames) = &thread.nicknames else { return Ok(()) };
    let changed = |member: &&RemoteUserId| portal.nicknames.get(*member) != nicknames.get(*member);
    let changed: Vec<_> = portal.members.iter().filter(changed).cloned().collect();
    portal.nicknames.clone_from(nicknames);
    for member in changed {
        name_here(bridge, portal, &member).await?;
    }
    Ok(())
}

/// Calls a ghost by the name that it has in this room.
async fn name_here(bridge: &Bridge, portal: &Portal, member: &RemoteUserId) -> Result<(), StepError> {
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

/// Names a ghost in its rooms anew: homeservers write its profile over the names that it has in them.
pub(super) async fn name_again(bridge: &Bridge, member: &RemoteUserId) -> Result<(), StepError> {
    for portal in bridge.store.portals_naming(member).await? {
        let own = portal.key.receiver.as_ref().is_some_and(|receiver| receiver.as_remote_user() == *member);
        if own || portal.members.contains(member) {
            name_here(bridge, &portal, member).await?;
        }
    }
    Ok(())
}

/// Gives or takes the powers of a moderator: to ghosts, and to the owners of logins. Nothing is sent when nothing
/// changes.
pub(super) async fn set_admins(
    bridge: &Bridge,
    portal: &Portal,
    admins: &[(RemoteUserId, bool)],
) -> Result<(), StepError> {
    let Some(room) = &portal.room else { return Ok(()) };
    if admins.is_empty() {
        return Ok(());
    }
    let Some(mut levels) = bridge.matrix.state(room, "m.room.power_levels", "").await? else { return Ok(()) };
    let before = levels.clone();
    let Some(users) = levels.as_object_mut().map(|levels| levels.entry("users").or_insert_with(|| json!({}))) else {
        return Ok(());
    };
    let Some(users) = users.as_object_mut() else { return Ok(()) };
    for (admin, granted) in admins {
        let login = bridge.store.login(&LoginId::new(admin.as_str())).await?;
        for user in login.map(|login| login.user).into_iter().chain([ghost::user_id(bridge, admin)]) {
            match granted {
                true => drop(users.insert(user.to_string(), json!(ADMIN_POWER))),
                false => drop(users.remove(user.as_str())),
            }
        }
    }
    if levels != before {
        bridge.matrix.set_state(&Intent::Bot, room, "m.room.power_levels", "", &levels, None).await?;
    }
    Ok(())
}

async fn update_members(
    bridge: &Arc<Bridge>,
    login: &LoginId,
    users: &[RemoteUser],
    room: &RoomId,
    portal: &mut Portal,
) -> Result<(), StepError> {
    for user in users.iter().filter(|user| !portal.members.contains(&user.id)).cloned().collect::<Vec<_>>() {
        ghost::ensure(bridge, login, &user).await?;
        bridge.matrix.ensure_joined(&ghost::user_id(bridge, &user.id), room).await?;
        portal.members.push(user.id);
    }
    let logins = bridge.store.logins_in_thread(&portal.key.thread).await?;
    let stays = |member: &RemoteUserId| {
        users.iter().any(|user| user.id == *member) || logins.iter().any(|login| login.as_remote_user() == *member)
    };
    for gone in portal.members.iter().filter(|member| !stays(member)) {
        let left = bridge.matrix.leave(&Intent::As(ghost::user_id(bridge, gone)), room).await;
        if let Err(error) = left
            && error.is_transient()
        {
            return Err(error.into());
        }
    }
    portal.members.retain(|member| stays(member));
    portal.members.sort();
    Ok(())
}

/// The avatar event of a room.
pub(super) fn avatar_content(url: &ruma::MxcUri) -> Value {
    json!({"url": url})
}
