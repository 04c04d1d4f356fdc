//! What is done to an item from here comes back from Instagram, sooner or later than its answer, and perhaps after the
//! next change of the same item. It is no news then, whatever the room shows by now.
//!
//! So every such change is written down before it is sent. The message map says only what is settled.

use std::time::Duration;

use crate::bridge::Bridge;
use crate::domain::convert::emoji;
use crate::domain::ids::{ClientContext, ItemId, PortalId, RemoteUserId, Timestamp};
use crate::domain::record::{Mapping, OwnChange};
use crate::runtime;
use crate::store::StoreError;

/// How soon something comes back that does not say which request caused it.
const NAMELESS: Duration = Duration::from_secs(60);

/// How soon it does when it names a request that we do not know.
const STRANGE: Duration = Duration::from_secs(10);

/// What was done to an item, in the form in which it is written down.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Deed(String);

impl Deed {
    /// Taken back.
    pub(super) fn unsent() -> Self {
        Self("unsent".to_owned())
    }

    /// Given another text, see [`Mapping::digest`].
    pub(super) fn edited(digest: &str) -> Self {
        Self(format!("edited/{digest}"))
    }

    /// Reacted to; without an emoji, the reaction was taken back.
    pub(super) fn reacted(sender: &RemoteUserId, emoji: Option<&str>) -> Self {
        Self(format!("reacted/{sender}/{}", emoji.map(emoji::plain).unwrap_or_default()))
    }
}

/// What stands for the chat itself, where an item is named.
const CHAT: &str = "";
/// A group was given another picture from here; and it was heard of.
const PICTURED: &str = "pictured";
const PICTURE_HEARD: &str = "picture heard";

/// Writes down that another picture is about to be given to a group.
pub(super) async fn note_picture(bridge: &Bridge, portal: PortalId) -> Result<(), StoreError> {
    note_of_chat(bridge, portal, PICTURED).await
}

/// Whether the picture of a group that was heard of is the one that was given from here. That is so once.
pub(super) async fn is_own_picture(bridge: &Bridge, portal: PortalId, heard_at: Timestamp) -> Result<bool, StoreError> {
    let done = bridge.store.own_changes(portal, &ItemId::new(CHAT)).await?;
    let last = |what: &str| done.iter().filter(|own| own.what == what).map(|own| own.at).max();
    let Some(given_at) = last(PICTURED) else { return Ok(false) };
    let age = u128::from(heard_at.0.saturating_sub(given_at.0).max(0).unsigned_abs());
    if age > NAMELESS.as_millis() || last(PICTURE_HEARD).is_some_and(|heard_at| heard_at >= given_at) {
        return Ok(false);
    }
    note_of_chat(bridge, portal, PICTURE_HEARD).await?;
    Ok(true)
}

async fn note_of_chat(bridge: &Bridge, portal: PortalId, what: &str) -> Result<(), StoreError> {
    let (item, what) = (ItemId::new(CHAT), what.to_owned());
    bridge.store.note_own_change(OwnChange { portal, item, what, context: None, at: runtime::now() }).await
}

/// Writes down what is about to be sent.
pub(super) async fn note(
    bridge: &Bridge,
    mapping: &Mapping,
    deed: Deed,
    context: Option<&ClientContext>,
) -> Result<(), StoreError> {
    let (portal, item, context) = (mapping.portal, mapping.item.clone(), context.cloned());
    bridge.store.note_own_change(OwnChange { portal, item, what: deed.0, context, at: runtime::now() }).await
}

/// What was done to one item from here.
pub(super) struct Echoes {
    done: Vec<OwnChange>,
    /// Since when the login that hears of it is connected: what was done before that comes back after that.
    connected_at: Option<Timestamp>,
}

impl Echoes {
    /// What was done to an item, for a login that is connected since a time.
    pub(super) async fn of(
        bridge: &Bridge,
        portal: PortalId,
        item: &ItemId,
        connected_at: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        Ok(Self { done: bridge.store.own_changes(portal, item).await?, connected_at })
    }

