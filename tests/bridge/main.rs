//! The real bridge between a simulated Instagram and a small homeserver, over loopback.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod beginnings;
mod chat;
mod chats;
mod commands;
mod echoes;
mod ephemera;
mod faults;
mod groups;
mod history;
mod items;
mod kinds;
mod media;
mod members;
mod mutations;
mod outgoing;
mod parked;
mod parts;
mod policies;
mod puppets;
mod refusals;
mod replaced;
mod requests;
mod shared;
mod strangers;
mod text;
mod unsettled;
#[expect(dead_code, reason = "the crash tests use the rest")]
mod world;
