//! The inference service: engines that a coordinator asks at an address.

use std::net::SocketAddr;

use link::PublicKey;
use mesh_agent::{MeshPrice, TrustedCoordinator, UpstreamKind};
use url::Url;

use super::settings::{Secret, Values};
use crate::mesh_serve;

const OLLAMA: &str = "http://127.0.0.1:11434";
const LLAMA: &str = "http://127.0.0.1:8080";
/// Where the service listens, where it is a process of its own.
pub(super) const USUAL: &str = "127.0.0.1:4302";

#[derive(Debug, Clone, Default)]
pub(crate) struct Inference {
    /// Where it listens; nowhere unless it is set.
    pub(crate) bind: Option<SocketAddr>,
    /// Where the coordinator finds it, when that is not in its own process.
    pub(crate) url: Option<String>,
    pub(crate) token: Option<Secret>,
    /// Who may ask, beside the coordinator of the same process.
    pub(crate) coordinator: Option<TrustedCoordinator>,
    pub(crate) engine: Option<UpstreamKind>,
    pub(crate) engine_url: Option<Url>,
    /// What it offers of the engine's models; all where there are none.
    pub(crate) models: Vec<String>,
    pub(crate) price: MeshPrice,
}

/// Variables of its own programs may be there for others: they count only where there is such a service, here or elsewhere.
pub(super) fn read(values: &mut Values) -> Inference {
    if !values.has("mesh.inference_bind") && !values.has("mesh.inference_url") {
        return Inference::default();
    }
    let engine = values.choice(
        "mesh.model_provider",
        &[("ollama-local", UpstreamKind::Ollama), ("llama-local", UpstreamKind::LlamaCpp)],
    );
    let coordinator = coordinator(values);
    let inference = Inference {
        bind: values.optional("mesh.inference_bind", "127.0.0.1:4302"),
        url: values.web_address("mesh.inference_url"),
        token: values.secret("mesh.inference_token"),
        coordinator,
        engine: Some(engine),
        engine_url: engine_url(values, engine),
        models: values.list("mesh.inference_models"),
        price: MeshPrice {
            input: u32::try_from(values.number("mesh.inference_input_price")).unwrap_or_default(),
            output: u32::try_from(values.number("mesh.inference_output_price")).unwrap_or_default(),
        },
    };
    if inference.url.is_some() && inference.bind.is_none() && inference.token.is_none() {
        values.mistake(
            "mesh.inference_token",
            "set it (INFERENCE_AUTH_TOKEN): the service at mesh.inference_url wants it",
        );
    }
    if inference.bind.is_some_and(|bind| !bind.ip().is_loopback()) {
        for missing in inference.missing() {
            values.mistake(missing.0, missing.1);
        }
    }
    if values.flag("mesh.ollama_auto_install") {
        let message = "nothing is ever installed by itself; install Ollama, and set OLLAMA_AUTO_INSTALL to false";
        values.mistake("mesh.ollama_auto_install", message);
    }
    inference
}

impl Inference {
    /// What others who reach it make necessary, and is not set.
    pub(crate) fn missing(&self) -> Vec<(&'static str, &'static str)> {
        let guards = [
            (self.token.is_none(), "mesh.inference_token", "set it (INFERENCE_AUTH_TOKEN): who asks shows it"),
            (
                self.coordinator.is_none(),
                "mesh.inference_coordinator_key",
                "set it (INFERENCE_COORDINATOR_PUBLIC_KEY_PEM), and INFERENCE_COORDINATOR_PEER_ID: each request is signed by it",
            ),
        ];
        guards.into_iter().filter(|(is_missing, ..)| *is_missing).map(|(_, path, message)| (path, message)).collect()
    }

    pub(crate) fn upstream(&self) -> mesh_agent::Upstream {
        let kind = self.engine.unwrap_or(UpstreamKind::Ollama);
        let usual = if kind == UpstreamKind::Ollama { OLLAMA } else { LLAMA };
        let url = self.engine_url.clone().or_else(|| usual.parse().ok());
        let url = url.unwrap_or_else(|| unreachable!("the usual address is one"));
        mesh_agent::Upstream { kind, url, api_key: None }
    }
}

/// Name and key belong together.
fn coordinator(values: &mut Values) -> Option<TrustedCoordinator> {
    let peer_id = values.text("mesh.inference_coordinator_peer_id");
    let pem = values.lines("mesh.inference_coordinator_key");
    let key = pem.and_then(|pem| {
        // Variables often have no lines.
        let text = pem.reveal().replace("\\n", "\n");
        let key = PublicKey::from_pem(&text).or_else(|_| text.trim().parse());
        let message = "is no Ed25519 public key: neither PEM nor 43 characters of base64url, as the dashboard shows it";
        key.map_err(|_| values.mistake("mesh.inference_coordinator_key", message)).ok()
    });
    if peer_id.is_some() && key.is_none() {
        let message = "set it (INFERENCE_COORDINATOR_PUBLIC_KEY_PEM): a name alone proves nothing";
        values.mistake("mesh.inference_coordinator_key", message);
    }
    Some(TrustedCoordinator { peer_id: peer_id.unwrap_or_else(|| "coordinator".to_owned()), key: key? })
}

fn engine_url(values: &mut Values, engine: UpstreamKind) -> Option<Url> {
    let text = values.text("mesh.engine_url")?;
    let url = match engine {
        UpstreamKind::Ollama => mesh_serve::ollama_url(&text).ok(),
        UpstreamKind::LlamaCpp => text.parse().ok(),
    };
    if url.is_none() {
        values.mistake("mesh.engine_url", format!("`{text}` is no address like {OLLAMA}"));
    }
    url
}
