//! Opens the socket: directly, through an HTTP proxy's CONNECT, or through SOCKS 5.

use std::error::Error;

use data_encoding::BASE64;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use super::ConnectError;

/// Connects to `host:port`, trying all addresses of the name, IPv6 and IPv4 side by side.
pub(super) async fn open(address: &str, proxy: Option<&Url>) -> Result<TcpStream, ConnectError> {
    let target = address_uri(address)?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let Some(proxy) = proxy else {
        return tcp
            .call(target)
            .await
            .map(TokioIo::into_inner)
            .map_err(|error| ConnectError::Unreachable(chain(&error)));
    };
    let login = login(proxy)?;
    let stream = match proxy.scheme() {
        "http" => {
            let mut tunnel = Tunnel::new(proxy_uri(proxy, 80)?, tcp);
            if let Some((user, password)) = login {
                let basic = format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()));
                let value = HeaderValue::try_from(basic).map_err(|_| ConnectError::ProxyAddress("bad credentials"))?;
                tunnel = tunnel.with_auth(value);
            }
            tunnel.call(target).await.map_err(|error| ConnectError::Proxy(chain(&error)))?
        }
        "socks5" | "socks5h" => {
            let mut socks = SocksV5::new(proxy_uri(proxy, 1080)?, tcp);
            if let Some((user, password)) = login {
                socks = socks.with_auth(user, password);
            }
            socks.call(target).await.map_err(|error| ConnectError::Proxy(chain(&error)))?
        }
        _ => return Err(ConnectError::ProxyAddress("only http, socks5 and socks5h are supported")),
    };
    Ok(stream.into_inner())
}

fn address_uri(address: &str) -> Result<Uri, ConnectError> {
    let (host, port) = address.rsplit_once(':').ok_or(ConnectError::Address)?;
    port.parse::<u16>().map_err(|_| ConnectError::Address)?;
    // An IPv6 address may come without its brackets.
    let brackets = host.contains(':') && !host.starts_with('[');
    let text = if brackets { format!("https://[{host}]:{port}") } else { format!("https://{host}:{port}") };
    let uri = text.parse::<Uri>().map_err(|_| ConnectError::Address)?;
    uri.host().filter(|host| !host.is_empty()).ok_or(ConnectError::Address)?;
    Ok(uri)
}

fn proxy_uri(proxy: &Url, default_port: u16) -> Result<Uri, ConnectError> {
    let host = proxy.host_str().filter(|host| !host.is_empty()).ok_or(ConnectError::ProxyAddress("it has no host"))?;
    let port = proxy.port().unwrap_or(default_port);
    // The scheme only satisfies the connector, which looks at host and port.
    format!("http://{host}:{port}").parse().map_err(|_| ConnectError::ProxyAddress("bad host"))
}

fn login(proxy: &Url) -> Result<Option<(String, String)>, ConnectError> {
    if proxy.username().is_empty() && proxy.password().is_none() {
        return Ok(None);
    }
    let decode = |text| percent_decode(text).ok_or(ConnectError::ProxyAddress("bad credentials"));
    Ok(Some((decode(proxy.username())?, decode(proxy.password().unwrap_or_default())?)))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail.split_first_chunk::<2>()) {
            (b'%', Some((digits, after))) => {
                let digits = std::str::from_utf8(digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            (b'%', None) => return None,
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The causes of an error in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for (address, host) in [
            ("edge-mqtt.facebook.com:443", "edge-mqtt.facebook.com"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:443", "[::1]"),
            ("::1:443", "[::1]"),
        ] {
            assert_eq!(address_uri(address).unwrap().host(), Some(host));
        }
        for wrong in ["", "host", "host:", "host:x", "host:70000", ":443", "https://host:443"] {
            assert!(address_uri(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_of_a_proxy_are_decoded() {
        let url = Url::parse("socks5h://us%40er:p%3Aw%25@proxy:9050").unwrap();
        assert_eq!(login(&url).unwrap(), Some(("us@er".into(), "p:w%".into())));
        assert_eq!(proxy_uri(&url, 1080).unwrap().to_string(), "http://proxy:9050/");
        assert_eq!(login(&Url::parse("http://proxy").unwrap()).unwrap(), None);
        assert_eq!(proxy_uri(&Url::parse("http://proxy").unwrap(), 80).unwrap().port_u16(), Some(80));
    }
}
