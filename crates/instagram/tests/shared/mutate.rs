//! What Instagram might do to a document some day: every field, at every depth, removed, renamed, of another type.

use serde_json::{Value as Json, json};

/// JSON pointers to everything inside a value.
pub(crate) fn places(value: &Json, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Json)> = match value {
        Json::Object(fields) => fields.iter().map(|(key, value)| (format!("{at}/{key}"), value)).collect(),
        Json::Array(elements) => elements.iter().enumerate().map(|(i, value)| (format!("{at}/{i}"), value)).collect(),
        _ => Vec::new(),
    };
    for (place, value) in children {
        places(value, &place, found);
        found.push(place);
    }
}

/// Every way in which one place of an item can be other than it should.
pub(crate) fn mutations(item: &Json, place: &str) -> Vec<(String, Json)> {
    let (parent, key) = place.rsplit_once('/').unwrap();
    let mut all = Vec::new();
    let old = item.pointer(place).unwrap();
    for wrong in [
        Json::Null,
        json!(7),
        json!(-1.5),
        json!("x"),
        json!(""),
        json!(true),
        json!([]),
        json!({}),
        json!([old]),
        json!({ "x": old }),
        json!(old.to_string()),
    ] {
        let mut mutated = item.clone();
        *mutated.pointer_mut(place).unwrap() = wrong.clone();
        all.push((format!("{place} = {wrong}"), mutated));
    }
    for new_name in [None, Some(format!("{key}_v2")), Some(key.to_uppercase())] {
        let mut mutated = item.clone();
        match mutated.pointer_mut(parent).unwrap() {
            Json::Object(fields) => {
                let value = fields.remove(key).unwrap();
                if let Some(new_name) = &new_name {
                    fields.insert(new_name.clone(), value);
                }
            }
            Json::Array(elements) => _ = elements.remove(key.parse().unwrap()),
            _ => unreachable!("a parent has children"),
        }
        all.push((format!("{place} renamed to {new_name:?}"), mutated));
    }
    all
}
