//! Logins: which accounts are attached, and the one task that keeps each connected.

mod gap;
pub mod history;
mod reconcile;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bridge::Bridge;
use crate::domain::ids::LoginId;
use crate::network::Remote;

/// The logins that have a supervisor or had one since the start.
#[derive(Default)]
pub struct Sessions {
    running: RwLock<HashMap<LoginId, Arc<Running>>>,
}

/// A supervised login.
pub struct Running {
    /// What it can do.
    pub remote: Remote,
    status: RwLock<Status>,
    stop: CancellationToken,
    /// Asks for a new connection at once.
    again: Notify,
    /// When was last asked for what could not be read.
    gap_asked_at: Mutex<Option<Instant>>,
}

/// What the supervisor is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// Making a connection.
    Connecting,
    /// Subscribed: messages come.
    Connected,
    /// Fetching over HTTP what was missed, because the cursor was refused.
    Reconciling,
    /// Waiting before the next attempt; why the last one ended.
    Waiting(String),
    /// Ended until the user acts; why.
    Stopped(String),
}

impl Running {
    /// What the supervisor is doing.
    pub fn status(&self) -> Status {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_status(&self, status: Status) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Drops the connection, if there is one, and makes a new one without waiting.
    pub fn reconnect(&self) {
        self.again.notify_one();
        self.remote.disconnect();
    }
}

impl Sessions {
    /// The supervised login, if it has been started.
    pub fn get(&self, login: &LoginId) -> Option<Arc<Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).get(login).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Starts supervising; an earlier supervisor of the login is stopped first.
    pub fn start(&self, bridge: &Arc<Bridge>, remote: Remote) {
        let login = remote.login().clone();
        let running = Arc::new(Running {
            remote,
            status: RwLock::new(Status::Connecting),
            stop: bridge.tasks.shutdown().child_token(),
            again: Notify::new(),
            gap_asked_at: Mutex::default(),
        });
        let earlier = {
            let mut all = self.running.write().unwrap_or_else(PoisonError::into_inner);
            all.insert(login, Arc::clone(&running))
        };
        if let Some(earlier) = earlier {
            earlier.stop.cancel();
            earlier.remote.disconnect();
        }
        let task = Arc::clone(bridge);
        bridge.tasks.spawn("session", async move { session::supervise(&task, &running).await });
    }

    /// Knows the login without connecting it: it waits for its user.
    pub fn keep_stopped(&self, bridge: &Arc<Bridge>, remote: Remote, reason: String) {
        let login = remote.login().clone();
        let running = Running {
            remote,
            status: RwLock::new(Status::Stopped(reason)),
            stop: bridge.tasks.shutdown().child_token(),
            again: Notify::new(),
            gap_asked_at: Mutex::default(),
        };
        self.running.write().unwrap_or_else(PoisonError::into_inner).insert(login, Arc::new(running));
    }

    /// Stops supervising and forgets the login.
    pub fn stop(&self, login: &LoginId) {
        let earlier = self.running.write().unwrap_or_else(PoisonError::into_inner).remove(login);
        if let Some(earlier) = earlier {
            earlier.stop.cancel();
            earlier.remote.disconnect();
        }
    }
}
