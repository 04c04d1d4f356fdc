//! The table of everything that people say and do, as the tests drive it.

use xtask::servers::SERVER_NAME;
use xtask::table;

use super::script::{Outcome, Scene, compared};
use super::stage::Stage;

/// Plays the whole table; prints what is not as it should be.
pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<Scene>> {
    let expected = table::expected()?;
    let bot = format!("@instagrambot:{SERVER_NAME}");
    let lines = table::play(&stage.sim, (&stage.anna, &stage.guest), &stage.account, &bot).await?;
    let scenes = lines.into_iter().map(|line| {
        let wanted = expected.get(&line.name);
        let outcome = if wanted == Some(&line.record) { Outcome::Bridged(line.latency) } else { Outcome::Differs };
        if let Outcome::Differs = outcome {
            let wanted = wanted.unwrap_or(&serde_json::Value::Null);
            eprintln!("{}: {:#}\nis not what the table says: {wanted:#}", line.name, line.record);
        }
        compared(format!("{} → {}", line.name, line.becomes()), line.towards, outcome)
    });
    Ok(scenes.collect())
}
