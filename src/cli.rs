//! Stand-in.
pub async fn shutdown_signal() -> &'static str {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("signals");
    tokio::select! { _ = term.recv() => "SIGTERM", _ = tokio::signal::ctrl_c() => "SIGINT" }
}
