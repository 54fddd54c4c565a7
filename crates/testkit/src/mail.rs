//! A mail server: aiosmtpd, as Debian packages it, with a certificate of an authority of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ids::SmtpTls;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::json;

use crate::certificates::Certificates;
use crate::child;
use crate::scratch::Scratch;
use crate::secrets::random_secret;
use crate::wait::wait_some;

/// Accepts everything, except that `nobody@…` does not exist and `busy@…` wants to be asked twice.
const SERVER: &str = include_str!("mail/server.py");

/// Takes mail on the loopback interface until it is dropped.
#[derive(Debug)]
pub struct MailServer {
    process: Child,
    port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    password: String,
    scratch: Scratch,
}

/// A message as it was delivered.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// The envelope's.
    pub from: String,
    pub to: Vec<String>,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub plain: Option<String>,
    pub html: Option<String>,
    pub encrypted: bool,
    pub signed_in: bool,
}

// === impl MailServer ===

impl MailServer {
    /// The name that its certificate is for.
    pub const HOST: &str = "localhost";
    /// Who has to sign in, where there is encryption.
    pub const USERNAME: &str = "postman";

    pub fn start(tls: SmtpTls) -> Self {
        let scratch = Scratch::new("mail", None);
        let (password, file) = (random_secret(), |name: &str| scratch.path().join(name));
        let mut options = json!({ "tls": tls });
        if tls != SmtpTls::None {
            let Certificates { authority, certificate, key } = Certificates::of(Self::HOST);
            for (name, text) in [("authority.pem", authority), ("certificate.pem", certificate), ("key.pem", key)] {
                std::fs::write(file(name), text).expect("write a certificate");
            }
            options = json!({ "tls": tls, "certificate": file("certificate.pem"), "key": file("key.pem"),
                "username": Self::USERNAME, "password": password });
        }
        let mut command = child::mortal("/usr/bin/python3", child::Rights::Own);
        command.args(["-W", "ignore", "-c", SERVER, &options.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = child::spawn(command).expect("start a mail server");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let port = lines.next().and_then(|line| line.ok()?.parse().ok());
        let port = port.expect("the mail server says its port; `cargo xtask test` installs python3-aiosmtpd");
        let mails = Arc::new(Mutex::new(Vec::new()));
        let taken = mails.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mail = serde_json::from_str(&line).unwrap_or_else(|error| panic!("not a mail: {error}\n{line}"));
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
            }
        });
        Self { process, port, mails, password, scratch }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as the setting `notifications.allow_hosts` takes it.
    pub fn host(&self) -> String {
        format!("{}:{}", Self::HOST, self.port)
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// A file with the authority that its certificate comes from, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        self.scratch.path().join("authority.pem")
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until at least so many messages have come.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<Mail> {
        let what = format!("{count} mails came");
        wait_some(&what, within, async || Some(self.mails()).filter(|mails| mails.len() >= count)).await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        child::signal(&self.process, Signal::SIGKILL);
        let _ = self.process.wait();
    }
}
