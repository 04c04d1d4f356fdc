//! puppetgram: a Matrix–Instagram puppeting bridge. ARCHITECTURE.md says where to start reading.

pub mod cli;
pub mod config;
pub mod domain;
pub mod matrix;
pub mod store;
