//! What people do to items that are there: take back, edit, react, see.

use std::time::Duration;

use serde_json::Value;

use super::RawItem;
use crate::{
    error::SimError,
    sim::Sim,
    world::{reaction::Mark, send::NewItem},
};

/// An item of any type with its `item_type`, `text`, `client_context` and `is_shh_mode` in their places.
pub(super) fn new_item(mut item: RawItem) -> Result<NewItem, SimError> {
    let mut take = |key: &str| match item.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let item_type = take("item_type").ok_or_else(|| SimError::Invalid("item_type is missing".into()))?;
    let (text, client_context) = (take("text"), take("client_context"));
    let shh = item.remove("is_shh_mode") == Some(Value::Bool(true));
    Ok(NewItem { item_type, text, client_context, content: item, shh, ..NewItem::default() })
}

impl Sim {
    /// Takes an item back.
    pub fn unsend(&self, by: u64, thread: &str, item_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.unsend(by, thread, item_id))
    }

    /// Changes the text of an item, within 15 minutes.
    pub fn edit(&self, by: u64, thread: &str, item_id: &str, text: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.edit(by, thread, item_id, text))
    }

    /// Makes an item look as if it had been sent earlier, for example too early to be edited. Nobody is told.
    pub fn backdate(&self, thread: &str, item_id: &str, by: Duration) -> Result<(), SimError> {
        let by_us = i64::try_from(by.as_micros()).unwrap_or(i64::MAX / 2);
        self.shared.act(|world| world.backdate(thread, item_id, by_us))
    }

    /// Reacts to an item; `None` takes the reaction away.
    pub fn react(&self, by: u64, thread: &str, item_id: &str, emoji: Option<&str>) -> Result<(), SimError> {
        let mark = emoji.map_or(Mark::Nothing, Mark::Emoji);
        self.shared.act(|world| world.react(by, thread, item_id, mark, None).map(|_| ()))
    }

    /// Reacts with a heart of the old way: it comes on the `likes` path, without an emoji. [`Sim::react`] with `None`
    /// takes it away.
    pub fn like(&self, by: u64, thread: &str, item_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.react(by, thread, item_id, Mark::Like, None).map(|_| ()))
    }

    /// Marks a picture or video that is to be seen once as seen. With the view mode `once` it is gone then.
    pub fn see_visual(&self, by: u64, thread: &str, item_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.see_visual(by, thread, item_id))
    }

    /// Makes an item another, with a `replace` patch: a placeholder becomes what it stood for.
    pub fn replace_item(&self, thread: &str, item_id: &str, item: RawItem) -> Result<(), SimError> {
        let item = new_item(item)?;
        self.shared.act(|world| world.replace_item(thread, item_id, item))
    }

    /// Sends a `replace` patch of an item as it is, with all its reactions.
    pub fn restate_item(&self, thread: &str, item_id: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.restate_item(thread, item_id))
    }
}
