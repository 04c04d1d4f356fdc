//! Changes in a room that several logins share: each login hears of every one, some of them late, after it reconnected or
//! had to rest. What one has brought here is no news from another, whatever the room shows by now.
//!
//! All hear the same in the same order. So the room remembers what happened, in order, and how far each login has heard
//! of it. Messages and receipts need none of this: they have names of their own, or only advance.

use super::{Heard, Plan, message};
use crate::domain::event::{RemoteEventKind, RemoteThread};
use crate::domain::ids::LoginId;
use crate::domain::record::Effect;
use crate::domain::request_id;
use crate::lane::StepError;
use crate::runtime;

/// A change, as it reads whoever hears of it.
pub(super) struct Change(String);

impl Change {
    /// None for what is not told to all.
    pub(super) fn of(heard: &Heard<'_>, kind: &RemoteEventKind) -> Option<Self> {
        let text = match kind {
            RemoteEventKind::Changed(item) => {
                let mut reactions: Vec<_> =
                    item.reactions.iter().flatten().map(|one| (one.sender.as_str(), one.emoji.as_str())).collect();
                reactions.sort_unstable();
                let said = item.reactions.is_some();
                format!("changed {} {} {said} {reactions:?}", item.id, message::digest(heard.bridge, item))
            }
            RemoteEventKind::Removed(item) => format!("removed {item}"),
            RemoteEventKind::Reaction { item, sender, emoji, at, .. } => {
                format!("reaction {item} {sender} {emoji:?} {}", at.0)
            }
            RemoteEventKind::Image(image) => format!("image {:?}", image.as_ref().map(|image| &image.id)),
            RemoteEventKind::Admin { user, granted } => format!("admin {user} {granted}"),
            RemoteEventKind::ApprovalRequired(required) => format!("approval {required}"),
            RemoteEventKind::VanishMode(on) => format!("vanish {on}"),
            RemoteEventKind::Message(_)
            | RemoteEventKind::Seen { .. }
            | RemoteEventKind::ThreadChanged(_)
            | RemoteEventKind::ThreadRemoved
            | RemoteEventKind::HistoryEnd(_)
            | RemoteEventKind::Reconciled
            | RemoteEventKind::Ignored
            | RemoteEventKind::Undecodable { .. } => return None,
        };
        Some(Self::keyed(heard, &text))
    }

    /// A new description of the chat, as far as it is the same for all.
    pub(super) fn of_thread(heard: &Heard<'_>, thread: &RemoteThread) -> Self {
        let RemoteThread { title, image, nicknames, vanish_mode, approval_required, .. } = thread;
        // Nobody is told of themselves.
        let mut members: Vec<_> =
            thread.users.iter().map(|user| user.id.as_str()).chain([heard.login.as_str()]).collect();
        members.sort_unstable();
        let mut admins: Option<Vec<_>> =
            thread.admins.as_ref().map(|admins| admins.iter().map(|admin| admin.as_str()).collect());
        admins.iter_mut().for_each(|admins| admins.sort_unstable());
        let image = image.as_ref().map(|image| &image.id);
        let text = format!(
            "thread {title:?} {members:?} {image:?} {admins:?} {nicknames:?} {vanish_mode:?} {approval_required:?}"
        );
        Self::keyed(heard, &text)
    }

    /// Titles and names do not rest in plain rows.
    fn keyed(heard: &Heard<'_>, text: &str) -> Self {
        Self(request_id::digest_of_content(heard.bridge.config.secret_key(), &[text.to_owned()]))
    }

    /// Whether another login has brought this here.
    pub(super) async fn is_known(&self, heard: &Heard<'_>) -> Result<bool, StepError> {
        if heard.portal.key.receiver.is_some() {
            return Ok(false);
        }
        Ok(heard.bridge.store.is_heard_already(heard.portal.id, &heard.login, &self.0).await?)
    }

    /// Has it noted with the plan that this login has heard of it.
    pub(super) fn note(self, heard: &Heard<'_>, plan: &mut Plan) {
        if heard.portal.key.receiver.is_none() {
            let (portal, login, at) = (heard.portal.id, heard.login.clone(), runtime::now());
            plan.effects.push(Effect::Heard { portal, login, what: self.0, at });
        }
    }
}

/// Has it noted with the plan that the login knows how everything is by now.
pub(super) fn note_all(heard: &Heard<'_>, plan: &mut Plan) {
    if heard.portal.key.receiver.is_none() {
        let (portal, login): (_, LoginId) = (heard.portal.id, heard.login.clone());
        plan.effects.push(Effect::HeardAll { portal, login });
    }
}
