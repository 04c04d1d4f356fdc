//! Guards the map of ARCHITECTURE.md: which part may use what, that every file says what it is for, and that no file
//! outgrows its reader.
//!
//! It reads the sources as text. A path counts wherever it stands, in a `use` or in the middle of a function; comments,
//! strings and unit tests do not count.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What some files must not use.
struct Rule {
    /// Files and directories it holds for, without `.rs`.
    within: &'static [&'static str],
    /// Exceptions to `within`.
    except: &'static [&'static str],
    /// Starts of paths, with spaces between: a crate, one of our modules as `crate::…`. What begins with a capital is
    /// a type or its function, wherever it is taken from.
    forbidden: &'static str,
    /// If anything: the only module of ours that may be used.
    ours: Option<&'static str>,
    /// Why.
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        within: &["src/domain"],
        except: &[],
        forbidden: "\
            tokio axum reqwest sqlx rumqttc instagram ring rand fastrand std::fs std::net std::env Instant::now \
            SystemTime",
        ours: Some("crate::domain"),
        reason: "the domain is pure: it depends on nothing of ours and cannot fail for outside reasons",
    },
    Rule {
        within: &["src/store"],
        except: &[],
        forbidden: "\
            crate::bridge crate::command crate::inbox crate::lane crate::login crate::matrix crate::network \
            crate::portal instagram axum reqwest",
        ours: None,
        reason: "the store keeps values; it knows neither side of the bridge",
    },
    Rule {
        within: &["src/portal", "src/lane", "src/inbox", "src/login", "src/command"],
        except: &[],
        forbidden: "axum reqwest rumqttc sqlx instagram",
        ours: None,
        reason: "the bridge's logic speaks through `matrix`, `network` and `store`, never HTTP, SQL or MQTT itself",
    },
    Rule {
        within: &["src/network"],
        except: &[],
        forbidden: "\
            ruma crate::bridge crate::command crate::inbox crate::lane crate::login crate::matrix \
            crate::portal crate::store",
        ours: None,
        reason: "the adapter does not know that there is a database or a homeserver",
    },
    Rule {
        within: &["src/matrix"],
        except: &[],
        forbidden: "\
            crate::bridge crate::command crate::inbox crate::lane crate::login crate::network crate::portal \
            crate::store instagram sqlx",
        ours: None,
        reason: "the homeserver's side carries events; what they mean is decided elsewhere",
    },
    Rule {
        within: &["src"],
        except: &["src/store"],
        forbidden: "sqlx",
        ours: None,
        reason: "nothing outside `store` writes SQL",
    },
    Rule {
        within: &["src"],
        except: &["src/network"],
        forbidden: "instagram rumqttc",
        ours: None,
        reason: "nothing outside `network` looks inside what Instagram sends",
    },
    Rule {
        within: &["src"],
        except: &["src/matrix", "src/bridge", "src/files"],
        forbidden: "axum",
        ours: None,
        reason: "only `matrix` listens, and `files` to those who hold a link, as `bridge` puts it together",
    },
    Rule {
        within: &["crates/instagram/src"],
        except: &["crates/instagram/src/client"],
        forbidden: "\
            tokio tokio_rustls tokio_util reqwest hyper_util std::net std::fs Instant::now SystemTime rand fastrand \
            ring::rand Uuid::new_v4",
        ours: None,
        reason: "the protocol is values: time, randomness and bytes are passed in; only `client` owns sockets",
    },
    Rule {
        within: &["src", "crates/instagram/src"],
        except: &[],
        forbidden: "instagram_sim homeserver_sim xtask",
        ours: None,
        reason: "simulators and tools are for tests only",
    },
];

/// Nobody reads a longer file to its end.
const LONG: usize = 700;

/// File names that say nothing, so that everything ends up in them.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "util", "utils"];

