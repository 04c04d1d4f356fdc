//! History: items of the past, without deliveries.

use std::time::Duration;

use super::items::new_item;
use crate::{
    error::SimError,
    sim::Sim,
    world::history::{History, OldItem, Past},
};

impl Sim {
    /// Puts `count` made-up texts of all members in turn before everything in the thread. Nobody is told; the API's
    /// pages show them. The answer is their ids, oldest first.
    pub fn import_history(&self, thread: &str, count: usize, how: &History) -> Result<Vec<String>, SimError> {
        self.shared.act(|world| world.make_history(thread, count, how))
    }

    /// Puts items before everything in the thread, oldest first, so far apart. Nobody is told. The answer is their ids.
    pub fn import_items(&self, thread: &str, items: Vec<OldItem>, spacing: Duration) -> Result<Vec<String>, SimError> {
        let past = |old: OldItem| {
            let item = new_item(old.item)?;
            Ok(Past { sender: old.from, item, reactions: old.reactions, replies: old.replies })
        };
        let past = items.into_iter().map(past).collect::<Result<Vec<_>, SimError>>()?;
        self.shared.act(|world| world.import(thread, past, spacing))
    }
}
