//! The inference service: in the coordinator's process, or one of its own.

use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow, bail};
use mesh_agent::{InferenceConfig, InferenceService, Terms, TrustedCoordinator};
use server::{Certificate, Listener};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::surfaces::{from_here, random};
use super::{Termination, announce};
use crate::config::{Config, Inference};

const SETTING: &str = "mesh.inference_bind";

/// Bound, and not served yet.
pub(super) struct InferenceSocket {
    settings: Inference,
    tcp: TcpListener,
    pub(super) address: SocketAddr,
    /// One process needs no secret that anybody else knows.
    token: String,
}

// === impl InferenceSocket ===

impl InferenceSocket {
    /// `None` where the coordinator's process has no such service.
    pub(super) async fn bind(settings: &Inference) -> Result<Option<Self>> {
        let Some(bind) = settings.bind else { return Ok(None) };
        let tcp = super::bind(bind, SETTING).await?;
        let token = settings.token.as_ref().map_or_else(random, |token| token.reveal().to_owned());
        Ok(Some(Self { settings: settings.clone(), address: tcp.local_addr()?, tcp, token }))
    }

    /// How the coordinator of this process asks it.
    pub(super) fn asked(&self) -> server::InferenceConfig {
        let url = self.settings.url.clone().unwrap_or_else(|| format!("http://{}", from_here(self.address)));
        server::InferenceConfig { url, token: self.token.clone() }
    }

    /// Prepares to answer the coordinator of this process, if there is one, and the one that is configured, until `stop`.
    pub(super) fn prepare(
        self,
        own: Option<TrustedCoordinator>,
        certificate: Certificate,
        plaintext_for_all: bool,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>> {
        let Self { settings, tcp, token, .. } = self;
        let service = InferenceService::new(InferenceConfig {
            token,
            upstreams: vec![settings.upstream()],
            coordinators: own.into_iter().chain(settings.coordinator).collect(),
            terms: Terms { models: settings.models.into_iter().collect(), price: settings.price, ..Terms::default() },
        });
        let service = service.map_err(|error| anyhow!(error)).context("prepare the inference service")?;
        let listener = Listener { tcp, certificate: Some(certificate), plaintext_for_all };
        Ok(async move {
            tokio::join!(listener.serve(service.router(), stop.clone()), service.run(stop));
        })
    }
}

/// How a coordinator asks the service that is a process of its own, if it is told where that is.
pub(super) fn elsewhere(settings: &Inference) -> Option<server::InferenceConfig> {
    let (url, token) = (settings.url.clone()?, settings.token.as_ref()?);
    Some(server::InferenceConfig { url, token: token.reveal().to_owned() })
}

/// The service alone: it needs no database, and knows its coordinator by the key.
pub(super) async fn inference(config: Config, mut termination: Termination) -> Result<()> {
    let settings = &config.inference;
    let missing = settings.missing();
    if !missing.is_empty() {
        let lines = missing.iter().map(|(path, message)| format!("\n  {path}: {message}")).collect::<String>();
        bail!("the inference service cannot start:{lines}");
    }
    super::make_private(&config.data_dir)?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let directory = config.data_dir.join("inference");
    std::fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    let certificate = Certificate::own(&directory.join("tls"), &names).context("make the service's own certificate")?;
    let socket = InferenceSocket::bind(settings).await?.context("it is not said where to listen")?;
    let address = socket.address;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(socket.prepare(None, certificate, config.insecure_http, stop.clone())?);
    announce(&format!("listening inference={address}"));
    termination.requested().await;
    stop.cancel();
    let _ = tokio::time::timeout(super::FINISH, serving).await;
    Ok(())
}
