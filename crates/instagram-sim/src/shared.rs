//! What the API, the realtime server, the control API and the library verbs share.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{options::SimOptions, world::World};

/// One request to the HTTPS API, or one command over the realtime connection, as it came in.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedRequest {
    /// For example `GET`; `PUBLISH` for commands.
    pub method: String,
    /// Without the query; `/ig_send_message` for commands.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// The account behind the credentials, if they were good.
    pub pk: Option<u64>,
    /// Lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// The body as text; empty for uploads.
    pub body: String,
    /// Bytes of the body that were read.
    pub body_size: u64,
    /// Status of the answer; 0 for commands.
    pub status: u16,
    /// Whether the simulator has such an endpoint.
    pub known: bool,
}

impl RecordedRequest {
    /// A command on topic 132: its JSON is the body.
    pub(crate) fn command(pk: u64, plain: &[u8]) -> Self {
        Self {
            method: "PUBLISH".to_owned(),
            path: "/ig_send_message".to_owned(),
            query: String::new(),
            pk: Some(pk),
            headers: Vec::new(),
            body: String::from_utf8_lossy(plain).into_owned(),
            body_size: plain.len() as u64,
            status: 0,
            known: true,
        }
    }

    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Shared {
    world: Mutex<World>,
    /// Counts changes, for those who wait for a condition.
    pub(crate) changed: watch::Sender<u64>,
    requests: Mutex<VecDeque<RecordedRequest>>,
    pub(crate) options: SimOptions,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(options: SimOptions) -> Shared {
        Shared {
            world: Mutex::new(World::new(&options)),
            changed: watch::Sender::new(0),
            requests: Mutex::new(VecDeque::new()),
            options,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Works on the world and tells those who wait.
    pub(crate) fn act<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        let result = work(&mut self.lock());
        self.touch();
        result
    }

    /// Works on the world without telling anyone.
    pub(crate) fn look<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        work(&mut self.lock())
    }

    pub(crate) fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, request: RecordedRequest) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() >= self.options.remembered_requests {
            requests.pop_front();
        }
        requests.push_back(request);
        drop(requests);
        self.touch();
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
