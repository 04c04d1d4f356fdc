//! A message in a portal becomes items of its thread.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ruma::{OwnedEventId, OwnedUserId};

use super::file::{self, Delivered};
use super::{RoomEvent, Speaker, Step, speaker, target_of};
use crate::bridge::Bridge;
use crate::config::Receipts;
use crate::domain::convert::to_remote::{self, FileKind, MessageContent, OutgoingFacts, OutgoingPart, to_remote};
use crate::domain::event::{ItemContent, ReplyTo};
use crate::domain::ids::{ClientContext, ItemId, LoginId, RemoteUserId, ThreadId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Intended, Mapping, OutboxState, Portal, Settlement, Shows, Standing};
use crate::domain::request_id;
use crate::failpoint;
use crate::lane::{StepError, Stop};
use crate::network::{ChatChange, Remote};
use crate::portal::settling::Settling;
use crate::portal::{ephemeral, ghost, request};
use crate::runtime;

/// What has waited for less was hardly redacted meanwhile: it is sent without asking, and unsent if it was.
const WAITED: Duration = Duration::from_secs(3);

/// What is to be sent for a row.
pub(super) struct Plan {
    row: InboxRow,
    event: OwnedEventId,
    at: Timestamp,
    portal: Portal,
    remote: Remote,
    parts: Vec<(ClientContext, OutgoingPart)>,
    /// Files that went as a link.
    linked: Mutex<HashSet<ClientContext>>,
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
        Some(target) => target_of(bridge, &portal, target, row.attempts)
            .await?
            .map(|mapping| ReplyTo { item: mapping.item, client_context: mapping.client_context }),
        None => None,
    };
    let Speaker { login, relayed } = speaker(bridge, event, &portal).await?;
    let link = event.room_id.matrix_to_event_uri(event.event_id.clone()).to_string();
    let relayed = relayed.then_some(event);
    let said = Said { thread: &portal.key.thread, content: &content, reply_to, link: Some(link) };
    let parts = parts(bridge, &event.kind, said, &login, relayed).await?;
    if parts.is_empty() {
        return if earlier.is_empty() { Ok(Step::Done(Settlement::nothing(row.id))) } else { Ok(Step::AfterEarlier) };
    }
    let is_withdrawn = is_withdrawn(bridge, row, event).await;
    match bridge.store.standing(&portal.key.thread, &login).await? {
        Standing::Open => {}
        _ if is_withdrawn => {}
        Standing::Declined if relayed.is_some() => {
            return Err(StepError::Refuse(Notice::new("Your message was not sent: this chat was declined.")));
        }
        Standing::Request | Standing::Declined => accept(bridge, &login, &portal).await?,
    }
    let at = Timestamp(event.origin_server_ts);
    let parts = (0..).zip(parts).map(|(n, part)| (request_id::client_context(&event.event_id, at, n), part)).collect();
    let remote = bridge.remote(&login).await?;
    let plan =
        Plan { row: row.clone(), event: event.event_id.clone(), at, portal, remote, parts, linked: Mutex::default() };
    match is_withdrawn {
        true if earlier.is_empty() => withdraw(bridge, &plan).await.map(Step::Done),
        true => Ok(Step::AfterEarlier),
        false => Ok(Step::Planned(Box::new(plan))),
    }
}

/// Whether a message was redacted while it waited.
pub(super) async fn is_withdrawn(bridge: &Bridge, row: &InboxRow, event: &RoomEvent) -> bool {
    let age = runtime::now().0.saturating_sub(row.accepted_at.0).max(0).unsigned_abs();
    if Duration::from_millis(age) < WAITED {
        return false;
    }
    bridge.matrix.is_redacted(&event.room_id, &event.event_id).await.unwrap_or_else(|error| {
        tracing::debug!(row = row.id.0, %error, "sent without knowing whether it was redacted");
        false
    })
}

/// What may have been sent of it before is looked for and mapped, so that the redaction takes it back. No more is sent.
async fn withdraw(bridge: &Bridge, plan: &Plan) -> Result<Settlement, StepError> {
    let mut states = intend(bridge, std::slice::from_ref(plan)).await?;
    let mut mappings = Vec::new();
    for (context, part) in &plan.parts {
        let sent = match states.remove(context) {
            Some(OutboxState::Confirmed(item)) => Some(ItemId::new(item)),
            Some(OutboxState::MaybeSent) => find_sent(plan, context).await?,
            _ => None,
        };
        mappings.extend(sent.map(|item| mapping(bridge, plan, context, part, item)));
    }
    tracing::info!(row = plan.row.id.0, sent = mappings.len(), "redacted before it was sent");
    Ok(Settlement { mappings, ..Settlement::nothing(plan.row.id) })
}

