//! The mesh's own ports. Their JSON has the casing and the codes that its programs know.

pub(crate) mod control;
mod coordinator;
mod portal;

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::gateway;
use crate::error::Error;
use crate::state::AppState;

/// One of the mesh's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeshSurface {
    /// 4301: machines link here, and programs ask for models.
    Coordinator,
    /// 4303: for who runs the mesh.
    ControlPlane,
    /// 4310: people enrol their machines here.
    Portal,
    /// For programs that know Ollama only.
    Ollama,
}

impl MeshSurface {
    pub(crate) fn router(self, state: &AppState) -> Router {
        match self {
            Self::Coordinator => coordinator::router(state),
            Self::ControlPlane => control::router(state),
            Self::Portal => portal::router(state),
            Self::Ollama => gateway::ollama::router(state),
        }
    }
}

/// Why something is refused, as these ports say it: a code that programs know, and a sentence for people.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    body: Value,
}

impl Refused {
    fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, body: json!({ "error": code, "message": message }) }
    }

    /// The code alone, where programs compare the whole body.
    fn exactly(status: StatusCode, code: &str) -> Self {
        Self { status, body: json!({ "error": code }) }
    }

    fn because(mut self, reason: &str) -> Self {
        self.body["reason"] = reason.into();
        self
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let status = error.status();
        if status.is_server_error() {
            tracing::warn!(%error, "a request to the mesh failed");
        }
        let (code, message) = error.told();
        Self::new(status, &code.to_ascii_lowercase(), message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, axum::Json(self.body)).into_response()
    }
}

fn service_token_required() -> Refused {
    let message = "this is for the mesh's own services; they send PORTAL_SERVICE_TOKEN";
    Refused::new(StatusCode::UNAUTHORIZED, "portal_service_token_required", message)
}

type Answer<T = axum::Json<Value>> = std::result::Result<T, Refused>;

/// Whether a header is the secret that it has to be. Where there is no secret, nothing is.
fn shows(headers: &HeaderMap, name: &str, secret: Option<&str>) -> bool {
    let shown = headers.get(name).map(axum::http::HeaderValue::as_bytes);
    same(shown, secret)
}

fn same(shown: Option<&[u8]>, secret: Option<&str>) -> bool {
    match (shown, secret.filter(|secret| !secret.is_empty())) {
        (Some(shown), Some(secret)) => bool::from(shown.ct_eq(secret.as_bytes())),
        _ => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Where a request comes from: who is connected, or, where that is a proxy that is trusted, whom the last one of these names that
/// is not. A header of anybody else changes nothing.
fn caller_ip(parts: &RequestParts, trusted: &[IpNet]) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let mut ip = peer.ip().to_canonical();
    let lines = parts.headers.get_all("x-forwarded-for").into_iter().filter_map(|line| line.to_str().ok());
    let named = lines.flat_map(|line| line.split(',')).map(str::trim).collect::<Vec<_>>();
    for name in named.into_iter().rev() {
        if !is_trusted(&ip) {
            break;
        }
        // What is no address was not written by a proxy of ours.
        ip = name.parse::<IpAddr>().ok()?.to_canonical();
    }
    Some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(peer: &str, forwarded: &[&str]) -> RequestParts {
        let mut request = axum::http::Request::builder();
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        parts
    }

    #[test]
    fn only_a_proxy_that_is_trusted_says_who_asks() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let ip = |peer, forwarded: &[&str]| caller_ip(&request(peer, forwarded), &trusted).map(|ip| ip.to_string());
        assert_eq!(ip("1.2.3.4", &["127.0.0.1"]).unwrap(), "1.2.3.4");
        assert_eq!(ip("10.0.0.1", &["9.9.9.9, 1.2.3.4"]).unwrap(), "1.2.3.4");
        assert_eq!(ip("10.0.0.1", &["9.9.9.9", "1.2.3.4, 10.0.0.2"]).unwrap(), "1.2.3.4");
        assert_eq!(ip("::ffff:10.0.0.1", &["::ffff:1.2.3.4"]).unwrap(), "1.2.3.4");
        assert_eq!(ip("fd00::1", &["2001:db8::1"]).unwrap(), "2001:db8::1");
        assert_eq!(ip("10.0.0.1", &[]).unwrap(), "10.0.0.1");
        assert_eq!(ip("10.0.0.1", &["nonsense"]), None);
    }

    #[test]
    fn nothing_is_open_because_a_secret_is_empty() {
        let mut headers = HeaderMap::new();
        headers.insert("x-mesh-token", "".parse().unwrap());
        assert!(!shows(&headers, "x-mesh-token", None));
        assert!(!shows(&headers, "x-mesh-token", Some("")));
        headers.insert("x-mesh-token", "secret".parse().unwrap());
        assert!(shows(&headers, "x-mesh-token", Some("secret")));
        assert!(!shows(&headers, "x-mesh-token", Some("secret2")));
    }
}
