//! Directories that are made once and used by many: each has a key, is made under a lock, and counts only when marked
//! complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// `PUPPETGRAM_CACHE`, else the user's cache directory.
fn root() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("PUPPETGRAM_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("puppetgram")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/puppetgram")))
        .context("no cache directory is known: set PUPPETGRAM_CACHE to a directory that may hold 500 MB")
}

/// The directory `name` for exactly these inputs. `make` fills it the first time; if that fails it is tried anew the
/// next time. Directories for other inputs are left alone, other work trees may be using them.
pub(super) fn directory(
    name: &str,
    inputs: &[&str],
    make: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let root = root()?;
    fs::create_dir_all(&root).with_context(|| format!("cannot create the cache directory {}", root.display()))?;
    let directory = root.join(format!("{name}-{}", key(inputs)));
    let complete = directory.join(".complete");
    if complete.is_file() {
        return Ok(directory);
    }
    let path = root.join(format!("{name}.lock"));
    let lock = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    // Another process may have made it while this one waited for the lock.
    if complete.is_file() {
        return Ok(directory);
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    make(&directory)?;
    // A virtual environment cannot be moved, so the mark takes the place of a renaming.
    let mark = directory.join(".complete.new");
    fs::write(&mark, b"").and_then(|()| fs::rename(&mark, &complete)).context("cannot mark the directory complete")?;
    Ok(directory)
}

fn key(inputs: &[&str]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update((input.len() as u64).to_be_bytes());
        hash.update(input);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_tells_inputs_apart() {
        assert_ne!(key(&["a", "b"]), key(&["ab"]));
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    }
}