/// Who answers accepts, even after they had declined; Instagram wants that first.
async fn accept(bridge: &Arc<Bridge>, login: &LoginId, portal: &Portal) -> Result<(), StepError> {
    let thread = &portal.key.thread;
    match request::answer(bridge, login, portal, &ChatChange::Accept).await {
        // Of what was declined there may be nothing left to accept: the message itself opens the chat then.
        Err(StepError::Remote { error, .. })
            if !error.is_transient() && bridge.store.standing(thread, login).await? == Standing::Declined =>
        {
            Ok(bridge.store.set_standing(thread, login, Standing::Open).await?)
        }
        accepted => accepted,
    }
}

/// What somebody has said, and where.
pub(super) struct Said<'a> {
    pub(super) thread: &'a ThreadId,
    pub(super) content: &'a MessageContent,
    pub(super) reply_to: Option<ReplyTo>,
    pub(super) link: Option<String>,
}

/// What is to be sent for it by a login; of what is relayed with who said it.
pub(super) async fn parts(
    bridge: &Bridge,
    kind: &str,
    said: Said<'_>,
    login: &LoginId,
    relayed: Option<&RoomEvent>,
) -> Result<Vec<OutgoingPart>, StepError> {
    let Said { content, .. } = said;
    let mut facts = facts(bridge, said, login).await?;
    let Some(event) = relayed else { return to_remote(kind, content, &facts).map_err(StepError::Refuse) };
    let content = &content.without_profile_fallback();
    let format = bridge.config.relay_format(if kind == "m.room.message" { &content.msgtype } else { kind });
    facts.sender_name = relayed_name(bridge, event, content).await;
    facts.max_characters = facts.max_characters.saturating_sub(format.chars().count() + 60).max(1);
    let mut parts = to_remote(kind, content, &facts).map_err(StepError::Refuse)?;
    to_remote::name_speaker(&mut parts, &facts.sender_name, format);
    Ok(parts)
}

/// How somebody without a login is called on Instagram: by the profile of this one message, else as the room knows them.
async fn relayed_name(bridge: &Bridge, event: &RoomEvent, content: &MessageContent) -> String {
    if let Some(name) = content.per_message_name() {
        return name;
    }
    let member = bridge.matrix.state(&event.room_id, "m.room.member", event.sender.as_str()).await;
    let name = member.ok().flatten().and_then(|member| member["displayname"].as_str().map(str::to_owned));
    name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| event.sender.localpart().to_owned())
}

/// What conversion has to know.
async fn facts(bridge: &Bridge, said: Said<'_>, login: &LoginId) -> Result<OutgoingFacts, StepError> {
    Ok(OutgoingFacts {
        sender_name: sender_name(bridge, login).await?,
        mentioned: mentioned(bridge, &said).await?,
        reply_to: said.reply_to,
        max_characters: bridge.config.max_characters(),
        notices: bridge.config.bridge_notices(),
        event_link: said.link,
    })
}

/// The digest that the same text has when Instagram speaks of it.
pub(super) fn digest(bridge: &Bridge, text: &str) -> String {
    let content = ItemContent::Text { text: text.to_owned(), mentions: Vec::new(), preview: None };
    request_id::digest_of_content(bridge.config.secret_key(), &content.words())
}

async fn sender_name(bridge: &Bridge, login: &LoginId) -> Result<String, StepError> {
    let ghost = bridge.store.ghost(&login.as_remote_user()).await?;
    if let Some(ghost) = ghost.filter(|ghost| !ghost.full_name.trim().is_empty()) {
        return Ok(ghost.full_name);
    }
    Ok(bridge.known_login(login).await?.username)
}

/// The people behind the mentioned ghosts, and behind the mentioned users with a login in the chat.
async fn mentioned(
    bridge: &Bridge,
    said: &Said<'_>,
) -> Result<BTreeMap<OwnedUserId, (RemoteUserId, String)>, StepError> {
    let mut mentioned = BTreeMap::new();
    for user in said.content.mentioned_users() {
        if let Some(id) = ghost::remote_user(bridge, &user) {
            if let Some(ghost) = bridge.store.ghost(&id).await? {
                mentioned.insert(user, (id, ghost.username));
            }
            continue;
        }
        let logins = bridge.store.logins_of_user(&user).await?;
        if logins.is_empty() {
            continue;
        }
        let here = bridge.store.logins_in_thread(said.thread).await?;
        if let Some(login) = logins.into_iter().find(|login| here.contains(&login.id)) {
            mentioned.insert(user, (login.id.as_remote_user(), login.username));
        }
    }
    Ok(mentioned)
}

/// Intend, act, settle.
pub(super) async fn carry_out(bridge: &Arc<Bridge>, plans: Vec<Plan>) -> Result<(), Stop> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut settling = Settling::new(bridge);
    let stopped = act(bridge, &plans, &mut settling).await.err();
    let settled = settling.end().await;
    failpoint::hit("to-remote-after-settle");
    match (settled, stopped) {
        (Err(error), _) => Err(Stop::new(&plans[0].row, error)),
        (Ok(()), Some(stop)) => Err(stop),
        (Ok(()), None) => {
            seen_by_reply(bridge, &plans);
            Ok(())
        }
    }
}

