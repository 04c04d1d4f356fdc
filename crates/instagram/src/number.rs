//! Tolerant scalars: Instagram writes the same field as a number in one place and as a string in another.
//!
//! Every function takes the text of one JSON value and answers with what can be had; a wrong type is `None`, never
//! an error. Ids stay text: media ids exceed 2^53 and thread ids exceed 64 bits.

mod object;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

pub use object::{Object, elements};

/// A string; lone surrogates become U+FFFD instead of failing the document.
pub fn text(json: &str) -> Option<String> {
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0.into_owned())
}

/// An id: a whole number or a non-empty string, as the digits were written.
pub fn id(json: &str) -> Option<String> {
    let json = json.trim();
    if json.starts_with('"') {
        return text(json).filter(|id| !id.is_empty());
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| json.to_owned())
}

/// A whole number, also from a string or from a float without a fraction.
pub fn integer(json: &str) -> Option<i64> {
    let json = json.trim();
    let unquoted = if json.starts_with('"') { Cow::Owned(text(json)?) } else { Cow::Borrowed(json) };
    let number = unquoted.trim();
    number.parse().ok().or_else(|| {
        // Exactly representable floats only: a rounded timestamp would be a wrong timestamp.
        let float = number.parse::<f64>().ok()?;
        (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

/// A finite number, also from a string.
pub fn float(json: &str) -> Option<f64> {
    let json = json.trim();
    let unquoted = if json.starts_with('"') { Cow::Owned(text(json)?) } else { Cow::Borrowed(json) };
    unquoted.trim().parse::<f64>().ok().filter(|float| float.is_finite())
}

/// A truth value: `true`, `false`, a number, or any of these as a string.
pub fn flag(json: &str) -> Option<bool> {
    let json = json.trim();
    let unquoted = if json.starts_with('"') { Cow::Owned(text(json)?) } else { Cow::Borrowed(json) };
    match unquoted.trim() {
        "true" => Some(true),
        "false" => Some(false),
        number => integer(number).map(|number| number != 0),
    }
}

/// A JSON string read as bytes, because only that lets lone surrogates through.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Text(match std::str::from_utf8(bytes) {
                    Ok(text) => Cow::Borrowed(text),
                    Err(_) => Cow::Owned(replace_surrogates(bytes)),
                }))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(match std::str::from_utf8(bytes) {
                    Ok(text) => text.to_owned(),
                    Err(_) => replace_surrogates(bytes),
                })))
            }
        }

        deserializer.deserialize_bytes(TextVisitor)
    }
}

/// Reads generalised UTF-8, in which a lone surrogate takes the three bytes ED A0..BF xx.
fn replace_surrogates(bytes: &[u8]) -> String {
    let mut clean = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        match rest {
            [0xED, 0xA0..=0xBF, _, after @ ..] => {
                clean.extend_from_slice("\u{FFFD}".as_bytes());
                rest = after;
            }
            _ => {
                clean.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&clean).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_digits_whatever_their_size_and_type() {
        assert_eq!(id("222333444").as_deref(), Some("222333444"));
        assert_eq!(id("\"222333444\"").as_deref(), Some("222333444"));
        assert_eq!(id("18446744073709551615").as_deref(), Some("18446744073709551615"));
        let thread = "340282366841710300949128000000000000001";
        assert_eq!(id(thread).as_deref(), Some(thread));
        assert_eq!(id("-5").as_deref(), Some("-5"));
        for wrong in ["null", "true", "1.5", "1e30", "{}", "[1]", "\"\"", "-", ""] {
            assert_eq!(id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn integers_come_from_numbers_strings_and_whole_floats() {
        assert_eq!(integer("1767225600123456"), Some(1_767_225_600_123_456));
        assert_eq!(integer("\" 1767225600123456 \""), Some(1_767_225_600_123_456));
        assert_eq!(integer("5.0"), Some(5));
        assert_eq!(integer("1e3"), Some(1000));
        for wrong in ["5.5", "1e300", "9223372036854775808", "\"soon\"", "null", "true", "[]", "\"NaN\"", "\"inf\""] {
            assert_eq!(integer(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn flags_come_from_booleans_numbers_and_strings() {
        for (json, expected) in [
            ("true", Some(true)),
            ("\"true\"", Some(true)),
            ("1", Some(true)),
            ("\"0\"", Some(false)),
            ("0", Some(false)),
            ("null", None),
            ("{}", None),
            ("\"maybe\"", None),
        ] {
            assert_eq!(flag(json), expected, "{json}");
        }
    }

    #[test]
    fn a_lone_surrogate_is_replaced_and_its_neighbours_stay() {
        assert_eq!(text(r#""a\ud83db""#).as_deref(), Some("a\u{FFFD}b"));
        assert_eq!(text(r#""\udc00 \ud83d\ude02""#).as_deref(), Some("\u{FFFD} 😂"));
        assert_eq!(text("\"grüße 😂\"").as_deref(), Some("grüße 😂"));
        assert_eq!(text("5"), None);
        assert_eq!(text("[1,2]"), None);
    }

    #[test]
    fn floats_are_finite() {
        assert_eq!(float("-0.1094"), Some(-0.1094));
        assert_eq!(float("\"51.5\""), Some(51.5));
        assert_eq!(float("\"NaN\""), None);
        assert_eq!(float("{}"), None);
    }
}
