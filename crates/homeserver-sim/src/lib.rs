//! A small, fast Matrix homeserver in memory, for tests and benchmarks.
//!
//! It speaks enough of the client-server API for an application service and a plain test client, pushes transactions
//! to one application service the way Synapse does (serial, at most 100 events, growing waits, resumed by a ping), and
//! misbehaves when asked to. It is one server without federation, without encryption of its own and without power
//! levels: what it accepts, a real homeserver may still refuse, so it complements the tests against Synapse.

mod api;
mod clock;
mod error;
mod event;
mod fault;
mod homeserver;
mod ids;
mod options;
mod push;
mod room;
mod sim;
mod world;

pub use fault::Fault;
pub use homeserver::{Homeserver, User};
pub use options::{Appservice, Options};
