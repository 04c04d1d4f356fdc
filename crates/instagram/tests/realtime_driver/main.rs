//! The driver of the realtime connection, over memory on paused time and over TLS on loopback.
#![cfg(feature = "client")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod memory;
mod server;
mod tls;
