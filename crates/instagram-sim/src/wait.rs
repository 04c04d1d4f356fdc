//! Waiting for conditions, with deadlines.

use std::time::Duration;

use crate::{error::SimError, shared::RecordedRequest, sim::Sim, world::item::Item};

impl Sim {
    /// Waits until `condition` gives a value. It is asked again whenever something in the simulator changes; `what`
    /// says in the error what did not happen.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut condition: impl FnMut(&Sim) -> Option<T>,
    ) -> Result<T, SimError> {
        let mut changed = self.shared.changed.subscribe();
        let found = async {
            loop {
                changed.borrow_and_update();
                if let Some(value) = condition(self) {
                    return value;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(deadline, found).await.map_err(|_| SimError::DeadlinePassed(what.to_owned()))
    }

    /// Waits until a thread has at least `count` items and gives them all.
    pub async fn wait_for_items(&self, thread: &str, count: usize, deadline: Duration) -> Result<Vec<Item>, SimError> {
        let what = format!("{count} items in thread {thread}");
        self.wait_for(&what, deadline, |sim| sim.item_count(thread).ok().filter(|have| *have >= count)).await?;
        self.thread_items(thread)
    }

    /// Waits until one person has sent at least `count` items to a thread and gives those, oldest first.
    pub async fn wait_for_items_of(
        &self,
        thread: &str,
        sender: u64,
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<Item>, SimError> {
        let what = format!("{count} items of account {sender} in thread {thread}");
        let enough = |sim: &Sim| sim.item_count_of(thread, sender).ok().filter(|have| *have >= count);
        self.wait_for(&what, deadline, enough).await?;
        Ok(self.thread_items(thread)?.into_iter().filter(|item| item.sender == sender).collect())
    }

    /// Waits until an account has exactly `count` realtime connections.
    pub async fn wait_for_connections(&self, pk: u64, count: usize, deadline: Duration) -> Result<(), SimError> {
        let what = format!("{count} connections of account {pk}");
        self.wait_for(&what, deadline, |sim| (sim.connections(pk) == count).then_some(())).await
    }

    /// Waits until an account has a realtime connection whose iris subscription succeeded.
    pub async fn wait_for_subscription(&self, pk: u64, deadline: Duration) -> Result<(), SimError> {
        let what = format!("a subscribed connection of account {pk}");
        self.wait_for(&what, deadline, |sim| sim.connection_details(pk).iter().any(|one| one.subscribed).then_some(()))
            .await
    }

    /// Waits until all faults of an account have happened.
    pub async fn wait_for_faults(&self, pk: u64, deadline: Duration) -> Result<(), SimError> {
        let what = format!("the faults of account {pk}");
        self.wait_for(&what, deadline, |sim| (sim.faults_left(pk) == Ok(0)).then_some(())).await
    }

    /// Waits until an API request came whose path contains `path`.
    pub async fn wait_for_request(&self, path: &str, deadline: Duration) -> Result<RecordedRequest, SimError> {
        let what = format!("a request for {path}");
        let find = |sim: &Sim| sim.recorded_requests().into_iter().rev().find(|request| request.path.contains(path));
        self.wait_for(&what, deadline, find).await
    }
}
