//! Where a channel sends: checked when it comes in, sealed at rest.

use domain::redaction::Redactor;
use ids::{NotificationKind, SmtpTls};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::error::Problems;
use crate::platform::outbound;

/// The longest line of a mail's header leaves room for this many addresses.
const RECIPIENTS_MAX: usize = 50;
const TEXT_MAX: usize = 2048;
const SECRET_MIN: usize = 8;

/// What a sender needs. Full of secrets, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Settings {
    Webhook { url: Url, secret: Option<String> },
    Slack { url: Url },
    Email(Email),
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Email {
    /// A name, or an address as URLs have it.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: SmtpTls,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) from: String,
    pub(super) to: Vec<String>,
}

impl Settings {
    /// Host and port that it connects to.
    pub(super) fn place(&self) -> (&str, u16) {
        match self {
            Self::Webhook { url, .. } | Self::Slack { url } => place_of(url),
            Self::Email(email) => (&email.host, email.port),
        }
    }

    /// Takes its secrets out of a text.
    pub(super) fn redactor(&self) -> Redactor {
        let (url, secret, password) = match self {
            Self::Webhook { url, secret } => (Some(url), secret.as_deref(), None),
            Self::Slack { url } => (Some(url), None, None),
            Self::Email(email) => (None, None, email.password.as_deref()),
        };
        let last_part = url.and_then(|url| url.path_segments()?.next_back());
        let of_url = [url.map(Url::as_str), url.map(Url::path), url.and_then(Url::query), last_part];
        let of_url = of_url.into_iter().flatten().map(|part| ("url", part));
        let others = [("secret", secret), ("password", password)];
        let others = others.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Redactor::new(of_url.chain(others))
    }

    /// What is no secret of it.
    pub(super) fn shown(&self) -> api::NotificationSettingsShown {
        let shown = api::NotificationSettingsShown::default();
        match self {
            Self::Webhook { url, secret } => api::NotificationSettingsShown {
                url_host: Some(authority(url)),
                has_secret: Some(secret.is_some()),
                ..shown
            },
            Self::Slack { url } => api::NotificationSettingsShown { url_host: Some(authority(url)), ..shown },
            Self::Email(email) => api::NotificationSettingsShown {
                host: Some(email.host.clone()),
                port: Some(email.port),
                tls: Some(email.tls),
                username: email.username.clone(),
                has_password: Some(email.password.is_some()),
                from: Some(email.from.clone()),
                to: Some(email.to.clone()),
                ..shown
            },
        }
    }

    /// As they once came in.
    fn input(&self) -> api::NotificationSettings {
        let input = api::NotificationSettings::default();
        match self.clone() {
            Self::Webhook { url, secret } => api::NotificationSettings { url: Some(url.to_string()), secret, ..input },
            Self::Slack { url } => api::NotificationSettings { url: Some(url.to_string()), ..input },
            Self::Email(email) => api::NotificationSettings {
                host: Some(email.host),
                port: Some(i64::from(email.port)),
                tls: Some(email.tls),
                username: email.username,
                password: email.password,
                from: Some(email.from),
                to: Some(email.to),
                ..input
            },
        }
    }

    /// Reads what came in; what it leaves out stays as it was in `stored`. `None` when there are problems.
    pub(super) fn read(
        kind: NotificationKind,
        input: &api::NotificationSettings,
        stored: Option<&Self>,
        allow_hosts: &[String],
        problems: &mut Problems,
    ) -> Option<Self> {
        let before = problems.count();
        refuse_foreign(kind, input, problems);
        let merged = merge(input, stored.map(Self::input).unwrap_or_default());
        let read = match kind {
            NotificationKind::Webhook => {
                Self::Webhook { url: url(&merged, allow_hosts, problems)?, secret: secret(merged.secret, problems) }
            }
            NotificationKind::Slack => Self::Slack { url: url(&merged, allow_hosts, problems)? },
            NotificationKind::Email => {
                let email = email(merged, allow_hosts, problems)?;
                if let Some(Self::Email(old)) = stored
                    && old.host != email.host
                    && email.password.is_some()
                    && input.password.is_none()
                {
                    let message = "type the password again: it would go to another server than the one it was for";
                    problems.add("settings.password", "PASSWORD_NEEDED", message);
                }
                Self::Email(email)
            }
        };
        (problems.count() == before).then_some(read)
    }
}

fn place_of(url: &Url) -> (&str, u16) {
    (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443))
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A text that says something.
fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn merge(input: &api::NotificationSettings, stored: api::NotificationSettings) -> api::NotificationSettings {
    let pick = |new: &Option<String>, old: Option<String>| filled(new.clone().or(old));
    api::NotificationSettings {
        url: pick(&input.url, stored.url),
        secret: pick(&input.secret, stored.secret),
        host: pick(&input.host, stored.host),
        // The port that goes with the encryption, unless one was asked for.
        port: input.port.or(stored.port.filter(|_| input.tls.is_none() || input.tls == stored.tls)),
        tls: input.tls.or(stored.tls),
        username: pick(&input.username, stored.username),
        // A password may begin or end with a space.
        password: input.password.clone().or(stored.password).filter(|password| !password.is_empty()),
        from: pick(&input.from, stored.from),
        to: input.to.clone().or(stored.to),
    }
}

