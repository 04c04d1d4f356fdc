//! What all requests share: addresses, the app's headers, form bodies.
//!
//! The header set is that of instagrapi 2.18.17 with the app version of the device, except that values the server
//! never gave us (`IG-U-*`, `X-MID`) are left out instead of made up. `Host`, `Connection` and `Accept-Encoding`
//! belong to the connection.

use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::device::derive_uuid;
use crate::session::Session;

use super::Context;

/// Instagram for Android.
const APP_ID: &str = "567067343352427";

/// A request without body.
pub(super) fn get(session: &Session, context: &Context, path: &[&str], query: &[(&str, &str)]) -> Request<Vec<u8>> {
    build(Method::GET, session, context, address(context, path, query), Vec::new())
}

/// A form.
pub(super) fn post(session: &Session, context: &Context, path: &[&str], form: &[(&str, &str)]) -> Request<Vec<u8>> {
    post_form(session, context, address(context, path, &[]), form)
}

/// A form with one field: the word SIGNATURE, where old versions had a signature, and a JSON object.
pub(super) fn post_signed(
    session: &Session,
    context: &Context,
    path: &[&str],
    object: &serde_json::Value,
) -> Request<Vec<u8>> {
    post_signed_to(session, context, path, &[], object)
}

/// The same to an address with a query.
pub(super) fn post_signed_to(
    session: &Session,
    context: &Context,
    path: &[&str],
    query: &[(&str, &str)],
    object: &serde_json::Value,
) -> Request<Vec<u8>> {
    let signed = format!("SIGNATURE.{object}");
    post_form(session, context, address(context, path, query), &[("signed_body", &signed)])
}

fn post_form(session: &Session, context: &Context, uri: Uri, form: &[(&str, &str)]) -> Request<Vec<u8>> {
    let body = Serializer::new(String::new()).extend_pairs(form).finish().into_bytes();
    let mut request = build(Method::POST, session, context, uri, body);
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
    request.headers_mut().insert(CONTENT_TYPE, form);
    request
}

/// A GraphQL call that changes something, stored at the server under a number.
pub(super) struct Mutation {
    /// For people.
    pub(super) name: &'static str,
    /// The number of the app's stored query.
    pub(super) document: &'static str,
    /// The field of the answer.
    pub(super) root_field: &'static str,
}

