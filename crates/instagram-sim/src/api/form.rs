//! Bodies: plain form fields, and the signed form whose one field holds JSON.

use std::collections::HashMap;

use serde_json::Value;

/// The fields of a body or query, plain or signed. Nested values of a signed body are kept as JSON text.
pub(super) fn fields(text: &str) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let Some(signed) = all.remove("signed_body") else { return all };
    let json = signed.split_once('.').map_or("", |(_, json)| json);
    if let Ok(Value::Object(map)) = serde_json::from_str(json) {
        for (key, value) in map {
            let value = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            all.insert(key, value);
        }
    }
    all
}

/// Numbers in a JSON list, however deeply nested and whether quoted or not: `[1]`, `["1"]`, `[[1,2]]`.
pub(super) fn numbers(text: &str) -> Vec<String> {
    let inside = text.split(|letter: char| !letter.is_ascii_digit());
    inside.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_body_reads_like_a_plain_one() {
        let body = "signed_body=SIGNATURE.%7B%22_uuid%22%3A%22u%22%2C%22n%22%3A1%7D";
        let all = fields(body);
        assert_eq!((all["_uuid"].as_str(), all["n"].as_str()), ("u", "1"));
        assert_eq!(fields("a=b+c&d=%5B1%5D")["a"], "b c");
    }

    #[test]
    fn id_lists_read_in_every_spelling() {
        for text in ["[34028236684171]", "[\"34028236684171\"]", "[[34028236684171]]"] {
            assert_eq!(numbers(text), ["34028236684171"]);
        }
    }
}