/// Who answers has read, if that is how receipts are configured.
fn seen_by_reply(bridge: &Arc<Bridge>, plans: &[Plan]) {
    if bridge.config.bridge.receipts != Receipts::OnReply {
        return;
    }
    for (portal, login) in plans.iter().map(|plan| (plan.portal.clone(), plan.remote.login().clone())) {
        let task = Arc::clone(bridge);
        bridge.tasks.spawn("receipt", async move {
            if let Err(error) = ephemeral::seen(&task, &portal, &login, None).await {
                tracing::debug!(%error, "receipt not bridged");
            }
        });
    }
}

async fn act(bridge: &Bridge, plans: &[Plan], settling: &mut Settling<'_>) -> Result<(), Stop> {
    let mut states = intend(bridge, plans).await.map_err(|error| Stop::new(&plans[0].row, error))?;
    failpoint::hit("to-remote-after-intend");
    for plan in plans {
        let mut mappings = Vec::with_capacity(plan.parts.len());
        for (context, part) in &plan.parts {
            match settling.during(send(bridge, plan, states.remove(context), context, part)).await {
                Ok(item) => {
                    let mapping = mapping(bridge, plan, context, part, item);
                    if plan.parts.len() > 1 {
                        // It shows already, and the next part may take long.
                        let mapped = bridge.store.map(vec![mapping.clone()]).await;
                        mapped.map_err(|error| Stop::new(&plan.row, error))?;
                    }
                    mappings.push(mapping);
                }
                Err(error) => return Err(Stop { sent: mappings, ..Stop::new(&plan.row, error) }),
            }
        }
        settling.push(Settlement { mappings, ..Settlement::nothing(plan.row.id) });
    }
    Ok(())
}

/// Sends a part, unless it was sent before.
async fn send(
    bridge: &Bridge,
    plan: &Plan,
    state: Option<OutboxState>,
    context: &ClientContext,
    part: &OutgoingPart,
) -> Result<ItemId, StepError> {
    let item = match state {
        Some(OutboxState::Confirmed(item)) => return Ok(ItemId::new(item)),
        Some(OutboxState::MaybeSent) => deliver_once(bridge, plan, context, part).await?,
        _ => deliver(bridge, plan, context, part).await?,
    };
    if plan.parts.len() > 1 {
        bridge.store.confirm(&context.clone().into(), item.as_str()).await?;
    }
    Ok(item)
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
async fn deliver_once(
    bridge: &Bridge,
    plan: &Plan,
    context: &ClientContext,
    part: &OutgoingPart,
) -> Result<ItemId, StepError> {
    match find_sent(plan, context).await? {
        Some(item) => Ok(item),
        None => deliver(bridge, plan, context, part).await,
    }
}

async fn find_sent(plan: &Plan, context: &ClientContext) -> Result<Option<ItemId>, StepError> {
    let found = plan.remote.find_sent(&plan.portal.key.thread, context, plan.row.accepted_at).await;
    found.map_err(|error| StepError::Remote { login: plan.remote.login().clone(), error })
}

async fn deliver(
    bridge: &Bridge,
    plan: &Plan,
    context: &ClientContext,
    part: &OutgoingPart,
) -> Result<ItemId, StepError> {
    let thread = &plan.portal.key.thread;
    let item = match part {
        OutgoingPart::Text(text) => {
            let sent = plan.remote.deliver(thread, text, context).await;
            sent.map_err(|error| StepError::Remote { login: plan.remote.login().clone(), error })?
        }
        OutgoingPart::File(part) => match file::deliver(bridge, &plan.remote, thread, part, context).await? {
            Delivered::File(item) => item,
            Delivered::Link(item) => {
                plan.linked.lock().unwrap_or_else(PoisonError::into_inner).insert(context.clone());
                item
            }
        },
    };
    failpoint::hit("to-remote-after-send");
    Ok(item)
}

fn mapping(bridge: &Bridge, plan: &Plan, context: &ClientContext, part: &OutgoingPart, item: ItemId) -> Mapping {
    let (kind, digest) = match part {
        OutgoingPart::Text(part) => ("text", Some(digest(bridge, &part.text))),
        OutgoingPart::File(_) if plan.linked.lock().unwrap_or_else(PoisonError::into_inner).contains(context) => {
            ("text", None)
        }
        OutgoingPart::File(part) if part.kind == FileKind::Audio => ("voice_media", None),
        OutgoingPart::File(_) => ("media", None),
    };
    Mapping {
        portal: plan.portal.id,
        item,
        part: 0,
        event: plan.event.clone(),
        sender: plan.remote.login().as_str().to_owned(),
        client_context: Some(context.clone()),
        at: plan.at,
        kind: Some(kind.to_owned()),
        digest,
        shows: match part {
            OutgoingPart::Text(_) => Shows::Words,
            OutgoingPart::File(_) => Shows::File,
        },
        unsent: false,
        redact_at: None,
    }
}
