//! Over TLS on loopback: certificates, proxies, addresses.

use std::sync::Arc;
use std::time::Duration;

use instagram::client::realtime::{ConnectError, ConnectOptions, connect};
use instagram::client::tls::client_config;
use instagram::command::send_text;
use instagram::realtime::{Event, RealtimeOptions};
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::server::{Server, options, spawn, within};

/// A server that accepts clients and answers their commands. Returns its port and its certificate.
async fn serve() -> (u16, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["edge-mqtt.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let certified = CertifiedKey { cert: certificate, signing_key: key };
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            spawn(async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                let mut server = Server::new(stream);
                server.accept().await;
                let command = server.read_command().await;
                server.answer(&command).await;
                while server.read().await.is_some() {}
            });
        }
    });
    (port, certified.cert.pem())
}

async fn converse(connection: &ConnectOptions) -> Result<(), ConnectError> {
    let (handle, mut events, driver) = within(connect(connection, options())).await?;
    spawn(driver);
    assert_eq!(within(events.next()).await, Some(Event::Connected));
    let answer = handle.send("1", send_text("T", "hi", "1", None, &[]), Duration::from_secs(60)).await.unwrap();
    assert_eq!(answer.item_id.as_deref(), Some("item of 1"));
    handle.close();
    while within(events.next()).await.is_some() {}
    Ok(())
}

fn connection(port: u16, pem: &str, proxy: Option<String>) -> ConnectOptions {
    ConnectOptions {
        address: format!("127.0.0.1:{port}"),
        server_name: "edge-mqtt.test".into(),
        tls: client_config(Some(pem.as_bytes())).unwrap(),
        proxy: proxy.map(|proxy| Url::parse(&proxy).unwrap()),
    }
}

#[tokio::test]
async fn a_conversation_over_tls() {
    let (port, pem) = serve().await;
    converse(&connection(port, &pem, None)).await.unwrap();
}

#[tokio::test]
async fn an_unknown_certificate_or_a_wrong_name_is_refused() {
    let (port, pem) = serve().await;
    let (_, other) = serve().await;
    let unknown = converse(&connection(port, &other, None)).await.unwrap_err();
    assert!(matches!(unknown, ConnectError::Tls(_)), "{unknown}");
    let mut wrong = connection(port, &pem, None);
    wrong.server_name = "elsewhere.test".into();
    assert!(matches!(converse(&wrong).await, Err(ConnectError::Tls(_))));
}

#[tokio::test]
async fn an_http_proxy_opens_a_tunnel_with_credentials() {
    let (port, pem) = serve().await;
    let proxy = http_proxy("Basic dXM6ZTpy").await;
    converse(&connection(port, &pem, Some(format!("http://us:e%3Ar@127.0.0.1:{proxy}")))).await.unwrap();
    let refused = converse(&connection(port, &pem, Some(format!("http://127.0.0.1:{proxy}")))).await;
    assert!(matches!(refused, Err(ConnectError::Proxy(_))));
}

#[tokio::test]
async fn a_socks_proxy_opens_a_tunnel_and_resolves_the_name() {
    let (port, pem) = serve().await;
    let proxy = socks_proxy(port).await;
    for scheme in ["socks5", "socks5h"] {
        let mut connection = connection(port, &pem, Some(format!("{scheme}://user:word@127.0.0.1:{proxy}")));
        connection.address = "edge-mqtt.test:443".into();
        converse(&connection).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_there_and_nonsense_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (_, pem) = serve().await;
    let error = converse(&connection(closed, &pem, None)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error}");
    let mut nonsense = connection(1, &pem, None);
    nonsense.address = "nonsense".into();
    assert!(matches!(converse(&nonsense).await, Err(ConnectError::Address)));
    let ftp = connection(1, &pem, Some("ftp://127.0.0.1".into()));
    assert!(matches!(converse(&ftp).await, Err(ConnectError::ProxyAddress(_))));
}

#[tokio::test]
async fn a_server_that_never_speaks_tls_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_, pem) = serve().await;
    let connection = connection(silent.local_addr().unwrap().port(), &pem, None);
    let mut options: RealtimeOptions = options();
    options.connect_timeout = Duration::from_millis(50);
    assert!(matches!(within(connect(&connection, options)).await.err(), Some(ConnectError::Timeout)));
}

/// An HTTP proxy that wants this authorization.
async fn http_proxy(authorization: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let target = head.split(' ').nth(1).unwrap().to_owned();
            if !head.contains(&format!("Proxy-Authorization: {authorization}\r\n")) {
                let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
                client.write_all(answer).await.unwrap();
                continue;
            }
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            spawn(async move { drop(copy_bidirectional(&mut client, &mut server).await) });
        }
    });
    port
}

/// A SOCKS 5 proxy for `user` and `word` that connects the name it is given to this port of loopback.
async fn socks_proxy(target: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut greeting = [0; 3];
            client.read_exact(&mut greeting).await.unwrap();
            assert_eq!(greeting, [5, 1, 2]);
            client.write_all(&[5, 2]).await.unwrap();
            let mut login = [0; 11];
            client.read_exact(&mut login).await.unwrap();
            assert_eq!(&login, b"\x01\x04user\x04word");
            client.write_all(&[1, 0]).await.unwrap();
            let mut request = [0; 4 + 1 + 14 + 2];
            client.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"\x05\x01\x00\x03\x0eedge-mqtt.test\x01\xbb");
            client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            spawn(async move { drop(copy_bidirectional(&mut client, &mut server).await) });
        }
    });
    port
}
