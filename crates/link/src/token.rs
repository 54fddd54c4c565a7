use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use url::Url;

use crate::PublicKey;

/// Makes a token known for what it is, to people and to programs that look for secrets.
const PREFIX: &str = "nsj_";
const VERSION: u8 = 1;
/// Bytes of an id's text, of a secret and of the checksum.
const ID: usize = 26;
const SECRET: usize = 32;
const CHECK: usize = 4;

/// Invites one machine: where the cluster is, how to know that it is the right one, and a secret that works once.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Names the token; not secret.
    pub id: String,
    pub secret: [u8; SECRET],
    pub cluster: PublicKey,
    /// Where the control plane answers; `http` or `https`, without a path.
    pub url: Url,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error(
        "a join token begins with {PREFIX}; make one with `nanoscale node token` or in the dashboard's \"Add server\""
    )]
    NotAToken,
    #[error("the join token is not complete or was changed; copy it again as a whole")]
    Damaged,
}

// === impl JoinToken ===

impl JoinToken {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(self.cluster.as_bytes());
        bytes.extend_from_slice(self.url.as_str().trim_end_matches('/').as_bytes());
        let check = digest(&SHA256, &bytes);
        bytes.extend_from_slice(&check.as_ref()[..CHECK]);
        bytes
    }
}

/// The whole token: a secret.
impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.bytes()))
    }
}

/// Without what is secret.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({} for {} at {})", self.id, self.cluster, self.url)
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(TokenError::NotAToken)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Damaged)?;
        let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or(TokenError::Damaged)?;
        if digest(&SHA256, body).as_ref()[..CHECK] != check[..] {
            return Err(TokenError::Damaged);
        }
        let parse = || {
            let (&version, rest) = body.split_first()?;
            let (id, rest) = rest.split_first_chunk::<ID>()?;
            let (secret, rest) = rest.split_first_chunk::<SECRET>()?;
            let (cluster, url) = rest.split_first_chunk::<32>()?;
            Some(Self {
                id: std::str::from_utf8(id).ok().filter(|_| version == VERSION)?.to_owned(),
                secret: *secret,
                cluster: PublicKey::from_bytes(cluster).ok()?,
                url: Url::parse(std::str::from_utf8(url).ok()?).ok()?,
            })
        };
        parse().ok_or(TokenError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPair;

    #[test]
    fn a_token_is_whole_or_none() {
        let token = JoinToken {
            id: "01j9z3k4w5x6y7z8a9b0c1d2e3".into(),
            secret: [7; SECRET],
            cluster: KeyPair::generate().unwrap().public(),
            url: Url::parse("https://cloud.example.com:4000").unwrap(),
        };
        let text = token.to_string();
        assert_eq!(text.parse::<JoinToken>().unwrap(), token);
        assert_eq!(format!(" {text}\n").parse::<JoinToken>().unwrap(), token);
        assert!(!format!("{token:?}").contains(&text[40..60]));
        assert_eq!("hello".parse::<JoinToken>(), Err(TokenError::NotAToken));
        assert_eq!(text[..text.len() - 1].parse::<JoinToken>(), Err(TokenError::Damaged));
        for place in (PREFIX.len()..text.len() - 1).step_by(3) {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(changed.parse::<JoinToken>(), Err(TokenError::Damaged), "{place}");
        }
    }
}
