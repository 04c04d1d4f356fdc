//! Noticing a transaction that has overtaken an earlier one.
//!
//! When a transaction fails because the bridge is away, Synapse notes in the background that the bridge is down. A later
//! transaction can slip through before that, and so arrive before the one that failed. Ids of transactions are numbers
//! that grow, so the first one after a start that leaves a gap behind the last one we know is refused: the homeserver
//! then resends from the oldest. Other appservices of the same homeserver make gaps too, so this is done a few times at
//! most.

use std::sync::{Mutex, PoisonError};

/// How often a gap is refused after a start.
const REFUSALS: u32 = 3;

/// What is known of the homeserver's transactions since the start.
#[derive(Debug)]
pub struct Order(Mutex<State>);

#[derive(Debug)]
enum State {
    /// None was accepted yet; the last one before the start, and how many were refused.
    Starting { last: u64, refused: u32 },
    /// Nothing is to be noticed any more.
    Running,
}

impl Order {
    /// `last` is the last transaction that was accepted before the start.
    pub fn new(last: Option<&str>) -> Self {
        let last = last.and_then(|id| id.parse().ok());
        Self(Mutex::new(last.map_or(State::Running, |last| State::Starting { last, refused: 0 })))
    }

    /// True if the transaction is to be refused, because an earlier one may still be on its way.
    pub fn is_overtaking(&self, txn_id: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Starting { last, refused } = &mut *state else { return false };
        let gap = txn_id.parse::<u64>().is_ok_and(|id| id > last.saturating_add(1));
        if gap && *refused < REFUSALS {
            *refused += 1;
            return true;
        }
        *state = State::Running;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_after_the_start_is_refused_until_it_is_filled() {
        let order = Order::new(Some("7"));
        assert!(order.is_overtaking("9"));
        assert!(!order.is_overtaking("8"));
        assert!(!order.is_overtaking("9"));
        assert!(!order.is_overtaking("20"), "later gaps are other appservices'");
    }

    #[test]
    fn a_gap_that_stays_is_accepted() {
        let order = Order::new(Some("7"));
        for _ in 0..REFUSALS {
            assert!(order.is_overtaking("9"));
        }
        assert!(!order.is_overtaking("9"));
    }

    #[test]
    fn repeated_restarted_and_strange_ids_are_no_gap() {
        for (last, next) in [(Some("7"), "7"), (Some("7"), "1"), (Some("7"), "m1234"), (Some("abc"), "9"), (None, "9")]
        {
            assert!(!Order::new(last).is_overtaking(next), "{last:?} {next}");
        }
    }
}
