//! The realtime state machine joined to a small server in memory, on virtual time: pieces, doubles, garbage, silence.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod connection;
mod hostile;
#[path = "../shared/mutate.rs"]
mod mutate;
mod peer;
mod properties;
mod sending;
mod subscribing;
