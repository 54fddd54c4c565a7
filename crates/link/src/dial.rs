//! From a node to its control plane, through whatever lies between.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::tls::Connector;
use crate::websocket::{self, Refusal};

const CONNECT: Duration = Duration::from_secs(10);

/// What a node dials for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To be led by the control plane.
    Lead,
    /// Because the control plane has asked for one more connection.
    Further { ticket: &'a str },
    /// To have connections to other nodes passed on.
    Tunnel,
    /// To serve models to a coordinator, as one of its mesh agents.
    Mesh { node_id: &'a str },
}

// === impl Purpose ===

impl Purpose<'_> {
    /// Where at the server it is dialled for.
    fn at(self, server: &Url) -> Result<Url, url::ParseError> {
        let path = match self {
            Self::Lead | Self::Further { .. } => "/api/cluster/link",
            Self::Tunnel => "/api/cluster/tunnel",
            Self::Mesh { .. } => "/mesh/link",
        };
        let mut at = server.join(path)?;
        match self {
            Self::Further { ticket } => drop(at.query_pairs_mut().append_pair("ticket", ticket)),
            Self::Mesh { node_id } => drop(at.query_pairs_mut().append_pair("node", node_id)),
            Self::Lead | Self::Tunnel => {}
        }
        Ok(at)
    }
}

/// The bytes of a link.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Connects to the control plane at `url` (`http` or `https`), and proves there with `connector` who this is.
///
/// # Errors
/// When nobody answers in time, or somebody else does.
pub async fn dial(url: &Url, purpose: Purpose<'_>, connector: &Connector) -> io::Result<Box<dyn Io>> {
    let dialled = tokio::time::timeout(CONNECT, connect(url, purpose, connector)).await;
    dialled.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("{url} does not answer in time"))))
}

async fn connect(url: &Url, purpose: Purpose<'_>, connector: &Connector) -> io::Result<Box<dyn Io>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, format!("{url} is no address of a server"));
    let host = url.host_str().ok_or_else(invalid)?;
    let port = url.port_or_known_default().ok_or_else(invalid)?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    stream.set_nodelay(true)?;
    let (scheme, outer): (_, Box<dyn Io>) = match url.scheme() {
        "https" => ("wss", Box::new(outer(host, stream).await?)),
        _ => ("ws", Box::new(stream)),
    };
    let mut at = purpose.at(url).map_err(|_| invalid())?;
    at.set_scheme(scheme).map_err(|()| invalid())?;
    let inner = websocket::open(at.as_str(), outer).await.map_err(|refusal| match refusal {
        Refusal::Broken(error) => error,
        Refusal::Answered(_) => io::Error::new(io::ErrorKind::ConnectionRefused, format!("{url}: {refusal}")),
    })?;
    Ok(Box::new(connector.connect(inner).await?))
}

/// TLS to whoever ends it: the server itself, or a proxy before it. Its certificate is not looked at: nothing passes
/// here but what the keys protect.
async fn outer(host: &str, stream: TcpStream) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_its_address() {
        let server = Url::parse("https://cloud.example.com:4000").unwrap();
        for (purpose, expected) in [
            (Purpose::Lead, "/api/cluster/link"),
            (Purpose::Further { ticket: "a b" }, "/api/cluster/link?ticket=a+b"),
            (Purpose::Tunnel, "/api/cluster/tunnel"),
            (Purpose::Mesh { node_id: "ada-workstation" }, "/mesh/link?node=ada-workstation"),
        ] {
            let at = purpose.at(&server).unwrap();
            assert_eq!(at.as_str(), format!("https://cloud.example.com:4000{expected}"));
        }
    }
}
