//! What names a place in a git repository. None of these can be taken for an option by git.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use url::{Host, Url};

use crate::Invalid;
use crate::name::text_type;

/// The address of a repository over HTTPS (or HTTP, where a setting allows that host), without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoUrl(Url);

impl RepoUrl {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// `host` or `host:port` as written in the address.
    pub fn authority(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The address, when the host is one and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            Host::Domain(_) => None,
        }
    }

    /// Whether `ip` may be reached without an explicit setting: a public unicast address.
    pub fn is_public(ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                !(ip.is_private()
                    || ip.is_loopback()
                    || ip.is_link_local()
                    || ip.is_unspecified()
                    || ip.is_broadcast()
                    || ip.is_documentation()
                    || ip.is_multicast()
                    || a == 0
                    || a >= 240
                    || (a == 100 && (64..128).contains(&b))
                    || (a == 192 && b == 0 && c == 0)
                    || (a == 198 && (18..20).contains(&b)))
            }
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => Self::is_public(ip.into()),
                None => is_public_v6(ip),
            },
        }
    }
}

/// Global unicast (RFC 4291 section 2.5.4) without the ranges that lead back inside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let head = ip.segments()[0];
    let sixtofour = head == 0x2002;
    let documentation = head == 0x2001 && ip.segments()[1] == 0x0db8;
    (0x2000..0x4000).contains(&head) && !sixtofour && !documentation
}

impl FromStr for RepoUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let url = Url::parse(text.trim())
            .map_err(|_| Invalid::new("a repository address looks like `https://host/owner/repository.git`"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Invalid::new(format!(
                "`{}` addresses are not supported; use the repository's https address",
                url.scheme()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::new(
                "leave user name and password out of the repository address: it is shown to people",
            ));
        }
        if url.host_str().is_none_or(str::is_empty) || url.path() == "/" {
            return Err(Invalid::new(
                "the repository address has no path; it looks like `https://host/owner/repository.git`",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Invalid::new("a repository address has no `?` or `#` part"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// A branch or tag name as `git check-ref-format --branch` accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRef(String);
text_type!(GitRef);

impl FromStr for GitRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad_component = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
        let bad_char = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
        if text.is_empty()
            || text.len() > 255
            || text == "@"
            || text.starts_with('-')
            || text.ends_with('.')
            || text.contains("..")
            || text.contains("@{")
            || text.contains(bad_char)
            || text.split('/').any(bad_component)
        {
            return Err(Invalid::new(format!("`{text}` is not a branch or tag name that git allows")));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A full commit id: 40 hexadecimal digits (SHA-1) or 64 (SHA-256).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSha(String);
text_type!(CommitSha);

impl FromStr for CommitSha {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim().to_ascii_lowercase();
        if !matches!(text.len(), 40 | 64) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Invalid::new("a commit is given by its full id of 40 hexadecimal digits"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_git_allows() {
        for good in ["main", "feature/x", "v1.2.3", "dependabot/npm_and_yarn/a-1.0", "ünïcode", "a@b"] {
            assert!(good.parse::<GitRef>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-f",
            "--upload-pack=x",
            "a..b",
            "a b",
            "a~1",
            "x.lock",
            "a//b",
            "/a",
            "a/",
            ".a",
            "a/.b",
            "@",
            "a@{1}",
            "a:b",
            "a\nb",
        ] {
            assert!(bad.parse::<GitRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn repository_addresses() {
        assert!("https://git.example.com/o/r.git".parse::<RepoUrl>().is_ok());
        for bad in [
            "git@github.com:o/r.git",
            "file:///etc",
            "ssh://git@h/o/r",
            "ext::sh -c id",
            "https://u:p@h/o/r",
            "https://h",
            "https://h/o?x",
            "",
        ] {
            assert!(bad.parse::<RepoUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn private_ranges() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!RepoUrl::is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["140.82.121.3", "2606:50c0:8000::153"] {
            assert!(RepoUrl::is_public(public.parse().unwrap()), "{public}");
        }
    }
}
