//! Names of machines, and labels to choose them by.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;
use crate::name::text_type;

/// What a machine is called: like a host name, 1 to 63 letters, digits, dots, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName(String);
text_type!(NodeName);

impl FromStr for NodeName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if is_word(text.trim(), "._-") {
            Ok(Self(text.trim().to_owned()))
        } else {
            Err(Invalid::new(
                "a server's name has 1 to 63 letters, digits, dots, hyphens and underscores, and begins with a letter or digit",
            ))
        }
    }
}

/// `key=value`, for placement: `region=eu`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub key: String,
    pub value: String,
}

impl FromStr for Label {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        Self::new(key, value)
    }
}

impl Label {
    /// Checks both parts.
    ///
    /// # Errors
    /// When one has characters that no label has.
    pub fn new(key: &str, value: &str) -> Result<Self, Invalid> {
        if is_word(key, "._/-") && (value.is_empty() || is_word(value, "._-")) {
            Ok(Self { key: key.to_owned(), value: value.to_owned() })
        } else {
            Err(Invalid::new(format!(
                "`{key}={value}` is no label; it looks like `region=eu`: letters, digits, dots, hyphens and underscores, at most 63 on each side"
            )))
        }
    }
}

fn is_word(text: &str, besides: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 63
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || besides.as_bytes().contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_words() {
        for good in ["a", "worker-1", "vps.example.com", &"a".repeat(63)] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a b", "a\nb", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
        assert_eq!("region=eu".parse::<Label>().unwrap(), Label { key: "region".into(), value: "eu".into() });
        assert_eq!("gpu".parse::<Label>().unwrap().value, "");
        for bad in ["", "=x", "a=b=c", "a b=c"] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
    }
}
