//! One attempt to get one letter to the other side, whatever its kind.

use std::net::SocketAddr;
use std::time::Duration;

use super::settings::Settings;
use super::{email, post};
use crate::platform::outbound;

/// An attempt that takes longer as a whole has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const RESOLVE: Duration = Duration::from_secs(5);

/// What is to be told.
pub(super) struct Letter<'a> {
    pub(super) subject: &'a str,
    pub(super) payload: &'a api::NotificationPayload,
    /// The payload as it was first written: a repetition has the same bytes, and the same signature.
    pub(super) body: &'a str,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// What the other side answered: a status of HTTP, or a code of SMTP.
    pub(super) status: Option<u16>,
    /// Why not, and what to do.
    pub(super) error: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    /// Another attempt may help, but not before this time is over, if the other side named one.
    Later(Option<Duration>),
    /// No other attempt will help until somebody changes something.
    Never,
    /// The other side wants nothing more.
    Gone,
}

impl Outcome {
    pub(super) fn delivered(status: Option<u16>) -> Self {
        Self { verdict: Verdict::Delivered, status, error: None }
    }

    pub(super) fn later(error: impl Into<String>) -> Self {
        Self { verdict: Verdict::Later(None), status: None, error: Some(error.into()) }
    }

    pub(super) fn never(error: impl Into<String>) -> Self {
        Self { verdict: Verdict::Never, status: None, error: Some(error.into()) }
    }

    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }
}

/// Sends once. Never waits for ever, and says nothing of the secrets in `settings`.
pub(super) async fn send(settings: &Settings, letter: &Letter<'_>, allow_hosts: &[String]) -> Outcome {
    let (host, port) = settings.place();
    let attempt = async {
        let addresses = match addresses(host, port, allow_hosts).await {
            Ok(addresses) => addresses,
            Err(outcome) => return outcome,
        };
        match settings {
            Settings::Webhook { url, secret } => post::webhook(url, secret.as_deref(), &addresses, letter).await,
            Settings::Slack { url } => post::slack(url, &addresses, letter).await,
            Settings::Email(email) => email::send(email, &addresses, letter).await,
        }
    };
    // Boxed: clients of HTTP and SMTP are large.
    let outcome = match tokio::time::timeout(PATIENCE, Box::pin(attempt)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::later(format!("`{host}` did not answer within {} s", PATIENCE.as_secs())),
    };
    // What the other side says may repeat what it was sent.
    let redactor = settings.redactor();
    Outcome { error: outcome.error.map(|error| redactor.redact(error)), ..outcome }
}

/// Looks the host up now; the connection goes to what was found and checked here, so that a name
/// cannot lead elsewhere a moment later.
async fn addresses(host: &str, port: u16, allow_hosts: &[String]) -> Result<Vec<SocketAddr>, Outcome> {
    let addresses = match tokio::time::timeout(RESOLVE, outbound::lookup(host, port)).await {
        Ok(Ok(addresses)) if !addresses.is_empty() => addresses,
        _ => return Err(Outcome::later(format!("`{host}` cannot be resolved; check the address"))),
    };
    match outbound::private(&addresses) {
        Some(ip) if !outbound::is_listed(host, port, allow_hosts) => {
            Err(Outcome::never(outbound::private_message(host, ip)))
        }
        _ => Ok(addresses),
    }
}

/// What is at the bottom of an error; what lies between names addresses that are secrets.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// For texts between tags, of HTML and of Slack.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
