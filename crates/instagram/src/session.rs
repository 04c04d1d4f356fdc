//! What identifies a login towards Instagram: its device, its session and the values the server hands back.
//!
//! The server replaces some of them in any answer; [`Session::absorb`] takes them over and the owner stores the result.

use std::fmt;

use data_encoding::BASE64;
use http::HeaderMap;
use http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};

use crate::credentials::{Credentials, sessionid_user};
use crate::device::Device;
use crate::number::Object;

const BEARER: &str = "Bearer IGT:2:";

/// One login's identity and tokens. `Debug` hides everything but the user id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Made at login, never changed.
    pub device: Device,
    /// The account (`pk`).
    pub user_id: u64,
    /// The session cookie, percent-encoded as given.
    pub sessionid: String,
    /// The last `Authorization` value the server set.
    #[serde(default)]
    pub authorization: Option<String>,
    /// Machine id, `X-MID`.
    #[serde(default)]
    pub mid: Option<String>,
    /// Anti-forgery token of the web.
    #[serde(default)]
    pub csrftoken: Option<String>,
    /// `X-IG-WWW-Claim`.
    #[serde(default)]
    pub www_claim: Option<String>,
    /// `IG-U-RUR`: the region the account is served from.
    #[serde(default)]
    pub rur: Option<String>,
    /// `IG-U-SHBID`.
    #[serde(default)]
    pub shbid: Option<String>,
    /// `IG-U-SHBTS`.
    #[serde(default)]
    pub shbts: Option<String>,
    /// `IG-U-IG-DIRECT-REGION-HINT`.
    #[serde(default)]
    pub region_hint: Option<String>,
}

impl Session {
    /// Starts a session from what the user pasted.
    pub fn new(credentials: &Credentials, device: Device) -> Self {
        Self {
            device,
            user_id: credentials.user_id,
            sessionid: credentials.sessionid.clone(),
            authorization: None,
            mid: credentials.mid.clone(),
            csrftoken: credentials.csrftoken.clone(),
            www_claim: None,
            rur: None,
            shbid: None,
            shbts: None,
            region_hint: None,
        }
    }

    /// The `Authorization` value: the last one the server set, else one built from the session cookie.
    pub fn bearer(&self) -> String {
        if let Some(authorization) = &self.authorization {
            return authorization.clone();
        }
        // `ds_user_id` is digits and `sessionid` was checked to be a plain cookie value: nothing needs escaping.
        let json = format!(r#"{{"ds_user_id":"{}","sessionid":"{}"}}"#, self.user_id, self.sessionid);
        format!("{BEARER}{}", BASE64.encode(json.as_bytes()))
    }

    /// Takes over the values that a response rotates. Returns whether anything changed.
    pub fn absorb(&mut self, headers: &HeaderMap) -> bool {
        let mut changed = self.absorb_authorization(headers);
        for (header, slot) in [
            ("x-ig-set-www-claim", &mut self.www_claim),
            ("ig-set-ig-u-rur", &mut self.rur),
            ("ig-set-ig-u-shbid", &mut self.shbid),
            ("ig-set-ig-u-shbts", &mut self.shbts),
            ("ig-set-ig-u-ig-direct-region-hint", &mut self.region_hint),
            ("ig-set-x-mid", &mut self.mid),
        ] {
            changed |= replace(slot, last(headers, header));
        }
        changed | self.absorb_cookies(headers)
    }

    fn absorb_authorization(&mut self, headers: &HeaderMap) -> bool {
        // A value ending in `:` says "logged out"; the next call finds that out with a reason.
        let Some(value) = last(headers, "ig-set-authorization").filter(|value| !value.ends_with(':')) else {
            return false;
        };
        let Some(sessionid) = bearer_sessionid(value, self.user_id) else { return false };
        let mut changed = false;
        if let Some(sessionid) = sessionid.filter(|sessionid| *sessionid != self.sessionid) {
            self.sessionid = sessionid;
            changed = true;
        }
        replace(&mut self.authorization, Some(value)) | changed
    }

    fn absorb_cookies(&mut self, headers: &HeaderMap) -> bool {
        let mut changed = false;
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                // A removed cookie comes with an empty value.
                _ if value.is_empty() => {}
                "csrftoken" => changed |= replace(&mut self.csrftoken, Some(value)),
                "mid" => changed |= replace(&mut self.mid, Some(value)),
                "sessionid" if value != self.sessionid && sessionid_user(value) == Some(self.user_id) => {
                    self.sessionid = value.to_owned();
                    // The stored bearer names the old session; the next one is built from the new cookie.
                    if !headers.contains_key("ig-set-authorization") {
                        self.authorization = None;
                    }
                    changed = true;
                }
                _ => {}
            }
        }
        changed
    }
}

