//! Threads as such: who is told of changes, members, admins, title, picture, modes, and how each member treats them.

use serde_json::{Map, Value, json};

use super::{World, queue::Patch, send::NewItem, thread::Thread, thread::ThreadImage, view};
use crate::error::SimError;

/// What one member can do with a thread that no other member sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    Mute(bool),
    MuteCalls(bool),
    MarkUnread,
    /// Puts it out of the inbox until something new comes.
    Hide,
    /// Accepts a message request.
    Approve,
    /// Puts a message request away; it stays one.
    Decline,
    /// Makes it a message request.
    MakePending,
}

impl World {
    pub(super) fn thread_mut(&mut self, id: &str) -> Result<&mut Thread, SimError> {
        self.threads.get_mut(id).ok_or_else(|| SimError::UnknownThread(id.to_owned()))
    }

    /// Puts one patch into the queue of every member of the thread.
    pub(crate) fn patch_members(
        &mut self,
        thread: &str,
        patch: &Patch<'_>,
        token: Option<&str>,
    ) -> Result<(), SimError> {
        let members = self.thread(thread)?.members.clone();
        let data = patch.data();
        for pk in members {
            if let Some(account) = self.accounts.get_mut(&pk) {
                account.queue.push(data.clone(), token, 0);
            }
        }
        Ok(())
    }

    /// Tells every member about the thread as it now is (new thread, new title, changed members).
    pub(crate) fn announce_thread(&mut self, id: &str, op: &str) -> Result<(), SimError> {
        for pk in self.thread(id)?.members.clone() {
            self.announce_to(id, op, pk)?;
        }
        Ok(())
    }

    /// Tells one member about the thread as it now is.
    pub(crate) fn announce_to(&mut self, id: &str, op: &str, pk: u64) -> Result<(), SimError> {
        let value = view::thread(self, self.thread(id)?, pk, 1).to_string();
        let path = format!("/direct_v2/inbox/threads/{id}");
        let data = Patch { op, path: &path, value: Some(&value) }.data();
        self.account_mut(pk)?.queue.push(data, None, 0);
        Ok(())
    }

    /// Takes the thread out of one account's inbox.
    fn withdraw_from(&mut self, id: &str, pk: u64) -> Result<(), SimError> {
        let path = format!("/direct_v2/inbox/threads/{id}");
        let data = Patch { op: "remove", path: &path, value: Some("{}") }.data();
        self.account_mut(pk)?.queue.push(data, None, 0);
        Ok(())
    }

    /// Replaces one field of the thread for all members.
    fn replace_field(&mut self, id: &str, field: &str, value: &Value) -> Result<(), SimError> {
        let path = format!("/direct_v2/threads/{id}/{field}");
        self.patch_members(id, &Patch { op: "replace", path: &path, value: Some(&value.to_string()) }, None)
    }

    pub(crate) fn rename_thread(&mut self, id: &str, by: u64, title: &str) -> Result<(), SimError> {
        let name = self.account(by)?.username.clone();
        self.thread_mut(id)?.title = Some(title.to_owned()).filter(|title| !title.is_empty());
        self.announce_thread(id, "replace")?;
        self.action_log(id, by, &name, &format!("named the group {title}."))
    }

    pub(crate) fn add_member(&mut self, id: &str, by: u64, pk: u64) -> Result<(), SimError> {
        let (name, added) = (self.account(by)?.username.clone(), self.account(pk)?.username.clone());
        let is_request = self.account(pk)?.options.requests_are_pending;
        let thread = self.thread_mut(id)?;
        if !thread.members.contains(&pk) {
            if is_request {
                thread.pending_for.insert(pk);
            }
            thread.members.push(pk);
            thread.left.retain(|other| *other != pk);
            thread.join_requests.remove(&pk);
        }
        self.account_mut(pk)?.threads.insert(id.to_owned());
        self.announce_thread(id, "replace")?;
        self.action_log(id, by, &name, &format!("added {added}."))
    }

    /// Adds somebody, or, where an admin has to approve and `by` is none, lets them wait.
    pub(crate) fn ask_to_add(&mut self, id: &str, by: u64, pk: u64) -> Result<(), SimError> {
        self.account(pk)?;
        let thread = self.thread_mut(id)?;
        if thread.approval_required && !thread.admins.contains(&by) {
            thread.join_requests.insert(pk);
            return Ok(());
        }
        self.add_member(id, by, pk)
    }

    pub(crate) fn approve_member(&mut self, id: &str, by: u64, pk: u64) -> Result<(), SimError> {
        if self.thread_mut(id)?.join_requests.remove(&pk) {
            return self.add_member(id, by, pk);
        }
        Err(SimError::Invalid("nobody with that number waits for approval".into()))
    }

