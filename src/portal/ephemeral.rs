//! Typing and receipts from Matrix, and typing from Instagram. They skip the inbox: only the newest value of each
//! person and room counts, it is dropped under load, and lost in a crash. Receipts are tried again for some minutes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{ghost, room};
use crate::bridge::Bridge;
use crate::config::Receipts;
use crate::domain::ids::{LoginId, RemoteUserId, Timestamp};
use crate::domain::record::{Portal, Standing};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::StepError;
use crate::network::TypingNotice;
use crate::runtime;

/// People of whom something is on its way; beyond that, news are dropped.
const CROWD: usize = 256;
/// Typing is shown for no longer than this without being renewed.
const LONGEST_TYPING: Duration = Duration::from_secs(30);
/// Instagram shows typing for 12 seconds, so what goes on is told again before that. The homeserver says only once that
/// somebody types.
const RENEWAL: Duration = Duration::from_secs(8);
/// Who types for longer than this, as far as the homeserver says, has gone without a word of it.
const LONGEST_RENEWED: Duration = Duration::from_secs(300);

/// Pauses before a receipt is told again.
const RECEIPT_PAUSES: [Duration; 6] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(60),
];

/// What is on its way.
#[derive(Debug, Default)]
pub struct Ephemeral {
    /// Newest value of each user in each room; an entry has a task that empties it.
    waiting: Mutex<HashMap<(OwnedRoomId, OwnedUserId), News>>,
    /// Who types, as last heard.
    typing: Mutex<Typists>,
    /// Who types on Instagram, until when: a notice comes on two topics.
    shown: Mutex<HashMap<(OwnedRoomId, OwnedUserId), Timestamp>>,
}

/// Who types in Matrix rooms.
#[derive(Debug, Default)]
struct Typists {
    /// Since when each does.
    rooms: HashMap<OwnedRoomId, BTreeMap<OwnedUserId, Timestamp>>,
    /// A task tells of them again and again.
    renewed: bool,
}

#[derive(Debug, Default)]
struct News {
    seen: Option<OwnedEventId>,
    typing: Option<bool>,
}

impl News {
    /// What is newer counts.
    fn renew(&mut self, newer: Self) {
        self.seen = newer.seen.or(self.seen.take());
        self.typing = newer.typing.or(self.typing);
    }
}

/// An ephemeral event of a homeserver transaction.
#[derive(Deserialize)]
struct RoomNews {
    #[serde(rename = "type")]
    kind: String,
    room_id: OwnedRoomId,
    content: Value,
}

/// Takes the ephemeral events of a transaction. What cannot be read is nothing.
pub fn accept(bridge: &Arc<Bridge>, events: &[Box<RawValue>]) {
    for event in events {
        let Ok(news) = serde_json::from_str::<RoomNews>(event.get()) else { continue };
        match news.kind.as_str() {
            "m.receipt" => read(bridge, &news),
            "m.typing" => typed(bridge, &news),
            _ => {}
        }
    }
}

fn read(bridge: &Arc<Bridge>, news: &RoomNews) {
    if bridge.config.bridge.receipts != Receipts::Send {
        return;
    }
    for (event, kinds) in news.content.as_object().into_iter().flatten() {
        let Ok(event) = OwnedEventId::try_from(event.as_str()) else { continue };
        let readers = ["m.read", "m.read.private"].iter().filter_map(|kind| kinds[*kind].as_object()).flatten();
        for (reader, _) in readers {
            let Ok(reader) = OwnedUserId::try_from(reader.as_str()) else { continue };
            tell(bridge, &news.room_id, &reader, News { seen: Some(event.clone()), typing: None });
        }
    }
}

fn typed(bridge: &Arc<Bridge>, news: &RoomNews) {
    let listed = news.content["user_ids"].as_array().into_iter().flatten();
    let now: BTreeSet<OwnedUserId> = listed
        .filter_map(|user| OwnedUserId::try_from(user.as_str()?).ok())
        .filter(|user| !bridge.matrix.is_ours(user))
        .collect();
    // Told under the lock, so that no renewal comes after the end.
    let mut typing = bridge.ephemeral.typing.lock().unwrap_or_else(PoisonError::into_inner);
    let before = typing.rooms.remove(&news.room_id).unwrap_or_default();
    for user in now.iter().filter(|user| !before.contains_key(*user)) {
        tell(bridge, &news.room_id, user, News { seen: None, typing: Some(true) });
    }
    for user in before.keys().filter(|user| !now.contains(*user)) {
        tell(bridge, &news.room_id, user, News { seen: None, typing: Some(false) });
    }
    if now.is_empty() {
        return;
    }
    let at = runtime::now();
    let since = now.into_iter().map(|user| (before.get(&user).copied().unwrap_or(at), user));
    typing.rooms.insert(news.room_id.clone(), since.map(|(since, user)| (user, since)).collect());
    if !std::mem::replace(&mut typing.renewed, true) {
        renew(bridge);
    }
}

