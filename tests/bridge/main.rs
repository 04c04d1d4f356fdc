//! The real bridge between a simulated Instagram and a small homeserver, over loopback.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod chat;
mod chats;
mod commands;
mod echoes;
mod faults;
mod groups;
mod history;
mod items;
mod kinds;
mod media;
mod mutations;
mod parts;
mod policies;
mod puppets;
mod refusals;
mod replaced;
mod requests;
mod text;
#[expect(dead_code, reason = "the crash tests use the rest")]
mod world;
