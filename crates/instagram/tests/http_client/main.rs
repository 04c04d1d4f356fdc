//! The HTTP driver against a small server on loopback.
#![cfg(feature = "client")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

mod calls;
mod downloads;
mod server;
mod uploads;

use instagram::client::http::SharedSession;
use instagram::credentials::Credentials;
use instagram::device::Device;
use instagram::session::Session;

const SESSIONID: &str = "12345678901%3APlanted0Secret%3A7%3AAYc0ffee00";

fn session() -> SharedSession {
    let credentials = Credentials::parse(SESSIONID).unwrap();
    SharedSession::new(Session::new(&credentials, Device::from_random([0; 32])))
}
