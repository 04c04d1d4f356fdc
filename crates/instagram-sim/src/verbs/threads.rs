//! What people do with threads: groups, their members, admins, looks and modes; and how each treats a thread.

use bytes::Bytes;

use crate::{
    cdn::content::Content,
    error::SimError,
    probe::probe,
    sim::Sim,
    world::{group::Treatment, thread::ThreadImage},
};

impl Sim {
    /// Gives a group a title.
    pub fn rename_thread(&self, by: u64, thread: &str, title: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.rename_thread(thread, by, title))
    }

    /// Adds somebody to a group.
    pub fn add_member(&self, by: u64, thread: &str, pk: u64) -> Result<(), SimError> {
        self.shared.act(|world| world.add_member(thread, by, pk))
    }

    /// Removes somebody from a group; whoever removes themselves leaves.
    pub fn remove_member(&self, by: u64, thread: &str, pk: u64) -> Result<(), SimError> {
        self.shared.act(|world| world.remove_member(thread, by, pk))
    }

    /// Makes a member an admin, or no longer one.
    pub fn set_admin(&self, by: u64, thread: &str, pk: u64, admin: bool) -> Result<(), SimError> {
        self.shared.act(|world| world.set_admin(thread, by, pk, admin))
    }

    /// Says whether an admin has to approve new members.
    pub fn set_approval_required(&self, by: u64, thread: &str, required: bool) -> Result<(), SimError> {
        self.shared.act(|world| world.set_approval_required(thread, by, required))
    }

    /// Switches vanish mode: items are marked as such from then on.
    pub fn set_vanish_mode(&self, by: u64, thread: &str, on: bool) -> Result<(), SimError> {
        self.shared.act(|world| world.set_vanish_mode(thread, by, on))
    }

    /// Gives a group a picture; the answer is its address. `None` takes the picture away.
    pub fn set_thread_image(&self, by: u64, thread: &str, image: Option<Bytes>) -> Result<Option<String>, SimError> {
        self.shared.act(|world| {
            let image = image.map(|bytes| {
                let told = probe(&bytes);
                let url = world.cdn.add_address(Content::Held(bytes), told.content_type);
                let id = 17_900_000_000_000_000 + world.ids.number(40);
                ThreadImage { id, url, width: told.width, height: told.height }
            });
            let url = image.as_ref().map(|image| image.url.clone());
            world.set_image(thread, by, image).map(|()| url)
        })
    }

    /// Mutes a thread for one member, or no longer.
    pub fn set_muted(&self, by: u64, thread: &str, muted: bool) -> Result<(), SimError> {
        self.treat(by, thread, Treatment::Mute(muted))
    }

    /// Calls a member by another name in this thread; an empty one takes that back.
    pub fn set_nickname(&self, by: u64, thread: &str, pk: u64, nickname: &str) -> Result<(), SimError> {
        self.shared.act(|world| world.set_nickname(by, thread, pk, nickname))
    }

    /// Marks a thread as unread for one member.
    pub fn mark_unread(&self, by: u64, thread: &str) -> Result<(), SimError> {
        self.treat(by, thread, Treatment::MarkUnread)
    }

    /// Puts a thread out of one member's inbox until something new comes.
    pub fn hide_thread(&self, by: u64, thread: &str) -> Result<(), SimError> {
        self.treat(by, thread, Treatment::Hide)
    }

    /// Makes a thread a message request for one member.
    pub fn make_pending(&self, pk: u64, thread: &str) -> Result<(), SimError> {
        self.treat(pk, thread, Treatment::MakePending)
    }

    /// Accepts a message request, as on that person's phone.
    pub fn approve_thread(&self, by: u64, thread: &str) -> Result<(), SimError> {
        self.treat(by, thread, Treatment::Approve)
    }

    /// Declines a message request, as on that person's phone.
    pub fn decline_thread(&self, by: u64, thread: &str) -> Result<(), SimError> {
        self.treat(by, thread, Treatment::Decline)
    }

    /// The thread as one member's API shows it: the object of section 7.3 of the protocol notes, without items.
    pub fn thread_view(&self, thread: &str, viewer: u64) -> Result<serde_json::Value, SimError> {
        self.shared.look(|world| {
            let found = world.thread(thread)?;
            Ok(crate::world::view::thread(world, found, viewer, 0))
        })
    }

    fn treat(&self, by: u64, thread: &str, treatment: Treatment) -> Result<(), SimError> {
        self.shared.act(|world| world.treat(thread, by, treatment))
    }
}
