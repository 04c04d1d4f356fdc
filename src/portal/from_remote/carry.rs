//! Intend, act, settle: what every plan goes through, whatever it is about.

use std::collections::HashMap;

use ruma::{OwnedEventId, OwnedRoomId, UserId};
use serde_json::Value;

use super::media::{self, Carried};
use crate::bridge::Bridge;
use crate::domain::ids::{ClientContext, ItemId, PortalId, RemoteUserId, RequestId, Timestamp};
use crate::domain::record::{Effect, InboxRow, Intended, Mapping, OutboxState, Reacted, Settlement, Shows};
use crate::failpoint;
use crate::lane::{StepError, Stop};
use crate::matrix::Intent;
use crate::portal::settling::Settling;
use crate::portal::{puppet, room};
use crate::runtime;

/// What is to be done for a row.
pub(super) struct Plan {
    pub(super) row: InboxRow,
    pub(super) events: Vec<Planned>,
    /// What settling changes besides the results of the events.
    pub(super) effects: Vec<Effect>,
}

/// One request to the homeserver, and what its success means.
pub(super) struct Planned {
    pub(super) request: RequestId,
    pub(super) intent: Intent,
    /// The Instagram user that the intent stands for; empty for the bot.
    pub(super) sender: String,
    pub(super) portal: PortalId,
    pub(super) room: OwnedRoomId,
    pub(super) action: Action,
    pub(super) outcome: Outcome,
}

/// What is asked of the homeserver.
pub(super) enum Action {
    /// A new event; with media, its content is completed first.
    Send { kind: &'static str, content: Value, at: Option<Timestamp>, media: Option<Box<Carried>> },
    /// The end of an event.
    Redact(OwnedEventId),
}

/// What the new event is to the bridge.
pub(super) enum Outcome {
    /// A part of an item.
    Part(NewPart),
    /// A part of an item, in the place of the event that was it before.
    Successor(NewPart),
    /// A further event of an item: an edit, a correction.
    Revision(ItemId),
    /// A reaction.
    Reaction { item: ItemId, sender: RemoteUserId, emoji: String },
    /// Nothing to be remembered.
    Nothing,
}

/// What an event is as a part of an item.
pub(super) struct NewPart {
    pub(super) item: ItemId,
    pub(super) part: i64,
    pub(super) client_context: Option<ClientContext>,
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) digest: Option<String>,
    /// As intended: a file that cannot be had becomes a stand-in.
    pub(super) shows: Shows,
    pub(super) redact_at: Option<Timestamp>,
}

impl Plan {
    pub(super) fn nothing(row: &InboxRow) -> Self {
        Self { row: row.clone(), events: Vec::new(), effects: Vec::new() }
    }

    /// The room is told of other rules.
    pub(super) fn changes_rules(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Ruled { .. }))
    }

    /// The items that its events will be parts of.
    pub(super) fn items(&self) -> impl Iterator<Item = &ItemId> {
        self.events.iter().filter_map(|planned| match &planned.outcome {
            Outcome::Part(part) | Outcome::Successor(part) => Some(&part.item),
            Outcome::Revision(item) => Some(item),
            Outcome::Reaction { .. } | Outcome::Nothing => None,
        })
    }
}

/// Intend, act, settle.
pub(super) async fn carry_out(bridge: &Bridge, plans: Vec<Plan>) -> Result<(), Stop> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut settling = Settling::new(bridge);
    let stopped = act(bridge, &plans, &mut settling).await.err();
    let settled = settling.end().await;
    failpoint::hit("to-matrix-after-settle");
    match (settled, stopped) {
        (Err(error), _) => Err(Stop::new(&plans[0].row, error)),
        (Ok(()), Some(stop)) => Err(stop),
        (Ok(()), None) => Ok(()),
    }
}

/// Does everything in order; what is finished is passed on even when a later request fails.
async fn act(bridge: &Bridge, plans: &[Plan], settling: &mut Settling<'_>) -> Result<(), Stop> {
    let first = |error: StepError| Stop::new(&plans[0].row, error);
    let mut known = intend(bridge, plans).await.map_err(first)?;
    failpoint::hit("to-matrix-after-intend");
    for plan in plans {
        let mut settlement = Settlement { effects: plan.effects.clone(), ..Settlement::nothing(plan.row.id) };
        for planned in &plan.events {
            let done = match known.remove(&planned.request) {
                Some(event) => Performed { event, lost_file: false },
                None => {
                    let performed = settling.during(perform(bridge, planned)).await;
                    performed.map_err(|error| Stop::new(&plan.row, error))?
                }
            };
            note(&mut settlement, planned, done);
        }
        settling.push(settlement);
    }
    Ok(())
}

