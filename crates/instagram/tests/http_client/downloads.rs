//! Downloads: addresses, hosts, limits, and servers that lie.

use std::io::Write;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use instagram::client::http::{CallError, HttpClient, HttpOptions, MediaStream};

use super::server::{Reply, Server, reply};

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

/// Reads to the end; gives what came before an error, too.
async fn drain(mut stream: MediaStream) -> (Vec<u8>, Result<(), CallError>) {
    let mut bytes = Vec::new();
    loop {
        match stream.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => {
                assert_eq!(stream.chunk().await, Ok(None), "the end stays the end");
                return (bytes, Ok(()));
            }
            Err(error) => {
                assert_eq!(stream.chunk().await.unwrap_err(), error, "an error stays");
                return (bytes, Err(error));
            }
        }
    }
}

fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_file_passes_through_piece_by_piece() {
    const CHUNK: usize = 64 << 10;
    const CHUNKS: usize = 400;
    // The server stays at most four pieces ahead of the reader: whoever gathers the file first waits forever.
    let (read, pieces_read) = sync_channel(CHUNKS);
    let pieces_read = Arc::new(Mutex::new(pieces_read));
    let server = Server::encrypted(move |_| {
        let pieces_read = pieces_read.clone();
        let chunks = (0..CHUNKS).map_while(move |chunk| {
            if chunk >= 4 {
                pieces_read.lock().unwrap().recv().ok()?;
            }
            Some(vec![7; CHUNK])
        });
        Reply::Paced(head(CHUNK * CHUNKS), Box::new(chunks))
    });
    let mut stream = server.client().download_stream(&server.media("/v.mp4"), 100 << 20).await.unwrap();
    assert_eq!((stream.content_type.as_deref(), stream.length), (Some("image/jpeg"), Some((CHUNK * CHUNKS) as u64)));
    let (mut received, mut told) = (0, 0);
    while let Some(bytes) = stream.chunk().await.unwrap() {
        assert!(bytes.len() < 1 << 20);
        received += bytes.len();
        while told < received / CHUNK {
            read.send(()).unwrap();
            told += 1;
        }
    }
    assert_eq!(received, CHUNK * CHUNKS);
}

#[tokio::test]
async fn a_server_that_falls_silent_or_drips_runs_out_of_time() {
    let server = Server::encrypted(|seen| match seen.line().split(' ').nth(1).unwrap() {
        "/silent" => Reply::Silence,
        "/stops" => Reply::Paced(
            head(10),
            Box::new([b"012".to_vec()].into_iter().chain(std::iter::from_fn(|| {
                std::thread::park();
                None
            }))),
        ),
        _ => Reply::Endless(head(1_000_000), b"x".to_vec(), Duration::from_millis(10)),
    });
    let client = server.hasty_client(Duration::from_millis(200));
    let silent = client.download_stream(&server.media("/silent"), 1 << 20).await.unwrap_err();
    let (before, stops) = drain(client.download_stream(&server.media("/stops"), 1 << 20).await.unwrap()).await;
    assert_eq!(before, b"012");
    for error in [silent, stops.unwrap_err()] {
        assert!(matches!(&error, CallError::Transport(said) if said.contains("nothing came within 0.2 s")), "{error}");
    }
    let (before, drips) = drain(client.download_stream(&server.media("/drips"), 1 << 20).await.unwrap()).await;
    let error = drips.unwrap_err();
    assert!(!before.is_empty() && before.len() < 1000, "{}", before.len());
    assert_eq!(error, CallError::TooSlow);
    assert!(!error.is_transient(), "another try would take as long");
}

#[tokio::test]
async fn a_large_file_may_take_longer_than_a_small_one() {
    // Three seconds, where a small file might take two.
    let piece = vec![b'x'; 32 << 10];
    let pieces = (0..64).map(move |_| {
        std::thread::sleep(Duration::from_millis(48));
        piece.clone()
    });
    let pieces = Mutex::new(Some(Box::new(pieces)));
    let server = Server::encrypted(move |_| Reply::Paced(head(2 << 20), pieces.lock().unwrap().take().unwrap()));
    let client = server.hasty_client(Duration::from_millis(200));
    let (bytes, end) = drain(client.download_stream(&server.media("/"), 8 << 20).await.unwrap()).await;
    assert_eq!((bytes.len(), end), (2 << 20, Ok(())));
}

#[tokio::test]
async fn an_endless_file_ends_at_the_limit() {
    let server = Server::encrypted(|_| {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        Reply::Endless(head, [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat(), Duration::ZERO)
    });
    let stream = server.client().download_stream(&server.media("/"), 1 << 20).await.unwrap();
    assert_eq!(stream.length, None);
    let (bytes, end) = drain(stream).await;
    assert_eq!(end, Err(CallError::TooLarge { limit: 1 << 20 }));
    assert!(bytes.len() <= 1 << 20, "no byte beyond the limit is given out");
}

#[tokio::test]
async fn a_lying_length_is_found_out() {
    let server = Server::encrypted(|seen| match seen.line().split(' ').nth(1).unwrap() {
        "/huge" => Reply::Bytes(head(1 << 50)),
        "/longer" => Reply::Paced(head(10), Box::new([b"0123".to_vec()].into_iter())),
        _ => Reply::Paced(head(4), Box::new([b"0123456789".to_vec()].into_iter())),
    });
    let client = server.client();
    let open = async |path: &str| client.download_stream(&server.media(path), 100).await;
    assert_eq!(open("/huge").await.unwrap_err(), CallError::TooLarge { limit: 100 });
    let (bytes, end) = drain(open("/longer").await.unwrap()).await;
    assert_eq!(bytes, b"0123");
    assert!(matches!(&end, Err(CallError::Transport(_))), "{end:?}");
    let error = client.download(&server.media("/longer"), 100).await.unwrap_err();
    assert!(matches!(error, CallError::Transport(_)), "half a file is none: {error}");
    let (bytes, end) = drain(open("/shorter").await.unwrap()).await;
    assert_eq!((bytes.as_slice(), end), (&b"0123"[..], Ok(())), "what comes behind the end is no part of the file");
}

#[tokio::test]
async fn what_is_compressed_stays_so() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 64 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let expected = bomb.clone();
    // It calls itself a picture; what it is, its bytes tell.
    let headers = "content-type: image/jpeg\r\ncontent-encoding: gzip\r\n";
    let server = Server::encrypted(move |_| reply("200 OK", headers, &bomb));
    let client = server.client();
    let stream = client.download_stream(&server.media("/"), 1 << 20).await.unwrap();
    assert_eq!((stream.content_type.as_deref(), stream.length), (Some("image/jpeg"), Some(expected.len() as u64)));
    assert!(drain(stream).await == (expected.clone(), Ok(())));
    assert!(client.download(&server.media("/"), 1 << 20).await.unwrap().bytes == expected);
    assert_eq!(server.seen()[0].header("accept-encoding"), None, "nobody asked for it");
}

#[tokio::test]
async fn a_stream_comes_from_known_hosts_only() {
    let server = Server::encrypted(|_| reply("302 Found", "location: https://evil.example/a.jpg\r\n", ""));
    let client = server.client();
    for address in ["https://evil.example/a.jpg", &server.media("/moved")] {
        assert_eq!(client.download_stream(address, 10).await.unwrap_err(), CallError::ForeignHost, "{address}");
    }
    assert_eq!(server.seen().len(), 1);
}
