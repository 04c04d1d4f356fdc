//! The realtime server: MQTToT over TLS. Accepts sockets and runs one task for each.

use std::{sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::shared::Shared;

mod handshake;
mod payload;
mod session;
pub(crate) mod thrift;
pub(crate) mod wire;

/// How long TLS and CONNECT may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts connections until the simulator stops.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener, tls: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (inner, acceptor) = (shared.clone(), acceptor.clone());
        shared.tasks.spawn(async move {
            stream.set_nodelay(true).ok();
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => session::run(inner, stream).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            }
        });
    }
}

pub(crate) use payload::deflate;
