//! The mesh's own ports.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use server::{Certificate, FurtherPort, Listener, MeshConfig, MeshSurface};
use tokio::net::TcpListener;

use super::inference::{InferenceSocket, elsewhere};
use crate::config::{Config, Mesh};

/// Bound, and not served yet.
pub(super) struct Surfaces {
    mesh: Mesh,
    bound: Vec<Bound>,
    pub(super) inference: Option<InferenceSocket>,
    coordinator: SocketAddr,
    portal: SocketAddr,
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
    /// `None` where the mesh is switched off.
    pub(super) async fn bind(config: &Config) -> Result<Option<Self>> {
        let Some(mesh) = config.mesh.clone() else { return Ok(None) };
        let bind = async |surface, name, setting, address| {
            let tcp = super::bind(address, setting).await?;
            anyhow::Ok(Bound { surface, name, address: tcp.local_addr()?, tcp })
        };
        let coordinator =
            bind(MeshSurface::Coordinator, "coordinator", "mesh.coordinator_bind", mesh.coordinator_bind).await?;
        let control_plane =
            bind(MeshSurface::ControlPlane, "control-plane", "mesh.control_plane_bind", mesh.control_plane_bind)
                .await?;
        let portal = bind(MeshSurface::Portal, "portal", "mesh.portal_bind", mesh.portal_bind).await?;
        let addresses = (coordinator.address, portal.address);
        let mut bound = vec![coordinator, control_plane, portal];
        if let Some(address) = mesh.ollama_bind {
            bound.push(bind(MeshSurface::Ollama, "ollama", "mesh.ollama_bind", address).await?);
        }
        let inference = InferenceSocket::bind(&config.inference).await?;
        Ok(Some(Self { mesh, bound, inference, coordinator: addresses.0, portal: addresses.1 }))
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
        let (coordinator, portal) = (self.coordinator, self.portal);
        let revealed = |secret: &Option<crate::config::Secret>| secret.as_ref().map(|it| it.reveal().to_owned());
        MeshConfig {
            coordinator_url: self.mesh.coordinator_url.clone().unwrap_or_else(|| format!("http://{coordinator}")),
            portal_url: self.mesh.portal_url.clone().unwrap_or_else(|| format!("http://{}", from_here(portal))),
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
