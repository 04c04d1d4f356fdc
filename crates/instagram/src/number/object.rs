//! An object whose fields are decoded one by one, when asked for.
//!
//! Fields stay raw text, so a wrong type or a hostile nesting in one field harms no other field: skipping a raw value
//! needs no recursion, whatever its depth.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Text;

/// The fields of one JSON object, undecoded.
pub struct Object<'a> {
    source: &'a str,
    fields: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Object<'a> {
    /// Splits an object into its fields. `None` for anything else.
    pub fn parse(json: &'a str) -> Option<Self> {
        let Fields(fields) = serde_json::from_str(json).ok()?;
        Some(Self { source: json.trim(), fields })
    }

    /// The whole object as it was written.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// The text of a field. Absent and `null` are the same; of repeated keys the last counts.
    pub fn raw(&self, key: &str) -> Option<&'a str> {
        let (_, value) = self.fields.iter().rev().find(|(name, _)| name == key)?;
        (*value != "null").then_some(*value)
    }

    /// Tells whether a field is there and not `null`.
    pub fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// Tells whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// A string that is not empty.
    pub fn text(&self, key: &str) -> Option<String> {
        super::text(self.raw(key)?).filter(|text| !text.is_empty())
    }

    /// See [`super::id`].
    pub fn id(&self, key: &str) -> Option<String> {
        super::id(self.raw(key)?)
    }

    /// The first of several fields that holds an id.
    pub fn first_id(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.id(key))
    }

    /// See [`super::integer`].
    pub fn integer(&self, key: &str) -> Option<i64> {
        super::integer(self.raw(key)?)
    }

    /// See [`super::float`].
    pub fn float(&self, key: &str) -> Option<f64> {
        super::float(self.raw(key)?)
    }

    /// See [`super::flag`]; absent is `false`.
    pub fn flag(&self, key: &str) -> bool {
        self.maybe_flag(key).unwrap_or(false)
    }

    /// See [`super::flag`].
    pub fn maybe_flag(&self, key: &str) -> Option<bool> {
        super::flag(self.raw(key)?)
    }

    /// A nested object.
    pub fn object(&self, key: &str) -> Option<Object<'a>> {
        Object::parse(self.raw(key)?)
    }

    /// The objects of an array; other elements are passed over. A single object counts as an array of one.
    pub fn objects(&self, key: &str) -> Vec<Object<'a>> {
        let Some(raw) = self.raw(key) else { return Vec::new() };
        match elements(raw) {
            Some(elements) => elements.into_iter().filter_map(Object::parse).collect(),
            None => Object::parse(raw).into_iter().collect(),
        }
    }

    /// The ids of an array; other elements are passed over.
    pub fn ids(&self, key: &str) -> Vec<String> {
        self.raw(key).and_then(elements).unwrap_or_default().into_iter().filter_map(super::id).collect()
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), *value))
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} fields)", self.fields.len())
    }
}

/// The elements of an array as text. `None` for anything else.
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push((key.0, value.get()));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hostile_field_harms_no_other_field() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!(r#"{{"a":1,"deep":{deep},"bad":"\ud800","\ud800":2,"b":"two","c":null}}"#);
        let object = Object::parse(&json).unwrap();
        assert_eq!(object.integer("a"), Some(1));
        assert_eq!(object.text("b").as_deref(), Some("two"));
        assert_eq!(object.text("bad").as_deref(), Some("\u{FFFD}"));
        assert!(!object.has("c") && !object.has("d"));
        assert!(object.object("deep").is_none() && object.text("deep").is_none() && object.id("deep").is_none());
        assert!(object.objects("deep").is_empty());
    }

    #[test]
    fn arrays_give_what_fits_and_pass_over_the_rest() {
        let object = Object::parse(r#"{"o":[{"a":1},5,null,{"a":2}],"one":{"a":3},"i":[1,"2",{},3.5]}"#).unwrap();
        let numbers: Vec<_> = object.objects("o").iter().filter_map(|o| o.integer("a")).collect();
        assert_eq!(numbers, [1, 2]);
        assert_eq!(object.objects("one").len(), 1);
        assert_eq!(object.ids("i"), ["1", "2"]);
        assert!(object.ids("one").is_empty());
    }

    #[test]
    fn only_objects_are_objects() {
        for json in ["", "null", "[]", "3", "\"{}\"", "{", "{}x", "{\"a\"}"] {
            assert!(Object::parse(json).is_none(), "{json}");
        }
        assert!(Object::parse(" {} ").unwrap().is_empty());
    }

    #[test]
    fn of_repeated_keys_the_last_counts() {
        assert_eq!(Object::parse(r#"{"a":1,"a":2}"#).unwrap().integer("a"), Some(2));
    }
}
