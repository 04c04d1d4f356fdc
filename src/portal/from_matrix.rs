//! Rows from Matrix: messages of portals become plans that share their commits; everything else is handled singly.

mod beginning;
mod edit;
mod file;
mod group;
mod membership;
mod message;
mod reaction;
mod redaction;

use std::sync::Arc;

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;

use crate::bridge::Bridge;
use crate::command::{self, account};
use crate::config::Permission;
use crate::domain::ids::{LaneKey, LoginId};
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Mapping, Portal, Settlement};
use crate::lane::{StepError, Stop};
use crate::matrix::HomeserverError;
use crate::network::Target;
use crate::portal::{LONG_PATIENCE, PATIENCE, puppet, request};
use crate::runtime;

/// An event of a room, as far as it matters here. No `Debug`: it holds what people say.
#[derive(Deserialize)]
pub struct RoomEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Where.
    pub room_id: OwnedRoomId,
    /// Whose.
    pub sender: OwnedUserId,
    /// `m.room.message` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Milliseconds.
    #[serde(default)]
    pub origin_server_ts: i64,
    /// Of state events.
    pub state_key: Option<String>,
    /// What it says.
    #[serde(default)]
    pub content: Value,
    /// Of redactions, where rooms are older than version 11.
    redacts: Option<String>,
}

impl RoomEvent {
    /// The event that a redaction removes.
    fn redacts(&self) -> Option<&str> {
        self.redacts.as_deref().or_else(|| self.content["redacts"].as_str())
    }

    /// True for a message or reaction that was redacted before it came here.
    fn is_redacted(&self) -> bool {
        self.state_key.is_none()
            && self.kind != "m.room.redaction"
            && self.content.as_object().is_none_or(serde_json::Map::is_empty)
    }

    /// True for the new version of an earlier message.
    pub(crate) fn is_edit(&self) -> bool {
        self.content["m.relates_to"]["rel_type"] == "m.replace"
    }
}

/// Which login says this: the sender's own in this thread, else the portal's relay, else nobody.
async fn speaker(bridge: &Bridge, event: &RoomEvent, portal: &Portal) -> Result<Speaker, StepError> {
    if let Some(login) = super::certain_login(bridge, &event.sender, portal).await? {
        return Ok(Speaker { login, relayed: false });
    }
    match &portal.relay {
        Some(login) if bridge.config.permission(&event.sender) >= Permission::Relay => {
            Ok(Speaker { login: login.clone(), relayed: true })
        }
        _ => sender(bridge, event, portal).await.map(|login| Speaker { login, relayed: false }),
    }
}

/// Who says something.
struct Speaker {
    login: LoginId,
    /// It is not the sender's own login.
    relayed: bool,
}

/// Which login does this: the sender's own in this thread, else nobody.
async fn sender(bridge: &Bridge, event: &RoomEvent, portal: &Portal) -> Result<LoginId, StepError> {
    super::certain_login(bridge, &event.sender, portal).await?.ok_or(StepError::NoLogin)
}

/// Which login may change what an event stands for: the one that sent its items, if it is the sender's own, or if it is
/// the portal's relay and spoke for the sender.
async fn owner(
    bridge: &Bridge,
    event: &RoomEvent,
    portal: &Portal,
    target: &EventId,
    items: &[Mapping],
) -> Result<Option<Speaker>, StepError> {
    let sent_all = |login: &LoginId| items.iter().all(|item| item.sender == login.as_str());
    let mut own = bridge.store.logins_of_user(&event.sender).await?.into_iter().map(|login| login.id);
    if let Some(login) = own.find(sent_all) {
        return Ok(Some(Speaker { login, relayed: false }));
    }
    let may_be_relayed = bridge.config.permission(&event.sender) >= Permission::Relay;
    let Some(login) = portal.relay.clone().filter(|relay| may_be_relayed && sent_all(relay)) else { return Ok(None) };
    let author = bridge.matrix.author(&event.room_id, target).await?;
    Ok((author.as_ref() == Some(&event.sender)).then_some(Speaker { login, relayed: true }))
}

/// The items an event stands for. An event that is on its way, in either direction, is waited for a while: it shows
/// before it is settled.
async fn items_of(bridge: &Bridge, portal: &Portal, event: &str, attempts: i64) -> Result<Vec<Mapping>, StepError> {
    let Ok(event) = OwnedEventId::try_from(event) else { return Ok(Vec::new()) };
    let items = bridge.store.mapping_of_event(&event).await?;
    let is_late = attempts >= LONG_PATIENCE || (attempts >= PATIENCE && !is_on_its_way(bridge, portal, &event).await?);
    if items.is_empty() && !is_late {
        return Err(StepError::Later("the message it refers to"));
    }
    Ok(items)
}

/// Whether an event may become part of the message map yet: it is being sent, or may be a part of what is.
async fn is_on_its_way(bridge: &Bridge, portal: &Portal, event: &EventId) -> Result<bool, StepError> {
    let heard = LaneKey::incoming(&portal.key.thread);
    Ok(bridge.store.is_waiting(event.as_str()).await? || bridge.store.is_sending(&heard).await?)
}

/// The first item an event stands for.
async fn target_of(bridge: &Bridge, portal: &Portal, event: &str, attempts: i64) -> Result<Option<Mapping>, StepError> {
    Ok(items_of(bridge, portal, event, attempts).await?.into_iter().next())
}

