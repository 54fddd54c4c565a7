//! The mesh: its ports, and the secrets that guard them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use link::{KeyPair, PublicKey};

use super::settings::{Secret, Values};

/// One of the mesh's services, as a process of its own. The inference service is beside them: it needs no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MeshService {
    Coordinator,
    ControlPlane,
    Portal,
}

impl MeshService {
    /// As it is announced, and what its directory is called.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::ControlPlane => "control-plane",
            Self::Portal => "portal",
        }
    }
}

/// How this server takes part in a mesh.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    pub(crate) coordinator_bind: SocketAddr,
    pub(crate) control_plane_bind: SocketAddr,
    pub(crate) portal_bind: SocketAddr,
    /// Where programs find models that know Ollama only; nowhere unless it is set.
    pub(crate) ollama_bind: Option<SocketAddr>,
    /// Where others find coordinator and portal, when that is not where they are bound.
    pub(crate) coordinator_url: Option<String>,
    pub(crate) portal_url: Option<String>,
    /// What the coordinator is called.
    pub(crate) peer_id: Option<String>,
    /// By which it is known, instead of one that is made and kept in the database.
    pub(crate) key: Option<Arc<KeyPair>>,
    pub(crate) token: Option<Secret>,
    pub(crate) admin_token: Option<Secret>,
    pub(crate) portal_service_token: Option<Secret>,
    pub(crate) allowed_admin_ips: Vec<IpNet>,
    pub(crate) allowed_ui_ips: Vec<IpNet>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) fee_bps: u32,
    /// What a token may cost at most, in microcredits.
    pub(crate) max_price: u32,
}

/// Where what the server keeps is kept; the portal has a database of its own, where it is a process of its own.
pub(super) fn database_url(values: &mut Values, service: Option<MeshService>) -> Option<String> {
    if service == Some(MeshService::Portal) {
        return values.database_url("mesh.portal_database_url").or_else(|| values.database_url("database_url"));
    }
    if service.is_none() && values.has("mesh.portal_database_url") {
        let message = "one process has one database: leave it out (PORTAL_DATABASE_URL), or start the portal by itself \
                       (`nanoscale serve portal`)";
        values.mistake("mesh.portal_database_url", message);
    }
    // A shell may have that variable for something else: it counts where somebody asks for the coordinator.
    let of_the_coordinator =
        (service == Some(MeshService::Coordinator)).then(|| values.database_url("mesh.coordinator_database_url"));
    of_the_coordinator.flatten().or_else(|| values.database_url("database_url"))
}

/// Where people open the dashboard, which the portal has where it is a process of its own.
pub(super) fn public_url(values: &mut Values, service: Option<MeshService>) -> Option<String> {
    let of_the_portal = values.web_address("mesh.portal_public_url");
    let of_the_server = values.web_address("orchestrator.public_url");
    of_the_portal.filter(|_| service == Some(MeshService::Portal)).or(of_the_server)
}

/// What is set, if the mesh is switched on, as it is where this process is one of its services. What other machines reach needs
/// its secret.
pub(super) fn read(values: &mut Values, service: Option<MeshService>) -> Option<Mesh> {
    let enabled = values.flag("mesh.enabled") || service.is_some();
    let mesh = Mesh {
        coordinator_bind: values.address("mesh.coordinator_bind", "127.0.0.1:4301"),
        control_plane_bind: values.address("mesh.control_plane_bind", "127.0.0.1:4303"),
        portal_bind: values.address("mesh.portal_bind", "127.0.0.1:4310"),
        ollama_bind: values.optional("mesh.ollama_bind", "127.0.0.1:11434"),
        coordinator_url: values.web_address("mesh.coordinator_url"),
        portal_url: values.web_address("mesh.portal_url"),
        peer_id: values.text("mesh.peer_id"),
        key: key(values),
        token: values.secret("mesh.token"),
        admin_token: values.secret("mesh.admin_token"),
        portal_service_token: values.secret("mesh.portal_service_token"),
        allowed_admin_ips: networks(values, "mesh.allowed_admin_ips"),
        allowed_ui_ips: networks(values, "mesh.allowed_ui_ips"),
        trusted_proxies: networks(values, "mesh.trusted_proxies"),
        fee_bps: u32::try_from(values.number("mesh.fee_bps")).unwrap_or_default(),
        max_price: u32::try_from(values.number("mesh.max_price")).unwrap_or_default(),
    };
    if !enabled {
        return None;
    }
    let missing = match service {
        None => mesh.unguarded(),
        Some(service) => mesh.missing(service),
    };
    for (path, message) in missing {
        values.mistake(path, message);
    }
    let is_coordinator = service.is_none_or(|service| service == MeshService::Coordinator);
    if is_coordinator && !mesh.coordinator_bind.ip().is_loopback() && mesh.coordinator_url.is_none() {
        let message =
            "say where machines find the coordinator (COORDINATOR_PUBLIC_URL), like https://coordinator.example.com";
        values.mistake("mesh.coordinator_url", message);
    }
    Some(mesh)
}