    pub(crate) fn remove_member(&mut self, id: &str, by: u64, pk: u64) -> Result<(), SimError> {
        let (name, gone) = (self.account(by)?.username.clone(), self.account(pk)?.username.clone());
        let thread = self.thread_mut(id)?;
        if !thread.members.contains(&pk) {
            return Err(SimError::NotAMember(pk));
        }
        thread.members.retain(|other| *other != pk);
        thread.left.push(pk);
        thread.admins.remove(&pk);
        self.account_mut(pk)?.threads.remove(id);
        self.withdraw_from(id, pk)?;
        self.announce_thread(id, "replace")?;
        let Some(first) = self.thread(id)?.members.first().copied() else { return Ok(()) };
        if by == pk {
            return self.action_log(id, first, &gone, "left the group.");
        }
        let speaker = if self.thread(id)?.members.contains(&by) { by } else { first };
        self.action_log(id, speaker, &name, &format!("removed {gone}."))
    }

    /// Makes somebody an admin, or no longer one.
    pub(crate) fn set_admin(&mut self, id: &str, by: u64, pk: u64, admin: bool) -> Result<(), SimError> {
        let (name, other) = (self.account(by)?.username.clone(), self.account(pk)?.username.clone());
        self.thread_of(id, pk)?;
        let thread = self.thread_mut(id)?;
        let changed = if admin { thread.admins.insert(pk) } else { thread.admins.remove(&pk) };
        if !changed {
            return Ok(());
        }
        let path = format!("/direct_v2/threads/{id}/admin_user_ids/{pk}");
        let op = if admin { "add" } else { "remove" };
        self.patch_members(id, &Patch { op, path: &path, value: Some(&pk.to_string()) }, None)?;
        let line = if admin { format!("added {other} as an admin.") } else { format!("removed {other} as an admin.") };
        self.action_log(id, by, &name, &line)
    }

    pub(crate) fn set_approval_required(&mut self, id: &str, by: u64, required: bool) -> Result<(), SimError> {
        let name = self.account(by)?.username.clone();
        self.thread_mut(id)?.approval_required = required;
        self.replace_field(id, "approval_required_for_new_members", &json!(required))?;
        let state = if required { "on" } else { "off" };
        self.action_log(id, by, &name, &format!("turned {state} admin approval for new members."))
    }

    pub(crate) fn set_vanish_mode(&mut self, id: &str, by: u64, on: bool) -> Result<(), SimError> {
        let name = self.account(by)?.username.clone();
        self.thread_mut(id)?.shh_mode = on;
        self.replace_field(id, "shh_mode_enabled", &json!(on))?;
        let state = if on { "on" } else { "off" };
        self.action_log(id, by, &name, &format!("turned {state} vanish mode."))
    }

    pub(crate) fn set_image(&mut self, id: &str, by: u64, image: Option<ThreadImage>) -> Result<(), SimError> {
        let name = self.account(by)?.username.clone();
        let line = if image.is_some() { "changed the group photo." } else { "removed the group photo." };
        self.thread_mut(id)?.image = image;
        let value = json!({ "thread_image": view::thread_image(self, self.thread(id)?) });
        self.replace_field(id, "thread_image", &value)?;
        self.action_log(id, by, &name, line)
    }

    /// What one member does for themselves; their devices are told.
    pub(crate) fn treat(&mut self, id: &str, by: u64, treatment: Treatment) -> Result<(), SimError> {
        self.thread_of(id, by)?;
        let thread = self.thread_mut(id)?;
        match treatment {
            Treatment::Mute(true) => drop(thread.muted_for.insert(by)),
            Treatment::Mute(false) => drop(thread.muted_for.remove(&by)),
            Treatment::MuteCalls(true) => drop(thread.calls_muted_for.insert(by)),
            Treatment::MuteCalls(false) => drop(thread.calls_muted_for.remove(&by)),
            Treatment::MarkUnread => drop(thread.unread_for.insert(by)),
            Treatment::Approve => drop(thread.pending_for.remove(&by)),
            Treatment::MakePending => drop(thread.pending_for.insert(by)),
            Treatment::Hide | Treatment::Decline => {
                thread.hidden_for.insert(by);
                return self.withdraw_from(id, by);
            }
        }
        self.announce_to(id, "replace", by)
    }

    /// Calls a member by another name; tells all.
    pub(crate) fn set_nickname(&mut self, by: u64, id: &str, pk: u64, nickname: &str) -> Result<(), SimError> {
        self.thread_of(id, by)?;
        let name = self.account(pk)?.username.clone();
        let thread = self.thread_mut(id)?;
        match nickname.is_empty() {
            true => drop(thread.nicknames.remove(&pk)),
            false => drop(thread.nicknames.insert(pk, nickname.to_owned())),
        }
        self.announce_thread(id, "replace")?;
        let who = self.account(by)?.username.clone();
        self.action_log(id, by, &who, &format!("set the nickname for {name} to {nickname}."))
    }

    /// A log line: who, what.
    fn action_log(&mut self, id: &str, by: u64, name: &str, what: &str) -> Result<(), SimError> {
        let length = name.encode_utf16().count();
        let log = json!({
            "description": format!("{name} {what}"),
            "bold": [{ "start": 0, "end": length }],
            "text_attributes": [{ "start": 0, "end": length, "bold": 1, "color": "", "intent": "" }],
        });
        let content = Map::from_iter([("action_log".to_owned(), log), ("hide_in_thread".to_owned(), json!(0))]);
        let item = NewItem { item_type: "action_log".into(), content, ..NewItem::default() };
        self.add_item(by, id, item, 0).map(|_| ())
    }
}
