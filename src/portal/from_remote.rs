//! Rows from Instagram: each becomes a plan, and the plans of a batch share their commits.
//!
//! The batch ends before a row that needs to see the result of an earlier one. Between the commits the sends are made
//! one by one, in order (`from_remote/carry.rs`).

mod carry;
mod change;
mod chat;
mod media;
mod message;
mod reaction;
mod seen;
mod shared;

use std::collections::HashSet;
use std::sync::Arc;

use super::echo::Echoes;
use super::{LONG_PATIENCE, PATIENCE, room};
use crate::bridge::Bridge;
use crate::domain::event::{RemoteEvent, RemoteEventKind};
use crate::domain::ids::{ItemId, LoginId, ThreadId};
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Mapping, Origin, Portal};
use crate::lane::{StepError, Stop};
use crate::network;

use carry::{Action, Outcome, Plan, Planned};

/// Where something happened, and which row says so.
struct Heard<'a> {
    bridge: &'a Arc<Bridge>,
    row: &'a InboxRow,
    login: LoginId,
    portal: Portal,
}

impl Heard<'_> {
    /// What was done to an item from here.
    async fn echoes_of(&self, item: &ItemId) -> Result<Echoes, StepError> {
        let remote = self.bridge.remote(&self.login).await.ok();
        let connected_at = remote.and_then(|remote| remote.proof().connected_at);
        Ok(Echoes::of(self.bridge, self.portal.id, item, connected_at).await?)
    }

    /// The events of an item. One that a user of ours has just sent is waited for: what others do to it may be heard
    /// before it is settled.
    async fn mapping_of(&self, item: &ItemId) -> Result<Vec<Mapping>, StepError> {
        let mappings = self.bridge.store.mapping_of_item(self.portal.id, item).await?;
        let may_come = self.row.attempts < LONG_PATIENCE;
        if mappings.is_empty() && may_come && self.bridge.store.is_unsettled(item.as_str()).await? {
            return Err(StepError::Later("the message it is about"));
        }
        Ok(mappings)
    }
}

/// Handles rows in order.
pub(super) async fn handle(bridge: &Arc<Bridge>, rows: &[InboxRow]) -> Result<(), Stop> {
    let mut plans: Vec<Plan> = Vec::new();
    for row in rows {
        match prepare(bridge, row, &plans).await {
            Ok(Some(plan)) => plans.push(plan),
            Ok(None) => break,
            Err(error) => {
                carry::carry_out(bridge, plans).await?;
                return Err(Stop::new(row, error));
            }
        }
    }
    carry::carry_out(bridge, plans).await
}

/// Load and convert. None when the plans so far have to be carried out first.
async fn prepare(bridge: &Arc<Bridge>, row: &InboxRow, earlier: &[Plan]) -> Result<Option<Plan>, StepError> {
    let Some((login, event)) = network::decode(&row.payload) else {
        return Err(StepError::Refuse(Notice::new("Something from Instagram could not be read.")));
    };
    if row.origin != Origin::History && bridge.histories.holds(&event.thread, &login) {
        return Err(StepError::Hold("earlier messages of this chat are being fetched"));
    }
    if bridge.store.login(&login).await?.is_none() {
        // It was logged out meanwhile.
        return Ok(Some(Plan::nothing(row)));
    }
    match event.kind {
        RemoteEventKind::Message(item) => {
            let needed = item.reply_to.as_ref().map(|to| &to.item);
            let planned: HashSet<&ItemId> = earlier.iter().flat_map(Plan::items).collect();
            // A room is told of its rules once.
            if item.vanishing && earlier.iter().any(Plan::changes_rules) {
                return Ok(None);
            }
            if planned.contains(&item.id) || needed.is_some_and(|needed| planned.contains(needed)) {
                return Ok(None);
            }
            message::prepare(bridge, row, &login, &event.thread, &item).await.map(Some)
        }
        RemoteEventKind::Ignored => Ok(Some(Plan::nothing(row))),
        // Everything else looks at what the rows before it have made.
        _ if !earlier.is_empty() => Ok(None),
        _ => after_messages(bridge, row, login, event).await.map(Some),
    }
}

/// The item that something was done to.
fn subject(kind: &RemoteEventKind) -> Option<&ItemId> {
    match kind {
        RemoteEventKind::Changed(item) => Some(&item.id),
        RemoteEventKind::Removed(item) | RemoteEventKind::Reaction { item, .. } => Some(item),
        _ => None,
    }
}

