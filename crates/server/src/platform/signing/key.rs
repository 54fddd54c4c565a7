//! Keys that tokens are signed with: RSA, as PEM in many spellings, and their names.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rsa::KeyPair;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey, EncodeRsaPrivateKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};

/// Of a new key, which NIST SP 800-57 part 1 takes for good until 2030. Each more makes every signature slower.
const BITS: usize = 2048;
/// Of a key that is given; ring signs with no longer ones.
const BITS_MIN: usize = 2048;
const BITS_MAX: usize = 4096;

/// An RSA key with its private half.
#[derive(Clone)]
pub struct SigningKey {
    /// What its tokens and the published key say it by (`kid`).
    pub(super) id: String,
    /// Base64url, as in a JWK.
    pub(super) modulus: String,
    pub(super) exponent: String,
    /// PKCS#1.
    pub(super) private_der: Vec<u8>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new one. Takes a part of a second.
    pub(super) fn generate() -> Result<Self, String> {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).map_err(|error| error.to_string())?;
        Self::of(&key, None)
    }

    /// Reads a private key: PEM, PEM whose line breaks are written `\n`, or either in base64; PKCS#1 or PKCS#8. It is
    /// called `id`, or by its thumbprint.
    ///
    /// # Errors
    /// What is wrong with it, to follow its name.
    pub fn read(text: &str, id: Option<&str>) -> Result<Self, String> {
        let pem = pem(text)?;
        let key = match label(&pem) {
            "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_pem(&pem).map_err(|error| error.to_string()),
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_pem(&pem).map_err(|error| error.to_string()),
            "ENCRYPTED PRIVATE KEY" => Err("it is encrypted; take its password off".to_owned()),
            label => Err(format!("it is a {label}, where a private RSA key is wanted")),
        };
        Self::of(&key.map_err(|why| format!("is no private RSA key: {why}"))?, id)
    }

    /// The key that [`Self::to_der`] gave.
    pub(super) fn from_der(der: &[u8], id: &str) -> Result<Self, String> {
        Self::of(&RsaPrivateKey::from_pkcs1_der(der).map_err(|error| error.to_string())?, Some(id))
    }

    fn of(key: &RsaPrivateKey, id: Option<&str>) -> Result<Self, String> {
        let bits = key.size() * 8;
        if !(BITS_MIN..=BITS_MAX).contains(&bits) {
            return Err(format!("has {bits} bits; a key has {BITS_MIN} to {BITS_MAX}"));
        }
        let der = key.to_pkcs1_der().map_err(|error| error.to_string())?;
        KeyPair::from_der(der.as_bytes()).map_err(|why| format!("is no RSA key to sign with: {why}"))?;
        let [modulus, exponent] = [key.n(), key.e()].map(|number| URL_SAFE_NO_PAD.encode(number.to_bytes_be()));
        let id = id.map_or_else(|| thumbprint(&modulus, &exponent), str::to_owned);
        Ok(Self { id, modulus, exponent, private_der: der.as_bytes().to_vec() })
    }

    /// Whether `text` is its public half, in the spellings of [`Self::read`].
    ///
    /// # Errors
    /// What is wrong with it, to follow its name.
    pub fn check_public(&self, text: &str) -> Result<(), String> {
        let pem = pem(text)?;
        let key = match label(&pem) {
            "PUBLIC KEY" => RsaPublicKey::from_public_key_pem(&pem).map_err(|error| error.to_string()),
            "RSA PUBLIC KEY" => RsaPublicKey::from_pkcs1_pem(&pem).map_err(|error| error.to_string()),
            label => Err(format!("it is a {label}, where a public RSA key is wanted")),
        };
        let key = key.map_err(|why| format!("is no public RSA key: {why}"))?;
        let [modulus, exponent] = [key.n(), key.e()].map(|number| URL_SAFE_NO_PAD.encode(number.to_bytes_be()));
        match modulus == self.modulus && exponent == self.exponent {
            true => Ok(()),
            false => Err("is not the public half of the private key; give the one that belongs to it".to_owned()),
        }
    }
}

/// What names an RSA key everywhere alike (RFC 7638 section 3).
fn thumbprint(modulus: &str, exponent: &str) -> String {
    let members = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

/// PEM with line breaks, from whatever variables and files make of it.
fn pem(text: &str) -> Result<String, String> {
    const BEGIN: &str = "-----BEGIN ";
    let unfolded = if text.contains(BEGIN) {
        text.to_owned()
    } else {
        let packed = text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let bytes = STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        bytes.filter(|text| text.contains(BEGIN)).ok_or("is neither PEM nor base64 of PEM")?
    };
    let lines = unfolded.replace("\\r", "").replace("\\n", "\n");
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    Ok(lines.join("\n") + "\n")
}

/// What a PEM says it is.
fn label(pem: &str) -> &str {
    let begin = pem.lines().find_map(|line| line.strip_prefix("-----BEGIN "));
    begin.and_then(|rest| rest.strip_suffix("-----")).unwrap_or("text without a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pkcs1::EncodeRsaPublicKey;
    use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

    /// RFC 7638 section 3.1.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3o\
            knjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO\
            pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(thumbprint(modulus, "AQAB"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).unwrap();
        let pkcs8 = key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
        let pkcs1 = key.to_pkcs1_pem(LineEnding::CRLF).unwrap().to_string();
        let id = SigningKey::read(&pkcs8, None).unwrap().id;
        for text in [
            pkcs1.clone(),
            pkcs8.replace('\n', "\\n"),
            pkcs1.replace("\r\n", "\\r\\n"),
            STANDARD.encode(&pkcs8),
            STANDARD.encode(pkcs8.replace('\n', "\\n")),
            pkcs8.replace('\n', "\n    "),
        ] {
            assert_eq!(SigningKey::read(&text, None).unwrap().id, id, "{}", &text[..40]);
        }
        let read = SigningKey::read(&pkcs8, Some("2026-11")).unwrap();
        assert_eq!(read.id, "2026-11");
        assert!(!format!("{read:?}").contains(&read.modulus));
        let public = key.to_public_key();
        read.check_public(&public.to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
        read.check_public(&public.to_pkcs1_pem(LineEnding::LF).unwrap().replace('\n', "\\n")).unwrap();
        let other = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).unwrap().to_public_key();
        let other = other.to_public_key_pem(LineEnding::LF).unwrap();
        assert!(read.check_public(&other).unwrap_err().contains("belongs to it"));
        for (text, why) in [
            ("nonsense", "neither PEM"),
            (other.as_str(), "PUBLIC KEY, where a private"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n", "password"),
            ("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "no private RSA key"),
        ] {
            let error = SigningKey::read(text, None).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let short = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
        let short = short.to_pkcs8_pem(LineEnding::LF).unwrap();
        assert!(SigningKey::read(&short, None).unwrap_err().contains("1024 bits"));
    }
}
