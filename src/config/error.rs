//! Errors of the configuration: what is wrong, where, and the cure. Values of secret keys are never shown.

use std::fmt;
use std::path::{Path, PathBuf};

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
        let said = error.without_snippet().to_string();
        let said = said.split(" at line ").next().unwrap_or(&said).trim_start_matches("error: ").to_owned();
        let place = error.location().map(|location| {
            let number = |n: u64| usize::try_from(n).unwrap_or(1);
            place(text, file, number(location.line()), number(location.column()))
        });
        let (statement, hint) = explain(&said);
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

/// A line without the value of a key that sounds secret.
fn without_secret(line: &str) -> String {
    let Some((key, value)) = line.split_once(':') else {
        // A line of its own may be the continuation of anything.
        return if line.len() > 40 { "…".to_owned() } else { line.to_owned() };
    };
    let secret =
        ["token", "secret", "key", "uri", "password", "proxy", "proxies"].iter().any(|word| key.contains(word));
    if secret && !value.trim().is_empty() { format!("{key}: …") } else { line.to_owned() }
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

/// The statement and the cure, from serde's words; for an unknown key the one that was probably meant.
fn explain(said: &str) -> (String, String) {
    let unknown = said.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let Some((wrong, rest)) = unknown else {
        return (said.to_owned(), "the form of every key is shown in config.example.yaml".to_owned());
    };
    let expected = rest.trim_start_matches(", expected one of ").trim_start_matches(", expected ");
    let names = expected.split(", ").map(|name| name.trim_matches('`'));
    let closest = names.map(|name| (distance(wrong, name), name)).min().filter(|(edits, _)| *edits <= 3);
    let meant = closest.map_or_else(String::new, |(_, name)| format!("did you mean `{name}`? "));
    (format!("unknown key `{wrong}`"), format!("{meant}All keys are in config.example.yaml"))
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
