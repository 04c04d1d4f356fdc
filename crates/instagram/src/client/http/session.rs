//! A session that calls share and change, and that its owner stores.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use tokio::sync::Notify;

use crate::session::Session;

/// One login's session, shared by everything that calls in its name.
#[derive(Clone)]
pub struct SharedSession(Arc<Shared>);

struct Shared {
    session: Mutex<Session>,
    changed: AtomicBool,
    wake: Notify,
}

impl SharedSession {
    /// Takes a session as it was stored.
    pub fn new(session: Session) -> Self {
        let session = Mutex::new(session);
        Self(Arc::new(Shared { session, changed: AtomicBool::new(false), wake: Notify::new() }))
    }

    /// The present state.
    pub fn snapshot(&self) -> Session {
        self.read(Session::clone)
    }

    /// Looks at the present state without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        look(&self.0.session.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it has changed since this was last asked. Ask before taking the snapshot that is stored.
    pub fn changed(&self) -> bool {
        self.0.changed.swap(false, Ordering::AcqRel)
    }

    /// Waits for a change, as [`SharedSession::changed`] tells it. For one owner; safe to cancel.
    pub async fn wait_changed(&self) {
        while !self.changed() {
            self.0.wake.notified().await;
        }
    }

    /// Takes over the values that a response rotates.
    pub fn absorb(&self, headers: &HeaderMap) {
        let changed = self.0.session.lock().unwrap_or_else(PoisonError::into_inner).absorb(headers);
        if changed {
            self.0.changed.store(true, Ordering::Release);
            self.0.wake.notify_one();
        }
    }
}

impl fmt::Debug for SharedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|session| write!(f, "{session:?}"))
    }
}
