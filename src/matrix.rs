//! The homeserver, in both directions: [`Client`] is what we ask of it, [`appservice`] what it tells us.
//!
//! This layer knows the wire and its errors. It decides nothing about portals, rows or retries of rows: a failed
//! request comes back as a [`HomeserverError`] that says whether trying again later can help.

pub mod appservice;
mod client;
mod error;
mod media;
mod member;
mod message;
mod room;
mod self_test;
mod state;
mod user;

#[cfg(test)]
mod tests;

pub use appservice::{Busy, Inbox};
pub use client::{Client, ClientOptions, Intent};
pub use error::{ClientError, HomeserverError};
pub use media::Download;
pub use message::REQUEST_KEY;
pub use room::NewRoom;
pub use self_test::{SelfTest, SelfTestError};