/// A GraphQL call as the app makes it: form and headers are those that instagrapi sends for another mutation.
pub(super) fn post_mutation(
    session: &Session,
    context: &Context,
    mutation: &Mutation,
    variables: &serde_json::Value,
) -> Request<Vec<u8>> {
    let variables = variables.to_string();
    let form = [
        ("method", "post"),
        ("pretty", "false"),
        ("format", "json"),
        ("server_timestamps", "true"),
        ("locale", "user"),
        ("fb_api_req_friendly_name", mutation.name),
        ("enable_canonical_naming", "true"),
        ("enable_canonical_variable_overrides", "true"),
        ("enable_canonical_naming_ambiguous_type_prefixing", "true"),
        ("variables", &variables),
        ("purpose", "fetch"),
        ("client_doc_id", mutation.document),
    ];
    let mut request = post_form(session, context, below(&context.api_url, &["graphql_www"], &[]), &form);
    for (name, value) in [
        ("x-fb-friendly-name", mutation.name),
        ("x-client-doc-id", mutation.document),
        ("x-root-field-name", mutation.root_field),
        ("x-graphql-client-library", "pando"),
    ] {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

/// A version 4 UUID for one request; each label gives another.
pub(super) fn request_uuid(context: &Context, label: &str) -> String {
    derive_uuid(&context.nonce, label)
}

/// The address of an endpoint. The trailing slash matters to Instagram.
fn address(context: &Context, path: &[&str], query: &[(&str, &str)]) -> Uri {
    below(&context.api_url, &[&["api", "v1"], path, &[""]].concat(), query)
}

/// An address below a base; `path` stays in its place, whatever it contains.
pub(super) fn below(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Uri {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    // Only a base address without a host gives no URI; the driver refuses such a base when it is made.
    Uri::try_from(url.as_str()).unwrap_or_default()
}

fn build(method: Method, session: &Session, context: &Context, uri: Uri, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(session, context);
    request
}

/// The app's headers for one request.
fn headers(session: &Session, context: &Context) -> HeaderMap {
    let device = &session.device;
    let user_id = session.user_id.to_string();
    let timezone = device.timezone_offset.to_string();
    let pigeon = format!("UFS-{}-1", request_uuid(context, "pigeon"));
    let clock = format!("{}.{:03}", context.now_ms.div_euclid(1000), context.now_ms.rem_euclid(1000));
    // The app reports what it measured; these are plausible numbers within its usual ranges.
    let draw = |place: usize, below: u64| {
        let bytes = &context.nonce[place * 4..][..4];
        bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)) % below
    };
    let speed = format!("{:?}", (2_500_000 + draw(0, 500_000)) as f64 / 1000.0);
    let bytes = (5_000_000 + draw(1, 85_000_000)).to_string();
    let milliseconds = (2_000 + draw(2, 7_000)).to_string();
    let salt = (1_061_162_222 + draw(3, 100_000)).to_string();

    let always: [(&'static str, &str); 33] = [
        ("x-ig-app-locale", &device.locale),
        ("x-ig-device-locale", &device.locale),
        ("x-ig-mapped-locale", &device.locale),
        ("x-pigeon-session-id", &pigeon),
        ("x-pigeon-rawclienttime", &clock),
        ("x-ig-bandwidth-speed-kbps", &speed),
        ("x-ig-bandwidth-totalbytes-b", &bytes),
        ("x-ig-bandwidth-totaltime-ms", &milliseconds),
        ("x-ig-app-startup-country", "US"),
        ("x-bloks-version-id", &device.app.bloks_id),
        ("x-ig-www-claim", session.www_claim.as_deref().unwrap_or("0")),
        ("x-bloks-is-layout-rtl", "false"),
        ("x-bloks-is-panorama-enabled", "true"),
        ("x-ig-device-id", &device.uuid),
        ("x-ig-family-device-id", &device.family_device_id),
        ("x-ig-android-id", &device.android_id),
        ("x-ig-timezone-offset", &timezone),
        ("x-ig-connection-type", "WIFI"),
        ("x-ig-capabilities", "3brTv10="),
        ("x-ig-app-id", APP_ID),
        ("priority", "u=3"),
        ("x-fb-http-engine", "Tigon/MNS/TCP"),
        ("x-tigon-is-retry", "False"),
        ("x-zero-balance", "INIT"),
        ("x-zero-eh", ""),
        ("x-zero-state", "unknown"),
        ("zero-http-network-interface", "wifi"),
        ("x-fb-client-ip", "True"),
        ("x-fb-server-cluster", "True"),
        ("ig-intended-user-id", &user_id),
        ("ig-u-ds-user-id", &user_id),
        ("x-ig-nav-chain", "9MV:self_profile:2,ProfileMediaTabFragment:self_profile:3,9Xf:self_following:4"),
        ("x-ig-salt-ids", &salt),
    ];
    let given: [(&'static str, &Option<String>); 5] = [
        ("x-mid", &session.mid),
        ("ig-u-rur", &session.rur),
        ("ig-u-shbid", &session.shbid),
        ("ig-u-shbts", &session.shbts),
        ("ig-u-ig-direct-region-hint", &session.region_hint),
    ];

    let mut headers = HeaderMap::with_capacity(48);
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    for (name, value) in always.into_iter().chain(given) {
        put(&mut headers, HeaderName::from_static(name), value, false);
    }
    put(&mut headers, ACCEPT_LANGUAGE, &device.accept_language(), false);
    put(&mut headers, USER_AGENT, &device.user_agent(), false);
    put(&mut headers, AUTHORIZATION, &session.bearer(), true);
    headers
}

/// A value that no header can carry is left out: stored sessions were checked when they were made.
pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str, secret: bool) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(secret);
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::credentials::Credentials;
    use crate::device::Device;

    /// Peers escape what is not ASCII and one leaves spaces in; to a JSON reader that is all the same.
    #[test]
    fn signed_bodies_say_the_same_as_recorded_ones() {
        let session = Session::new(
            &Credentials::parse("12345678901%3AAbCdEfGhIjKlMn%3A7%3AAYc0ffee00").unwrap(),
            Device::from_random([0; 32]),
        );
        let api_url = Url::parse("https://i.instagram.com/").unwrap();
        let context = Context { api_url, now_ms: 0, nonce: [0; 16] };
        let document: Value = serde_json::from_str(include_str!("../../tests/vectors/signed_body.json")).unwrap();
        let signed = |form: &[u8]| {
            let (name, value) = url::form_urlencoded::parse(form).next().unwrap();
            assert_eq!(name, "signed_body");
            serde_json::from_str::<Value>(value.strip_prefix("SIGNATURE.").unwrap()).unwrap()
        };
        let mut exact = 0;
        for case in document["cases"].as_array().unwrap() {
            let mut object = case["input"]["object"].clone();
            if case["input"]["drop_nulls"] == true {
                object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            }
            let request = post_signed(&session, &context, &["x"], &object);
            let recorded = case["output"].as_str().unwrap();
            assert_eq!(signed(request.body()), signed(recorded.as_bytes()), "{}", case["name"]);
            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded; charset=UTF-8");
            exact += usize::from(request.body() == recorded.as_bytes());
        }
        assert!(exact >= 1, "compact ASCII is the same byte for byte");
    }
}