#[test]
fn no_part_uses_what_it_must_not_know() {
    let mut breaches = String::new();
    for file in files(&["src", "crates/instagram/src"]).into_iter().filter(|file| !is_unit_test(file)) {
        for breach in breaches_of(&file, &fs::read_to_string(root().join(&file)).unwrap()) {
            writeln!(breaches, "{breach}").unwrap();
        }
    }
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<String> =
        files(&source_directories()).into_iter().filter(|file| !text_of(file).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "start these with a `//!` paragraph that names their one responsibility: {silent:#?}");
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let long: Vec<String> = files(&EVERYTHING)
        .into_iter()
        .map(|file| (text_of(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LONG)
        .map(|(lines, file)| format!("{file} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split these along their responsibilities, none may have more than {LONG}: {long:#?}");
}

#[test]
fn every_file_name_says_something() {
    let mut breaches = String::new();
    for file in files(&EVERYTHING) {
        let mut parts = file.trim_end_matches(".rs").split('/');
        if let Some(empty) = parts.clone().find(|part| EMPTY_NAMES.contains(part)) {
            writeln!(breaches, "{file}: `{empty}` says nothing; name it after what it is responsible for").unwrap();
        }
        if parts.next_back() == Some("mod") {
            writeln!(breaches, "{file}: a module `foo` is `foo.rs` beside `foo/`").unwrap();
        }
    }
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn a_breach_is_found_and_named_with_its_line() {
    for (file, text, expected) in [
        (
            "src/store.rs",
            "#[cfg(test)]\nmod tests;\nmod write;\nuse crate::portal;",
            Some("src/store.rs:4: uses `crate::portal`"),
        ),
        ("src/domain/ids.rs", "use crate::metrics;", Some("src/domain/ids.rs:1: uses `crate::metrics`")),
        ("src/domain/ids.rs", "use crate::domain::event;", None),
        ("src/network/remote.rs", "fn f(x: ruma::OwnedUserId) {}", Some("uses `ruma::OwnedUserId`")),
        ("src/command/status.rs", "use crate::network::Remote;", None),
        ("src/lane.rs", "fn f() { instagram::api::call() }", Some("uses `instagram::api::call`")),
        (
            "crates/instagram/src/session.rs",
            "use std::time;\nfn f() { time::Instant::now() }",
            Some("time::Instant::now"),
        ),
        ("crates/instagram/src/session.rs", "use std::time::{Instant, SystemTime};", Some("std::time::SystemTime")),
        ("crates/instagram/src/session.rs", "use std::time::{Duration, Instant};", None),
        ("crates/instagram/src/client/http.rs", "use tokio::time;", None),
    ] {
        let found = breaches_of(file, text).join("\n");
        match expected {
            Some(expected) => assert!(found.contains(expected), "{expected} is not in {found:?}"),
            None => assert_eq!(found, "", "{file}: {text}"),
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
#[cfg(test)]
#[expect(dead_code)]
mod tests { use rumqttc::Packet; fn f() { if true {} } }
#[cfg(test)]
mod more;
pub use sqlx as database;
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

/// Every breach of a file's text, one line each: file, line, path, reason.
fn breaches_of(file: &str, text: &str) -> Vec<String> {
    let name = file.strip_suffix(".rs").unwrap();
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| rule.holds_for(name)).collect();
    let mut breaches = Vec::new();
    for (line, path) in paths(text, &module_of(name)) {
        for rule in rules.iter().filter(|rule| rule.forbids(&path)) {
            breaches.push(format!("{file}:{line}: uses `{path}`; {}", rule.reason));
        }
    }
    breaches
}

impl Rule {
    fn forbids(&self, path: &str) -> bool {
        let foreign = self.ours.is_some_and(|ours| path.starts_with("crate::") && !starts_with(path, ours));
        foreign || self.forbidden.split(' ').any(|forbidden| names(path, forbidden))
    }

    fn holds_for(&self, name: &str) -> bool {
        let within = |place: &&str| name == *place || name.starts_with(&format!("{place}/"));
        self.within.iter().any(within) && !self.except.iter().any(within)
    }
}

/// Whether a path is the forbidden one or leads through it; a type may come from anywhere.
fn names(path: &str, forbidden: &str) -> bool {
    let is_type = forbidden.starts_with(|c: char| c.is_uppercase());
    starts_with(path, forbidden) || (is_type && format!("::{path}::").contains(&format!("::{forbidden}::")))
}

fn starts_with(path: &str, prefix: &str) -> bool {
    path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where Rust code is.
const EVERYTHING: [&str; 5] = ["src", "crates", "xtask", "tests", "fuzz"];

/// Sources of all packages, tests in directories of their own not included.
fn source_directories() -> Vec<String> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let names = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let directories = names.map(|name| format!("crates/{name}/src"));
    directories.chain(["src".to_owned(), "xtask/src".to_owned()]).collect()
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// A file that is compiled for unit tests only.
fn is_unit_test(file: &str) -> bool {
    file.trim_end_matches(".rs").split('/').any(|part| part == "tests")
}

/// The Rust files under these directories, relative to the root.
fn files(directories: &[impl AsRef<Path>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = directories.iter().map(|directory| directory.as_ref().to_owned()).collect();
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                left.extend((entry.file_name() != "target").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
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

/// The text without comments, strings and what is for unit tests only; lines stay where they are.
fn code_only(text: &str) -> String {
    let mut code = without_strings(text);
    while let Some(start) = code.find("#[cfg(test)]") {
        let length = item_length(&code[start..]);
        let lines = code[start..start + length].matches('\n').count();
        code.replace_range(start..start + length, &"\n".repeat(lines));
    }
    code
}

/// Length of the item at the start with its attributes: to its `;` or to the end of its block.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn without_strings(text: &str) -> String {
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
