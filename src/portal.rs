//! Portals: what happens to the rows of a lane, in both directions.

pub mod from_matrix;
mod from_remote;
pub mod ghost;
pub mod notify;
pub mod room;

use std::sync::Arc;

use crate::bridge::Bridge;
use crate::domain::ids::LaneKey;
use crate::domain::record::InboxRow;
use crate::lane::Stop;

/// Handles rows of one lane, in order. On an error the rows before the one named are settled.
pub async fn handle(bridge: &Arc<Bridge>, lane: &LaneKey, rows: &[InboxRow]) -> Result<(), Stop> {
    if lane.is_incoming() { from_remote::handle(bridge, rows).await } else { from_matrix::handle(bridge, rows).await }
}
