//! Watching that the homeserver reaches us.
//!
//! A homeserver that failed to deliver a transaction waits before it tries again, after some failures for many minutes,
//! and nothing is bridged meanwhile though both sides are well. A ping makes it come back at once. So whenever nothing
//! was heard for a while it is pinged: soon after the start, later twice a minute.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::bridge::Bridge;
use crate::domain::ids::Timestamp;
use crate::runtime;

/// The first pause between two looks; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, and so the longest silence while both sides are well.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is known of the way from the homeserver to us.
#[derive(Debug, Default)]
pub struct Contact {
    last_heard: AtomicI64,
    trouble: Mutex<Option<String>>,
}

impl Contact {
    /// Something came, or a ping did.
    pub fn note(&self) {
        self.last_heard.store(runtime::now().0, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// When the homeserver last reached us; zero if never since the start.
    pub fn last_heard(&self) -> Timestamp {
        Timestamp(self.last_heard.load(Ordering::Relaxed))
    }

    /// Why it does not reach us, as far as the last ping tells.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_trouble(&self, error: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn is_silent(&self, pause: Duration) -> bool {
        let silence = runtime::now().0.saturating_sub(self.last_heard().0);
        silence >= i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Pings whenever it is silent, until shutdown.
pub fn watch(bridge: &Arc<Bridge>) {
    let task = Arc::clone(bridge);
    bridge.tasks.spawn("contact", async move {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = task.tasks.shutdown().cancelled() => return,
            }
            if task.contact.is_silent(pause) {
                ping(&task).await;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
}

async fn ping(bridge: &Bridge) {
    let was_well = bridge.contact.trouble().is_none();
    match bridge.matrix.ping(&bridge.config.appservice.id).await {
        Ok(_) => bridge.contact.note(),
        Err(error) => {
            if was_well {
                tracing::warn!(%error, "the homeserver does not reach the bridge");
            }
            bridge.contact.note_trouble(error.to_string());
        }
    }
}