/// An item as requests name it.
fn target<'a>(portal: &'a Portal, mapping: &'a Mapping) -> Target<'a> {
    Target {
        thread: &portal.key.thread,
        item: &mapping.item,
        kind: mapping.kind.as_deref().unwrap_or("text"),
        client_context: mapping.client_context.as_ref(),
    }
}

/// Handles rows in order.
pub(super) async fn handle(bridge: &Arc<Bridge>, rows: &[InboxRow]) -> Result<(), Stop> {
    let mut plans: Vec<message::Plan> = Vec::new();
    for row in rows {
        match step(bridge, row, &plans).await {
            Ok(Step::Planned(plan)) => plans.push(*plan),
            Ok(Step::AfterEarlier) => break,
            Ok(Step::Done(done)) => {
                let settled = bridge.store.settle(vec![done], runtime::now()).await;
                settled.map_err(|error| Stop::new(row, error))?;
            }
            Err(error) => {
                message::carry_out(bridge, plans).await?;
                return Err(Stop::new(row, error));
            }
        }
    }
    message::carry_out(bridge, plans).await
}

/// What a row asks for.
enum Step {
    /// Sends that join the batch.
    Planned(Box<message::Plan>),
    /// It has to see what the batch does.
    AfterEarlier,
    /// Nothing is left to do but to write it down.
    Done(Settlement),
}

async fn step(bridge: &Arc<Bridge>, row: &InboxRow, earlier: &[message::Plan]) -> Result<Step, StepError> {
    let Ok(event) = serde_json::from_str::<RoomEvent>(&row.payload) else {
        tracing::warn!(row = row.id.0, "event of an unexpected shape");
        return Err(StepError::Refuse(Notice::new("An event could not be read and was not bridged.")));
    };
    let portal = bridge.store.portal_of_room(&event.room_id).await?;
    if event.is_redacted() || portal.is_some() && puppet::has_sent(bridge, &event).await? {
        return if earlier.is_empty() { Ok(Step::Done(Settlement::nothing(row.id))) } else { Ok(Step::AfterEarlier) };
    }
    let is_message = match event.kind.as_str() {
        "m.room.message" => !command::is_command(bridge, &event),
        "m.sticker" | "m.poll.start" | "org.matrix.msc3381.poll.start" => true,
        _ => false,
    };
    let people = match portal.is_none() && is_message && !event.is_edit() {
        true => beginning::people_in(bridge, &event).await?,
        false => Vec::new(),
    };
    if (portal.is_some() || !people.is_empty()) && is_message && account::is_session(bridge, &event) {
        account::refuse_session(bridge, &event).await?;
        return Ok(Step::Done(Settlement::nothing(row.id)));
    }
    if let Some(portal) = portal.clone().filter(|_| is_message && !event.is_edit()) {
        return message::prepare(bridge, row, &event, portal, earlier).await;
    }
    if !earlier.is_empty() {
        return Ok(Step::AfterEarlier);
    }
    if let Some(portal) = &portal {
        match event.kind.as_str() {
            "m.room.message" if is_message => return edit::handle(bridge, row, &event, portal).await.map(Step::Done),
            "m.reaction" => return reaction::handle(bridge, row, &event, portal).await.map(Step::Done),
            "m.room.name" => {
                group::renamed(bridge, &event, portal).await?;
                return Ok(Step::Done(Settlement::nothing(row.id)));
            }
            "m.room.avatar" => {
                group::pictured(bridge, &event, portal).await?;
                return Ok(Step::Done(Settlement::nothing(row.id)));
            }
            "m.room.member" if group::ghost_of(bridge, &event).is_some() => {
                group::member(bridge, &event, portal).await?;
                return Ok(Step::Done(Settlement::nothing(row.id)));
            }
            "m.room.member" => {
                membership::in_portal(bridge, &event, portal).await?;
            }
            "m.room.redaction" => return redaction::handle(bridge, row, &event, portal).await.map(Step::Done),
            _ => {}
        }
    }
    if !people.is_empty() {
        beginning::said(bridge, row, &event, &people).await?;
        return Ok(Step::Done(Settlement::nothing(row.id)));
    }
    match event.kind.as_str() {
        "m.room.member" if group::ghost_of(bridge, &event).is_some() => {
            beginning::ghost_invited(bridge, &event).await?;
        }
        "m.room.member" => membership::handle(bridge, &event).await?,
        "m.room.message" => command::handle(bridge, &event).await?,
        "m.reaction" => request::answered_by_reaction(bridge, &event).await?,
        "m.room.encrypted" => refuse_encrypted(bridge, &event).await?,
        _ => {}
    }
    Ok(Step::Done(Settlement::nothing(row.id)))
}

/// For what is done as well as it can be: only trouble that passes is an error.
fn quietly(outcome: Result<(), HomeserverError>) -> Result<(), StepError> {
    match outcome {
        Err(error) if error.is_transient() => Err(error.into()),
        _ => Ok(()),
    }
}

async fn refuse_encrypted(bridge: &Bridge, event: &RoomEvent) -> Result<(), StepError> {
    let ours = bridge.store.portal_of_room(&event.room_id).await?.is_some()
        || bridge.store.user_of_management_room(&event.room_id).await?.is_some();
    if !ours {
        return Ok(());
    }
    Err(StepError::Refuse(
        Notice::new("Your message was not read: this bridge does not support encrypted rooms yet.").with_hint(
            "use an unencrypted room; for commands, start a new chat with the bridge bot without encryption.",
        ),
    ))
}
