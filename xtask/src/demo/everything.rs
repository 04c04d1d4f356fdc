//! The table of everything that people say and do, as the tests drive it.

use xtask::servers::SERVER_NAME;
use xtask::table;

use super::script::{Scene, scene};
use super::stage::Stage;

/// Plays the whole table; what is not as it should be is missing.
pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<Scene>> {
    let expected = table::expected()?;
    let bot = format!("@instagrambot:{SERVER_NAME}");
    let lines = table::play(&stage.sim, (&stage.anna, &stage.guest), &stage.account, &bot).await?;
    let scenes = lines.into_iter().map(|line| {
        let fits = expected.get(&line.name) == Some(&line.record);
        let what = format!("{} → {}", line.name, line.becomes());
        scene(what, line.towards, fits.then_some(line.latency))
    });
    Ok(scenes.collect())
}
