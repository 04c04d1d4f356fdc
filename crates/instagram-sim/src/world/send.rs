//! What people do in threads: send, edit, unsend, read. Each act ends in the queues of all members.

use serde_json::{Map, Value, json};

use super::{World, item::Item, queue::Patch, view};
use crate::{error::SimError, fault::Stage};

/// How long a text can be edited, in microseconds. Known from the app only.
const EDITABLE_US: i64 = 15 * 60 * 1_000_000;

/// An item before it has an id and a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewItem {
    pub(crate) item_type: String,
    pub(crate) text: Option<String>,
    pub(crate) content: Map<String, Value>,
    pub(crate) client_context: Option<String>,
    pub(crate) reply_to: Option<String>,
    /// Sent in vanish mode, whatever the thread's mode.
    pub(crate) shh: bool,
}

impl NewItem {
    pub(crate) fn text(text: &str) -> NewItem {
        NewItem { item_type: "text".into(), text: Some(text.to_owned()), ..NewItem::default() }
    }
}

/// What became of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) item_id: String,
    pub(crate) timestamp_us: i64,
    /// The same client context came before; nothing was added.
    pub(crate) duplicate: bool,
}

impl World {
    /// Adds an item and tells all members. `echo_at_us` holds the sender's own envelope back until then.
    pub(crate) fn add_item(&mut self, sender: u64, id: &str, new: NewItem, echo_at_us: i64) -> Result<Sent, SimError> {
        self.thread_of(id, sender)?;
        if let Some(sent) = new.client_context.as_deref().and_then(|context| self.sent_before(sender, id, context)) {
            return Ok(sent);
        }
        let key = new.client_context.clone().map(|context| (id.to_owned(), context));
        let timestamp_us = self.ids.timestamp_us();
        let item_id = self.ids.item(timestamp_us);
        let item = Item {
            item_id: item_id.clone(),
            sender,
            item_type: new.item_type,
            text: new.text,
            client_context: new.client_context,
            timestamp_us,
            reply_to: new.reply_to,
            content: new.content,
            reactions: Vec::new(),
            unsent: false,
            shh: new.shh || self.thread(id)?.shh_mode,
        };
        let thread = self.thread_mut(id)?;
        let first = thread.items.is_empty();
        thread.index.insert(item_id.clone(), thread.items.len());
        thread.items.push(item);
        *thread.counts.entry(sender).or_default() += 1;
        thread.seen.insert(sender, (item_id.clone(), timestamp_us));
        thread.unread_for.remove(&sender);
        let approved = thread.pending_for.remove(&sender);
        let returns_to = std::mem::take(&mut thread.hidden_for);
        if let Some(key) = key {
            self.account_mut(sender)?.sent.insert(key, item_id.clone());
        }
        self.items_accepted += 1;
        let mut announced: Vec<u64> = returns_to.into_iter().collect();
        if first && self.announce_threads {
            announced.clone_from(&self.thread(id)?.members);
        } else if approved {
            self.announce_to(id, "replace", sender)?;
        }
        for pk in &announced {
            self.announce_to(id, "add", *pk)?;
        }
        announced.retain(|pk| self.accounts.get(pk).is_some_and(|account| account.options.news_inside_threads));
        self.tell_item_except(id, &item_id, "add", echo_at_us, &announced)?;
        Ok(Sent { item_id, timestamp_us, duplicate: false })
    }

    /// What became of an earlier send with the same client context.
    pub(crate) fn sent_before(&mut self, sender: u64, id: &str, context: &str) -> Option<Sent> {
        let known = self.accounts.get(&sender)?.sent.get(&(id.to_owned(), context.to_owned()))?;
        let timestamp_us = self.thread(id).ok()?.item(known).map_or(0, |item| item.timestamp_us);
        let sent = Sent { item_id: known.clone(), timestamp_us, duplicate: true };
        self.duplicates_refused += 1;
        Some(sent)
    }

    /// Puts an item patch into every member's queue.
    pub(super) fn tell_item(&mut self, id: &str, item_id: &str, op: &str, echo_at_us: i64) -> Result<(), SimError> {
        self.tell_item_except(id, item_id, op, echo_at_us, &[])
    }

    /// As [`World::tell_item`], but for those who have heard of it otherwise.
    fn tell_item_except(
        &mut self,
        id: &str,
        item_id: &str,
        op: &str,
        echo_at_us: i64,
        informed: &[u64],
    ) -> Result<(), SimError> {
        let thread = self.threads.get(id).ok_or_else(|| SimError::UnknownThread(id.to_owned()))?;
        let item = thread.item(item_id).ok_or_else(|| SimError::UnknownItem(item_id.to_owned()))?;
        let path = format!("/direct_v2/threads/{id}/items/{item_id}");
        for pk in thread.members.iter().filter(|pk| !informed.contains(pk)) {
            let Some(account) = self.accounts.get_mut(pk) else { continue };
            let turned = account.faults.take(Stage::Append, "").is_some();
            let shown = view::item(&self.cdn, thread, item, *pk, account.options.string_ids != turned);
            let value = serde_json::to_string(&shown).expect("an item always serialises");
            let data = Patch { op, path: &path, value: Some(&value) }.data();
            let own = *pk == item.sender;
            let token = item.client_context.as_deref().filter(|_| own);
            account.queue.push(data, token, if own { echo_at_us } else { 0 });
        }
        Ok(())
    }

