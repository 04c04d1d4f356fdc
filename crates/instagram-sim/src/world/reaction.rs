//! Reactions: one per person and item, a new one replaces the old.

use serde_json::json;

use super::{World, item::Reaction, queue::Patch};
use crate::error::SimError;

/// What somebody puts on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark<'a> {
    Emoji(&'a str),
    /// A heart of the old way: it comes on a path of its own, without an emoji.
    Like,
    /// Takes away what is there.
    Nothing,
}

impl World {
    pub(crate) fn react(
        &mut self,
        sender: u64,
        id: &str,
        item_id: &str,
        mark: Mark<'_>,
        context: Option<&str>,
    ) -> Result<i64, SimError> {
        self.thread_of(id, sender)?;
        let timestamp_us = self.ids.timestamp_us();
        let item = self.item_mut(id, item_id)?;
        let before = item.reactions.iter().position(|reaction| reaction.sender == sender);
        let before = before.map(|index| item.reactions.remove(index));
        let (emoji, is_like) = match mark {
            Mark::Emoji(emoji) => (emoji, false),
            Mark::Like => ("❤", true),
            Mark::Nothing => ("", before.as_ref().is_some_and(|reaction| reaction.is_like)),
        };
        if mark != Mark::Nothing {
            item.reactions.push(Reaction {
                sender,
                emoji: emoji.to_owned(),
                timestamp_us,
                is_like,
                client_context: context.map(str::to_owned),
            });
        }
        let mut tell = |op: &str, kind: &str, emoji: &str| {
            let path = format!("/direct_v2/threads/{id}/items/{item_id}/reactions/{kind}/{sender}");
            let mut value = json!({ "timestamp": timestamp_us, "client_context": context });
            if kind == "emojis" {
                value["emoji"] = json!(emoji);
                value["super_react_type"] = json!("none");
            }
            self.patch_members(id, &Patch { op, path: &path, value: Some(&value.to_string()) }, context)
        };
        let kind = |is_like| if is_like { "likes" } else { "emojis" };
        // On another path the new one does not take the place of the old.
        if let Some(before) = before.filter(|before| before.is_like != is_like) {
            tell("remove", kind(before.is_like), &before.emoji)?;
        }
        tell(if mark == Mark::Nothing { "remove" } else { "add" }, kind(is_like), emoji)?;
        Ok(timestamp_us)
    }
}
