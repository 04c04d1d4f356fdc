//! Somebody has read on Instagram: their ghost shows a receipt. Receipts only advance.

use std::time::Duration;

use super::{Heard, Plan};
use crate::domain::ids::{ItemId, RemoteUserId, Timestamp};
use crate::lane::StepError;
use crate::portal::{ghost, puppet};

/// Receipts are worth no more than this of a lane's time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody has read something just now. What the account has read itself, in the app, is not marked as unread any more,
/// be it old or new.
pub(super) async fn advanced(
    heard: &Heard<'_>,
    reader: &RemoteUserId,
    item: Option<&ItemId>,
    at: Timestamp,
) -> Result<Plan, StepError> {
    // Of itself each login hears in order.
    if *reader == heard.login.as_remote_user() {
        puppet::mark_unread(heard.bridge, &heard.portal, &heard.login, false).await?;
    }
    shown(heard, reader, item, at).await
}

/// Moves the receipt of a reader to the last message that they have read, if that is news.
///
/// The account's own receipts, from another device, are shown by the user's own Matrix account, else by its ghost once
/// that is in the room.
pub(super) async fn shown(
    heard: &Heard<'_>,
    reader: &RemoteUserId,
    item: Option<&ItemId>,
    at: Timestamp,
) -> Result<Plan, StepError> {
    let plan = Plan::nothing(heard.row);
    let (bridge, portal) = (heard.bridge, &heard.portal);
    let mapped = match item {
        Some(item) => bridge.store.mapping_of_item(portal.id, item).await?.pop(),
        None => None,
    };
    let mapping = match mapped {
        Some(mapping) => Some(mapping),
        None if at.0 > 0 => bridge.store.last_mapping(portal.id, at, "").await?,
        None => None,
    };
    let (Some(mapping), Some(room)) = (mapping, &portal.room) else { return Ok(plan) };
    let known = bridge.store.read_position(portal.id, reader).await?;
    if known.is_some_and(|known| known >= mapping.at) {
        return Ok(plan);
    }
    let user = match puppet::in_room(bridge, portal, reader).await? {
        Some(user) => {
            // Before it is shown: the homeserver tells us of it, and it must not go back to Instagram.
            bridge.store.advance_read(portal.id, reader, mapping.at).await?;
            user
        }
        None if portal.members.contains(reader) => ghost::user_id(bridge, reader),
        None => return Ok(plan),
    };
    let shown = tokio::time::timeout(PATIENCE, bridge.matrix.send_receipt(&user, room, &mapping.event)).await;
    if let Ok(Err(error)) = &shown {
        // A receipt that is lost is made good by the next one.
        tracing::debug!(%error, "receipt not shown");
    }
    if matches!(shown, Ok(Ok(()))) {
        bridge.store.advance_read(portal.id, reader, mapping.at).await?;
    }
    Ok(plan)
}
