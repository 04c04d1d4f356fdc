//! Guards the map of ARCHITECTURE.md: which part may use what, that every file says what it is for, and that no file
//! outgrows its reader.
//!
//! It reads the sources as text. A path counts wherever it stands, in a `use` or in the middle of a function; comments,
//! strings and unit tests do not count.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What some files must not use.
struct Rule {
    /// Files and directories it holds for, without `.rs`.
    within: &'static [&'static str],
    /// Exceptions to `within`.
    except: &'static [&'static str],
    /// Starts of paths, with spaces between: a crate, one of our modules as `crate::…`, a function.
    forbidden: &'static str,
    /// Why.
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        within: &["src/domain"],
        except: &[],
        forbidden: "\
            tokio axum reqwest sqlx rumqttc instagram ring fastrand std::fs std::net std::env Instant::now \
            SystemTime::now std::time::Instant::now std::time::SystemTime::now crate::bridge crate::cli \
            crate::command crate::config crate::failpoint crate::inbox crate::lane crate::login \
            crate::matrix crate::network crate::portal crate::runtime crate::store",
        reason: "the domain is pure: it depends on nothing of ours and cannot fail for outside reasons",
    },
    Rule {
        within: &["src/store"],
        except: &[],
        forbidden: "\
            crate::bridge crate::command crate::inbox crate::lane crate::login crate::matrix crate::network \
            crate::portal instagram axum reqwest",
        reason: "the store keeps values; it knows neither side of the bridge",
    },
    Rule {
        within: &["src/portal", "src/lane", "src/inbox", "src/login", "src/command"],
        except: &[],
        forbidden: "axum reqwest rumqttc sqlx instagram",
        reason: "the bridge's logic speaks through `matrix`, `network` and `store`, never HTTP, SQL or MQTT itself",
    },
    Rule {
        within: &["src/network"],
        except: &[],
        forbidden: "\
            ruma crate::bridge crate::command crate::inbox crate::lane crate::login crate::matrix \
            crate::portal crate::store",
        reason: "the adapter does not know that there is a database or a homeserver",
    },
    Rule {
        within: &["src/matrix"],
        except: &[],
        forbidden: "\
            crate::bridge crate::command crate::inbox crate::lane crate::login crate::network crate::portal \
            crate::store instagram sqlx",
        reason: "the homeserver's side carries events; what they mean is decided elsewhere",
    },
    Rule { within: &["src"], except: &["src/store"], forbidden: "sqlx", reason: "nothing outside `store` writes SQL" },
    Rule {
        within: &["src"],
        except: &["src/network"],
        forbidden: "instagram rumqttc",
        reason: "nothing outside `network` looks inside what Instagram sends",
    },
    Rule {
        within: &["src"],
        except: &["src/matrix", "src/bridge"],
        forbidden: "axum",
        reason: "only `matrix` listens, as `bridge` puts it together",
    },
    Rule {
        within: &["crates/instagram/src"],
        except: &["crates/instagram/src/client"],
        forbidden: "\
            tokio tokio_rustls tokio_util reqwest hyper_util std::net std::fs Instant::now SystemTime::now \
            std::time::Instant::now std::time::SystemTime::now rand fastrand ring::rand Uuid::new_v4 \
            uuid::Uuid::new_v4",
        reason: "the protocol is values: time, randomness and bytes are passed in; only `client` owns sockets",
    },
    Rule {
        within: &["src", "crates/instagram/src"],
        except: &[],
        forbidden: "instagram_sim homeserver_sim xtask",
        reason: "simulators and tools are for tests only",
    },
];

/// Longer files are named, as a reminder to split them.
const LONG: usize = 700;

#[test]
fn no_part_uses_what_it_must_not_know() {
    let mut breaches = String::new();
    for file in sources() {
        let name = file.strip_suffix(".rs").unwrap().to_owned();
        let rules: Vec<&Rule> = RULES.iter().filter(|rule| rule.holds_for(&name)).collect();
        for (line, path) in paths(&fs::read_to_string(root().join(&file)).unwrap(), &module_of(&name)) {
            for rule in &rules {
                if rule.forbidden.split(' ').any(|forbidden| starts_with(&path, forbidden)) {
                    writeln!(breaches, "{file}:{line}: uses `{path}`; {}", rule.reason).unwrap();
                }
            }
        }
    }
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|file| !fs::read_to_string(root().join(file)).unwrap().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "start these with a `//!` paragraph that names their one responsibility: {silent:#?}");
}

#[test]
fn long_files_are_named() {
    for file in sources() {
        let lines = fs::read_to_string(root().join(&file)).unwrap().lines().count();
        if lines > LONG {
            writeln!(std::io::stderr(), "{file} has {lines} lines: split it").unwrap();
        }
    }
}

