//! What all parts of a running homeserver share: the world, who waits for changes, counters, the state of the listener.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use crate::{fault::Faults, options::Options, world::World};

/// Whether the server takes connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listening {
    /// As usual.
    Open,
    /// The port is closed; it will be opened again.
    Closed,
    /// For good.
    Ended,
}

/// The shared part.
pub(crate) struct Sim {
    pub(crate) options: Options,
    world: Mutex<World>,
    /// Grows with everything that a waiting sync or test may want to see.
    changed: watch::Sender<u64>,
    pub(crate) listening: watch::Sender<Listening>,
    /// Answer 503 to everything.
    pub(crate) paused: AtomicBool,
    pub(crate) faults: Faults,
    pub(crate) appservice_url: Mutex<Option<String>>,
    /// There is something to push.
    pub(crate) outgoing: Notify,
    /// Push again now, whatever wait is running.
    pub(crate) retry_now: Notify,
    pub(crate) transactions_pushed: AtomicU64,
    pub(crate) transactions_failed: AtomicU64,
    pub(crate) events_pushed: AtomicU64,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl Sim {
    pub(crate) fn new(options: Options) -> Self {
        let world = World::new(options.server_name.clone(), options.appservice.clone());
        let url = options.appservice.as_ref().and_then(|appservice| appservice.url.clone());
        let sim = Self {
            options,
            world: Mutex::new(world),
            changed: watch::Sender::new(0),
            listening: watch::Sender::new(Listening::Open),
            paused: AtomicBool::new(false),
            faults: Faults::default(),
            appservice_url: Mutex::new(url),
            outgoing: Notify::new(),
            retry_now: Notify::new(),
            transactions_pushed: AtomicU64::new(0),
            transactions_failed: AtomicU64::new(0),
            events_pushed: AtomicU64::new(0),
            requests: Mutex::new(BTreeMap::new()),
        };
        // The user behind the token exists from the start, as on Synapse.
        if let Some(appservice) = &sim.options.appservice {
            let _already_there = sim.world().register(&appservice.sender_localpart, None);
        }
        sim
    }

    /// The world, to look at.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world and tells everyone who waits.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let (result, position, has_outgoing) = {
            let mut world = self.world();
            let result = change(&mut world);
            let has_outgoing = !world.outgoing.is_empty() || !world.outgoing_ephemeral.is_empty();
            (result, world.position, has_outgoing)
        };
        self.changed.send_replace(position);
        if has_outgoing {
            self.outgoing.notify_one();
        }
        result
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn count_request(&self, method: &str, path: &str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let name = [method, " ", path].concat();
        *requests.entry(name).or_insert(0) += 1;
    }

    /// Requests so far, by method and path.
    pub(crate) fn requests(&self) -> BTreeMap<String, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn appservice_url(&self) -> Option<String> {
        self.appservice_url.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }
}
