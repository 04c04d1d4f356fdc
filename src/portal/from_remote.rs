//! Rows from Instagram: each becomes a plan, and the plans of a batch share their commits.
//!
//! The batch ends before a row that needs to see the result of an earlier one. Between the commits the sends are made
//! one by one, in order.

mod message;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::Value;

use super::room;
use crate::bridge::Bridge;
use crate::domain::event::RemoteEventKind;
use crate::domain::ids::{ClientContext, ItemId, PortalId, RequestId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Intended, Mapping, OutboxState, Settlement};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::{StepError, Stop};
use crate::matrix::Intent;
use crate::{network, runtime};

/// What is to be done for a row.
pub(super) struct Plan {
    row: InboxRow,
    events: Vec<Planned>,
}

/// An event to be sent, and the line of the message map it becomes.
struct Planned {
    request: RequestId,
    intent: Intent,
    room: OwnedRoomId,
    content: Value,
    at: Option<Timestamp>,
    portal: PortalId,
    item: ItemId,
    sender: String,
    client_context: Option<ClientContext>,
}

impl Plan {
    fn nothing(row: &InboxRow) -> Self {
        Self { row: row.clone(), events: Vec::new() }
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
                carry_out(bridge, plans).await?;
                return Err(Stop { row: row.clone(), error });
            }
        }
    }
    carry_out(bridge, plans).await
}

/// Load and convert. None when the plans so far have to be carried out first.
async fn prepare(bridge: &Arc<Bridge>, row: &InboxRow, earlier: &[Plan]) -> Result<Option<Plan>, StepError> {
    let Some((login, event)) = network::decode(&row.payload) else {
        return Err(StepError::Refuse(Notice::new("Something from Instagram could not be read.")));
    };
    match event.kind {
        RemoteEventKind::Message(item) => {
            let needed = item.reply_to.as_ref().map(|to| &to.item);
            let planned: HashSet<&ItemId> = earlier.iter().flat_map(|plan| &plan.events).map(|e| &e.item).collect();
            if needed.is_some_and(|item| planned.contains(item)) || planned.contains(&item.id) {
                return Ok(None);
            }
            message::prepare(bridge, row, &login, &event.thread, &item).await.map(Some)
        }
        RemoteEventKind::ThreadChanged(_) if !earlier.is_empty() => Ok(None),
        RemoteEventKind::ThreadChanged(thread) => {
            room::update(bridge, &login, &thread).await?;
            Ok(Some(Plan::nothing(row)))
        }
        RemoteEventKind::Removed(_) | RemoteEventKind::Ignored => Ok(Some(Plan::nothing(row))),
        RemoteEventKind::Undecodable { reason } => {
            tracing::warn!(row = row.id.0, %reason, "item could not be read");
            let statement = "A message from Instagram could not be read; the bridge keeps it.";
            let link = room::link(&event.thread);
            Err(StepError::Refuse(Notice::new(statement).with_hint(format!("see it on Instagram: {link}"))))
        }
    }
}

/// Intend, act, settle.
async fn carry_out(bridge: &Bridge, plans: Vec<Plan>) -> Result<(), Stop> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut done = Vec::with_capacity(plans.len());
    let stopped = act(bridge, &plans, &mut done).await.err();
    let settled = bridge.store.settle(done, runtime::now()).await;
    failpoint::hit("to-matrix-after-settle");
    match (settled, stopped) {
        (Err(error), _) => Err(Stop { row: plans[0].row.clone(), error: error.into() }),
        (Ok(()), Some(stop)) => Err(stop),
        (Ok(()), None) => Ok(()),
    }
}

/// Sends everything in order; what is finished is in `done` even when a later send fails.
async fn act(bridge: &Bridge, plans: &[Plan], done: &mut Vec<Settlement>) -> Result<(), Stop> {
    let first = |error: StepError| Stop { row: plans[0].row.clone(), error };
    let mut known = intend(bridge, plans).await.map_err(first)?;
    failpoint::hit("to-matrix-after-intend");
    for plan in plans {
        let mut mappings = Vec::with_capacity(plan.events.len());
        for (part, planned) in (0..).zip(&plan.events) {
            let event = match known.remove(&planned.request) {
                Some(event) => event,
                None => send(bridge, planned).await.map_err(|error| Stop { row: plan.row.clone(), error })?,
            };
            mappings.push(Mapping {
                portal: planned.portal,
                item: planned.item.clone(),
                part,
                event,
                sender: planned.sender.clone(),
                client_context: planned.client_context.clone(),
                at: planned.at.unwrap_or_default(),
            });
        }
        done.push(Settlement { row: plan.row.id, mappings, failure: None });
    }
    Ok(())
}

async fn send(bridge: &Bridge, planned: &Planned) -> Result<OwnedEventId, StepError> {
    let Planned { intent, room, content, request, at, .. } = planned;
    let sent = bridge.matrix.send(intent, room, "m.room.message", content, request, *at).await;
    if let (Err(error), Intent::As(_)) = (&sent, intent)
        && !error.is_transient()
    {
        room::doubt_member(bridge, planned.portal, &planned.sender).await?;
    }
    let event = sent?;
    failpoint::hit("to-matrix-after-send");
    Ok(event)
}

/// Writes down what is about to be sent, and looks up what may have been sent before a crash.
async fn intend(bridge: &Bridge, plans: &[Plan]) -> Result<HashMap<RequestId, OwnedEventId>, StepError> {
    let planned: Vec<(&Plan, i64, &Planned)> =
        plans.iter().flat_map(|plan| (0..).zip(&plan.events).map(move |(part, event)| (plan, part, event))).collect();
    let intended = planned
        .iter()
        .map(|(plan, part, event)| Intended { row: plan.row.id, part: *part, request_id: event.request.clone() })
        .collect();
    let states = bridge.store.intend(intended, runtime::now()).await?;
    let mut known = HashMap::new();
    let mut doubtful: HashMap<&OwnedRoomId, Vec<RequestId>> = HashMap::new();
    for ((_, _, event), state) in planned.iter().zip(states) {
        match state {
            OutboxState::Fresh => {}
            OutboxState::MaybeSent => doubtful.entry(&event.room).or_default().push(event.request.clone()),
            OutboxState::Confirmed(id) => {
                if let Ok(id) = OwnedEventId::try_from(id) {
                    known.insert(event.request.clone(), id);
                }
            }
        }
    }
    for (room, requests) in doubtful {
        known.extend(bridge.matrix.find_sent(room, &requests).await?);
    }
    Ok(known)
}

/// The transaction id of an item's part.
fn request(portal: &crate::domain::record::Portal, item: &ItemId, sender: &str, part: i64) -> RequestId {
    request_id::matrix_transaction(&portal.key, item, "message", sender, part)
}
