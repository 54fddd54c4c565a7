//! The mesh: its ports, and the secrets that guard them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use link::{KeyPair, PublicKey};

use super::settings::{Secret, Values};

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

/// What is set, if the mesh is switched on. What other machines reach needs its secret.
pub(super) fn read(values: &mut Values) -> Option<Mesh> {
    let enabled = values.flag("mesh.enabled");
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
    let guards = [
        (mesh.coordinator_bind, mesh.token.is_some(), "mesh.token", "MESH_AUTH_TOKEN"),
        (mesh.control_plane_bind, mesh.admin_token.is_some(), "mesh.admin_token", "ADMIN_API_TOKEN"),
        (mesh.portal_bind, mesh.portal_service_token.is_some(), "mesh.portal_service_token", "PORTAL_SERVICE_TOKEN"),
    ];
    for (bind, is_set, path, variable) in guards {
        if !bind.ip().is_loopback() && !is_set {
            values.mistake(path, format!("set it ({variable}): others than this machine reach {bind}"));
        }
    }
    if !mesh.coordinator_bind.ip().is_loopback() && mesh.coordinator_url.is_none() {
        let message =
            "say where machines find the coordinator (COORDINATOR_PUBLIC_URL), like https://coordinator.example.com";
        values.mistake("mesh.coordinator_url", message);
    }
    Some(mesh)
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