/// A request that was carried out.
struct Performed {
    event: OwnedEventId,
    /// Something stands in for the file.
    lost_file: bool,
}

fn note(settlement: &mut Settlement, planned: &Planned, done: Performed) {
    let Performed { event, lost_file } = done;
    match &planned.outcome {
        Outcome::Part(part) => settlement.mappings.push(mapping(planned, part, event, lost_file)),
        Outcome::Successor(part) => {
            settlement.effects.push(Effect::Succeeded(mapping(planned, part, event, lost_file)));
        }
        Outcome::Revision(item) => {
            settlement.effects.push(Effect::Revised { portal: planned.portal, item: item.clone(), event });
        }
        Outcome::Reaction { item, sender, emoji } => settlement.effects.push(Effect::Reacted(Reacted {
            portal: planned.portal,
            item: item.clone(),
            sender: sender.clone(),
            event,
            emoji: emoji.clone(),
        })),
        Outcome::Nothing => {}
    }
}

fn mapping(planned: &Planned, part: &NewPart, event: OwnedEventId, lost_file: bool) -> Mapping {
    let NewPart { item, part, client_context, at, kind, digest, shows, redact_at } = part;
    Mapping {
        portal: planned.portal,
        item: item.clone(),
        part: *part,
        event,
        sender: planned.sender.clone(),
        client_context: client_context.clone(),
        at: *at,
        kind: Some(kind.clone()),
        digest: digest.clone(),
        shows: if lost_file && *shows == Shows::File { Shows::StandIn } else { *shows },
        unsent: false,
        redact_at: *redact_at,
    }
}

async fn perform(bridge: &Bridge, planned: &Planned) -> Result<Performed, StepError> {
    let Planned { intent, room, request, action, .. } = planned;
    let mut lost_file = false;
    let sent = match action {
        Action::Send { kind, content, at, media: None } => {
            bridge.matrix.send(intent, room, kind, content, request, *at).await
        }
        Action::Send { kind, content, at, media: Some(carried) } => {
            let completed = media::complete(bridge, carried, content).await?;
            lost_file = completed.is_none();
            let content = completed.unwrap_or_else(|| carried.media.fallback_for(content));
            // What replaces a sticker is a message.
            let kind = if content["msgtype"].is_string() { "m.room.message" } else { kind };
            bridge.matrix.send(intent, room, kind, &content, request, *at).await
        }
        Action::Redact(event) => bridge.matrix.redact(intent, room, event, request, None).await,
    };
    if let (Err(error), Intent::As(user)) = (&sent, intent)
        && !error.is_transient()
    {
        room::doubt_member(bridge, planned.portal, &planned.sender).await?;
        puppet::doubt(bridge, room, user);
    }
    let event = sent?;
    failpoint::hit("to-matrix-after-send");
    Ok(Performed { event, lost_file })
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
    for ((plan, _, event), state) in planned.iter().zip(states) {
        match state {
            OutboxState::Fresh if plan.row.attempts == 0 => {}
            // It was tried before, and may have been given up after it was sent.
            OutboxState::Fresh | OutboxState::MaybeSent => {
                doubtful.entry(&event.room).or_default().push(event.request.clone());
            }
            OutboxState::Confirmed(id) => {
                if let Ok(id) = OwnedEventId::try_from(id) {
                    known.insert(event.request.clone(), id);
                }
            }
        }
    }
    for (room, requests) in doubtful {
        let senders = planned.iter().filter_map(|(_, _, event)| match &event.intent {
            Intent::As(user) if event.room == *room => Some(&**user),
            _ => None,
        });
        let puppets: Vec<&UserId> = senders.filter(|user| !bridge.matrix.is_ours(user)).collect();
        known.extend(bridge.matrix.find_sent(room, &requests, &puppets).await?);
    }
    Ok(known)
}
