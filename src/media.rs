//! Files on their way between the two sides: kept on disk, never whole in memory, and looked at before they are
//! believed.
//!
//! Knows neither side: `network` and `matrix` fetch and send, `portal` decides.

mod convert;
mod inspect;
mod spool;

pub use convert::{ConvertError, Converter, Probe};
pub use inspect::{Looks, Picture, look, moves, shrink, sniff};
pub use spool::{SpoolError, Spooled, sweep};
