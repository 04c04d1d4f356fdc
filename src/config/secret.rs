//! Secrets: values that are never printed, given directly, in a file or in an environment variable; and addresses of
//! proxies, which may hold a password.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::ConfigError;

/// A value that `Debug` does not show and that has no `Display`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The address of a proxy. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Proxy(Url);

impl Proxy {
    /// The address, possibly with a password in it.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(…)")
    }
}

/// Puts the value of whichever of the three forms was used into `value`.
pub(super) fn fetch(
    name: &str,
    value: &mut Option<Secret>,
    file: &Option<PathBuf>,
    env: &Option<String>,
) -> Result<(), ConfigError> {
    let given = usize::from(value.is_some()) + usize::from(file.is_some()) + usize::from(env.is_some());
    if given > 1 {
        return Err(ConfigError::at(name, format!("`{name}` is given more than once"))
            .with_hint("keep one of the value, the `_file` and the `_env` form"));
    }
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::at(&format!("{name}_file"), format!("cannot read {}: {error}", path.display()))
                .with_hint("check the path and its permissions")
        })?;
        *value = Some(Secret::new(text.trim()));
    } else if let Some(variable) = env {
        let text = std::env::var(variable).map_err(|_| {
            ConfigError::at(&format!("{name}_env"), format!("the environment variable {variable} is not set"))
                .with_hint("set it where the bridge is started")
        })?;
        *value = Some(Secret::new(text.trim()));
    }
    match value {
        Some(secret) if !secret.expose().trim().is_empty() => Ok(()),
        _ => Err(ConfigError::at(name, format!("`{name}` is missing or empty"))
            .with_hint("`puppetgram init` makes a configuration with fresh secrets")),
    }
}
