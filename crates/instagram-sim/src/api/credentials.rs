//! Who a request comes from: the `Authorization` header of the app, or the cookies of a browser.

use data_encoding::BASE64;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::Viewer;
use crate::world::World;

const PREFIX: &str = "Bearer IGT:2:";

/// The header value for a session; `rotation` makes it differ from the one a client can build itself.
pub(super) fn bearer(pk: u64, sessionid: &str, rotation: Option<&str>) -> String {
    let mut fields = json!({
        "ds_user_id": pk.to_string(),
        "sessionid": sessionid,
        "should_use_header_over_cookies": true,
    });
    if let Some(rotation) = rotation {
        fields["nonce"] = Value::from(rotation);
    }
    format!("{PREFIX}{}", BASE64.encode(fields.to_string().as_bytes()))
}

/// The account and session behind an `Authorization` value, and the nonce it carries.
pub(crate) fn parse_bearer(value: &str) -> Option<(String, String, Option<String>)> {
    let decoded = BASE64.decode(value.strip_prefix(PREFIX)?.trim().as_bytes()).ok()?;
    let fields: Value = serde_json::from_slice(&decoded).ok()?;
    let text = |key: &str| match &fields[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some((text("ds_user_id")?, text("sessionid")?, text("nonce")))
}

/// Finds the session behind a request; notes what the client has learnt of rotated values.
pub(super) fn check(world: &mut World, headers: &HeaderMap) -> Option<Viewer> {
    let (pk, plain, nonce) = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let (user, sessionid, nonce) = parse_bearer(value.to_str().ok()?)?;
            let (pk, plain) = world.session(&sessionid)?;
            if user != pk.to_string() {
                return None;
            }
            (pk, plain, nonce)
        }
        None => {
            let (pk, plain) = world.session(&cookie(headers, "sessionid")?)?;
            (pk, plain, None)
        }
    };
    let session = world.accounts.get_mut(&pk)?.sessions.get_mut(&plain)?;
    if let Some((expected, used)) = &mut session.rotation {
        if nonce.as_deref() == Some(expected.as_str()) {
            *used = true;
        } else if *used {
            // The old value ends with the first use of the new one.
            return None;
        }
    }
    if let Some(old) = session.replaces.take() {
        world.end_session(&old);
    }
    Some(Viewer { pk, session: plain })
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_it_is_written() {
        let value = bearer(7, "7%3Aabc", Some("n"));
        assert_eq!(parse_bearer(&value), Some(("7".into(), "7%3Aabc".into(), Some("n".into()))));
        assert_eq!(parse_bearer("Bearer IGT:2:"), None);
        assert_eq!(parse_bearer("Basic x"), None);
    }
}
