//! What this program says of itself.

use anyhow::{Result, bail};
use node::OwnLog;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// Logs go to standard error, and those of a node to its directory as well. `NANOSCALE_LOG` says what is logged, in the syntax of
/// tracing's `EnvFilter`; for `serve` also `LOG_LEVEL`, and `LOG_FORMAT` how.
///
/// # Errors
/// When one of these has a value that it may not have.
pub(crate) fn start(serves: bool) -> Result<OwnLog> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // Other programs have variables of these names too: nobody's shell shall keep the client from its work.
    let [level, format] = ["LOG_LEVEL", "LOG_FORMAT"].map(|name| variable(name).filter(|_| serves));
    let level = level.map(|level| level.to_ascii_lowercase());
    if let Some(level) = level.as_deref().filter(|level| !LEVELS.contains(level)) {
        bail!("LOG_LEVEL is `{level}`; it may be {}", LEVELS.join(", "));
    }
    let usual = if serves { "info" } else { "warn" };
    let filter = variable("NANOSCALE_LOG").or(level).unwrap_or_else(|| usual.to_owned());
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format.as_deref() {
        None | Some("text") => lines.with_target(false).boxed(),
        Some("json") => lines.json().flatten_event(true).boxed(),
        Some(other) => bail!("LOG_FORMAT is `{other}`; it may be text or json"),
    };
    let own = OwnLog::default();
    if !serves {
        own.discard();
    }
    tracing_subscriber::registry().with(EnvFilter::new(filter)).with(lines).with(own.clone()).init();
    Ok(own)
}
