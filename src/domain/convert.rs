//! Conversions between the two sides' messages. Pure functions of the message and of facts loaded before.

pub mod emoji;
pub mod html;
mod split;
pub mod to_matrix;
pub mod to_remote;
