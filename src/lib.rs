//! puppetgram: a Matrix–Instagram puppeting bridge. ARCHITECTURE.md says where to start reading.

pub mod domain;
