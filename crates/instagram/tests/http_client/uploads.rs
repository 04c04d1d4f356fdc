//! Uploads: streamed, resumed, broken off, refused.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use instagram::client::http::{CallError, HttpClient, HttpOptions, Upload, UploadKind};
use instagram::error::ApiError;
use url::Url;

use super::server::{Reply, Seen, Server, reply};
use super::session;

const MEDIA_ID: &str = r#"{"media_id":17900000000000009,"id":0}"#;

fn file(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

fn video(size: usize) -> Upload {
    Upload::new(UploadKind::Video, size as u64, "video/mp4", 1_767_225_600_123, [7; 16])
}

fn client(server: &Server) -> HttpClient {
    let upload_url = Url::parse(&format!("http://{}/", server.address)).unwrap();
    HttpClient::new(HttpOptions { upload_url, ..server.options() }).unwrap()
}

/// What the upload host has of one file.
#[derive(Clone, Default)]
struct Stored(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Stored {
    fn len(&self) -> usize {
        self.0.0.lock().unwrap().len()
    }

    fn push(&self, bytes: &[u8]) {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
    }

    fn wait_for(&self, length: usize) {
        let stored = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(stored, |stored| stored.len() < length).unwrap());
    }
}

/// An upload host that stores a body while it comes, and hangs up once when it has so many bytes.
fn host(stored: Stored, breaks_at: Option<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let breaks_at = Arc::new(Mutex::new(breaks_at));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stored, breaks_at) = (stored.clone(), breaks_at.clone());
            thread::spawn(move || serve(BufReader::new(stream.unwrap()), &stored, &breaks_at));
        }
    });
    address
}

fn serve(mut stream: BufReader<TcpStream>, stored: &Stored, breaks_at: &Mutex<Option<usize>>) -> Option<()> {
    loop {
        let head = read_head(&mut stream)?;
        let mut body = MEDIA_ID.to_owned();
        if head.line().starts_with("POST") {
            receive(&mut stream, &head, stored, breaks_at)?;
        } else {
            body = format!(r#"{{"offset":{}}}"#, stored.len());
        }
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).ok().filter(|length| *length > 0)?;
    }
    Some(Seen { head, body: Vec::new() })
}

fn receive(
    stream: &mut BufReader<TcpStream>,
    head: &Seen,
    stored: &Stored,
    breaks_at: &Mutex<Option<usize>>,
) -> Option<()> {
    assert_eq!(head.header("offset").unwrap(), stored.len().to_string(), "it goes on where the file ends");
    assert_eq!(head.header("transfer-encoding"), None);
    let mut left: usize = head.header("content-length").unwrap().parse().unwrap();
    let mut piece = vec![0; 16 << 10];
    while left > 0 {
        let most = left.min(piece.len());
        let length = stream.read(&mut piece[..most]).ok().filter(|length| *length > 0)?;
        stored.push(&piece[..length]);
        left -= length;
        if breaks_at.lock().unwrap().take_if(|most| stored.len() >= *most).is_some() {
            return None;
        }
    }
    Some(())
}

fn client_of(address: SocketAddr) -> HttpClient {
    let server = Server::plain(|_| Reply::Silence);
    let upload_url = Url::parse(&format!("http://{address}/")).unwrap();
    HttpClient::new(HttpOptions { upload_url, ..server.options() }).unwrap()
}

/// A body whose bytes come from a server, as they do from a homeserver.
async fn stream(source: &Server, path: &str) -> reqwest::Body {
    let reader = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = reader.get(format!("http://{}/{path}", source.address)).send().await.unwrap();
    reqwest::Body::wrap_stream(response.bytes_stream())
}

#[tokio::test]
async fn an_upload_goes_on_where_it_broke_off() {
    let (stored, whole) = (Stored::default(), file(3 << 20));
    let client = client_of(host(stored.clone(), Some(1 << 20)));
    let (session, upload) = (session(), video(whole.len()));
    assert_eq!(client.upload_offset(&session, &upload).await, Ok(0));
    let error = client.upload(&session, &upload, whole.clone(), 0).await.unwrap_err();
    assert!(matches!(error, CallError::Transport(_)) && error.is_transient(), "{error}");

    let offset = client.upload_offset(&session, &upload).await.unwrap();
    assert!((1 << 20..3 << 20).contains(&offset), "{offset}");
    let rest = whole[usize::try_from(offset).unwrap()..].to_vec();
    let media_id = client.upload(&session, &upload, rest, offset).await.unwrap();
    assert_eq!(media_id, "17900000000000009");
    assert!(*stored.0.0.lock().unwrap() == whole, "every byte once, in order");

    let nothing = client.upload(&session, &upload, "", 3 << 20).await;
    assert_eq!(nothing.as_deref(), Ok("17900000000000009"), "a lost answer is had by sending nothing more");
}

