//! The bridge's own values and decisions: ids, events, conversions, request ids, notices.
//!
//! Pure: nothing here waits, reads a clock, opens a file or fails for reasons outside its arguments.

pub mod convert;
pub mod event;
pub mod ids;
pub mod notice;
pub mod record;
pub mod request_id;
