//! Many rows as one parameter: a JSON object, because `json_each` takes objects on both databases.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// `{"0": row, "1": row, …}`; none if there are no rows.
pub(super) fn json_rows<T: Serialize>(rows: impl Iterator<Item = T>) -> Option<String> {
    json_object(rows.enumerate())
}

/// `{"key": 0, …}`; none if there are no keys.
pub(super) fn json_keys<K: Display>(keys: impl Iterator<Item = K>) -> Option<String> {
    json_object(keys.map(|key| (key.to_string(), 0)))
}

fn json_object<K: Serialize, V: Serialize>(entries: impl Iterator<Item = (K, V)>) -> Option<String> {
    let mut entries = entries.peekable();
    entries.peek()?;
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    let written = serializer.serialize_map(None).and_then(|mut map| {
        entries.try_for_each(|(key, value)| map.serialize_entry(&key, &value))?;
        map.end()
    });
    written.expect("strings and numbers can be written to memory");
    Some(String::from_utf8(text).expect("JSON is UTF-8"))
}
