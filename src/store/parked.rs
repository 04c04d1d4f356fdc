//! The verbs about rows that failed. They keep their payloads until an administrator decides.

use super::delivery::ParkedRows;
use super::error::StoreError;
use super::write::{Answer, Write};
use super::{Readers, Store, postgres, read, sqlite};
use crate::domain::ids::LaneKey;

impl Store {
    /// The rows that failed, for administrators.
    pub async fn parked_rows(&self) -> Result<ParkedRows, StoreError> {
        let reasons = read!(self, parked::reasons())?;
        Ok(ParkedRows { count: reasons.iter().map(|(_, count)| count).sum(), reasons })
    }

    /// Has the rows from Instagram that failed tried again, each in its lane: those are to be woken. What failed on its way
    /// to Instagram stays: its sender was told, and may have done it again or otherwise since.
    pub async fn retry_parked(&self) -> Result<Vec<LaneKey>, StoreError> {
        match self.write(Write::RetryParked).await? {
            Answer::Lanes(lanes) => Ok(lanes),
            _ => Err(Answer::unexpected()),
        }
    }

    /// Ends the rows that failed and erases their payloads. Returns how many.
    pub async fn discard_parked(&self) -> Result<u64, StoreError> {
        match self.write(Write::DiscardParked).await? {
            Answer::Removed(count) => Ok(count),
            _ => Err(Answer::unexpected()),
        }
    }
}
