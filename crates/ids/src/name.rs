//! Names that people type: projects, users, hosts, environment keys, directories.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// A longest DNS label (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;
/// Host labels that the product keeps for its own surfaces.
const RESERVED: [&str; 6] = ["api", "app", "www", "portal", "control", "coordinator"];

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_type;

/// What a person calls a project: 1 to 80 printable characters, at least one of them a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectName(String);
text_type!(ProjectName);

impl FromStr for ProjectName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 80 || text.chars().any(char::is_control) {
            return Err(Invalid::new("a project name has 1 to 80 characters, none of them a control character"));
        }
        let slug = Slug::of(text)?;
        if RESERVED.contains(&slug.as_str()) || slug.as_str().starts_with("ws-") {
            return Err(Invalid::new(format!(
                "`{slug}` is a host name NanoScale keeps for itself; choose another name"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl ProjectName {
    /// The host label this name gives.
    pub fn slug(&self) -> Slug {
        Slug::of(&self.0).unwrap_or_else(|_| unreachable!("a project name was parsed with a slug in it"))
    }
}

/// A host label: lower-case letters, digits and inner hyphens, at most 63 (RFC 1123 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);
text_type!(Slug);

impl Slug {
    /// The label made of the letters and digits of `text`, with hyphens for what lies between them. Letters of other
    /// alphabets are written in ours.
    pub fn of(text: &str) -> Result<Self, Invalid> {
        let text = deunicode::deunicode(text);
        let mut slug = String::with_capacity(text.len());
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(LABEL_MAX);
        let slug = slug.trim_end_matches('-');
        if slug.is_empty() {
            return Err(Invalid::new("a project name needs at least one letter or digit"));
        }
        Ok(Self(slug.to_owned()))
    }

    /// This label with `-suffix` at its end, shortened so that it stays one label.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let room = LABEL_MAX.saturating_sub(suffix.len() + 1);
        let head = self.0.chars().take(room).collect::<String>();
        Self(format!("{}-{suffix}", head.trim_end_matches('-')))
    }
}

/// Text that is a label already: nothing is made fit.
impl FromStr for Slug {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > LABEL_MAX || !text.bytes().all(plain) {
            return Err(Invalid::new("a slug has 1 to 63 lower-case letters, digits and hyphens"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a person calls an API token: 1 to 64 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenName(String);
text_type!(TokenName);

impl TokenName {
    /// Characters.
    pub const MAX: usize = 64;
}

impl FromStr for TokenName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > Self::MAX || text.chars().any(char::is_control) {
            return Err(Invalid::new("a token has a name of 1 to 64 characters, none of them a control character"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A sign-in name: 1 to 64 characters without spaces at its ends, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName(String);
text_type!(UserName);

impl FromStr for UserName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
            return Err(Invalid::new("a user name has 1 to 64 characters, none of them a control character"));
        }
        Ok(Self(text.to_lowercase()))
    }
}

/// The name of an environment variable (POSIX.1-2017 section 8.1, lower case allowed).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnvKey(String);
text_type!(EnvKey);

impl FromStr for EnvKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !first || text.len() > 256 || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Invalid::new(format!(
                "`{text}` is no environment variable name: use letters, digits and _, not starting with a digit"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A directory inside a checkout: relative, without `..`; empty means the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelativeDir(String);
text_type!(RelativeDir);

impl FromStr for RelativeDir {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.starts_with('/') || text.contains('\\') || text.contains(char::is_control) || text.len() > 1024 {
            return Err(Invalid::new("a directory is relative to the top of the repository, like `apps/web`"));
        }
        let mut parts = Vec::new();
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." || part == ".git" {
                return Err(Invalid::new(format!("`{part}` may not be part of a directory here")));
            }
            parts.push(part);
        }
        Ok(Self(parts.join("/")))
    }
}

/// A host name, lower case, without port or trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);
text_type!(HostName);

impl FromStr for HostName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let label = |label: &str| {
            (1..=LABEL_MAX).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if host.len() > 253 || !host.split('.').all(label) {
            return Err(Invalid::new(format!("`{text}` is not a host name")));
        }
        Ok(Self(host))
    }
}

/// The domain below which every project gets a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseDomain(HostName);

impl BaseDomain {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host name of the project with this label.
    pub fn host(&self, slug: &Slug) -> HostName {
        HostName(format!("{slug}.{}", self.0))
    }
}

impl FromStr for BaseDomain {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('/') || text.contains(':') || text.contains("..") {
            return Err(Invalid::new("a base domain is a bare name like `apps.example.com`: no scheme, path or port"));
        }
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        let slug = |name: &str| Slug::of(name).map(|s| s.0).ok();
        assert_eq!(slug("My App").as_deref(), Some("my-app"));
        assert_eq!(slug("--a__b--").as_deref(), Some("a-b"));
        assert_eq!(slug("Größe & Straße").as_deref(), Some("grosse-strasse"));
        assert_eq!(slug("Café 北京 Привет").as_deref(), Some("cafe-bei-jing-privet"));
        assert_eq!(slug("----"), None);
        assert_eq!(slug(&"x".repeat(80)).map(|s| s.len()), Some(63));
        assert_eq!(Slug::of(&"x".repeat(80)).unwrap().with_suffix("abcdef").as_str().len(), 63);
        assert!("api".parse::<ProjectName>().is_err());
        assert!("ws-one".parse::<ProjectName>().is_err());
    }

    #[test]
    fn slugs_and_token_names_are_read_as_they_are() {
        assert_eq!("my-app-2".parse::<Slug>().unwrap().as_str(), "my-app-2");
        for bad in ["", "My-App", "a.b", "a\0", "ä", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad:?}");
        }
        assert_eq!(" Größe 🦀 ".parse::<TokenName>().unwrap().as_str(), "Größe 🦀");
        for bad in ["", "  ", "a\0b", "a\nb", "a\u{7f}", &"x".repeat(65)] {
            assert!(bad.parse::<TokenName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn directories_stay_inside() {
        assert_eq!("./apps//web/".parse::<RelativeDir>().unwrap().as_str(), "apps/web");
        for bad in ["/etc", "..", "a/../../b", ".git/hooks", "a\\b", "a\0b", "a\nb"] {
            assert!(bad.parse::<RelativeDir>().is_err(), "{bad}");
        }
    }

    #[test]
    fn base_domains() {
        assert_eq!(" Apps.Example.COM. ".parse::<BaseDomain>().unwrap().as_str(), "apps.example.com");
        for bad in ["http://x.com", "x.com:80", "x/y", "a..b", "-a.com", ""] {
            assert!(bad.parse::<BaseDomain>().is_err(), "{bad}");
        }
    }

    #[test]
    fn environment_keys() {
        assert!("DATABASE_URL".parse::<EnvKey>().is_ok());
        for bad in ["", "1A", "A-B", "A=B", "A B"] {
            assert!(bad.parse::<EnvKey>().is_err(), "{bad}");
        }
    }
}
