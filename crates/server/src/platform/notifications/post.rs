//! Webhooks: ours, and those that speak like Slack's.

use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde_json::json;
use sha2::Sha256;
use url::Url;

use super::transport::{Letter, Outcome, Verdict, escape, root_cause};

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// So much of an answer is read.
const ANSWER_MAX: usize = 1024;
const SHOWN_MAX: usize = 160;
/// Nobody is waited for longer, whatever they ask for.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

/// Posts the payload as JSON, signed like GitHub's webhooks.
pub(super) async fn webhook(url: &Url, secret: Option<&str>, addresses: &[SocketAddr], letter: &Letter<'_>) -> Outcome {
    post(url, addresses, |request| {
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header("X-NanoScale-Event", &letter.payload.event)
            .header("X-NanoScale-Delivery", letter.payload.id.as_str());
        let request = match secret {
            Some(secret) => request.header("X-NanoScale-Signature-256", signature(secret, letter.body)),
            None => request,
        };
        request.body(letter.body.to_owned())
    })
    .await
}

/// Posts a text to an incoming webhook of Slack (<https://api.slack.com/messaging/webhooks>).
pub(super) async fn slack(url: &Url, addresses: &[SocketAddr], letter: &Letter<'_>) -> Outcome {
    // Who speaks like Slack may hear `@everyone` in plain text.
    let quiet = |text: &str| escape(text).replace('@', "@\u{200b}");
    let payload = letter.payload;
    let text = format!("*{}*\n{}\n<{}|Open in NanoScale>", quiet(letter.subject), quiet(&payload.message), payload.url);
    post(url, addresses, |request| {
        request.header("X-NanoScale-Delivery", payload.id.as_str()).json(&json!({ "text": text }))
    })
    .await
}

/// `sha256=` and the HMAC of the body in hexadecimal digits.
fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 section 2)"));
    mac.update(body.as_bytes());
    let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}

async fn post(url: &Url, addresses: &[SocketAddr], write: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Outcome {
    let host = url.host_str().unwrap_or_default();
    let client = Client::builder()
        .user_agent(concat!("NanoScale/", env!("CARGO_PKG_VERSION")))
        // A proxy would look the name up itself, and a redirect lead to a place that nobody checked.
        .no_proxy()
        .redirect(redirect::Policy::none())
        .resolve_to_addrs(host, addresses)
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return Outcome::later(format!("no connection can be prepared: {}", root_cause(&error))),
    };
    match write(client.post(url.clone())).send().await {
        Ok(response) => judge(response).await,
        Err(error) if error.is_timeout() => {
            Outcome::later(format!("`{host}` did not answer within {} s", ANSWER.as_secs()))
        }
        Err(error) => Outcome::later(format!("no answer from `{host}`: {}", root_cause(&error))),
    }
}

async fn judge(response: Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::delivered(Some(status.as_u16()));
    }
    let outcome = if status.is_redirection() {
        let target = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let target = target.and_then(|text| response.url().join(text).ok());
        let place = target.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "elsewhere".into());
        Outcome::later(format!(
            "it redirects to `{place}`, which is not followed; set the address that it redirects to"
        ))
    } else {
        let pause = response.headers().get(RETRY_AFTER).and_then(|value| pause(value.to_str().ok()?));
        let said = said(response).await;
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let outcome = Outcome::later(format!("it answered {status}{said}"));
        let verdict = if status == StatusCode::GONE { Verdict::Gone } else { Verdict::Later(pause) };
        Outcome { verdict, ..outcome }
    };
    outcome.with_status(status.as_u16())
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn pause(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<u64>().map(Duration::from_secs).ok();
    let until = || {
        let time = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Some(time.duration_since(Timestamp::now()).max(SignedDuration::ZERO).unsigned_abs())
    };
    Some(seconds.or_else(until)?.min(RETRY_AFTER_MAX))
}

/// The first words of an answer, as Slack explains its refusals; nothing of a page of HTML.
async fn said(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(ANSWER_MAX);
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.starts_with('<') || line.chars().any(char::is_control) {
        return String::new();
    }
    line.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{pause, signature};

    #[test]
    fn the_signature_is_that_of_githubs_documentation() {
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature("It's a Secret to Everybody", "Hello, World!"), expected);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(pause("120"), Some(Duration::from_secs(120)));
        assert_eq!(pause("99999999"), Some(Duration::from_secs(6 * 3600)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(pause("soon"), None);
    }
}
