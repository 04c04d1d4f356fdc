//! Instagram's direct messages as values: wire formats, the realtime state machine, HTTP endpoints.
//!
//! Nothing here waits, opens a socket, reads a clock or draws random numbers, except [`client`].

pub mod api;
#[cfg(feature = "client")]
pub mod client;
pub mod command;
pub mod credentials;
pub mod device;
pub mod error;
pub mod item;
pub mod mqttot;
pub mod number;
pub mod realtime;
pub mod session;
pub mod subscription;
pub mod sync;
pub mod thread;
pub mod thrift;
pub mod topic;
