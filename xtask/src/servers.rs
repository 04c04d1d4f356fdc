//! The real servers that tests run against: Synapse and PostgreSQL, from one virtual environment in a cache directory.

mod cache;
mod environment;
mod postgres;
mod process;
mod synapse;
mod tools;

pub use self::{
    environment::{Environment, environment},
    postgres::Postgres,
    process::free_port,
    synapse::{SERVER_NAME, Synapse},
    tools::cargo_deny,
};
