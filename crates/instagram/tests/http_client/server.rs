//! A small HTTP server on loopback, with or without TLS, that does what a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use instagram::client::http::{HttpClient, HttpOptions};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

/// One request as it came: its head with lower-case names, and its body.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// A whole response.
    Bytes(Vec<u8>),
    /// The beginning, then this again and again until the client hangs up.
    Endless(Vec<u8>, Vec<u8>, Duration),
    /// The beginning, then what the iterator gives, which may wait; then the end of the connection.
    Paced(Vec<u8>, Box<dyn Iterator<Item = Vec<u8>>>),
    /// Nothing, ever.
    Silence,
}

pub(crate) fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    tls: Arc<rustls::ClientConfig>,
}

impl Server {
    /// Serves every connection in a thread of its own; `prepare` may talk a proxy protocol first.
    pub(crate) fn start(
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

    pub(crate) fn plain(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(false, |_| {}, answer)
    }

    pub(crate) fn encrypted(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(true, |_| {}, answer)
    }

    pub(crate) fn options(&self) -> HttpOptions {
        HttpOptions {
            api_url: Url::parse(&format!("http://{}/", self.address)).unwrap(),
            timeout: Duration::from_secs(20),
            media_hosts: vec!["LOCALHOST".to_owned()],
            ..HttpOptions::new(self.tls.clone())
        }
    }

    pub(crate) fn client(&self) -> HttpClient {
        HttpClient::new(self.options()).unwrap()
    }

    /// A client that loses its patience soon.
    pub(crate) fn hasty_client(&self, timeout: Duration) -> HttpClient {
        HttpClient::new(HttpOptions { timeout, ..self.options() }).unwrap()
    }

    pub(crate) fn media(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
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
            Reply::Paced(head, mut chunks) => {
                let mut outcome = stream.write_all(&head).and_then(|()| stream.flush());
                while let (Ok(()), Some(chunk)) = (&outcome, chunks.next()) {
                    outcome = stream.write_all(&chunk).and_then(|()| stream.flush());
                }
                return;
            }
            Reply::Silence => thread::park(),
        }
    }
}
