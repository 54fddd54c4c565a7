//! The certificate for machines that have none of their own yet: made here, kept here, vouched for by nobody.
//! Nodes do not rely on it, as they prove to each other who they are by their keys.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

/// The longest life that clients accept of a certificate (CA/Browser Forum ballot SC-22), and after which part of it
/// a new one is made.
const LIFE: Duration = Duration::from_secs(397 * 24 * 3600);
const RENEW_AFTER: Duration = Duration::from_secs(300 * 24 * 3600);

/// What a listener speaks TLS with.
#[derive(Clone)]
pub struct Certificate {
    config: ServerConfig,
    pin: String,
}

// === impl Certificate ===

impl Certificate {
    /// The one in `directory`; made now when there is none for these names, or when it is old.
    ///
    /// # Errors
    /// When the directory cannot be used, or what is in it is not a certificate with its key.
    pub fn own(directory: &Path, names: &[String]) -> io::Result<Self> {
        let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        let listed = directory.join("names");
        let fresh = fs::metadata(&certificate)
            .and_then(|found| found.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age < RENEW_AFTER));
        if !fresh || !key.exists() || fs::read_to_string(&listed).ok() != Some(names.join("\n")) {
            fs::create_dir_all(directory)?;
            let (certificate_pem, key_pem) = make(names).map_err(io::Error::other)?;
            write_private(&key, &key_pem)?;
            write_private(&certificate, &certificate_pem)?;
            write_private(&listed, &names.join("\n"))?;
        }
        let chain = CertificateDer::pem_file_iter(&certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(io::Error::other)?;
        let pin = pin(&fs::read_to_string(&key)?).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(&key).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config, pin })
    }

    /// What a client can know its key by: SHA-256 of the SubjectPublicKeyInfo, base64 (RFC 7469 section 2.4).
    pub fn pin(&self) -> &str {
        &self.pin
    }

    pub(super) fn into_config(self) -> ServerConfig {
        self.config
    }
}

fn pin(key_pem: &str) -> Result<String, rcgen::Error> {
    let key = KeyPair::from_pem(key_pem)?;
    Ok(STANDARD.encode(Sha256::digest(key.subject_public_key_info())))
}

/// A certificate that signs itself, and its key, as PEM.
fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "NanoScale");
    let now = std::time::SystemTime::now();
    // Clocks differ.
    params.not_before = (now - Duration::from_secs(24 * 3600)).into();
    params.not_after = (now + LIFE - Duration::from_secs(24 * 3600)).into();
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_kept_until_the_names_change() {
        let directory = tempfile::tempdir().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let read = || fs::read_to_string(directory.path().join("certificate.pem")).unwrap();
        Certificate::own(directory.path(), &names).unwrap();
        let first = read();
        Certificate::own(directory.path(), &names).unwrap();
        assert_eq!(read(), first);
        Certificate::own(directory.path(), &["localhost".to_owned()]).unwrap();
        assert_ne!(read(), first);
    }
}
