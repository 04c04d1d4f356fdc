//! Accepting: what arrives from the homeserver becomes rows of the inbox, committed before it is confirmed.

mod contact;
mod order;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ruma::{OwnedUserId, RoomAliasId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bridge::Bridge;
use crate::config::Permission;
use crate::domain::ids::LaneKey;
use crate::domain::record::{NewRow, Origin};
use crate::matrix::{Busy, Inbox};
use crate::portal::{self, ghost};
use crate::{failpoint, runtime};

pub use contact::{Contact, watch};
pub use order::Order;

/// Pending rows at which both sides are made to wait.
const DEEP: i64 = 20_000;

/// How long a transaction is held back before the homeserver is told to come again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until the inbox has room, at most `patience`. False if it has none then.
pub async fn has_room(bridge: &Bridge, patience: Duration) -> bool {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let depth = bridge.store.inbox_depth();
        if depth < DEEP {
            return true;
        }
        tracing::warn!(depth, "inbox is deep; holding back");
        if tokio::time::Instant::now() >= deadline || bridge.tasks.is_ending() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Has the homeserver send again what we refused, without the pause it makes by itself.
fn resume_soon(bridge: &Arc<Bridge>) {
    let task = Arc::clone(bridge);
    bridge.tasks.spawn("resume", async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if let Err(error) = task.matrix.ping(&task.config.appservice.id).await {
            tracing::info!(%error, "the homeserver will come again by itself");
        }
    });
}

/// Receives what the listener hears.
pub struct Receiver(pub Arc<Bridge>);

#[async_trait]
impl Inbox for Receiver {
    async fn accept(
        &self,
        txn_id: &str,
        events: Vec<Box<RawValue>>,
        ephemeral: Vec<Box<RawValue>>,
    ) -> Result<(), Busy> {
        let bridge = &self.0;
        if !has_room(bridge, PATIENCE).await {
            bridge.order.note_refused(txn_id, runtime::now());
            return Err(Busy);
        }
        if bridge.order.is_overtaking(txn_id, runtime::now()) {
            tracing::debug!(txn_id, "a transaction has overtaken an earlier one; asking for that first");
            resume_soon(bridge);
            return Err(Busy);
        }
        bridge.contact.note();
        let rows: Vec<NewRow> = events.into_iter().filter_map(|event| row(bridge, event)).collect();
        failpoint::hit("transaction-before-commit");
        let accepted = bridge.store.accept_transaction(txn_id, rows, runtime::now()).await.map_err(|error| {
            tracing::error!(%error, "transaction could not be stored");
            bridge.order.note_refused(txn_id, runtime::now());
            Busy
        })?;
        failpoint::hit("transaction-after-commit");
        for lane in accepted.lanes {
            bridge.lanes.wake(bridge, lane);
        }
        portal::ephemeral::accept(bridge, &ephemeral);
        Ok(())
    }

    async fn knows_user(&self, user: &UserId) -> bool {
        let Some(id) = ghost::remote_user(&self.0, user) else { return user == self.0.bot() };
        matches!(self.0.store.ghost(&id).await, Ok(Some(_)))
    }

    fn pinged(&self) {
        self.0.matrix.note_ping();
        self.0.contact.note();
    }

    async fn knows_alias(&self, _alias: &RoomAliasId) -> bool {
        // Aliases are made together with their rooms, so that none is ever waiting to be made.
        false
    }
}

/// What decides where an event goes.
#[derive(Deserialize)]
struct Envelope<'a> {
    event_id: String,
    room_id: String,
    sender: OwnedUserId,
    #[serde(rename = "type")]
    kind: String,
    state_key: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

impl Envelope<'_> {
    /// What a member event makes of its member: `invite`, `leave` and so on.
    fn membership(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Member {
            membership: String,
        }
        let member = serde_json::from_str::<Member>(self.content?.get()).ok()?;
        Some(member.membership)
    }
}

/// The row of an event; none for our own users' events and for kinds that mean nothing to the bridge yet.
fn row(bridge: &Bridge, event: Box<RawValue>) -> Option<NewRow> {
    let Ok(envelope) = serde_json::from_str::<Envelope>(event.get()) else {
        tracing::warn!(size = event.get().len(), "event of an unexpected shape was left out");
        return None;
    };
    let ours = |user: &UserId| bridge.matrix.is_ours(user);
    let wanted = match envelope.kind.as_str() {
        "m.room.message"
        | "m.room.encrypted"
        | "m.sticker"
        | "m.reaction"
        | "m.room.redaction"
        | "m.poll.start"
        | "org.matrix.msc3381.poll.start" => envelope.state_key.is_none(),
        "m.room.name" | "m.room.avatar" => true,
        "m.room.member" => {
            let member = envelope.state_key.as_deref().and_then(|key| UserId::parse(key).ok());
            match envelope.membership().as_deref() {
                Some("leave" | "ban") => true,
                // Who may attach accounts may have one to add to a group.
                Some("invite") => {
                    member.is_some_and(|one| ours(&one) || bridge.config.permission(&one) >= Permission::User)
                }
                _ => member.is_some_and(|member| ours(&member)),
            }
        }
        _ => false,
    };
    let Envelope { event_id, room_id, sender, kind, .. } = envelope;
    if ours(&sender) || !wanted {
        tracing::debug!(kind, "event left out");
        return None;
    }
    Some(NewRow {
        lane: LaneKey::outgoing(&room_id, sender.as_str()),
        origin: Origin::Matrix,
        dedup_key: event_id,
        payload: String::from(Box::<str>::from(event)),
        echo: None,
    })
}
