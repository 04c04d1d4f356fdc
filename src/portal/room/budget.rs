//! How many rooms may be made.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::domain::ids::Timestamp;
use crate::lane::StepError;
use crate::runtime;

/// The rooms of the last hour, and those that are being made. A flood of chats must not become a flood of rooms.
#[derive(Debug, Default)]
pub struct RoomBudget(Mutex<VecDeque<Timestamp>>);

/// A room that is being made, and counts. Dropped before [`Place::keep`], it does not count.
pub(super) struct Place<'a> {
    budget: &'a RoomBudget,
    at: Option<Timestamp>,
}

impl RoomBudget {
    /// Whether another room may be made: to be asked before anything is fetched for one.
    pub(super) fn check(&self, most: usize) -> Result<(), StepError> {
        self.reserve(most).map(drop)
    }

    /// Takes the place of a room.
    pub(super) fn reserve(&self, most: usize) -> Result<Place<'_>, StepError> {
        const HOUR_MS: i64 = 3_600_000;
        let now = runtime::now();
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while made.front().is_some_and(|at| now.0.saturating_sub(at.0) > HOUR_MS) {
            made.pop_front();
        }
        if made.len() >= most {
            return Err(StepError::Hold("too many rooms were made in the last hour"));
        }
        made.push_back(now);
        Ok(Place { budget: self, at: Some(now) })
    }
}

impl Place<'_> {
    /// The room was made.
    pub(super) fn keep(mut self) {
        self.at = None;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(at) = self.at else { return };
        let mut made = self.budget.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = made.iter().position(|made| *made == at) {
            made.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_that_are_being_made_count_and_those_that_were_not_made_do_not() {
        let budget = RoomBudget::default();
        let first = budget.reserve(2).ok().unwrap();
        let second = budget.reserve(2).ok().unwrap();
        assert!(budget.check(2).is_err(), "two are being made");
        drop(second);
        assert!(budget.check(2).is_ok());
        first.keep();
        let third = budget.reserve(2).ok().unwrap();
        third.keep();
        assert!(budget.reserve(2).is_err());
    }
}
