//! Errors of the configuration: what is wrong, where, and the cure. Values of secret keys are never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use super::explain::{explain, key_of};

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    statement: String,
    hint: Option<String>,
    /// Dotted name of the key it is about, to be found in the file.
    key: Option<String>,
    place: Option<Box<Place>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    line: usize,
    column: usize,
    excerpt: String,
}

impl ConfigError {
    /// An error about the key with this dotted name.
    pub(super) fn at(key: &str, statement: impl Into<String>) -> Self {
        Self { statement: statement.into(), hint: None, key: Some(key.to_owned()), place: None }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "`puppetgram init` makes a configuration; `--config FILE` names one",
            std::io::ErrorKind::PermissionDenied => "let the user that runs the bridge read it",
            _ => "it must be a text file in UTF-8",
        };
        let statement = format!("cannot read the configuration {}: {error}", path.display());
        Self { statement, hint: Some(hint.to_owned()), key: None, place: None }
    }

    /// From what the YAML reader says. Its own excerpt is not used: neighbouring lines may hold secrets.
    pub(super) fn from_yaml(error: &serde_saphyr::Error, text: &str, file: &Path) -> Self {
        let place = error.location().map(|location| {
            let number = |n: u64| usize::try_from(n).unwrap_or(1);
            place(text, file, number(location.line()), number(location.column()))
        });
        let line = error.location().and_then(|at| text.lines().nth(usize::try_from(at.line()).ok()?.checked_sub(1)?));
        let (statement, hint) = explain(error, line.unwrap_or_default());
        Self { statement, hint: Some(hint), key: None, place }
    }

    /// Finds the key in the file.
    pub(super) fn in_file(mut self, text: &str, file: &Path) -> Self {
        let found = self.key.as_ref().and_then(|key| find(text, key));
        self.place = found.map(|(line, column)| place(text, file, line, column));
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.statement)?;
        if let Some(Place { file, line, column, excerpt }) = self.place.as_deref() {
            write!(f, "\n  {}:{line}:{column}   {excerpt}", file.display())?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

fn place(text: &str, file: &Path, line: usize, column: usize) -> Box<Place> {
    let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
    Box::new(Place { file: file.to_owned(), line, column, excerpt: without_secret(source) })
}

/// A line without its value, if that may be a secret: by the words in it, or as an address with a password.
fn without_secret(line: &str) -> String {
    // A line without a key may continue anything.
    let Some(key) = key_of(line) else { return if line.is_empty() { String::new() } else { "…".to_owned() } };
    let word = ["token", "secret", "key", "uri", "password", "proxy", "proxies"].iter().any(|word| line.contains(word));
    let value = line.split_once(": ").map_or("", |(_, value)| value);
    let password = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    if (word || password) && !value.is_empty() { format!("{key}: …") } else { line.to_owned() }
}

/// Line and column of a dotted key; of the deepest part of it that is there.
fn find(text: &str, key: &str) -> Option<(usize, usize)> {
    let mut found = None;
    let mut parts = key.split('.');
    let mut wanted = parts.next()?;
    let mut depth = 0;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let name = line.trim_start().split(':').next().unwrap_or_default().trim_matches('"');
        if name == wanted && line.contains(':') && (indent > 0) == (depth > 0) {
            found = Some((number + 1, indent + 1));
            match parts.next() {
                Some(next) => (wanted, depth) = (next, depth + 1),
                None => break,
            }
        } else if depth > 0 && indent == 0 && !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_no_secret() {
        for line in [
            "as_token: planted",
            "appservice: {as_token: planted, adress: x}",
            "planted",
            "postgres://anna:planted@host/db",
            "\"123\": socks5://anna:planted@host:1",
            "- http://anna:planted@host:1",
        ] {
            assert!(!without_secret(line).contains("planted"), "{}", without_secret(line));
        }
        for line in ["port: 99999", "\"@anna:example.org\": amdin", "address: http://127.0.0.1:1", "permissions:"] {
            assert_eq!(without_secret(line), line);
        }
    }
}