/// A setting of another kind is a mistake that would otherwise go unnoticed.
fn refuse_foreign(kind: NotificationKind, input: &api::NotificationSettings, problems: &mut Problems) {
    use NotificationKind::{Email, Slack, Webhook};
    let given: [(&str, bool, &[NotificationKind]); 9] = [
        ("url", input.url.is_some(), &[Webhook, Slack]),
        ("secret", input.secret.is_some(), &[Webhook]),
        ("host", input.host.is_some(), &[Email]),
        ("port", input.port.is_some(), &[Email]),
        ("tls", input.tls.is_some(), &[Email]),
        ("username", input.username.is_some(), &[Email]),
        ("password", input.password.is_some(), &[Email]),
        ("from", input.from.is_some(), &[Email]),
        ("to", input.to.is_some(), &[Email]),
    ];
    for (name, _, _) in given.iter().filter(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
        let message = format!("a channel of kind `{kind}` has no `{name}`");
        problems.add(&format!("settings.{name}"), "FOREIGN_SETTING", message);
    }
}

fn url(merged: &api::NotificationSettings, allow_hosts: &[String], problems: &mut Problems) -> Option<Url> {
    const FIELD: &str = "settings.url";
    let Some(text) = &merged.url else {
        problems.add(FIELD, "URL_MISSING", "say where to post: an https address");
        return None;
    };
    let parsed = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.host_str().is_some_and(|host| !host.is_empty()));
    let Some(url) = parsed.filter(|_| text.len() <= TEXT_MAX) else {
        problems.add(FIELD, "INVALID_URL", "an address looks like `https://example.com/hooks/42`");
        return None;
    };
    let (host, port) = place_of(&url);
    if url.scheme() != "https" && !outbound::is_listed(host, port, allow_hosts) {
        let message = "use an https address; a server in your own network can be listed in \
            `notifications.allow_hosts`";
        problems.add(FIELD, "INSECURE_URL", message);
        return None;
    }
    Some(url)
}

fn secret(secret: Option<String>, problems: &mut Problems) -> Option<String> {
    let secret = secret?;
    if !(SECRET_MIN..=TEXT_MAX).contains(&secret.len()) {
        let message = format!("a signing secret has at least {SECRET_MIN} characters");
        problems.add("settings.secret", "INVALID_SECRET", message);
    }
    Some(secret)
}

fn email(merged: api::NotificationSettings, allow_hosts: &[String], problems: &mut Problems) -> Option<Email> {
    let tls = merged.tls.unwrap_or(SmtpTls::StartTls);
    let host = host(merged.host, problems);
    let port = port(merged.port, tls, problems);
    let from = merged.from.unwrap_or_default();
    if from.parse::<Mailbox>().is_err() || from.len() > TEXT_MAX {
        let message = "the sender is an address like `cloud@example.com` or `NanoScale <cloud@example.com>`";
        problems.add("settings.from", "INVALID_ADDRESS", message);
    }
    let to = recipients(merged.to.unwrap_or_default(), problems);
    if merged.password.is_some() && merged.username.is_none() {
        problems.add("settings.username", "USERNAME_MISSING", "say whose password it is");
    }
    let (host, port) = (host?, port?);
    let clear = tls == SmtpTls::None && merged.password.is_some();
    if clear && !outbound::is_listed(&host, port, allow_hosts) {
        let message = "a password is not sent unencrypted; use `starttls` or `implicit`";
        problems.add("settings.tls", "INSECURE_PASSWORD", message);
    }
    Some(Email { host, port, tls, username: merged.username, password: merged.password, from, to })
}

fn host(text: Option<String>, problems: &mut Problems) -> Option<String> {
    let parsed = text.and_then(|text| Host::parse(&text).ok()).map(|host| host.to_string());
    if parsed.is_none() {
        problems.add("settings.host", "INVALID_HOST", "a mail server is named like `smtp.example.com`");
    }
    parsed
}

fn port(port: Option<i64>, tls: SmtpTls, problems: &mut Problems) -> Option<u16> {
    let usual = match tls {
        SmtpTls::StartTls => 587,
        SmtpTls::Implicit => 465,
        SmtpTls::None => 25,
    };
    let port = u16::try_from(port.unwrap_or(usual)).ok().filter(|port| *port > 0);
    if port.is_none() {
        problems.add("settings.port", "INVALID_PORT", "a port is between 1 and 65535");
    }
    port
}

fn recipients(to: Vec<String>, problems: &mut Problems) -> Vec<String> {
    let to = to.into_iter().filter_map(|address| filled(Some(address))).collect::<Vec<_>>();
    if to.is_empty() || to.len() > RECIPIENTS_MAX {
        let message = format!("name 1 to {RECIPIENTS_MAX} addresses that shall be told");
        problems.add("settings.to", "NO_RECIPIENTS", message);
    }
    for (index, address) in to.iter().enumerate() {
        if address.parse::<Mailbox>().is_err() || address.len() > TEXT_MAX {
            let message = format!("`{address}` is no e-mail address");
            problems.add(&format!("settings.to[{index}]"), "INVALID_ADDRESS", message);
        }
    }
    to
}
