//! A message in a portal becomes items of its thread.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ruma::OwnedEventId;

use super::{RoomEvent, Step};
use crate::bridge::Bridge;
use crate::domain::convert::to_remote::{MessageContent, OutgoingFacts, TextPart, to_remote};
use crate::domain::event::ReplyTo;
use crate::domain::ids::{ClientContext, ItemId, LoginId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Intended, Mapping, OutboxState, Portal, Settlement};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::{StepError, Stop};
use crate::network::Remote;
use crate::portal::ghost;
use crate::runtime;

/// How often a message waits for the event it answers to be mapped; then it is sent as if it answered nothing.
const REPLY_PATIENCE: i64 = 5;

/// What is to be sent for a row.
pub(super) struct Plan {
    row: InboxRow,
    event: OwnedEventId,
    at: Timestamp,
    portal: Portal,
    remote: Remote,
    parts: Vec<(ClientContext, TextPart)>,
}

/// Loads the facts and converts.
pub(super) async fn prepare(
    bridge: &Arc<Bridge>,
    row: &InboxRow,
    event: &RoomEvent,
    portal: Portal,
    earlier: &[Plan],
) -> Result<Step, StepError> {
    let Some(content) = MessageContent::from_value(&event.content) else {
        return Err(StepError::Refuse(Notice::new("Your message was not sent: its content makes no sense.")));
    };
    let reply_to = match content.reply_target() {
        Some(target) if earlier.iter().any(|plan| plan.event == target) => return Ok(Step::AfterEarlier),
        Some(target) => reply_target(bridge, target, row.attempts).await?,
        None => None,
    };
    let login = sending_login(bridge, event, &portal).await?;
    let facts = OutgoingFacts {
        sender_name: sender_name(bridge, &login).await?,
        reply_to,
        mentioned: mentioned(bridge, &content).await?,
        max_characters: bridge.config.max_characters(),
        notices: bridge.config.bridge_notices(),
    };
    let parts = to_remote(&content, &facts).map_err(StepError::Refuse)?;
    if parts.is_empty() {
        return if earlier.is_empty() { Ok(Step::Done) } else { Ok(Step::AfterEarlier) };
    }
    let at = Timestamp(event.origin_server_ts);
    let parts = (0..).zip(parts).map(|(n, part)| (request_id::client_context(&event.event_id, at, n), part)).collect();
    let remote = bridge.remote(&login).await?;
    let event = event.event_id.clone();
    Ok(Step::Planned(Box::new(Plan { row: row.clone(), event, at, portal, remote, parts })))
}

/// Which login sends this: the sender's own in this thread, else nobody.
async fn sending_login(bridge: &Bridge, event: &RoomEvent, portal: &Portal) -> Result<LoginId, StepError> {
    let own = bridge.store.logins_of_user(&event.sender).await?;
    let in_thread = match &portal.key.receiver {
        Some(receiver) => vec![receiver.clone()],
        None => bridge.store.logins_in_thread(&portal.key.thread).await?,
    };
    own.into_iter().map(|login| login.id).find(|login| in_thread.contains(login)).ok_or_else(|| {
        let notice = Notice::new("Your message was not sent: you have no Instagram login in this chat.");
        StepError::Refuse(notice.with_hint("log in to an account that is in it: send `login` to the bridge bot."))
    })
}

/// The item an event stands for. An unknown one may only not be settled yet, so there is a little patience.
async fn reply_target(bridge: &Bridge, target: &str, attempts: i64) -> Result<Option<ReplyTo>, StepError> {
    let Ok(target) = OwnedEventId::try_from(target) else { return Ok(None) };
    match bridge.store.mapping_of_event(&target).await?.into_iter().next() {
        Some(mapping) => Ok(Some(ReplyTo { item: mapping.item, client_context: mapping.client_context })),
        None if attempts < REPLY_PATIENCE => Err(StepError::Later("the message it answers")),
        None => Ok(None),
    }
}

async fn sender_name(bridge: &Bridge, login: &LoginId) -> Result<String, StepError> {
    let ghost = bridge.store.ghost(&login.as_remote_user()).await?;
    if let Some(ghost) = ghost.filter(|ghost| !ghost.full_name.trim().is_empty()) {
        return Ok(ghost.full_name);
    }
    Ok(bridge.known_login(login).await?.username)
}

