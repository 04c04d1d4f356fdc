//! What an error means for the row it stopped: try again, wait for the login, or give up and say so.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::undone::undone;
use crate::bridge::Bridge;
use crate::domain::ids::{LaneKey, LoginId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{InboxRow, Mapping, Settlement};
use crate::matrix::HomeserverError;
use crate::network::RemoteError;
use crate::portal::notify;
use crate::runtime;
use crate::store::StoreError;

/// A row that could not be handled. Rows before it are settled, rows after it untouched.
#[derive(Debug)]
pub struct Stop {
    /// The row.
    pub row: InboxRow,
    /// What stopped it.
    pub error: StepError,
    /// What had been sent of it before that.
    pub sent: Vec<Mapping>,
}

impl Stop {
    /// Nothing had been sent.
    pub fn new(row: &InboxRow, error: impl Into<StepError>) -> Self {
        Self { row: row.clone(), error: error.into(), sent: Vec::new() }
    }
}

/// Everything that can stop a row.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The homeserver.
    #[error(transparent)]
    Homeserver(#[from] HomeserverError),
    /// The homeserver does not hand out the file of a message.
    #[error("file: {0}")]
    File(HomeserverError),
    /// Instagram, for this login.
    #[error("login {login}: {error}")]
    Remote {
        /// Whose request it was.
        login: LoginId,
        /// What Instagram said.
        error: RemoteError,
    },
    /// It can never work; this is for the sender.
    #[error("refused: {}", .0.statement)]
    Refuse(Notice),
    /// The sender has no login in the chat.
    #[error("no login in this chat")]
    NoLogin,
    /// Something it builds on is still on its way.
    #[error("not yet: {0}")]
    Later(&'static str),
    /// Nothing is wrong, and it is not its turn.
    #[error("held: {0}")]
    Hold(&'static str),
    /// The bridge itself is at fault.
    #[error("internal error")]
    Bug,
}

/// What becomes of the row.
#[derive(Debug, PartialEq, Eq)]
enum Disposition {
    /// Trouble outside: keep the row and the order, try again. Nothing is written down.
    Wait(Duration),
    /// Try again at a time that is remembered over restarts.
    Retry(Duration),
    /// Likewise; it was not tried.
    Rest(Duration),
    /// It will never work: say so, park it, go on.
    Refuse(Notice),
}

/// Decides what an error means. `trouble` counts the failures in a row, this one included; `undone` is what does not
/// happen if the row is refused.
fn disposition(
    error: &StepError,
    row: &InboxRow,
    trouble: u32,
    give_up_after: Duration,
    now: Timestamp,
    undone: &str,
) -> Disposition {
    let backoff = Duration::from_millis(250 * 2_u64.pow(trouble.saturating_sub(1).min(5)));
    let incoming = row.lane.is_incoming();
    let age = Duration::from_millis(now.0.saturating_sub(row.accepted_at.0).max(0).unsigned_abs());
    let too_old = !incoming && age > give_up_after;
    match error {
        StepError::Store(_) => Disposition::Wait(backoff),
        StepError::File(_) if too_old => Disposition::Refuse(
            Notice::new("Your file was not sent: the homeserver does not hand it out.").with_hint("upload it again."),
        ),
        StepError::File(_) => Disposition::Wait(backoff),
        StepError::Homeserver(error) if error.is_transient() => Disposition::Wait(backoff),
        StepError::Homeserver(HomeserverError::UnknownToken) => Disposition::Wait(Duration::from_secs(10)),
        // A ghost may have been removed from the room: its membership is repaired before the next try.
        StepError::Homeserver(_) if row.attempts < 3 => Disposition::Retry(Duration::from_millis(200)),
        StepError::Homeserver(error) => Disposition::Refuse(homeserver_notice(error, undone)),
        // What one login of a chat waits for holds up no other.
        StepError::Hold(_) if incoming => Disposition::Rest(Duration::from_secs(15)),
        StepError::Hold(_) => Disposition::Wait(backoff),
        StepError::Later(_) if row.attempts < 40 => Disposition::Retry(soon(row.attempts)),
        StepError::Later(_) => {
            Disposition::Refuse(Notice::new("A message was not bridged: what it refers to never came."))
        }
        // What is heard waits as long as the account has to rest.
        StepError::Remote { error, .. } if incoming && error.is_block() => Disposition::Rest(Duration::from_secs(900)),
        StepError::Remote { error, .. } if too_old || !error.is_transient() => {
            Disposition::Refuse(remote_notice(error, undone))
        }
        StepError::Remote { error, .. } => match error.retry_after() {
            Some(after) => Disposition::Retry(after),
            // Other logins hear of the same chat: their rows go on meanwhile.
            None if incoming => Disposition::Retry(backoff.max(Duration::from_secs(1))),
            None => Disposition::Wait(backoff),
        },
        StepError::Refuse(notice) => Disposition::Refuse(notice.clone()),
        StepError::NoLogin => Disposition::Refuse(
            Notice::new(format!("{undone}: you have no Instagram login in this chat."))
                .with_hint("log in to an account that is in it: send `login` to the bridge bot."),
        ),
        StepError::Bug => Disposition::Refuse(
            Notice::new("A message was not bridged: the bridge has a fault in handling it.")
                .with_hint("the admin finds the details in the log; the message is kept."),
        ),
    }
}

/// The pause before looking again for what a row builds on: it comes at once or takes a while.
fn soon(attempts: i64) -> Duration {
    Duration::from_millis(match attempts {
        ..5 => 100,
        5..15 => 1_000,
        _ => 4_000,
    })
}

fn homeserver_notice(error: &HomeserverError, undone: &str) -> Notice {
    match error {
        HomeserverError::TooLarge => Notice::new(format!("{undone}: it is larger than this server takes.")),
        _ => Notice::new(format!("{undone}: the homeserver refused it."))
            .with_hint("the admin finds the reason in the log."),
    }
}

fn remote_notice(error: &RemoteError, undone: &str) -> Notice {
    let (reason, hint) = error.explain();
    let notice = Notice::new(format!("{undone}: {reason}"));
    match hint {
        Some(hint) => notice.with_hint(hint),
        None => notice,
    }
}

/// Acts on a stop. `wait` pauses the lane.
pub(super) async fn dispose<F: Future<Output = ()>>(
    bridge: &Arc<Bridge>,
    lane: &LaneKey,
    stop: &Stop,
    trouble: u32,
    wait: impl Fn(Duration) -> F,
) {
    let Stop { row, error, .. } = stop;
    let now = runtime::now();
    let undone = undone(bridge, stop).await;
    let saved = match disposition(error, row, trouble, bridge.config.give_up_after(), now, undone) {
        Disposition::Wait(pause) => {
            match error {
                StepError::Hold(_) => tracing::debug!(row = row.id.0, %error, "waiting"),
                _ => tracing::warn!(row = row.id.0, trouble, %error, "waiting"),
            }
            wait(runtime::with_jitter(pause, 0.2)).await;
            Ok(())
        }
        Disposition::Retry(after) => {
            tracing::info!(row = row.id.0, attempts = row.attempts, %error, "will try again");
            let at = now.0.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
            bridge.store.put_back(row.id, Timestamp(at), &error.to_string()).await
        }
        Disposition::Rest(after) => {
            tracing::debug!(row = row.id.0, %error, "put back");
            let at = now.0.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
            bridge.store.rest(row.id, Timestamp(at)).await
        }
        Disposition::Refuse(notice) => {
            tracing::warn!(row = row.id.0, %lane, %error, "parked");
            if let Err(error) = notify::about_row(bridge, row, &notice).await {
                // Nobody would ever know: it is parked once that is said.
                tracing::warn!(row = row.id.0, %error, "the notice has to wait, and the row with it");
                return wait(runtime::with_jitter(Duration::from_secs(1), 0.2)).await;
            }
            let parked = Settlement { mappings: stop.sent.clone(), ..Settlement::failed(row.id, error.to_string()) };
            bridge.store.settle(vec![parked], now).await
        }
    };
    if let Err(error) = saved {
        tracing::error!(row = row.id.0, %error, "cannot update the inbox");
        wait(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{RowId, ThreadId};
    use crate::domain::record::Origin;

    const GIVE_UP: Duration = Duration::from_secs(3600);

    fn row(lane: LaneKey, attempts: i64) -> InboxRow {
        InboxRow {
            id: RowId(1),
            lane,
            origin: Origin::Matrix,
            dedup_key: String::new(),
            payload: String::new(),
            attempts,
            accepted_at: Timestamp(0),
        }
    }

    fn decide(error: &StepError, row: &InboxRow, trouble: u32, now: Timestamp) -> Disposition {
        disposition(error, row, trouble, GIVE_UP, now, "Your message was not sent")
    }

    fn outgoing() -> InboxRow {
        row(LaneKey::outgoing("!room", "@anna:test"), 0)
    }

    fn remote(error: RemoteError) -> StepError {
        StepError::Remote { login: LoginId::new("1"), error }
    }

    #[test]
    fn a_homeserver_that_is_down_is_waited_for_without_end() {
        let error = StepError::Homeserver(HomeserverError::Timeout);
        let late = Timestamp(i64::MAX / 2);
        let incoming = row(LaneKey::incoming(&ThreadId::new("1")), 1_000_000);
        assert!(matches!(decide(&error, &incoming, 9, late), Disposition::Wait(_)));
    }

    #[test]
    fn an_uncertain_send_is_tried_again_and_given_up_when_it_is_old() {
        let error = remote(RemoteError::Uncertain);
        assert!(!matches!(decide(&error, &outgoing(), 1, Timestamp(0)), Disposition::Refuse(_)));
        let later = Timestamp(3_600_001);
        assert!(matches!(decide(&error, &outgoing(), 1, later), Disposition::Refuse(_)));
    }

    #[test]
    fn what_instagram_refuses_is_refused_at_once_with_its_reason() {
        let error = remote(RemoteError::Rejected("this person takes no messages".into()));
        let Disposition::Refuse(notice) = decide(&error, &outgoing(), 1, Timestamp(0)) else { panic!() };
        assert!(notice.statement.contains("this person takes no messages"));
    }

    #[test]
    fn what_is_heard_outlasts_a_block_of_the_account() {
        let error = remote(RemoteError::Blocked("spam".into()));
        let incoming = row(LaneKey::incoming(&ThreadId::new("1")), 0);
        assert!(matches!(decide(&error, &incoming, 1, Timestamp(0)), Disposition::Rest(_)));
        assert!(matches!(decide(&error, &outgoing(), 1, Timestamp(0)), Disposition::Refuse(_)));
    }

    #[test]
    fn waiting_for_a_reply_target_ends() {
        let waiting = row(LaneKey::outgoing("!room", "@anna:test"), 40);
        let error = StepError::Later("reply target");
        assert!(matches!(decide(&error, &waiting, 1, Timestamp(0)), Disposition::Refuse(_)));
    }
}
