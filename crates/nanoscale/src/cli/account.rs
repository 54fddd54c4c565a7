//! Which server the commands talk to and as whom: the file that `login` writes, and the environment above it.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ids::TokenId;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

const DEFAULT_URL: &str = "http://127.0.0.1:4000";

/// What `login` keeps.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) url: String,
    pub(super) token: String,
    /// Absent for a token that `login` did not make itself, and so does not revoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_id: Option<TokenId>,
}

impl Account {
    pub(super) fn url(&self) -> Result<Url> {
        parse_url(&self.url)
    }
}

/// Where a request goes, and the token that goes with it.
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) token: Option<String>,
}

/// The server to use. A kept token goes only to the server that it was made by.
pub(super) fn target() -> Result<Target> {
    let account = load()?;
    let named = env_text("NANOSCALE_URL").map(|url| parse_url(&url)).transpose().context("NANOSCALE_URL")?;
    let kept = account.as_ref().map(Account::url).transpose()?;
    let url = match named.clone().or_else(|| kept.clone()) {
        Some(url) => url,
        None => parse_url(DEFAULT_URL)?,
    };
    let kept_token = account.filter(|_| kept.as_ref() == Some(&url)).map(|account| account.token);
    Ok(Target { url, token: env_text("NANOSCALE_TOKEN").or(kept_token) })
}

/// Where `login` goes when it is not told.
pub(super) fn login_url(given: Option<&str>) -> Result<Url> {
    match given {
        Some(url) => parse_url(url),
        None => parse_url(&env_text("NANOSCALE_URL").unwrap_or_else(|| DEFAULT_URL.to_owned())),
    }
}

fn env_text(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Reads `https://host:port`; without a scheme it is https, except on this machine.
fn parse_url(text: &str) -> Result<Url> {
    let text = text.trim();
    let parsed = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
            .and_then(|url| if is_loopback(&url) { Ok(url) } else { Url::parse(&format!("https://{text}")) })
    };
    match parsed {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            if url.password().is_some() || !url.username().is_empty() {
                bail!("a server's address carries no user name or password");
            }
            Ok(url)
        }
        _ => bail!("`{text}` is no server address; write one like {DEFAULT_URL}"),
    }
}

/// Whether what is sent to this address stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn path() -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    let base = base.context("neither XDG_CONFIG_HOME nor HOME says where the sign-in is kept")?;
    Ok(base.join("nanoscale").join("cli.json"))
}

/// What the last `login` kept.
pub(super) fn load() -> Result<Option<Account>> {
    // Without a home there is no file; the environment may still say everything.
    let Ok(path) = path() else { return Ok(None) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let account = serde_json::from_str(&text);
    account.map(Some).with_context(|| format!("{} is damaged; run `nanoscale login` again", path.display()))
}

/// Replaces the file as a whole. Only its owner may read it.
pub(super) fn save(account: &Account) -> Result<PathBuf> {
    let path = path()?;
    write(&path, account).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

fn write(path: &Path, account: &Account) -> Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .and_then(|mut file| file.write_all(&serde_json::to_vec_pretty(account)?))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    Ok(written?)
}

pub(super) fn forget() -> Result<()> {
    let path = path()?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Account, is_loopback, parse_url, write};

    #[test]
    fn addresses_need_no_scheme() {
        assert_eq!(parse_url("localhost:4000").unwrap().as_str(), "http://localhost:4000/");
        assert_eq!(parse_url("cloud.example.org").unwrap().as_str(), "https://cloud.example.org/");
        assert_eq!(parse_url("http://10.0.0.1:4000/").unwrap().as_str(), "http://10.0.0.1:4000/");
        assert!(is_loopback(&parse_url("[::1]:4000").unwrap()));
        for bad in ["", "ftp://host", "http://", "http://user:secret@host"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_owner_reads_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nanoscale").join("cli.json");
        let account = |token: &str| Account { url: "http://h".into(), token: token.into(), token_id: None };
        write(&path, &account("first")).unwrap();
        write(&path, &account("second")).unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert!(std::fs::read_to_string(&path).unwrap().contains("second"));
    }
}