    /// True for what was done from here, and for nothing that was done in the app, as far as that can be told.
    pub(super) fn contain(&self, deed: &Deed, context: Option<&ClientContext>, heard_at: Timestamp) -> bool {
        let window = if context.is_some() { STRANGE } else { NAMELESS };
        self.done.iter().any(|own| {
            let is_named = context.is_some() && own.context.as_ref() == context;
            is_named || (own.what == deed.0 && self.is_within(window, own.at, heard_at))
        })
    }

    /// True while a reaction of this person may not be told of by others yet.
    pub(super) fn have_fresh_reaction(&self, sender: &RemoteUserId, heard_at: Timestamp) -> bool {
        let prefix = format!("reacted/{sender}/");
        self.done.iter().any(|own| own.what.starts_with(&prefix) && self.is_within(NAMELESS, own.at, heard_at))
    }

    fn is_within(&self, window: Duration, done_at: Timestamp, heard_at: Timestamp) -> bool {
        let audible_at = self.connected_at.filter(|at| *at <= heard_at).map_or(done_at, |at| at.max(done_at));
        is_within(window, done_at, heard_at) || is_within(window, audible_at, heard_at)
    }
}

fn is_within(window: Duration, done_at: Timestamp, heard_at: Timestamp) -> bool {
    u128::from(heard_at.0.saturating_sub(done_at.0).max(0).unsigned_abs()) <= window.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE_AT: Timestamp = Timestamp(1_767_225_600_000);

    fn own(deed: &Deed, context: Option<&str>) -> Echoes {
        let (portal, item) = (PortalId(1), ItemId::new("1"));
        let context = context.map(ClientContext::new);
        let done = vec![OwnChange { portal, item, what: deed.0.clone(), context, at: DONE_AT }];
        Echoes { done, connected_at: None }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp(DONE_AT.0 + seconds * 1000)
    }

    #[test]
    fn what_names_our_request_is_ours_however_late() {
        let sender = RemoteUserId::new("7");
        let echoes = own(&Deed::reacted(&sender, Some("\u{1f525}")), Some("70"));
        let taken_back = Deed::reacted(&sender, None);
        assert!(echoes.contain(&taken_back, Some(&ClientContext::new("70")), after(86_400)));
        assert!(!echoes.contain(&taken_back, Some(&ClientContext::new("71")), after(1)));
    }

    #[test]
    fn what_names_no_request_is_ours_for_a_while() {
        let deed = Deed::reacted(&RemoteUserId::new("7"), Some("\u{2764}\u{fe0f}"));
        let echoes = own(&deed, Some("70"));
        let heard = Deed::reacted(&RemoteUserId::new("7"), Some("\u{2764}"));
        assert!(echoes.contain(&heard, None, after(59)));
        assert!(!echoes.contain(&heard, None, after(61)));
        assert!(echoes.contain(&heard, Some(&ClientContext::new("71")), after(9)));
        assert!(!echoes.contain(&heard, Some(&ClientContext::new("71")), after(11)));
        assert!(!echoes.contain(&Deed::reacted(&RemoteUserId::new("8"), Some("\u{2764}")), None, after(1)));
    }

    #[test]
    fn what_was_done_while_nobody_listened_comes_back_once_somebody_does() {
        let deed = Deed::edited("abc");
        let echoes = |connected_at| Echoes { connected_at: Some(after(connected_at)), ..own(&deed, None) };
        assert!(echoes(3_600).contain(&deed, None, after(3_659)));
        assert!(!echoes(3_600).contain(&deed, None, after(3_661)));
        assert!(!echoes(-3_600).contain(&deed, None, after(61)), "it was listened to all the time");
        assert!(!echoes(7_200).contain(&deed, None, after(3_600)), "heard over an earlier connection");
    }

    #[test]
    fn an_edit_is_told_by_what_it_says() {
        let echoes = own(&Deed::edited("abc"), None);
        assert!(echoes.contain(&Deed::edited("abc"), None, after(1)));
        assert!(!echoes.contain(&Deed::edited("abd"), None, after(1)));
        assert!(!echoes.contain(&Deed::unsent(), None, after(1)));
    }
}