#[tokio::test]
async fn a_large_file_passes_through_without_being_held() {
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 400;
    const AHEAD: usize = 16;
    // The source stays at most a megabyte ahead of what the host has: whoever gathers the file first waits forever.
    let stored = Stored::default();
    let arrived = stored.clone();
    let source = Server::plain(move |_| {
        let arrived = arrived.clone();
        let pieces = (0..PIECES).map(move |piece| {
            arrived.wait_for(piece.saturating_sub(AHEAD) * PIECE);
            vec![piece as u8; PIECE]
        });
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PIECE * PIECES);
        Reply::Paced(head.into_bytes(), Box::new(pieces))
    });
    let client = client_of(host(stored.clone(), None));
    let body = stream(&source, "").await;
    client.upload(&session(), &video(PIECE * PIECES), body, 0).await.unwrap();
    let whole: Vec<u8> = (0..PIECES).flat_map(|piece| vec![piece as u8; PIECE]).collect();
    assert_eq!(whole.len(), 25 << 20);
    assert!(*stored.0.0.lock().unwrap() == whole);
}

#[tokio::test]
async fn an_upload_arrives_with_its_headers_and_no_others() {
    let server = Server::plain(|_| reply("200 OK", "ig-set-ig-u-rur: RVA\r\n", MEDIA_ID));
    let (client, session) = (client(&server), session());
    let upload = Upload::new(UploadKind::Image, 7, "image/jpeg", 1_767_225_600_123, [0; 16]);
    assert_eq!(client.upload_offset(&session, &upload).await, Ok(0), "pictures do not go on");
    client.upload(&session, &upload, "picture", 0).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line(), "POST /messenger_image/fb_uploader_1767225600123 HTTP/1.1");
    assert_eq!(seen[0].body, b"picture");
    let mut names: Vec<_> = seen[0].head.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    names.retain(|name| !name.starts_with("x-fb-") && !name.starts_with("ig-") && !name.starts_with("x-entity-"));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "image_type",
            "offset",
            "priority",
            "user-agent",
            "x-ig-salt-ids",
            "x-tigon-is-retry",
        ]
    );
    assert_eq!(seen[0].header("accept-encoding"), Some("gzip"));
    assert!(session.changed(), "rotated values are stored");
}

#[tokio::test]
async fn a_body_that_is_too_short_or_breaks_is_no_upload() {
    let source = Server::plain(|seen| match seen.line().contains("breaks") {
        true => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_vec();
            Reply::Paced(head, Box::new([b"short".to_vec()].into_iter()))
        }
        false => reply("200 OK", "", "short"),
    });
    for path in ["breaks", "short"] {
        let stored = Stored::default();
        let client = client_of(host(stored.clone(), None));
        let body = stream(&source, path).await;
        let error = client.upload(&session(), &video(10), body, 0).await.unwrap_err();
        assert!(matches!(&error, CallError::Transport(said) if !said.contains("no whole answer")), "{path}: {error}");
        assert!(!error.to_string().contains(&source.address.port().to_string()), "{error}");
        assert!(stored.len() <= 5);
    }
    let client = client_of(host(Stored::default(), None));
    for (body, offset) in [("short", 0), ("much too long", 0), ("", 11)] {
        let error = client.upload(&session(), &video(10), body, offset).await.unwrap_err();
        assert_eq!(error, CallError::Transport("the body is not the rest of the file".to_owned()));
    }
}

#[tokio::test]
async fn refusals_of_the_upload_host_are_told_apart() {
    let server = Server::plain(|seen| match seen.header("x-entity-type") {
        None => reply("429 Too Many Requests", "", "{}"),
        Some("video/mp4") => reply("403 Forbidden", "", r#"{"message":"login_required","status":"fail"}"#),
        _ => reply("404 Not Found", "", "<html>"),
    });
    let (client, session) = (client(&server), session());
    let limited = client.upload_offset(&session, &video(5)).await;
    assert_eq!(limited, Err(CallError::Api(ApiError::RateLimited { retry_after: None })));
    let refused = client.upload(&session, &video(5), "video", 0).await;
    assert_eq!(refused, Err(CallError::Api(ApiError::LoggedOut { certain: false })));
    let picture = Upload::new(UploadKind::Image, 5, "image/jpeg", 0, [0; 16]);
    let unknown = client.upload(&session, &picture, "bytes", 0).await;
    assert_eq!(unknown, Err(CallError::Api(ApiError::NotJson { status: 404 })));
}

#[tokio::test]
async fn a_host_that_takes_a_file_and_says_nothing_runs_out_of_time() {
    let server = Server::plain(|_| Reply::Silence);
    let upload_url = Url::parse(&format!("http://{}/", server.address)).unwrap();
    let options = HttpOptions { upload_url, timeout: Duration::from_millis(200), ..server.options() };
    let client = HttpClient::new(options).unwrap();
    for error in [
        client.upload_offset(&session(), &video(5)).await.unwrap_err(),
        client.upload(&session(), &video(5), "video", 0).await.unwrap_err(),
    ] {
        assert!(matches!(&error, CallError::Transport(said) if said.contains("no whole answer")), "{error}");
    }
}
