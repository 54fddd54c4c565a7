//! The program for other machines, and how they install it: this server's own for machines like its own, and what its
//! operator has put beside it for others.

pub(crate) mod http;
mod script;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use link::{JoinToken, PublicKey};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use url::Url;

use crate::config::Config;
use crate::error::{Error, Result};

/// What runs here, also after the file was replaced by a newer one.
const OWN: &str = "/proc/self/exe";

/// A kind of machine that NanoScale runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Platform {
    os: &'static str,
    arch: &'static str,
}

const PLATFORMS: [Platform; 2] = [Platform { os: "linux", arch: "amd64" }, Platform { os: "linux", arch: "arm64" }];

impl Platform {
    /// This machine's, if it is one of those.
    fn own() -> Option<Self> {
        Self::parse(std::env::consts::OS, std::env::consts::ARCH)
    }

    /// By the words of `uname`, too.
    fn parse(os: &str, arch: &str) -> Option<Self> {
        let arch = match arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        PLATFORMS.into_iter().find(|platform| platform.os.eq_ignore_ascii_case(os) && platform.arch == arch)
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

/// How a program looks from outside: it is another one when any of it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// A program that can be had.
#[derive(Debug, Clone)]
struct Supplied {
    platform: Platform,
    path: PathBuf,
    bytes: u64,
    /// Hexadecimal.
    sha256: String,
}

/// Where machines come from and go to.
#[derive(Clone)]
pub(crate) struct Programs {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    /// Of the key of the certificate that this server itself ends TLS with: SHA-256 of its SubjectPublicKeyInfo, base64.
    pin: Option<String>,
    /// Whether somebody else ends TLS, with a certificate that machines trust anyway.
    is_public: bool,
    cluster: PublicKey,
    digests: Mutex<BTreeMap<PathBuf, (Look, String)>>,
}

impl Programs {
    pub(crate) fn new(config: &Config, cluster: PublicKey) -> Self {
        let (directory, pin) = (config.programs_dir.clone(), config.certificate_pin.clone());
        let is_public = config.public_url.is_some();
        Self { inner: Arc::new(Inner { directory, pin, is_public, cluster, digests: Mutex::default() }) }
    }

    /// A command for a machine that does not have NanoScale yet.
    pub(crate) fn one_liner(&self, url: &Url, token: &JoinToken) -> String {
        let script = format!("{}/api/agent/install-script", url.as_str().trim_end_matches('/'));
        format!("curl {} {} | sh -s -- --join {token}", self.curl_options(url), quoted(&script))
    }

    /// What makes curl sure that it talks to this server. `--pinnedpubkey` holds with `-k` as well.
    fn curl_options(&self, url: &Url) -> String {
        match &self.inner.pin {
            Some(pin) if url.scheme() == "https" && !self.inner.is_public => {
                format!("-fsSLk --pinnedpubkey {}", quoted(&format!("sha256//{pin}")))
            }
            _ => "-fsSL".to_owned(),
        }
    }

    fn path(&self, platform: Platform) -> PathBuf {
        if Platform::own() == Some(platform) {
            return OWN.into();
        }
        self.inner.directory.join(format!("nanoscale-{}-{}", platform.os, platform.arch))
    }

    /// The program for a platform, if there is one.
    async fn find(&self, platform: Platform) -> Result<Option<Supplied>> {
        let path = self.path(platform);
        // One at a time: hashing takes a moment, and many may ask at once.
        let mut digests = self.inner.digests.lock().await;
        let known = digests.get(&path).cloned();
        let looked = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || examine(&path, known)).await.map_err(Error::internal)?
        };
        match looked {
            Ok((look, sha256)) => {
                digests.insert(path.clone(), (look, sha256.clone()));
                Ok(Some(Supplied { platform, path, bytes: look.bytes, sha256 }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a program for other machines cannot be read");
                Ok(None)
            }
        }
    }

    async fn supplied(&self) -> Result<Vec<Supplied>> {
        let mut all = Vec::new();
        for platform in PLATFORMS {
            all.extend(self.find(platform).await?);
        }
        Ok(all)
    }

    /// The program that a machine has asked for.
    async fn wanted(&self, os: &str, arch: &str) -> Result<Supplied> {
        let Some(platform) = Platform::parse(os, arch) else {
            let all = PLATFORMS.map(|platform| format!("os={}&arch={}", platform.os, platform.arch));
            let message = format!("there is no NanoScale for `{os}/{arch}`; ask for {}", all.join(" or "));
            return Err(Error::invalid("arch", "UNKNOWN_PLATFORM", message));
        };
        self.find(platform).await?.ok_or_else(|| {
            let message = format!(
                "this server does not have the program for {platform}; put it on the server as {} and ask again",
                self.path(platform).display()
            );
            Error::missing("NOT_SUPPLIED", message)
        })
    }
}

/// What it looks like and its SHA-256, which is computed anew only when it looks different.
fn examine(path: &std::path::Path, known: Option<(Look, String)>) -> io::Result<(Look, String)> {
    let mut file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let look = Look { inode: found.ino(), bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()) };
    if let Some((_, sha256)) = known.filter(|(seen, _)| *seen == look) {
        return Ok((look, sha256));
    }
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash)?;
    Ok((look, format!("{:x}", hash.finalize())))
}

/// As one word of a shell.
fn quoted(text: &str) -> std::borrow::Cow<'_, str> {
    shell_words::quote(text)
}
