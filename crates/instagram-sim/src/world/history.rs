//! What was said before anybody looked: items of the past, without deliveries.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Map;

use super::{
    World,
    item::{Item, Reaction},
    send::NewItem,
};
use crate::error::SimError;

/// How made-up history looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct History {
    /// Texts are this and a number; the oldest is 0.
    pub prefix: String,
    /// Seconds between two items.
    pub spacing_seconds: u64,
    /// Every how many items one has a reaction; 0 for none.
    pub reaction_every: usize,
    /// Every how many items one answers the one before it; 0 for none.
    pub reply_every: usize,
}

impl Default for History {
    fn default() -> History {
        History { prefix: "old ".into(), spacing_seconds: 60, reaction_every: 10, reply_every: 0 }
    }
}

/// An item of the past, before it has an id.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) sender: u64,
    pub(crate) item: NewItem,
    pub(crate) reactions: Vec<(u64, String)>,
    /// Answers the item before it.
    pub(crate) replies: bool,
}

impl World {
    /// Makes up texts of all members in turn, older than everything in the thread.
    pub(crate) fn make_history(&mut self, id: &str, count: usize, how: &History) -> Result<Vec<String>, SimError> {
        let members = self.thread(id)?.members.clone();
        let member = |index: usize| members.get(index % members.len().max(1)).copied().unwrap_or(0);
        let hits = |every: usize, index: usize| every > 0 && index % every == every - 1;
        let past = (0..count).map(|index| Past {
            sender: member(index),
            item: NewItem::text(&format!("{}{index}", how.prefix)),
            reactions: hits(how.reaction_every, index)
                .then(|| (member(index + 1), "🔥".to_owned()))
                .into_iter()
                .collect(),
            replies: hits(how.reply_every, index),
        });
        self.import(id, past.collect(), Duration::from_secs(how.spacing_seconds))
    }

    /// Puts items before all others of the thread, oldest first, so many apart. Nobody is told.
    pub(crate) fn import(&mut self, id: &str, past: Vec<Past>, spacing: Duration) -> Result<Vec<String>, SimError> {
        let thread = self.thread(id)?;
        let oldest = thread.items.first().map_or(thread.created_us, |item| item.timestamp_us);
        let was_empty = thread.items.is_empty();
        let spacing_us = i64::try_from(spacing.as_micros()).unwrap_or(i64::MAX / 2).max(1);
        let mut at_us = oldest.saturating_sub(spacing_us.saturating_mul(past.len() as i64));
        let mut items: Vec<Item> = Vec::with_capacity(past.len());
        for one in past {
            self.account(one.sender)?;
            let context = ((at_us / 1000) << 22) + self.ids.number(22) as i64;
            let reaction = |(sender, emoji)| Reaction {
                sender,
                emoji,
                timestamp_us: at_us + 1,
                is_like: false,
                client_context: None,
            };
            let before = items.last().map(|item| item.item_id.clone());
            items.push(Item {
                item_id: self.ids.item(at_us),
                sender: one.sender,
                item_type: one.item.item_type,
                text: one.item.text,
                client_context: Some(one.item.client_context.unwrap_or_else(|| context.to_string())),
                timestamp_us: at_us,
                reply_to: before.filter(|_| one.replies),
                content: one.item.content,
                reactions: one.reactions.into_iter().map(reaction).collect(),
                unsent: false,
                shh: false,
            });
            at_us = at_us.saturating_add(spacing_us);
        }
        let ids: Vec<String> = items.iter().map(|item| item.item_id.clone()).collect();
        let newest = items.last().map(|item| (item.item_id.clone(), item.timestamp_us));
        let thread = self.thread_mut(id)?;
        thread.prepend(items);
        if let Some(newest) = newest.filter(|_| was_empty) {
            // Everybody has read it long ago.
            thread.seen = thread.members.iter().map(|pk| (*pk, newest.clone())).collect();
        }
        Ok(ids)
    }
}

/// An item of the past as tests name it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OldItem {
    /// Whose it is.
    pub from: u64,
    /// `{"item_type": "clip", "clip": {…}}`
    pub item: Map<String, serde_json::Value>,
    /// Who reacted with which emoji.
    pub reactions: Vec<(u64, String)>,
    /// Whether it answers the item before it.
    pub replies: bool,
}
