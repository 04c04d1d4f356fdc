//! Where log lines go and what they look like.

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Logging};

/// Libraries that say more than an admin wants to know, below this level only when asked for by name.
const QUIET: &str =
    "rustls=info,rustls_platform_verifier=info,hyper=info,hyper_util=info,reqwest=info,h2=info,sqlx=warn,rumqttc=warn";

/// Starts logging to standard error. `RUST_LOG` has precedence over the configured level.
pub(super) fn start(logging: &Logging) -> anyhow::Result<()> {
    let directives = std::env::var("RUST_LOG").unwrap_or_else(|_| format!("{QUIET},{}", logging.level));
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        anyhow!("`logging.level` is not usable: {error}\nhint: use error, warn, info, debug or trace")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match logging.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
