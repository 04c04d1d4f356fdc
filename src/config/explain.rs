//! What the YAML reader says, in words for an admin. Values are never repeated: any of them may be a secret.

use serde_saphyr::Error;

/// The cure where the kind of mistake suggests none.
const FORMS: &str = "the form of every key is shown in config.example.yaml";

/// Statement and cure for an error at a line of the file.
pub(super) fn explain(error: &Error, line: &str) -> (String, String) {
    let key = key_of(line);
    let subject = key.map_or_else(|| "this value".to_owned(), |key| format!("`{key}`"));
    match error.without_snippet() {
        Error::AliasError { error, .. } => explain(error, line),
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), meant(field, expected, "all keys are in config.example.yaml"))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), FORMS.to_owned()),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let list = format!("{subject} must be one of {}", expected.join(", "));
            (list, meant(variant, expected, FORMS))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let name = key.as_ref().map_or_else(|| "a key".to_owned(), |key| format!("`{key}`"));
            (format!("{name} is there twice"), "keep one of the two".to_owned())
        }
        Error::InvalidScalar { ty, .. } => (format!("{subject} must be {}", in_words(ty)), FORMS.to_owned()),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            (format!("{subject} must be {}", in_words(expected)), FORMS.to_owned())
        }
        Error::Unexpected { expected, .. } => (format!("{subject} must be {}", in_words(expected)), FORMS.to_owned()),
        Error::NullIntoString { .. } => (format!("{subject} has no value"), "write one behind the colon".to_owned()),
        Error::Eof { .. } => ("the file is empty".to_owned(), "`puppetgram init` makes one".to_owned()),
        Error::Message { msg, .. } => rejected(key, &subject, msg, line),
        other => {
            let said = other.to_string();
            let said = said.split(" at line ").next().unwrap_or_default().trim_start_matches("error: ");
            let hint = "check indentation (spaces, no tabs), brackets and quotation marks around here";
            (format!("this is not YAML: {said}"), hint.to_owned())
        }
    }
}

/// A value that the type of its key did not accept.
fn rejected(key: Option<&str>, subject: &str, said: &str, line: &str) -> (String, String) {
    let key = key.unwrap_or_default();
    if key == "domain" {
        let hint = "it is the part of user ids behind the colon, as example.org, without https://";
        return (format!("{subject} is not a server name"), hint.to_owned());
    }
    if key.contains("proxy") || key.contains("proxies") {
        let hint = "write http://host:port, socks5://host:port or socks5h://host:port";
        return (format!("{subject} is not the address of a proxy"), hint.to_owned());
    }
    if key == "address" || key.ends_with("_url") {
        let hint = if line.contains("://") {
            "it looks like https://matrix.example.org or http://127.0.0.1:8008"
        } else {
            "write https:// or http:// in front of it"
        };
        return (format!("{subject} is not a web address"), hint.to_owned());
    }
    if said.starts_with("expected a time") {
        return (format!("{subject} is not a time"), "write a number with its unit: 500ms, 20s, 5m or 1h".to_owned());
    }
    (format!("{subject} is not acceptable"), FORMS.to_owned())
}

/// The key of a line `key: value`.
pub(super) fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (key, _) = line.split_once(": ").or_else(|| line.trim_end().strip_suffix(':').map(|key| (key, "")))?;
    let key = key.trim().trim_matches(['"', '\'']);
    let plain = |c: char| c.is_alphanumeric() || "_@.*:-".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

/// Rust's and the reader's names of types.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, not negative",
        "f32" | "f64" => "a number",
        "bool" | "boolean" => "true or false",
        "mapping start" => "a section: lines with a key and a value each, indented, or nothing at all",
        "sequence start" => "a list: [a, b], or a line with a dash for each",
        "string scalar" => "a text on this line",
        other => other,
    }
}

/// The name that was probably meant, before what else can be said.
fn meant(wrong: &str, expected: &[&str], otherwise: &str) -> String {
    let closest = expected.iter().map(|name| (distance(wrong, name), *name)).min();
    match closest.filter(|(edits, name)| *edits <= 3 && *edits < name.len()) {
        Some((_, name)) => format!("did you mean `{name}`? {}{}", otherwise[..1].to_uppercase(), &otherwise[1..]),
        None => otherwise.to_owned(),
    }
}

/// Edits between two words; two neighbours swapped count once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in [
            ("", "", 0),
            ("adress", "address", 1),
            ("amdin", "admin", 1),
            ("port", "", 4),
            ("", "x", 1),
            ("über", "uber", 1),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_key_is_found_only_where_one_stands() {
        assert_eq!(key_of("  port: 1"), Some("port"));
        assert_eq!(key_of("permissions:"), Some("permissions"));
        assert_eq!(key_of("  \"@anna:example.org\": admin"), Some("@anna:example.org"));
        assert_eq!(key_of("  postgres://anna:secret@host/db"), None);
        assert_eq!(key_of("  - secret"), None);
    }
}