/// Tells again and again who types, until nobody does.
fn renew(bridge: &Arc<Bridge>) {
    let task = Arc::clone(bridge);
    bridge.tasks.spawn("typing", async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(RENEWAL) => {}
                () = task.tasks.shutdown().cancelled() => return,
            }
            let oldest = runtime::now().0 - i64::try_from(LONGEST_RENEWED.as_millis()).unwrap_or(i64::MAX);
            let mut typing = task.ephemeral.typing.lock().unwrap_or_else(PoisonError::into_inner);
            typing.rooms.retain(|_, users| {
                users.retain(|_, since| since.0 > oldest);
                !users.is_empty()
            });
            for (room, users) in &typing.rooms {
                users.keys().for_each(|user| tell(&task, room, user, News { seen: None, typing: Some(true) }));
            }
            if typing.rooms.is_empty() {
                typing.renewed = false;
                return;
            }
        }
    });
}

/// Notes the news, in the order in which they are heard, and has them told to Instagram.
fn tell(bridge: &Arc<Bridge>, room: &OwnedRoomId, user: &OwnedUserId, news: News) {
    if bridge.matrix.is_ours(user) {
        return;
    }
    let key = (room.clone(), user.clone());
    {
        let mut waiting = bridge.ephemeral.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = waiting.get_mut(&key) {
            return earlier.renew(news);
        }
        if waiting.len() >= CROWD {
            return;
        }
        waiting.insert(key.clone(), news);
    }
    let task = Arc::clone(bridge);
    bridge.tasks.spawn("ephemeral", async move { empty(&task, &key).await });
}

/// Tells news until there are none, then takes the entry away. A receipt that could not be told because of trouble that
/// passes is told later, unless there is a newer one by then.
async fn empty(bridge: &Arc<Bridge>, key: &(OwnedRoomId, OwnedUserId)) {
    let mut pauses = RECEIPT_PAUSES.iter();
    loop {
        let news = {
            let mut waiting = bridge.ephemeral.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let news = waiting.get_mut(key).map(std::mem::take).unwrap_or_default();
            if news.seen.is_none() && news.typing.is_none() {
                waiting.remove(key);
                return;
            }
            news
        };
        let Err(error) = perform(bridge, key, &news).await else {
            pauses = RECEIPT_PAUSES.iter();
            continue;
        };
        tracing::debug!(%error, "receipt or typing not bridged");
        let Some(event) = news.seen.filter(|_| is_passing(&error)) else { continue };
        let Some(pause) = pauses.next() else { continue };
        tokio::select! {
            () = tokio::time::sleep(asked_pause(&error).max(*pause)) => {}
            () = bridge.tasks.shutdown().cancelled() => return,
        }
        let mut waiting = bridge.ephemeral.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newer) = waiting.get_mut(key) {
            newer.seen.get_or_insert(event);
        }
    }
}

/// Trouble after which the same receipt may be taken.
fn is_passing(error: &StepError) -> bool {
    match error {
        StepError::Homeserver(error) => error.is_transient(),
        StepError::Remote { error, .. } => error.is_transient(),
        _ => false,
    }
}

