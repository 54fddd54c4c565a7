//! The mesh's own ports.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use server::{Certificate, FurtherPort, Listener, MeshConfig, MeshRole, MeshSurface};
use tokio::net::TcpListener;

use super::inference::{InferenceSocket, elsewhere};
use crate::config::{Config, Mesh, MeshService};

/// Bound, and not served yet.
pub(super) struct Surfaces {
    mesh: Mesh,
    bound: Vec<Bound>,
    pub(super) inference: Option<InferenceSocket>,
}

struct Bound {
    surface: MeshSurface,
    /// As it is announced.
    name: &'static str,
    tcp: TcpListener,
    address: SocketAddr,
}

// === impl Surfaces ===

impl Surfaces {
    /// Those of this process; `None` where the mesh is switched off.
    pub(super) async fn bind(config: &Config) -> Result<Option<Self>> {
        let Some(mesh) = config.mesh.clone() else { return Ok(None) };
        let all = [
            (MeshSurface::Coordinator, MeshService::Coordinator, "mesh.coordinator_bind", Some(mesh.coordinator_bind)),
            (
                MeshSurface::ControlPlane,
                MeshService::ControlPlane,
                "mesh.control_plane_bind",
                Some(mesh.control_plane_bind),
            ),
            (MeshSurface::Portal, MeshService::Portal, "mesh.portal_bind", Some(mesh.portal_bind)),
            (MeshSurface::Ollama, MeshService::Coordinator, "mesh.ollama_bind", mesh.ollama_bind),
        ];
        let mut bound = Vec::new();
        for (surface, service, setting, address) in all {
            let is_ours = config.service.is_none_or(|own| own == service);
            let Some(address) = address.filter(|_| is_ours) else { continue };
            let name = if surface == MeshSurface::Ollama { "ollama" } else { service.as_str() };
            let tcp = super::bind(address, setting).await?;
            bound.push(Bound { surface, name, address: tcp.local_addr()?, tcp });
        }
        let asks_models = config.service.is_none_or(|own| own == MeshService::Coordinator);
        let inference = if asks_models { InferenceSocket::bind(&config.inference).await? } else { None };
        Ok(Some(Self { mesh, bound, inference }))
    }

    /// Where the first of them is, which is the only one where this process is one service.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.bound.first().map(|bound| bound.address)
    }

    fn address_of(&self, surface: MeshSurface) -> Option<SocketAddr> {
        self.bound.iter().find(|bound| bound.surface == surface).map(|bound| bound.address)
    }

    pub(super) fn announced(&self) -> String {
        let bound = self.bound.iter().map(|Bound { name, address, .. }| (*name, *address));
        let inference = self.inference.iter().map(|it| ("inference", it.address));
        bound.chain(inference).map(|(name, address)| format!(" {name}={address}")).collect()
    }

    /// What the coordinator is called.
    pub(super) fn peer_id(&self, config: &Config) -> String {
        self.mesh.peer_id.clone().unwrap_or_else(|| config.node_name.clone())
    }

    pub(super) fn config(&self, config: &Config) -> MeshConfig {
        let here = |surface| self.address_of(surface).map(|address| format!("http://{}", from_here(address)));
        let revealed = |secret: &Option<crate::config::Secret>| secret.as_ref().map(|it| it.reveal().to_owned());
        MeshConfig {
            role: match config.service {
                Some(MeshService::Coordinator) => MeshRole::Coordinator,
                Some(MeshService::Portal) => MeshRole::Portal,
                Some(MeshService::ControlPlane) | None => MeshRole::All,
            },
            // What is elsewhere is configured.
            coordinator_url: self
                .mesh
                .coordinator_url
                .clone()
                .or_else(|| here(MeshSurface::Coordinator))
                .unwrap_or_default(),
            portal_url: self.mesh.portal_url.clone().or_else(|| here(MeshSurface::Portal)).unwrap_or_default(),
            ollama_url: self.address_of(MeshSurface::Ollama).map(|address| {
                let is_plain = config.insecure_http || address.ip().is_loopback();
                format!("{}://{address}", if is_plain { "http" } else { "https" })
            }),
            peer_id: self.peer_id(config),
            key: self.mesh.key.clone(),
            mesh_token: revealed(&self.mesh.token),
            admin_token: revealed(&self.mesh.admin_token),
            // The services of one process need no secret that anybody else knows.
            portal_service_token: revealed(&self.mesh.portal_service_token).unwrap_or_else(random),
            allowed_ui_ips: self.mesh.allowed_ui_ips.clone(),
            allowed_admin_ips: self.mesh.allowed_admin_ips.clone(),
            inference: self.inference.as_ref().map_or_else(|| elsewhere(&config.inference), |it| Some(it.asked())),
            trusted_proxies: self.mesh.trusted_proxies.clone(),
            fee_bps: self.mesh.fee_bps,
            max_price: self.mesh.max_price,
        }
    }

    /// To other machines they speak TLS, like the dashboard.
    pub(super) fn listeners(self, config: &Config, certificate: &Certificate) -> Vec<(FurtherPort, Listener)> {
        let plaintext_for_all = config.insecure_http;
        let listener = |tcp| Listener { tcp, certificate: Some(certificate.clone()), plaintext_for_all };
        self.bound.into_iter().map(|it| (FurtherPort::Mesh(it.surface), listener(it.tcp))).collect()
    }
}

/// Where this machine itself reaches what is bound there.
pub(super) fn from_here(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(it) if it.ip().is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, it.port())),
        SocketAddr::V6(it) if it.ip().is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, it.port())),
        other => other,
    }
}

pub(super) fn random() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}
