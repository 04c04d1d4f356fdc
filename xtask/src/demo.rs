//! `cargo xtask demo`: a real Synapse, a simulated Instagram and the bridge between them, and a conversation to watch.
//! With `--script` the conversation is the whole program, and the exit code says whether everything was bridged.

mod everything;
mod script;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use stage::Stage;

/// How to show the bridge.
#[derive(Args)]
pub(crate) struct Options {
    /// Run the conversation, print a table of what was bridged, and end; fails if anything is missing.
    #[arg(long)]
    script: bool,
    /// With everything else that people say and do, in both directions, and what each becomes.
    #[arg(long)]
    all: bool,
}

/// Sets the stage, plays the conversation, and stays until Ctrl-C unless it is only a script.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut stage = Stage::set().await?;
    let mut scenes = script::play(&mut stage).await?;
    if options.all {
        scenes.extend(everything::play(&stage).await?);
    }
    let missing = script::report(&scenes);
    if options.script {
        return Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    eprintln!("{}", stage.invitation());
    eprintln!("What is said from now on (Ctrl-C ends everything):");
    tokio::select! {
        () = transcript(&stage) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    eprintln!("\nEnding.");
    Ok(ExitCode::SUCCESS)
}

/// Prints what is new on both sides.
async fn transcript(stage: &Stage) {
    let (mut matrix, mut instagram) = (stage.matrix_lines().len(), stage.instagram_lines().len());
    loop {
        let lines = stage.matrix_lines();
        for line in &lines[matrix.min(lines.len())..] {
            eprintln!("  [matrix]    {line}");
        }
        matrix = lines.len();
        let lines = stage.instagram_lines();
        for line in &lines[instagram.min(lines.len())..] {
            eprintln!("  [instagram] {line}");
        }
        instagram = lines.len();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
