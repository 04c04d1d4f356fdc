//! Events of media that disappear on Instagram are redacted after a while, where the admin wants it so.

use crate::bridge::Bridge;
use crate::domain::record::Effect;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::matrix::Intent;
use crate::runtime;

/// Redacts what is due. What cannot be redacted now is tried again at the next call.
pub async fn redact_due(bridge: &Bridge) {
    if let Err(error) = try_redact(bridge).await {
        tracing::warn!(%error, "disappearing media could not be redacted yet");
    }
}

async fn try_redact(bridge: &Bridge) -> Result<(), StepError> {
    for due in bridge.store.due_redactions(runtime::now()).await? {
        let Some(room) = bridge.store.portal_by_id(due.portal).await?.and_then(|portal| portal.room) else { continue };
        let request = request_id::row_transaction(due.event.as_str(), "fleeting", 0);
        let redacted = bridge.matrix.redact(&Intent::Bot, &room, &due.event, &request, Some("disappeared")).await;
        match redacted {
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "disappearing media could not be redacted"),
            Ok(_) => {}
        }
        bridge.store.apply(Effect::Unsent { portal: due.portal, item: due.item }).await?;
    }
    Ok(())
}
