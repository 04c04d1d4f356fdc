//! The HTTP driver against a small server on loopback: sharing, limits, proxies, downloads, and no secret in errors.
#![cfg(feature = "client")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may end a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use instagram::api::{CurrentUser, Inbox, Logout};
use instagram::client::http::{CallError, ClientError, HttpClient, HttpOptions, SharedSession};
use instagram::credentials::Credentials;
use instagram::device::Device;
use instagram::error::ApiError;
use instagram::session::Session;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

const SESSIONID: &str = "12345678901%3APlanted0Secret%3A7%3AAYc0ffee00";

/// One request as it came: its head with lower-case names, and its body.
#[derive(Clone, Debug)]
struct Seen {
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What the server does with a request.
enum Reply {
    /// A whole response.
    Bytes(Vec<u8>),
    /// The beginning, then this again and again until the client hangs up.
    Endless(Vec<u8>, Vec<u8>, Duration),
    /// Nothing, ever.
    Silence,
}

fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    tls: Arc<rustls::ClientConfig>,
}

impl Server {
    /// Serves every connection in a thread of its own; `prepare` may talk a proxy protocol first.
    fn start(
        encrypted: bool,
        prepare: impl Fn(&mut TcpStream) + Send + Sync + 'static,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = CertificateDer::from(certified.cert.der().to_vec());
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let tls = Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
        let acceptor = rustls::ServerConfig::builder().with_no_client_auth();
        let acceptor = Arc::new(acceptor.with_single_cert(vec![certificate], key).unwrap());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let shared = Arc::new((prepare, answer));
        let (all_seen, count) = (seen.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let (shared, seen, acceptor) = (shared.clone(), all_seen.clone(), acceptor.clone());
                thread::spawn(move || {
                    (shared.0)(&mut stream);
                    if encrypted {
                        let session = rustls::ServerConnection::new(acceptor).unwrap();
                        serve(rustls::StreamOwned::new(session, stream), &seen, &shared.1);
                    } else {
                        serve(stream, &seen, &shared.1);
                    }
                });
            }
        });
        Self { address, seen, connections, tls }
    }

    fn plain(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(false, |_| {}, answer)
    }

    fn encrypted(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(true, |_| {}, answer)
    }

    fn options(&self) -> HttpOptions {
        HttpOptions {
            api_url: Url::parse(&format!("http://{}/", self.address)).unwrap(),
            timeout: Duration::from_secs(20),
            media_hosts: vec!["LOCALHOST".to_owned()],
            ..HttpOptions::new(self.tls.clone())
        }
    }

    fn client(&self) -> HttpClient {
        HttpClient::new(self.options()).unwrap()
    }

    fn media(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers requests on one connection until it ends.
fn serve(stream: impl Read + Write, seen: &Mutex<Vec<Seen>>, answer: &impl Fn(&Seen) -> Reply) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(stream.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let mut request = Seen { head, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.trim().parse().unwrap());
        request.body.resize(length, 0);
        if stream.read_exact(&mut request.body).is_err() {
            return;
        }
        seen.lock().unwrap().push(request.clone());
        let stream = stream.get_mut();
        match answer(&request) {
            Reply::Bytes(bytes) => {
                if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Reply::Endless(head, chunk, pause) => {
                let mut outcome = stream.write_all(&head);
                while outcome.is_ok() {
                    outcome = stream.write_all(&chunk).and_then(|()| stream.flush());
                    thread::sleep(pause);
                }
                return;
            }
            Reply::Silence => thread::park(),
        }
    }
}

fn session() -> SharedSession {
    let credentials = Credentials::parse(SESSIONID).unwrap();
    SharedSession::new(Session::new(&credentials, Device::from_random([0; 32])))
}

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

#[tokio::test]
async fn a_download_sends_the_address_byte_for_byte_and_no_identity() {
    let server = Server::encrypted(|_| reply("200 OK", "content-type: image/jpeg; q=1\r\n", "picture"));
    let client = server.client();
    let paths = [
        "/v/t51/a.jpg?stp=dst-jpg/e35&_nc_sid=1%2F2&oh=00_AY%3D/x+y&oe=69570000",
        "/v/a.mp4?efg=eyJ=}{|[],:;~!*()$@&x=a//b/../c&y=%7e%7E%2b+&&z",
    ];
    for path in paths {
        let download = client.download(&server.media(path), 1000).await.unwrap();
        assert_eq!((&download.bytes[..], download.content_type.as_deref()), (&b"picture"[..], Some("image/jpeg")));
    }
    for (seen, path) in server.seen().iter().zip(paths) {
        assert_eq!(seen.line(), format!("GET {path} HTTP/1.1"));
        assert!(seen.header("user-agent").unwrap().starts_with("Instagram "));
        for name in ["authorization", "cookie", "x-mid", "x-ig-device-id", "referer"] {
            assert_eq!(seen.header(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn media_comes_from_known_hosts_over_https_only() {
    let server = Server::encrypted(|_| reply("200 OK", "", "x"));
    let client = server.client();
    for address in [
        "http://scontent.cdninstagram.com/a.jpg",
        "https://cdninstagram.com/a.jpg",
        "https://evilcdninstagram.com/a.jpg",
        "https://cdninstagram.com.evil.example/a.jpg",
        "https://scontent.cdninstagram.com:8443/a.jpg",
        "https://user@scontent.cdninstagram.com/a.jpg",
        "https://evil.example/scontent.cdninstagram.com",
        "https://evil.example#.cdninstagram.com",
        "https://127.0.0.1/a.jpg",
        "https://[::1]/a.jpg",
        "file:///etc/passwd",
        "//scontent.cdninstagram.com/a.jpg",
        "",
    ] {
        assert_eq!(client.download(address, 10).await.unwrap_err(), CallError::ForeignHost, "{address}");
    }
    assert!(server.seen().is_empty());

    // Names below a wildcard are allowed, its own name is not.
    let options = HttpOptions { media_hosts: vec!["*.localhost".to_owned()], ..server.options() };
    let client = HttpClient::new(options).unwrap();
    assert_eq!(client.download(&server.media("/"), 10).await.unwrap_err(), CallError::ForeignHost);
}

#[tokio::test]
async fn redirects_are_followed_to_known_hosts_only() {
    let server = Server::encrypted(|seen| {
        let target = match seen.line().split(' ').nth(1).unwrap() {
            "/start?sig=a/b" => "/moved?sig=c/d%2F",
            "/moved?sig=c/d%2F" => return reply("200 OK", "", "there"),
            "/foreign" => "https://evil.example/a.jpg",
            "/downgrade" => "http://localhost/a.jpg",
            _ => "/circle",
        };
        reply("302 Found", &format!("location: {target}\r\n"), "")
    });
    let client = server.client();
    let there = client.download(&server.media("/start?sig=a/b"), 10).await.unwrap();
    assert_eq!(&there.bytes[..], b"there");
    for path in ["/foreign", "/downgrade"] {
        assert_eq!(client.download(&server.media(path), 10).await.unwrap_err(), CallError::ForeignHost, "{path}");
    }
    let circle = client.download(&server.media("/circle"), 10).await.unwrap_err();
    assert!(matches!(circle, CallError::Transport(_)), "{circle}");
}

#[tokio::test]
async fn downloads_are_limited_and_expired_media_is_told_apart() {
    let server = Server::encrypted(|seen| match seen.line().split(' ').nth(1).unwrap() {
        "/exact" => reply("200 OK", "", "0123456789"),
        "/large" => reply("200 OK", "", "0123456789a"),
        "/expired" => reply("403 Forbidden", "", "URL signature expired"),
        "/broken" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\n012".to_vec()),
        _ => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            Reply::Endless(head, b"8\r\n01234567\r\n".to_vec(), Duration::ZERO)
        }
    });
    let client = server.client();
    assert_eq!(client.download(&server.media("/exact"), 10).await.unwrap().bytes.len(), 10);
    for path in ["/large", "/endless"] {
        let error = client.download(&server.media(path), 10).await.unwrap_err();
        assert_eq!(error, CallError::TooLarge { limit: 10 }, "{path}");
    }
    let expired = client.download(&server.media("/expired"), 10).await.unwrap_err();
    assert_eq!(expired, CallError::Unavailable { status: 403 });
    assert!(!expired.is_transient());
}
