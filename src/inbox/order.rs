//! Keeping the homeserver's transactions in order.
//!
//! Two weaknesses of Synapse reorder transactions around a failure. When one fails, Synapse notes in the background that
//! the bridge is down, and later ones can slip through before that. And one that is made just when Synapse finds that it
//! has repeated everything stays behind, while later ones are sent (seen with 1.163).
//!
//! Both leave a gap in the ids, which are numbers that grow; and what failed is repeated oldest first. So for a while
//! after a start or a refusal, a transaction that leaves a gap is refused, and while a refused one is outstanding every
//! later one is refused too. The gap may be another appservice's: then the refused transaction is the first to come again,
//! and is taken; where that happens repeatedly, gaps mean nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::ids::Timestamp;

/// A homeserver that has not repeated what was refused for so long has given it up.
const PATIENCE_MS: i64 = 60_000;
/// So long after trouble a gap is suspicious.
const SUSPICION_MS: i64 = 10_000;
/// So many gaps that nothing filled show that there are other appservices.
const FOREIGN: u32 = 3;

/// What is known of the homeserver's transactions.
#[derive(Debug)]
pub struct Order(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The last transaction that was accepted.
    last: Option<u64>,
    /// Refused, and not repeated yet; and since when there are such.
    refused: BTreeSet<u64>,
    refused_since: Timestamp,
    /// The start, or the last time that something was refused or repeated.
    trouble_at: Timestamp,
    /// Gaps that nothing filled.
    foreign: u32,
}

impl Order {
    /// `last` is the last transaction that was accepted before the start.
    pub fn new(last: Option<&str>, now: Timestamp) -> Self {
        let last = last.and_then(|id| id.parse().ok());
        Self(Mutex::new(State { last, refused: BTreeSet::new(), refused_since: now, trouble_at: now, foreign: 0 }))
    }

    /// True if the transaction is to be refused, because an earlier one is, or may be, still on its way.
    pub fn is_overtaking(&self, txn_id: &str, now: Timestamp) -> bool {
        let Ok(id) = txn_id.parse::<u64>() else { return false };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since_trouble = now.0.saturating_sub(state.trouble_at.0);
        if now.0.saturating_sub(state.refused_since.0) > PATIENCE_MS {
            state.refused.clear();
        }
        let leaves_gap = state.last.is_some_and(|last| id > last.saturating_add(1));
        let overtakes = match state.refused.first() {
            Some(first) => id > *first,
            None => leaves_gap && since_trouble <= SUSPICION_MS && state.foreign < FOREIGN,
        };
        if overtakes {
            state.refuse(id, now);
            return true;
        }
        if state.refused.remove(&id) {
            state.trouble_at = now;
            state.foreign += u32::from(leaves_gap);
        }
        state.last = Some(id);
        false
    }

    /// The transaction was refused for another reason.
    pub fn note_refused(&self, txn_id: &str, now: Timestamp) {
        if let Ok(id) = txn_id.parse() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).refuse(id, now);
        }
    }
}

impl State {
    fn refuse(&mut self, id: u64, now: Timestamp) {
        if self.refused.is_empty() {
            self.refused_since = now;
        }
        self.refused.insert(id);
        self.trouble_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const LATER: Timestamp = Timestamp(NOW.0 + SUSPICION_MS + 1);

    #[test]
    fn a_gap_after_the_start_is_refused_until_it_is_filled() {
        let order = Order::new(Some("7"), NOW);
        assert!(order.is_overtaking("9", NOW) && order.is_overtaking("10", NOW));
        assert!(!order.is_overtaking("8", NOW));
        assert!(order.is_overtaking("11", NOW), "two are still to come again");
        assert!(["9", "10", "11"].iter().all(|id| !order.is_overtaking(id, NOW)));
    }

    #[test]
    fn a_gap_after_everything_was_repeated_is_refused_too() {
        let order = Order::new(Some("7"), NOW);
        assert!(order.is_overtaking("9", NOW));
        assert!(!order.is_overtaking("8", NOW) && !order.is_overtaking("9", NOW));
        assert!(order.is_overtaking("11", NOW), "10 has stayed behind");
        assert!(!order.is_overtaking("10", NOW) && !order.is_overtaking("11", NOW));
    }

    #[test]
    fn gaps_mean_nothing_long_after_trouble() {
        let order = Order::new(Some("7"), NOW);
        assert!(!order.is_overtaking("8", NOW) && !order.is_overtaking("20", LATER));
    }

    #[test]
    fn a_gap_that_nothing_fills_is_accepted_when_it_comes_again_and_teaches() {
        let order = Order::new(Some("7"), NOW);
        for id in ["9", "11", "13"] {
            assert!(order.is_overtaking(id, NOW) && !order.is_overtaking(id, NOW));
        }
        assert!(!order.is_overtaking("15", NOW), "there are other appservices");
    }

    #[test]
    fn what_was_refused_comes_before_what_came_later() {
        let order = Order::new(None, NOW);
        order.note_refused("5", NOW);
        assert!(order.is_overtaking("6", NOW));
        assert!(!order.is_overtaking("5", NOW) && !order.is_overtaking("6", NOW));
    }

    #[test]
    fn what_is_never_repeated_holds_up_nothing_for_ever() {
        let order = Order::new(None, NOW);
        order.note_refused("5", NOW);
        for seconds in 0..PATIENCE_MS / 1000 {
            assert!(order.is_overtaking("6", Timestamp(NOW.0 + seconds * 1000)));
        }
        assert!(!order.is_overtaking("7", Timestamp(NOW.0 + PATIENCE_MS + 1)));
    }

    #[test]
    fn repeated_restarted_and_strange_ids_are_no_gap() {
        for (last, next) in [(Some("7"), "7"), (Some("7"), "1"), (Some("7"), "m1234"), (Some("abc"), "9"), (None, "9")]
        {
            assert!(!Order::new(last, NOW).is_overtaking(next, NOW), "{last:?} {next}");
        }
    }
}