async fn mentioned(
    bridge: &Bridge,
    content: &MessageContent,
) -> Result<BTreeMap<ruma::OwnedUserId, (crate::domain::ids::RemoteUserId, String)>, StepError> {
    let mut mentioned = BTreeMap::new();
    for user in content.mentioned_users() {
        if let Some(id) = ghost::remote_user(bridge, &user)
            && let Some(ghost) = bridge.store.ghost(&id).await?
        {
            mentioned.insert(user, (id, ghost.username));
        }
    }
    Ok(mentioned)
}

/// Intend, act, settle.
pub(super) async fn carry_out(bridge: &Bridge, plans: Vec<Plan>) -> Result<(), Stop> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut done = Vec::with_capacity(plans.len());
    let stopped = act(bridge, &plans, &mut done).await.err();
    let settled = bridge.store.settle(done, runtime::now()).await;
    failpoint::hit("to-remote-after-settle");
    match (settled, stopped) {
        (Err(error), _) => Err(Stop { row: plans[0].row.clone(), error: error.into() }),
        (Ok(()), Some(stop)) => Err(stop),
        (Ok(()), None) => Ok(()),
    }
}

async fn act(bridge: &Bridge, plans: &[Plan], done: &mut Vec<Settlement>) -> Result<(), Stop> {
    let mut states = intend(bridge, plans).await.map_err(|error| Stop { row: plans[0].row.clone(), error })?;
    failpoint::hit("to-remote-after-intend");
    for plan in plans {
        let stop = |error: StepError| Stop { row: plan.row.clone(), error };
        let mut mappings = Vec::with_capacity(plan.parts.len());
        for (context, part) in &plan.parts {
            let item = match states.remove(context) {
                Some(OutboxState::Confirmed(item)) => ItemId::new(item),
                Some(OutboxState::MaybeSent) => deliver_once(plan, context, part).await.map_err(stop)?,
                _ => deliver(plan, context, part).await.map_err(stop)?,
            };
            if plan.parts.len() > 1 {
                let confirmed = bridge.store.confirm(&context.clone().into(), item.as_str()).await;
                confirmed.map_err(|error| stop(error.into()))?;
            }
            mappings.push(mapping(plan, context, item));
        }
        done.push(Settlement { row: plan.row.id, mappings, failure: None });
    }
    Ok(())
}

/// Writes down what is about to be sent; says of each part whether it may have been sent before.
async fn intend(bridge: &Bridge, plans: &[Plan]) -> Result<HashMap<ClientContext, OutboxState>, StepError> {
    let parts: Vec<(&Plan, i64, &ClientContext)> =
        plans.iter().flat_map(|plan| (0..).zip(&plan.parts).map(move |(n, (context, _))| (plan, n, context))).collect();
    let intended = parts
        .iter()
        .map(|(plan, part, context)| Intended { row: plan.row.id, part: *part, request_id: (*context).clone().into() })
        .collect();
    let states = bridge.store.intend(intended, runtime::now()).await?;
    Ok(parts.into_iter().map(|(_, _, context)| context.clone()).zip(states).collect())
}

/// For a part that may have been sent before: looks for it first.
async fn deliver_once(plan: &Plan, context: &ClientContext, part: &TextPart) -> Result<ItemId, StepError> {
    let found = plan.remote.find_sent(&plan.portal.key.thread, context).await;
    match found.map_err(|error| StepError::Remote { login: plan.remote.login().clone(), error })? {
        Some(item) => Ok(item),
        None => deliver(plan, context, part).await,
    }
}

async fn deliver(plan: &Plan, context: &ClientContext, part: &TextPart) -> Result<ItemId, StepError> {
    let item = plan.remote.deliver(&plan.portal.key.thread, part, context).await;
    let item = item.map_err(|error| StepError::Remote { login: plan.remote.login().clone(), error })?;
    failpoint::hit("to-remote-after-send");
    Ok(item)
}

fn mapping(plan: &Plan, context: &ClientContext, item: ItemId) -> Mapping {
    Mapping {
        portal: plan.portal.id,
        item,
        part: 0,
        event: plan.event.clone(),
        sender: plan.remote.login().as_str().to_owned(),
        client_context: Some(context.clone()),
        at: plan.at,
    }
}
