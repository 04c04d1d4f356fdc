//! Programs from crates.io that checks need, built once and cached.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};

use super::cache;
use crate::cargo::cargo;

/// The release of cargo-deny that is used.
const CARGO_DENY: &str = "0.20.2";

/// The program cargo-deny; takes some minutes the first time.
///
/// # Errors
/// When it cannot be built, for example without a way to crates.io.
pub fn cargo_deny() -> anyhow::Result<PathBuf> {
    let directory = cache::directory("cargo-deny", &[CARGO_DENY], |directory| {
        eprintln!("building cargo-deny {CARGO_DENY} (some minutes, once)");
        let mut install = cargo();
        install.args(["install", "--locked", "--quiet", "cargo-deny", "--version", CARGO_DENY, "--root"]);
        // What it is built from is of no use later.
        let built = tempfile::tempdir().context("no directory to build in")?;
        install.arg(directory).env("CARGO_TARGET_DIR", built.path()).stdin(Stdio::null());
        if !install.status().context("cannot run cargo")?.success() {
            bail!("cargo-deny {CARGO_DENY} cannot be built");
        }
        Ok(())
    })?;
    Ok(directory.join("bin/cargo-deny"))
}