    pub(super) fn item_mut(&mut self, id: &str, item_id: &str) -> Result<&mut Item, SimError> {
        let thread = self.threads.get_mut(id).ok_or_else(|| SimError::UnknownThread(id.to_owned()))?;
        let index = thread.index.get(item_id).copied();
        let item = index.and_then(|index| thread.items.get_mut(index)).filter(|item| !item.unsent);
        item.ok_or_else(|| SimError::UnknownItem(item_id.to_owned()))
    }

    /// Takes an item back.
    pub(crate) fn unsend(&mut self, by: u64, id: &str, item_id: &str) -> Result<(), SimError> {
        let item = self.item_mut(id, item_id)?;
        if item.sender != by {
            return Err(SimError::Invalid("only the sender can take an item back".into()));
        }
        item.unsent = true;
        let path = format!("/direct_v2/threads/{id}/items/{item_id}");
        self.patch_members(id, &Patch { op: "remove", path: &path, value: Some("{}") }, None)
    }

    /// Changes the text of an item.
    pub(crate) fn edit(&mut self, by: u64, id: &str, item_id: &str, text: &str) -> Result<(), SimError> {
        let now = self.ids.timestamp_us();
        let item = self.item_mut(id, item_id)?;
        let refusal = match () {
            () if item.sender != by => "only the sender can edit an item",
            () if item.item_type != "text" => "only texts can be edited",
            () if now - item.timestamp_us > EDITABLE_US => "an item can be edited for 15 minutes",
            () => "",
        };
        if !refusal.is_empty() {
            return Err(SimError::Invalid(refusal.into()));
        }
        item.text = Some(text.to_owned());
        self.tell_item(id, item_id, "replace", 0)?;
        if self.edits_add_history {
            let history = json!({ "item_id": item_id, "text": text, "timestamp": now });
            let content = Map::from_iter([("history_edit".to_owned(), history)]);
            let new = NewItem { item_type: "history_edit".into(), content, ..NewItem::default() };
            self.add_item(by, id, new, 0)?;
        }
        Ok(())
    }

    /// Makes an item another: a placeholder becomes what it stood for, a picture is ready.
    pub(crate) fn replace_item(&mut self, id: &str, item_id: &str, new: NewItem) -> Result<(), SimError> {
        let item = self.item_mut(id, item_id)?;
        item.item_type = new.item_type;
        item.text = new.text;
        item.content = new.content;
        self.tell_item(id, item_id, "replace", 0)
    }

    /// Tells all members of an item as it now is, with all its reactions.
    pub(crate) fn restate_item(&mut self, id: &str, item_id: &str) -> Result<(), SimError> {
        self.tell_item(id, item_id, "replace", 0)
    }

    /// Makes an item older.
    pub(crate) fn backdate(&mut self, id: &str, item_id: &str, by_us: i64) -> Result<(), SimError> {
        self.item_mut(id, item_id).map(|item| item.timestamp_us -= by_us)
    }

    /// Marks a picture or video that is to be seen once as seen; then it is gone.
    pub(crate) fn see_visual(&mut self, by: u64, id: &str, item_id: &str) -> Result<(), SimError> {
        self.thread_of(id, by)?;
        let now = self.ids.timestamp_us();
        let item = self.item_mut(id, item_id)?;
        let key = if item.content.contains_key("visual_media") { "visual_media" } else { "raven_media" };
        let Some(visual) = item.content.get_mut(key).filter(|visual| visual.is_object()) else {
            return Err(SimError::Invalid("the item is not one to be seen once".into()));
        };
        let seen = visual["seen_user_ids"].as_array().map(|all| all.len()).unwrap_or(0) + 1;
        if let Some(all) = visual["seen_user_ids"].as_array_mut() {
            all.push(json!(by.to_string()));
        }
        visual["seen_count"] = json!(seen);
        visual["expiring_media_action_summary"] = json!({ "type": "raven_opened", "timestamp": now, "count": seen });
        if visual["view_mode"] == "once" {
            visual["media"] = json!({ "media_type": visual["media"]["media_type"] });
        }
        self.tell_item(id, item_id, "replace", 0)
    }

    /// Marks the thread as read up to an item.
    pub(crate) fn mark_seen(&mut self, by: u64, id: &str, item_id: &str) -> Result<(), SimError> {
        self.thread_of(id, by)?;
        let timestamp_us = self.ids.timestamp_us();
        let thread = self.thread_mut(id)?;
        if thread.item(item_id).is_none() {
            return Err(SimError::UnknownItem(item_id.to_owned()));
        }
        thread.unread_for.remove(&by);
        thread.seen.insert(by, (item_id.to_owned(), timestamp_us));
        let path = format!("/direct_v2/threads/{id}/participants/{by}/has_seen");
        let value = json!({
            "item_id": item_id,
            "timestamp": timestamp_us.to_string(),
            "created_at": timestamp_us.to_string(),
            "shh_seen_state": {},
        })
        .to_string();
        self.patch_members(id, &Patch { op: "replace", path: &path, value: Some(&value) }, None)
    }
}
