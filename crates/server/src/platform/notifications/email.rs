//! Mail, through somebody's mail server.

use std::net::SocketAddr;
use std::time::Duration;

use ids::SmtpTls;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport, Message, Tokio1Executor};

use super::settings::Email;
use super::transport::{Letter, Outcome, escape, root_cause};

/// One command and its answer.
const COMMAND: Duration = Duration::from_secs(10);

pub(super) async fn send(email: &Email, addresses: &[SocketAddr], letter: &Letter<'_>) -> Outcome {
    let message = match message(email, letter) {
        Ok(message) => message,
        Err(error) => return Outcome::never(format!("the message cannot be written: {error}")),
    };
    let mut outcome = Outcome::later("there is no address to connect to");
    for address in addresses {
        let mailer = match mailer(email, *address) {
            Ok(mailer) => mailer,
            Err(error) => return Outcome::later(format!("no connection can be prepared: {}", root_cause(&error))),
        };
        outcome = match mailer.send(message.clone()).await {
            Ok(response) => return Outcome::delivered(Some(response.code().into())),
            Err(error) => judge(&email.host, &error),
        };
        // Who has answered is not asked at its other address.
        if outcome.status.is_some() {
            return outcome;
        }
    }
    outcome
}

/// Connects to `address`, and holds it to the certificate of its name.
fn mailer(email: &Email, address: SocketAddr) -> Result<AsyncSmtpTransport<Tokio1Executor>, Error> {
    let parameters = || TlsParameters::new(email.host.clone());
    let tls = match email.tls {
        SmtpTls::StartTls => Tls::Required(parameters()?),
        SmtpTls::Implicit => Tls::Wrapper(parameters()?),
        SmtpTls::None => Tls::None,
    };
    let mailer = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .tls(tls)
        .timeout(Some(COMMAND));
    let credentials = email.username.clone().zip(email.password.clone());
    let mailer = match credentials {
        Some((username, password)) => mailer.credentials(Credentials::new(username, password)),
        None => mailer,
    };
    Ok(mailer.build())
}

fn message(email: &Email, letter: &Letter<'_>) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    let payload = letter.payload;
    let from = email.from.parse::<Mailbox>()?;
    let id = format!("<{}@{}>", payload.id, from.email.domain());
    let mut builder = Message::builder().from(from).subject(letter.subject).message_id(Some(id));
    for address in &email.to {
        builder = builder.to(address.parse()?);
    }
    // RFC 3834 section 5: nobody's holiday greeting shall answer.
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-NanoScale-Event", &payload.event),
        ("X-NanoScale-Delivery", payload.id.as_str()),
    ] {
        builder = header(builder, name, value)?;
    }
    let plain = format!("{}\r\n\r\n{}\r\n", payload.message, payload.url);
    let html = format!(
        "<!doctype html><html><body style=\"font-family:sans-serif\"><h2 style=\"font-size:16px\">{}</h2><p>{}</p>\
         <p><a href=\"{}\">Open in NanoScale</a></p></body></html>",
        escape(letter.subject),
        escape(&payload.message),
        escape(&payload.url),
    );
    Ok(builder.multipart(MultiPart::alternative_plain_html(plain, html))?)
}

fn header(
    builder: MessageBuilder,
    name: &str,
    value: &str,
) -> Result<MessageBuilder, Box<dyn std::error::Error + Send + Sync>> {
    let name = HeaderName::new_from_ascii(name.to_owned())?;
    Ok(builder.raw_header(HeaderValue::new(name, value.to_owned())))
}

fn judge(host: &str, error: &Error) -> Outcome {
    let said = root_cause(error);
    let Some(code) = error.status().map(u16::from) else {
        return Outcome::later(format!("no answer from `{host}`: {said}"));
    };
    let message = format!("`{host}` answered {code}: {said}");
    let outcome = if error.is_permanent() { Outcome::never(message) } else { Outcome::later(message) };
    outcome.with_status(code)
}
