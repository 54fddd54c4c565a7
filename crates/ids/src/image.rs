//! What names a container image in a registry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// An image as people write it: `nginx`, `ghcr.io/owner/app:1.2`, `registry.example.com:5000/app@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference {
    /// Where a name without a registry leads is the engines' habit: to Docker Hub.
    registry: Option<String>,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

const LENGTH_MAX: usize = 512;
const TAG_MAX: usize = 128;
const HUB: &str = "registry-1.docker.io";
const HTTPS: u16 = 443;

impl ImageReference {
    /// The host it is pulled from.
    pub fn host(&self) -> &str {
        let registry = self.registry.as_deref().unwrap_or(HUB);
        registry.split_once(':').map_or(registry, |(host, _)| host)
    }

    pub fn port(&self) -> u16 {
        let port = self.registry.as_deref().and_then(|registry| registry.split_once(':')?.1.parse().ok());
        port.unwrap_or(HTTPS)
    }

    /// Without tag and digest.
    pub fn repository(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.path),
            None => self.path.clone(),
        }
    }

    /// What to ask the registry for: the digest if there is one, which says more than a tag.
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    pub fn has_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// The registry as it is written in the reference.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }
}

impl FromStr for ImageReference {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let invalid = || {
            Invalid::new(format!(
                "`{text}` is not an image; one looks like `nginx:1.27`, `ghcr.io/owner/app` or `registry.example.com:5000/app@sha256:…`"
            ))
        };
        if text.len() > LENGTH_MAX {
            return Err(Invalid::new(format!("the name of an image has at most {LENGTH_MAX} characters")));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
            _ => (None, name),
        };
        let well_formed = path.split('/').all(is_component)
            && registry.is_none_or(is_registry)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        if !well_formed {
            return Err(invalid());
        }
        let owned = |part: Option<&str>| part.map(str::to_owned);
        Ok(Self { registry: owned(registry), path: path.to_owned(), tag: owned(tag), digest: owned(digest) })
    }
}

/// Lower-case letters and digits, with single separators between them.
fn is_component(part: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(word) && part.bytes().last().is_some_and(word);
    ends && part.bytes().all(|byte| word(byte) || b"._-".contains(&byte))
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_MAX
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}

fn is_digest(digest: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digest.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex))
}

impl TryFrom<String> for ImageReference {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<ImageReference> for String {
    fn from(reference: ImageReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository())?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(f, ":{tag}"))?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_round_trip_and_refuse_everything_else() {
        let digest = format!("app@sha256:{}", "a".repeat(64));
        for good in
            ["nginx", "owner/app:1.2", "ghcr.io/owner/app:v1", "localhost/a", "127.0.0.1:5000/a/b:latest", &digest]
        {
            assert_eq!(good.parse::<ImageReference>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "Nginx",
            "a b",
            "https://ghcr.io/a",
            "a:",
            "a:-x",
            "a@sha256:12",
            "a/../b",
            "-a",
            "host.example:0/a",
            "host.example:99999/a",
            "user:pass@host/a",
            "a//b",
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn where_it_is_pulled_from() {
        let place = |text: &str| {
            let image: ImageReference = text.parse().unwrap();
            (image.host().to_owned(), image.port(), image.repository(), image.version().to_owned())
        };
        assert_eq!(place("nginx"), (HUB.into(), 443, "nginx".into(), "latest".into()));
        assert_eq!(place("127.0.0.1:5000/app:2"), ("127.0.0.1".into(), 5000, "127.0.0.1:5000/app".into(), "2".into()));
    }
}
