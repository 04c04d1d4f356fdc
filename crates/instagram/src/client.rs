//! Placeholder.

pub mod http;
pub mod realtime;
pub mod tls;
