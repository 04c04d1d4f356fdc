//! puppetgram: a Matrix–Instagram puppeting bridge. ARCHITECTURE.md says where to start reading.

pub mod bridge;
pub mod cli;
pub mod command;
pub mod config;
pub mod domain;
pub mod failpoint;
pub mod files;
pub mod inbox;
pub mod lane;
pub mod login;
pub mod matrix;
pub mod media;
pub mod metrics;
pub mod network;
pub mod portal;
pub mod runtime;
pub mod store;
