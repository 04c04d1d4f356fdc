//! `parked`: what could not be bridged and is kept, for administrators.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Asked, reply};
use crate::bridge::Bridge;
use crate::config::Permission;
use crate::domain::notice::Notice;
use crate::lane::StepError;

/// Reasons that are listed at most.
const LISTED: usize = 20;

/// Lists what is parked, has it tried again, or discards it.
pub(super) async fn parked(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    if bridge.config.permission(&asked.event.sender) < Permission::Admin {
        let notice = Notice::new("Only admins of the bridge may do that.").with_hint("`help` lists what you may do.");
        return reply(bridge, asked.event, &notice.to_string()).await;
    }
    let text = match asked.rest {
        "" => list(bridge).await?,
        "retry" => {
            let lanes = bridge.store.retry_parked().await?;
            let count = lanes.len();
            for lane in lanes {
                bridge.lanes.wake(bridge, lane);
            }
            format!("{} again. What fails once more is parked once more.", said(count as u64, "is tried", "are tried"))
        }
        "discard" => {
            let count = bridge.store.discard_parked().await?;
            format!("{} for good.", said(count, "was discarded", "were discarded"))
        }
        _ => Notice::new("I do not understand that.")
            .with_hint("send `parked`, `parked retry` or `parked discard`.")
            .to_string(),
    };
    reply(bridge, asked.event, &text).await
}

async fn list(bridge: &Bridge) -> Result<String, StepError> {
    let parked = bridge.store.parked_rows().await?;
    if parked.count == 0 {
        return Ok("Nothing is parked.".to_owned());
    }
    let mut text = format!(
        "{}:\n",
        said(parked.count.unsigned_abs(), "could not be bridged and is kept", "could not be bridged and are kept")
    );
    for (reason, count) in parked.reasons.iter().take(LISTED) {
        let _ = writeln!(text, "{count} × {reason}");
    }
    if parked.reasons.len() > LISTED {
        text.push_str("…\n");
    }
    text.push_str(
        "`parked retry` tries again what came from Instagram (of the rest its senders were told, who may have sent it again); \
         `parked discard` gives everything up.",
    );
    Ok(text)
}

/// How many events, and what holds of them.
fn said(count: u64, one: &str, several: &str) -> String {
    if count == 1 { format!("1 event {one}") } else { format!("{count} events {several}") }
}