/// Something was done to an item that may have been fetched and is not shown yet: it then is not shown at all, or waited
/// for. Nothing else of the chat waits for long.
async fn unshown(
    bridge: &Bridge,
    row: &InboxRow,
    login: &LoginId,
    thread: &ThreadId,
    item: &ItemId,
    is_gone: bool,
) -> Result<(), StepError> {
    let keys = network::history_keys(login, item);
    let is_fetched = bridge.store.is_fetched(thread, login, &keys).await?;
    match row.attempts {
        _ if is_fetched && is_gone => Ok(bridge.store.forget_fetched(thread, login, &keys).await?),
        // The page it is on may just be on its way.
        ..PATIENCE => Err(StepError::Later("a page of earlier messages")),
        ..LONG_PATIENCE if is_fetched => Err(StepError::Later("the message it is about, which is being fetched")),
        _ => Ok(()),
    }
}

async fn after_messages(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    login: LoginId,
    event: RemoteEvent,
) -> Result<Plan, StepError> {
    let thread = event.thread;
    match event.kind {
        RemoteEventKind::ThreadChanged(thread) => return chat::changed(bridge, row, login, &thread).await,
        RemoteEventKind::Reconciled => return chat::reconciled(bridge, row, login, &thread).await,
        RemoteEventKind::Undecodable { reason } => {
            tracing::warn!(row = row.id.0, %reason, "item could not be read");
            let statement = "A message from Instagram could not be read; the bridge keeps it.";
            let link = room::link(&thread);
            return Err(StepError::Refuse(Notice::new(statement).with_hint(format!("see it on Instagram: {link}"))));
        }
        _ => {}
    }
    let known = room::portal_for(bridge, &login, &thread).await?;
    let Some(portal) = known.filter(|portal| portal.room.is_some()) else {
        tracing::debug!(row = row.id.0, "no room shows this thread");
        return Ok(Plan::nothing(row));
    };
    if let Some(item) = subject(&event.kind).filter(|_| row.origin != Origin::History)
        && bridge.histories.fetches(&thread, &login)
        && bridge.store.mapping_of_item(portal.id, item).await?.is_empty()
    {
        unshown(bridge, row, &login, &thread, item, matches!(event.kind, RemoteEventKind::Removed(_))).await?;
    }
    let heard = Heard { bridge, row, login, portal };
    let Some(change) = shared::Change::of(&heard, &event.kind) else { return with_room(&heard, event.kind).await };
    let mut plan = match change.is_known(&heard).await? {
        true => Plan::nothing(row),
        false => with_room(&heard, event.kind).await?,
    };
    change.note(&heard, &mut plan);
    Ok(plan)
}

/// What happened in a chat that has a room.
async fn with_room(heard: &Heard<'_>, kind: RemoteEventKind) -> Result<Plan, StepError> {
    match kind {
        RemoteEventKind::Changed(item) => change::changed(heard, &item).await,
        RemoteEventKind::Removed(item) => change::removed(heard, &item).await,
        RemoteEventKind::Reaction { item, sender, emoji, context, at } => {
            reaction::changed(heard, &item, &sender, (emoji.as_deref(), context.as_ref()), at).await
        }
        RemoteEventKind::Seen { reader, item, at } => seen::advanced(heard, &reader, item.as_ref(), at).await,
        RemoteEventKind::HistoryEnd(seen) => {
            room::ensure_user(heard.bridge, &heard.portal, &heard.login).await?;
            for (reader, at) in &seen {
                seen::shown(heard, reader, None, *at).await?;
            }
            Ok(Plan::nothing(heard.row))
        }
        RemoteEventKind::ThreadRemoved => chat::removed(heard).await,
        RemoteEventKind::Image(image) => chat::pictured(heard, image).await,
        RemoteEventKind::Admin { user, granted } => chat::admin(heard, &user, granted).await,
        RemoteEventKind::ApprovalRequired(required) => Ok(chat::ruled(heard, None, Some(required))),
        RemoteEventKind::VanishMode(on) => Ok(chat::ruled(heard, Some(on), None)),
        RemoteEventKind::Message(_)
        | RemoteEventKind::ThreadChanged(_)
        | RemoteEventKind::Reconciled
        | RemoteEventKind::Ignored
        | RemoteEventKind::Undecodable { .. } => Ok(Plan::nothing(heard.row)),
    }
}