#[test]
fn the_reader_of_sources_sees_every_form_of_a_path() {
    let text = r#"
use axum::Router;
use crate::{cli, store::{Store, sqlite}};
use super::super::network::Remote; // use reqwest::Client
fn f() { let x = tokio::time::sleep("sqlx::query"); matrix::send(); foo.bar::<ruma::EventId>() }
pub use sqlx as database;
#[cfg(test)]
mod tests { use rumqttc::Packet; }
"#;
    let found: BTreeSet<String> =
        paths(text, &["portal".into(), "room".into()]).into_iter().map(|(_, path)| path).collect();
    for expected in [
        "axum::Router",
        "crate::cli",
        "crate::store::Store",
        "crate::store::sqlite",
        "crate::network::Remote",
        "tokio::time::sleep",
        "ruma::EventId",
        "sqlx",
    ] {
        assert!(found.contains(expected), "{expected} is not in {found:?}");
    }
    for unexpected in ["reqwest", "rumqttc", "sqlx::query"] {
        assert!(!found.iter().any(|path| starts_with(path, unexpected)), "{unexpected} is in {found:?}");
    }
}

impl Rule {
    fn holds_for(&self, name: &str) -> bool {
        let within = |place: &&str| name == *place || name.starts_with(&format!("{place}/"));
        self.within.iter().any(within) && !self.except.iter().any(within)
    }
}

fn starts_with(path: &str, prefix: &str) -> bool {
    path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of the product, relative to the root, without files of unit tests.
fn sources() -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from("src"), PathBuf::from("crates/instagram/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            let tests = path.file_stem().is_some_and(|stem| stem == "tests");
            if entry.file_type().unwrap().is_dir() && !tests {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !tests {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the sources are not where they were: {found:?}");
    found
}

/// `src/portal/room` → `portal`, `room`.
fn module_of(name: &str) -> Vec<String> {
    let inner = name.rsplit_once("src/").map_or(name, |(_, inner)| inner);
    inner.split('/').filter(|part| !matches!(*part, "lib" | "main")).map(ToOwned::to_owned).collect()
}

/// Every path in the code with its line. Groups are spread out; `super::` becomes `crate::`.
fn paths(text: &str, module: &[String]) -> Vec<(usize, String)> {
    let code = code_only(text);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map(|index| tokens[index].1);
        if is_name(tokens[at].1) && before != Some("::") && before != Some(".") {
            at = read_path(&tokens, at, &[], module, before == Some("use"), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path that starts at a token, and gives the place behind it. A lone name counts in a `use` only.
fn read_path(
    tokens: &[(usize, &str)],
    mut at: usize,
    outer: &[String],
    module: &[String],
    in_use: bool,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let line = tokens[at].0;
    let mut path = outer.to_vec();
    loop {
        path.push(tokens[at].1.to_owned());
        at += 1;
        let next = |offset: usize| tokens.get(at + offset).map(|token| token.1);
        match (next(0), next(1)) {
            (Some("::"), Some(name)) if is_name(name) => at += 1,
            (Some("::"), Some("{")) if in_use => {
                at += 2;
                while tokens.get(at).is_some_and(|token| token.1 != "}") {
                    let named = is_name(tokens[at].1);
                    at = if named { read_path(tokens, at, &path, module, true, found) } else { at + 1 };
                }
                return at + 1;
            }
            _ => break,
        }
    }
    if path.len() > 1 || in_use {
        found.push((line, absolute(&path, module)));
    }
    at
}

fn absolute(path: &[String], module: &[String]) -> String {
    let ups = path.iter().take_while(|part| *part == "super").count();
    if ups == 0 {
        return path.join("::");
    }
    let base = &module[..module.len().saturating_sub(ups)];
    let parts: Vec<&str> = base.iter().chain(&path[ups..]).map(String::as_str).collect();
    format!("crate::{}", parts.join("::"))
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_') && !matches!(token, "use" | "pub" | "as" | "in")
}

/// The text without comments, strings and what stands behind `#[cfg(test)]`; lines stay where they are.
fn code_only(text: &str) -> String {
    let text = text.split_once("\n#[cfg(test)]").map_or(text, |(code, _)| code);
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            string_length(rest)
        } else if c == 'r' && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            raw_string_length(rest)
        } else if c == '\'' {
            character_length(rest)
        } else {
            0
        };
        let (taken, kept) = if skipped > 0 { (skipped, "") } else { (c.len_utf8(), &rest[..c.len_utf8()]) };
        code.push_str(kept);
        code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[taken..];
    }
    code
}

/// Length of the string literal at the start.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string literal at the start; 0 when there is none.
fn raw_string_length(text: &str) -> usize {
    let marks = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    if text.as_bytes().get(1 + marks) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(marks));
    let start = marks + 2;
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// Length of the character literal at the start; 0 for a lifetime.
fn character_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Names, `::` and single signs, each with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let length = if c.is_alphanumeric() || c == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                c.len_utf8()
            };
            if !c.is_whitespace() {
                found.push((line + 1, &rest[..length]));
            }
            rest = &rest[length..];
        }
    }
    found
}
