//! Endpoints: sharing, limits, proxies, and no secret in errors.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use instagram::api::{CurrentUser, Inbox, Logout};
use instagram::client::http::{CallError, ClientError, HttpClient, HttpOptions};
use instagram::error::ApiError;
use url::Url;

use super::server::{Reply, Server, reply};
use super::session;

const ANNA: &str = r#"{"user":{"pk":12345678901,"username":"anna"},"status":"ok"}"#;

#[tokio::test]
async fn a_call_brings_the_answer_and_stores_rotated_values() {
    let server = Server::plain(|_| reply("200 OK", "x-ig-set-www-claim: hmac.1\r\nig-set-ig-u-rur: RVA\r\n", ANNA));
    let (client, session) = (server.client(), session());
    assert_eq!(client.call(&session, CurrentUser).await.unwrap().username, "anna");
    tokio::time::timeout(Duration::from_secs(5), session.wait_changed()).await.unwrap();
    assert!(!session.changed(), "a change is told once");
    assert_eq!(session.snapshot().www_claim.as_deref(), Some("hmac.1"));

    client.call(&session, CurrentUser).await.unwrap();
    assert!(!session.changed(), "the same values again are no change");
    let seen = server.seen();
    assert_eq!(seen[0].line(), "GET /api/v1/accounts/current_user/?edit=true HTTP/1.1");
    assert_eq!((seen[0].header("x-ig-www-claim"), seen[1].header("x-ig-www-claim")), (Some("0"), Some("hmac.1")));
    assert_eq!((seen[0].header("ig-u-rur"), seen[1].header("ig-u-rur")), (None, Some("RVA")));
    assert_eq!(seen[0].header("accept-encoding"), Some("gzip"));
    assert!(seen[0].header("authorization").unwrap().starts_with("Bearer IGT:2:"));
    assert_ne!(seen[0].header("x-pigeon-session-id"), seen[1].header("x-pigeon-session-id"));
    for name in ["x-ig-device-id", "x-ig-android-id", "x-ig-family-device-id", "user-agent"] {
        assert_eq!(seen[0].header(name), seen[1].header(name), "{name}");
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_and_still_rotates_values() {
    let server = Server::plain(|_| {
        reply("403 Forbidden", "ig-set-ig-u-rur: RVA\r\n", r#"{"message":"login_required","status":"fail"}"#)
    });
    let session = session();
    let error = server.client().call(&session, Inbox { cursor: None, limit: 20 }).await.unwrap_err();
    assert_eq!(error, CallError::Api(ApiError::LoggedOut { certain: false }));
    assert!(session.changed());
}

#[tokio::test]
async fn a_form_arrives_whole() {
    let server = Server::plain(|_| reply("200 OK", "", r#"{"status":"ok"}"#));
    server.client().call(&session(), Logout).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.line(), "POST /api/v1/accounts/logout/ HTTP/1.1");
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded; charset=UTF-8"));
    assert!(seen.body.starts_with(b"signed_body=SIGNATURE.%7B%22"));
}

#[tokio::test]
async fn compressed_answers_are_read_and_bombs_are_refused() {
    let gzip = |plain: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let (small, bomb) = (gzip(ANNA.as_bytes()), gzip(&vec![b' '; 64 << 20]));
    let server = Server::plain(move |seen| {
        let body = if seen.line().contains("inbox") { &bomb } else { &small };
        reply("200 OK", "content-encoding: gzip\r\n", body)
    });
    let (client, session) = (server.client(), session());
    assert_eq!(client.call(&session, CurrentUser).await.unwrap().username, "anna");
    let error = client.call(&session, Inbox { cursor: None, limit: 20 }).await.unwrap_err();
    assert!(matches!(error, CallError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn endless_answers_are_refused() {
    let server = Server::plain(|seen| {
        if seen.line().contains("inbox") {
            return Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec());
        }
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        Reply::Endless(head, chunk, Duration::ZERO)
    });
    let (client, session) = (server.client(), session());
    for error in [
        client.call(&session, CurrentUser).await.unwrap_err(),
        client.call(&session, Inbox { cursor: None, limit: 20 }).await.unwrap_err(),
    ] {
        assert!(matches!(error, CallError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn silent_and_dripping_servers_run_out_of_time() {
    let server = Server::plain(|seen| {
        if seen.line().contains("inbox") {
            return Reply::Silence;
        }
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
        Reply::Endless(head, b" ".to_vec(), Duration::from_millis(10))
    });
    let client = HttpClient::new(HttpOptions { timeout: Duration::from_millis(400), ..server.options() }).unwrap();
    let session = session();
    for error in [
        client.call(&session, CurrentUser).await.unwrap_err(),
        client.call(&session, Inbox { cursor: None, limit: 20 }).await.unwrap_err(),
    ] {
        assert!(matches!(&error, CallError::Transport(said) if said.contains("0.4 s")), "{error}");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn clones_and_logins_without_a_proxy_of_their_own_share_connections() {
    let server = Server::plain(|_| reply("200 OK", "", ANNA));
    let client = server.client();
    for client in [&client, &client.clone(), &client.with_proxy(None).unwrap()] {
        client.call(&session(), CurrentUser).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn calls_go_through_an_http_proxy_with_its_password() {
    let proxy = Server::plain(|_| reply("200 OK", "", ANNA));
    let options = HttpOptions { api_url: Url::parse("http://instagram.invalid/").unwrap(), ..proxy.options() };
    let address = Url::parse(&format!("http://user:ProxySecret@{}", proxy.address)).unwrap();
    let client = HttpClient::new(options).unwrap().with_proxy(Some(&address)).unwrap();
    client.call(&session(), CurrentUser).await.unwrap();
    let seen = &proxy.seen()[0];
    assert!(seen.line().starts_with("GET http://instagram.invalid/api/v1/accounts/current_user/"), "{}", seen.line());
    assert_eq!(seen.header("proxy-authorization"), Some("Basic dXNlcjpQcm94eVNlY3JldA=="));
}

#[tokio::test]
async fn calls_go_through_a_socks_proxy_which_resolves_the_name() {
    let names = Arc::new(Mutex::new(Vec::new()));
    let asked = names.clone();
    let handshake = move |stream: &mut TcpStream| {
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).unwrap();
        assert_eq!(request[..4], [5, 1, 0, 3], "connect to a name");
        let mut name = vec![0; usize::from(request[4]) + 2];
        stream.read_exact(&mut name).unwrap();
        asked.lock().unwrap().push(String::from_utf8(name[..name.len() - 2].to_vec()).unwrap());
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).unwrap();
    };
    let proxy = Server::start(false, handshake, |_| reply("200 OK", "", ANNA));
    let options = HttpOptions {
        api_url: Url::parse("http://instagram.invalid/").unwrap(),
        proxy: Some(Url::parse(&format!("socks5h://{}", proxy.address)).unwrap()),
        ..proxy.options()
    };
    HttpClient::new(options).unwrap().call(&session(), CurrentUser).await.unwrap();
    assert_eq!(*names.lock().unwrap(), ["instagram.invalid"]);
}

#[tokio::test]
async fn an_unreachable_server_or_proxy_is_told_without_addresses_and_secrets() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::plain(|_| Reply::Silence);
    let direct = HttpOptions { api_url: Url::parse(&format!("http://{closed}/")).unwrap(), ..server.options() };
    let proxied = |scheme: &str| HttpOptions {
        proxy: Some(Url::parse(&format!("{scheme}://user:ProxySecret@{closed}")).unwrap()),
        ..server.options()
    };
    // A server that is there but is not whom it claims to be.
    let stranger = Server::encrypted(|_| Reply::Silence);
    let api_url = Url::parse(&format!("https://localhost:{}/", stranger.address.port())).unwrap();
    let unproven = HttpOptions { api_url, ..server.options() };
    for options in [direct, proxied("http"), proxied("socks5"), proxied("socks5h"), unproven] {
        let client = HttpClient::new(options).unwrap();
        let session = session();
        let error = client.call(&session, CurrentUser).await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
        assert!(error.is_transient());
        let shown = format!("{error} {error:?} {client:?} {session:?}");
        for secret in ["Secret", "IGT:2", &closed.port().to_string(), &stranger.address.port().to_string()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn impossible_options_are_told_when_the_client_is_made() {
    let server = Server::plain(|_| Reply::Silence);
    for address in ["ftp://example.org/", "data:x", "https://example.org/?a=b"] {
        let options = HttpOptions { api_url: Url::parse(address).unwrap(), ..server.options() };
        assert!(matches!(HttpClient::new(options), Err(ClientError::BaseAddress("instagram.api_url"))), "{address}");
    }
    for address in ["socks4://example.org", "ftp://example.org", "socks5:x"] {
        let proxy = Url::parse(address).unwrap();
        assert!(matches!(server.client().with_proxy(Some(&proxy)), Err(ClientError::ProxyAddress)), "{address}");
    }
}