/// How long Instagram wants to be left alone.
fn asked_pause(error: &StepError) -> Duration {
    match error {
        StepError::Remote { error, .. } => error.retry_after().unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

/// Tells Instagram, if the user has a login in the room's thread.
async fn perform(bridge: &Arc<Bridge>, key: &(OwnedRoomId, OwnedUserId), news: &News) -> Result<(), StepError> {
    let (room, user) = key;
    let Some(portal) = bridge.store.portal_of_room(room).await? else { return Ok(()) };
    let Some(login) = super::own_login(bridge, user, &portal).await? else { return Ok(()) };
    // Who asks to write must not see whether that was read.
    if bridge.store.standing(&portal.key.thread, &login).await? != Standing::Open {
        return Ok(());
    }
    if let Some(typing) = news.typing {
        let context = request_id::fresh_client_context(runtime::now());
        bridge.remote(&login).await?.show_typing(&portal.key.thread, typing, &context);
    }
    match &news.seen {
        Some(event) => seen(bridge, &portal, &login, Some(event)).await,
        None => Ok(()),
    }
}

/// Shows on Instagram that a login has read up to an event, or up to the newest message of somebody else.
///
/// Never for its own message, and never backwards.
pub async fn seen(
    bridge: &Arc<Bridge>,
    portal: &Portal,
    login: &LoginId,
    event: Option<&OwnedEventId>,
) -> Result<(), StepError> {
    let until = match (event, &portal.room) {
        (Some(event), Some(room)) => match bridge.store.mapping_of_event(event).await?.into_iter().next() {
            Some(mapping) => mapping.at,
            // Not a message: what was said before it has been read.
            None => match bridge.matrix.time(room, event).await? {
                Some(at) => at,
                None => return Ok(()),
            },
        },
        _ => Timestamp(i64::MAX),
    };
    let Some(last) = bridge.store.last_mapping(portal.id, until, login.as_str()).await? else { return Ok(()) };
    let own = login.as_remote_user();
    if bridge.store.read_position(portal.id, &own).await?.is_some_and(|known| known >= last.at) {
        return Ok(());
    }
    let context = request_id::fresh_client_context(runtime::now());
    let told = bridge.remote(login).await?.mark_seen(&portal.key.thread, &last.item, &context).await;
    told.map_err(|error| StepError::Remote { login: login.clone(), error })?;
    failpoint::hit("receipt-after-send");
    Ok(bridge.store.advance_read(portal.id, &own, last.at).await?)
}

/// Shows who types on Instagram. The account itself, on another device, is not shown.
pub fn typing_on_instagram(bridge: &Arc<Bridge>, login: &LoginId, notice: TypingNotice) {
    if notice.user == login.as_remote_user() {
        return;
    }
    let (task, login) = (Arc::clone(bridge), login.clone());
    bridge.tasks.spawn("typing", async move {
        let shown = async {
            let Some(portal) = room::portal_for(&task, &login, &notice.thread).await? else { return Ok(()) };
            let Some(room) = portal.room.filter(|_| portal.members.contains(&notice.user)) else { return Ok(()) };
            if notice.active && types_here(&task, &room, &notice.user).await? {
                return Ok(());
            }
            let user = ghost::user_id(&task, &notice.user);
            let lasting = notice.lasting.min(LONGEST_TYPING);
            if !is_news(&task, &room, &user, notice.active, lasting) {
                return Ok(());
            }
            match notice.active {
                true => task.matrix.start_typing(&user, &room, lasting).await?,
                false => task.matrix.stop_typing(&user, &room).await?,
            }
            Ok::<(), StepError>(())
        };
        if let Err(error) = shown.await {
            tracing::debug!(%error, "typing not shown");
        }
    });
}

/// Whether somebody types in the room itself: then their own login shows it on Instagram, where others hear it.
async fn types_here(bridge: &Bridge, room: &OwnedRoomId, typist: &RemoteUserId) -> Result<bool, StepError> {
    let Some(login) = bridge.store.login(&LoginId::new(typist.as_str())).await? else { return Ok(false) };
    let typing = bridge.ephemeral.typing.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(typing.rooms.get(room).is_some_and(|users| users.contains_key(&login.user)))
}

/// Who has sent a message types no more, whether or not Instagram says so.
pub(super) fn typing_ended(bridge: &Arc<Bridge>, room: &OwnedRoomId, user: &OwnedUserId) {
    if !is_news(bridge, room, user, false, Duration::ZERO) {
        return;
    }
    let (task, room, user) = (Arc::clone(bridge), room.clone(), user.clone());
    bridge.tasks.spawn("typing", async move {
        if let Err(error) = task.matrix.stop_typing(&user, &room).await {
            tracing::debug!(%error, "typing still shown");
        }
    });
}

/// The same notice comes on two topics, and again and again while somebody types: it is shown when it is new, and
/// renewed when half its time is over.
fn is_news(bridge: &Bridge, room: &OwnedRoomId, user: &OwnedUserId, active: bool, lasting: Duration) -> bool {
    let now = runtime::now();
    let mut shown = bridge.ephemeral.shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.retain(|_, until| until.0 > now.0);
    let key = (room.clone(), user.clone());
    if !active {
        return shown.remove(&key).is_some();
    }
    let lasting = i64::try_from(lasting.as_millis()).unwrap_or_default();
    if shown.get(&key).is_some_and(|until| until.0 - now.0 > lasting / 2) || shown.len() >= CROWD {
        return false;
    }
    shown.insert(key, Timestamp(now.0.saturating_add(lasting)));
    true
}
