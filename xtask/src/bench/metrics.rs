//! Counters before and after a run: requests at the homeserver, transactions of the bridge's database.

use std::collections::BTreeMap;

use super::world::World;

/// Counters at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    /// By method and path, at the homeserver.
    requests: BTreeMap<String, u64>,
    /// Transactions the homeserver pushed.
    pushed: u64,
    /// Transactions and writes of the database, if the bridge tells.
    commits: Option<f64>,
    writes: Option<f64>,
}

/// What happened between two moments.
pub(super) struct Difference {
    pub(super) requests: u64,
    /// The commonest of them.
    pub(super) commonest: Vec<(String, u64)>,
    pub(super) pushed: u64,
    pub(super) commits: Option<f64>,
    pub(super) writes: Option<f64>,
}

impl Counters {
    pub(super) async fn read(world: &World) -> anyhow::Result<Self> {
        let stats = world.homeserver.get("/_sim/stats").await?;
        let page = world.bridge_api.text("/_puppetgram/metrics").await.unwrap_or_default();
        let counter = |name: &str| -> Option<f64> {
            let values = page.lines().filter(|line| !line.starts_with('#'));
            let of_name = values.filter(|line| line.split(['{', ' ']).next() == Some(name));
            let values: Vec<f64> = of_name.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
            (!values.is_empty()).then(|| values.iter().sum())
        };
        Ok(Self {
            requests: serde_json::from_value(stats["requests"].clone())?,
            pushed: stats["transactions_pushed"].as_u64().unwrap_or_default(),
            commits: counter("puppetgram_store_commits_total"),
            writes: counter("puppetgram_store_writes_total"),
        })
    }

    /// What happened since an earlier moment.
    pub(super) fn since(&self, earlier: &Self) -> Difference {
        let before = |path: &str| earlier.requests.get(path).copied().unwrap_or_default();
        let mut commonest: Vec<(String, u64)> =
            self.requests.iter().map(|(path, count)| (path.clone(), count - before(path))).collect();
        commonest.retain(|(_, count)| *count > 0);
        commonest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Difference {
            requests: commonest.iter().map(|(_, count)| count).sum(),
            commonest,
            pushed: self.pushed - earlier.pushed,
            commits: self.commits.zip(earlier.commits).map(|(now, then)| now - then),
            writes: self.writes.zip(earlier.writes).map(|(now, then)| now - then),
        }
    }
}