/// `None`: not a bearer of this user. `Some(None)`: a bearer without a readable session id.
fn bearer_sessionid(value: &str, user_id: u64) -> Option<Option<String>> {
    let decoded = BASE64.decode(value.strip_prefix(BEARER)?.as_bytes()).ok()?;
    let json = String::from_utf8(decoded).ok()?;
    let object = Object::parse(&json)?;
    if object.id("ds_user_id").is_some_and(|id| id != user_id.to_string()) {
        return None;
    }
    Some(object.text("sessionid").filter(|sessionid| sessionid_user(sessionid) == Some(user_id)))
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).rfind(|value| !value.is_empty())
}

fn replace(slot: &mut Option<String>, value: Option<&str>) -> bool {
    match value {
        Some(value) if slot.as_deref() != Some(value) => {
            *slot = Some(value.to_owned());
            true
        }
        _ => false,
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(user {})", self.user_id)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const SESSIONID: &str = "12345678901%3AAbCdEfGhIjKlMn%3A7%3AAYc0ffee00";

    fn session() -> Session {
        Session::new(&Credentials::parse(SESSIONID).unwrap(), Device::from_random([3; 32]))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn rotated_values_are_taken_over_once() {
        let mut session = session();
        let headers = headers(&[
            ("x-ig-set-www-claim", "hmac.AR1"),
            ("ig-set-ig-u-rur", "RVA,1,2:3"),
            ("ig-set-ig-u-shbid", "a"),
            ("ig-set-ig-u-shbts", "b"),
            ("ig-set-ig-u-ig-direct-region-hint", "LLA"),
            ("ig-set-x-mid", "ZmidZ"),
            ("ig-set-ig-u-ds-user-id", "999"),
            ("set-cookie", "csrftoken=tok; Path=/; Secure"),
        ]);
        assert!(session.absorb(&headers));
        assert!(!session.absorb(&headers), "the same values again are no change");
        assert_eq!(session.www_claim.as_deref(), Some("hmac.AR1"));
        assert_eq!(session.rur.as_deref(), Some("RVA,1,2:3"));
        assert_eq!((session.shbid.as_deref(), session.shbts.as_deref()), (Some("a"), Some("b")));
        assert_eq!(session.region_hint.as_deref(), Some("LLA"));
        assert_eq!((session.mid.as_deref(), session.csrftoken.as_deref()), (Some("ZmidZ"), Some("tok")));
        assert_eq!(session.user_id, 12_345_678_901, "a login never changes its account");
    }

    #[test]
    fn a_rotated_authorization_brings_its_session_along() {
        let mut session = session();
        let rotated = "12345678901%3Anewnewnewnewnew%3A7%3AAYdeadbeef";
        let json = format!(r#"{{"ds_user_id":"12345678901","sessionid":"{rotated}"}}"#);
        let value = format!("{BEARER}{}", BASE64.encode(json.as_bytes()));
        assert!(session.absorb(&headers(&[("ig-set-authorization", &value)])));
        assert_eq!(session.bearer(), value);
        assert_eq!(session.sessionid, rotated);
    }

    #[test]
    fn an_empty_or_foreign_authorization_is_ignored() {
        let mut session = session();
        let foreign = format!("{BEARER}{}", BASE64.encode(br#"{"ds_user_id":"5","sessionid":"5%3Ax"}"#));
        for value in ["Bearer IGT:2:", "Bearer IGT:2:%%%", "", "Basic x", &foreign] {
            assert!(!session.absorb(&headers(&[("ig-set-authorization", value)])), "{value}");
        }
        assert_eq!(session.authorization, None);
    }

    #[test]
    fn a_rotated_session_cookie_replaces_the_old_bearer() {
        let mut session = session();
        session.authorization = Some("Bearer IGT:2:old".to_owned());
        let rotated = "12345678901%3Anewnewnewnewnew%3A7%3AAYdeadbeef";
        assert!(!session.absorb(&headers(&[("set-cookie", "sessionid=\"\"; Max-Age=0")])));
        assert!(!session.absorb(&headers(&[("set-cookie", "sessionid=5%3Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")])));
        assert!(session.absorb(&headers(&[("set-cookie", &format!("sessionid={rotated}; HttpOnly"))])));
        assert_eq!(session.sessionid, rotated);
        assert_ne!(session.bearer(), "Bearer IGT:2:old");
    }

    #[test]
    fn a_session_survives_storage_and_hides_its_secrets() {
        let mut session = session();
        session.authorization = Some("Bearer IGT:2:planted".to_owned());
        session.csrftoken = Some("planted".to_owned());
        let json = serde_json::to_string(&session).unwrap();
        assert_eq!(serde_json::from_str::<Session>(&json).unwrap(), session);
        let shown = format!("{session:?}");
        assert!(!shown.contains("planted") && !shown.contains("AbCdEf") && !shown.contains(&session.device.uuid));
    }
}
