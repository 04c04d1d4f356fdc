//! The real bridge between a simulated Instagram and a small homeserver, over loopback.

mod commands;
mod faults;
mod text;
mod world;
