//! One message at a time through a real Synapse.

use super::Effort;
use super::programs::Programs;
use super::report::Report;

pub(super) async fn measure(_programs: &Programs, _effort: &Effort, _report: &mut Report) -> anyhow::Result<()> {
    anyhow::bail!("Synapse is not available here")
}
