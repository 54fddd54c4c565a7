//! TLS 1.3 between two keys. Neither side has a name or a certificate (RFC 7250); nothing is resumed, so that a key
//! that is not wanted any more opens nothing.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::{KeyPair, PublicKey};

/// Connects as the owner of a key to the owner of another one.
#[derive(Clone)]
pub struct Connector(TlsConnector);

// === impl Connector ===

impl Connector {
    pub fn new(own: &KeyPair, peer: PublicKey) -> Result<Self, Error> {
        let provider = provider();
        let verifier = Verifier { peer: Some(peer), algorithms: provider.signature_verification_algorithms };
        let key = certified(&provider, own)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key)));
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// An error when somebody else answers.
    pub async fn connect<T: AsyncRead + AsyncWrite + Unpin>(&self, io: T) -> io::Result<client::TlsStream<T>> {
        // Nobody looks at it.
        let name = ServerName::try_from("cluster").map_err(io::Error::other)?;
        self.0.connect(name, io).await
    }
}

/// Answers as the owner of a key, to the owner of any.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

// === impl Acceptor ===

impl Acceptor {
    pub fn new(own: &KeyPair) -> Result<Self, Error> {
        let provider = provider();
        let verifier = Verifier { peer: None, algorithms: provider.signature_verification_algorithms };
        let key = certified(&provider, own)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Gives whose key the other side has shown to own. Whether that one is welcome is the caller's business.
    pub async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: T,
    ) -> io::Result<(PublicKey, server::TlsStream<T>)> {
        let stream = self.0.accept(io).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|shown| shown.first());
        let key = shown.and_then(|key| PublicKey::from_spki(key).ok());
        let key = key.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no Ed25519 key was shown"))?;
        Ok((key, stream))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certified(provider: &CryptoProvider, own: &KeyPair) -> Result<Arc<CertifiedKey>, Error> {
    let private = PrivateKeyDer::Pkcs8(own.to_pkcs8().to_vec().into());
    let signer = provider.key_provider.load_private_key(private)?;
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(own.public().to_spki())], signer)))
}

/// Checks that the other side owns the key it shows, and that it is the expected one where there is one.
#[derive(Debug)]
struct Verifier {
    peer: Option<PublicKey>,
    algorithms: WebPkiSupportedAlgorithms,
}

// === impl Verifier ===

impl Verifier {
    fn is_expected(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let shown = PublicKey::from_spki(shown).map_err(|_| Error::General("no Ed25519 key was shown".into()))?;
        match self.peer {
            Some(expected) if expected != shown => {
                Err(Error::General(format!("another cluster answers there: {shown}, not {expected}")))
            }
            _ => Ok(()),
        }
    }

    fn verify(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

/// TLS 1.2 is never spoken.
fn too_old<T>() -> Result<T, Error> {
    Err(Error::General("TLS 1.3 is needed".into()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.is_expected(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.is_expected(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn two_keys_talk_and_a_third_is_refused() {
        let (cluster, node, other) =
            (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let acceptor = Acceptor::new(&cluster).unwrap();
        for (expected, works) in [(cluster.public(), true), (other.public(), false)] {
            let (near, far) = tokio::io::duplex(1 << 16);
            let acceptor = acceptor.clone();
            let answer = tokio::spawn(async move {
                let (key, mut stream) = acceptor.accept(far).await?;
                let mut heard = [0; 5];
                stream.read_exact(&mut heard).await?;
                stream.write_all(&heard).await?;
                stream.shutdown().await?;
                Ok::<_, io::Error>(key)
            });
            let connected = Connector::new(&node, expected).unwrap().connect(near).await;
            assert_eq!(connected.is_ok(), works);
            if let Ok(mut stream) = connected {
                stream.write_all(b"hello").await.unwrap();
                let mut said = Vec::new();
                stream.read_to_end(&mut said).await.unwrap();
                assert_eq!(said, b"hello");
                assert_eq!(answer.await.unwrap().unwrap(), node.public());
            } else {
                assert!(answer.await.unwrap().is_err());
            }
        }
    }
}
