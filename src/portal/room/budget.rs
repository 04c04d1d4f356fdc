//! How many rooms may be made.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::domain::ids::Timestamp;
use crate::lane::StepError;
use crate::runtime;

/// How many rooms were made in the last hour. A flood of chats must not become a flood of rooms.
#[derive(Debug, Default)]
pub struct RoomBudget(Mutex<VecDeque<Timestamp>>);

impl RoomBudget {
    /// Whether another room may be made.
    pub(super) fn check(&self, most: usize) -> Result<(), StepError> {
        const HOUR_MS: i64 = 3_600_000;
        let now = runtime::now();
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while made.front().is_some_and(|at| now.0.saturating_sub(at.0) > HOUR_MS) {
            made.pop_front();
        }
        match made.len() < most {
            true => Ok(()),
            false => Err(StepError::Hold("too many rooms were made in the last hour")),
        }
    }

    pub(super) fn note(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(runtime::now());
    }
}
