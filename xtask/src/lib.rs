//! The repository's own commands, and what tests need of them: real servers, and a client that looks at the homeserver
//! from outside.

pub mod cargo;
pub mod matrix;
pub mod servers;
pub mod table;