impl Mesh {
    /// Ports that others than this machine reach, and that nothing guards.
    fn unguarded(&self) -> Vec<(&'static str, String)> {
        let guards = [
            (self.coordinator_bind, self.token.is_some(), "mesh.token", "MESH_AUTH_TOKEN"),
            (self.control_plane_bind, self.admin_token.is_some(), "mesh.admin_token", "ADMIN_API_TOKEN"),
            (
                self.portal_bind,
                self.portal_service_token.is_some(),
                "mesh.portal_service_token",
                "PORTAL_SERVICE_TOKEN",
            ),
        ];
        let unguarded = guards.into_iter().filter(|(bind, is_set, ..)| !bind.ip().is_loopback() && !is_set);
        let told =
            |(bind, _, path, variable)| (path, format!("set it ({variable}): others than this machine reach {bind}"));
        unguarded.map(told).collect()
    }

    /// What a service needs that asks the others over the network, and is asked by them.
    fn missing(&self, service: MeshService) -> Vec<(&'static str, String)> {
        use MeshService::{ControlPlane, Coordinator, Portal};
        let needs: [(&[MeshService], bool, &str, &str); 5] = [
            (
                &[Coordinator, ControlPlane, Portal],
                self.token.is_some(),
                "mesh.token",
                "set it (MESH_AUTH_TOKEN): portal and control plane show it to the coordinator",
            ),
            (
                &[Coordinator, ControlPlane, Portal],
                self.portal_service_token.is_some(),
                "mesh.portal_service_token",
                "set it (PORTAL_SERVICE_TOKEN): coordinator and control plane show it to the portal, and it to the coordinator",
            ),
            (
                &[ControlPlane],
                self.admin_token.is_some(),
                "mesh.admin_token",
                "set it (ADMIN_API_TOKEN): who administers the mesh shows it",
            ),
            (
                &[Coordinator, ControlPlane],
                self.portal_url.is_some(),
                "mesh.portal_url",
                "say where the portal is (PORTAL_SERVICE_URL), like https://portal.example.com",
            ),
            (
                &[ControlPlane, Portal],
                self.coordinator_url.is_some(),
                "mesh.coordinator_url",
                "say where the coordinator is (COORDINATOR_URL), like https://coordinator.example.com",
            ),
        ];
        let missing = needs.into_iter().filter(|(of, is_set, ..)| of.contains(&service) && !is_set);
        missing.map(|(_, _, path, message)| (path, message.to_owned())).collect()
    }
}

/// The coordinator's own key. Somebody who names its public half wants to hear when they do not belong together.
fn key(values: &mut Values) -> Option<Arc<KeyPair>> {
    // Variables often have no lines.
    let lines = |secret: Secret| secret.reveal().replace("\\n", "\n");
    let public = values.lines("mesh.public_key").map(lines);
    let private = values.lines("mesh.private_key").map(lines);
    let pair = private.and_then(|pem| {
        let message = "is no Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` makes one";
        KeyPair::from_pem(&pem).map_err(|_| values.mistake("mesh.private_key", message)).ok()
    });
    if let Some(public) = public {
        let read = PublicKey::from_pem(&public).ok();
        let is_its_own = read.is_some() && read == pair.as_ref().map(KeyPair::public);
        if !is_its_own {
            let message = "is not the public half of mesh.private_key (COORDINATOR_PRIVATE_KEY_PEM); `openssl pkey -pubout` \
                           makes it from that";
            values.mistake("mesh.public_key", message);
        }
    }
    pair.map(Arc::new)
}

/// A list of networks like 10.1.0.0/16 or fd00::/8, or of single addresses.
fn networks(values: &mut Values, path: &'static str) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in values.list(path).iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        match text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()))) {
            Ok(network) => networks.push(network),
            Err(_) => values.mistake(path, format!("`{text}` is neither an address nor a network like 10.1.0.0/16")),
        }
    }
    networks
}
