//! The mesh's own ports.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use server::{Certificate, FurtherPort, Listener, MeshConfig, MeshSurface};
use tokio::net::TcpListener;

use crate::config::{Config, Mesh};

/// Bound, and not served yet.
pub(super) struct Surfaces {
    mesh: Mesh,
    coordinator: TcpListener,
    control_plane: TcpListener,
    portal: TcpListener,
    addresses: [SocketAddr; 3],
}

// === impl Surfaces ===

impl Surfaces {
    /// `None` where the mesh is switched off.
    pub(super) async fn bind(config: &Config) -> Result<Option<Self>> {
        let Some(mesh) = config.mesh.clone() else { return Ok(None) };
        let coordinator = super::bind(mesh.coordinator_bind, "mesh.coordinator_bind").await?;
        let control_plane = super::bind(mesh.control_plane_bind, "mesh.control_plane_bind").await?;
        let portal = super::bind(mesh.portal_bind, "mesh.portal_bind").await?;
        let addresses = [coordinator.local_addr()?, control_plane.local_addr()?, portal.local_addr()?];
        Ok(Some(Self { mesh, coordinator, control_plane, portal, addresses }))
    }

    pub(super) fn announced(&self) -> String {
        let [coordinator, control_plane, portal] = self.addresses;
        format!(" coordinator={coordinator} control-plane={control_plane} portal={portal}")
    }

    pub(super) fn config(&self, config: &Config) -> MeshConfig {
        let [coordinator, _, portal] = self.addresses;
        let revealed = |secret: &Option<crate::config::Secret>| secret.as_ref().map(|it| it.reveal().to_owned());
        MeshConfig {
            coordinator_url: self.mesh.coordinator_url.clone().unwrap_or_else(|| format!("http://{coordinator}")),
            portal_url: self.mesh.portal_url.clone().unwrap_or_else(|| format!("http://{}", from_here(portal))),
            peer_id: self.mesh.peer_id.clone().unwrap_or_else(|| config.node_name.clone()),
            mesh_token: revealed(&self.mesh.token),
            admin_token: revealed(&self.mesh.admin_token),
            // The services of one process need no secret that anybody else knows.
            portal_service_token: revealed(&self.mesh.portal_service_token).unwrap_or_else(random),
            allowed_admin_ips: self.mesh.allowed_admin_ips.clone(),
            trusted_proxies: self.mesh.trusted_proxies.clone(),
            fee_bps: self.mesh.fee_bps,
            max_price: self.mesh.max_price,
        }
    }

    /// To other machines they speak TLS, like the dashboard.
    pub(super) fn listeners(self, config: &Config, certificate: &Certificate) -> Vec<(FurtherPort, Listener)> {
        let surfaces = [
            (MeshSurface::Coordinator, self.coordinator),
            (MeshSurface::ControlPlane, self.control_plane),
            (MeshSurface::Portal, self.portal),
        ];
        let plaintext_for_all = config.insecure_http;
        let listener = |tcp| Listener { tcp, certificate: Some(certificate.clone()), plaintext_for_all };
        surfaces.into_iter().map(|(surface, tcp)| (FurtherPort::Mesh(surface), listener(tcp))).collect()
    }
}

/// Where this machine itself reaches what is bound there.
fn from_here(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(it) if it.ip().is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, it.port())),
        SocketAddr::V6(it) if it.ip().is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, it.port())),
        other => other,
    }
}

fn random() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}
