//! Every kind of item that Instagram is known to send, as generators: one or more for each row of the table in section
//! 3.5 of the protocol notes, in the shapes of the recorded items.
//!
//! ```no_run
//! # fn show(sim: &instagram_sim::Sim, bert: u64, thread: &str) -> Result<(), instagram_sim::SimError> {
//! for kind in instagram_sim::kinds::all() {
//!     sim.send_item(bert, thread, kind.item(sim))?;
//! }
//! # Ok(())
//! # }
//! ```

use serde_json::Value;

use crate::{sim::Sim, verbs::RawItem};

mod cards;
mod events;
mod media;
mod posts;
mod shapes;
mod stories;
mod texts;

pub(crate) use self::shapes::{code as post_code, video_versions};

use self::shapes::Shapes;

/// A generator of one kind of item.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What tests call it; no two are the same.
    pub name: &'static str,
    /// Its `item_type`.
    pub item_type: &'static str,
    make: fn(&Shapes<'_>) -> Value,
}

impl Kind {
    const fn new(name: &'static str, item_type: &'static str, make: fn(&Shapes<'_>) -> Value) -> Kind {
        Kind { name, item_type, make }
    }

    /// A new item of this kind, to be sent with [`Sim::send_item`]. Its media are new files of the simulator's media
    /// host; [`Sim::media_addresses`] lists them.
    pub fn item(&self, sim: &Sim) -> RawItem {
        let mut item = match (self.make)(&Shapes { sim }) {
            Value::Object(fields) => fields,
            _ => RawItem::new(),
        };
        item.insert("item_type".into(), self.item_type.into());
        item
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({}: {})", self.name, self.item_type)
    }
}

/// All kinds.
pub fn all() -> Vec<Kind> {
    [texts::KINDS, media::KINDS, posts::KINDS, stories::KINDS, cards::KINDS, events::KINDS].concat()
}

/// The kind of that name.
pub fn named(name: &str) -> Option<Kind> {
    all().into_iter().find(|kind| kind.name == name)
}
