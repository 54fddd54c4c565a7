//! What machines fetch before they have joined anything. It is the same for everybody, and secret to nobody.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tower_http::services::ServeFile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::{LINK_PROTOCOL, LINK_PROTOCOL_OLDEST};

use super::{Programs, Supplied};
use crate::error::{Error, Result};
use crate::http::Query;
use crate::platform::nodes::http::own_url;
use crate::state::{AppState, PublicUrl};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(agent_download))
        .routes(routes!(agent_version))
        .routes(routes!(agent_install_script))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    os: String,
    #[serde(default)]
    arch: String,
}

/// The program for a machine: `os=linux`, `arch=amd64` or `arm64` (or `x86_64`, `aarch64`). HEAD and ranges are answered
/// too; `ETag` and `Repr-Digest` (RFC 9530) have its SHA-256.
#[utoipa::path(get, path = "/api/agent/download", tag = "agent", params(
    ("os" = Option<String>, Query), ("arch" = Option<String>, Query)), responses(
    (status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206),
    (status = 400, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 416)))]
async fn agent_download(
    State(programs): State<Programs>,
    Query(Wanted { os, arch }): Query<Wanted>,
    request: Request,
) -> Result<Response> {
    let program = programs.wanted(&os, &arch).await?;
    let served = ServeFile::new(&program.path).try_call(request).await.map_err(Error::internal)?;
    let mut response = served.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ETAG, format!("\"{}\"", program.sha256)),
        (header::HeaderName::from_static("repr-digest"), repr_digest(&program)),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"nanoscale\"".to_owned()),
    ] {
        headers.insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
    }
    Ok(response)
}

/// As RFC 9530 section 3 writes it.
fn repr_digest(program: &Supplied) -> String {
    let bytes = (0..program.sha256.len()).step_by(2);
    let bytes = bytes.filter_map(|at| u8::from_str_radix(program.sha256.get(at..at + 2)?, 16).ok()).collect::<Vec<_>>();
    format!("sha-256=:{}:", STANDARD.encode(bytes))
}

/// What machines can have here, and what this server speaks with them.
#[utoipa::path(get, path = "/api/agent/version", tag = "agent", responses((status = 200, body = api::AgentVersion)))]
async fn agent_version(State(programs): State<Programs>) -> Result<axum::Json<api::AgentVersion>> {
    let platforms = programs.supplied().await?.into_iter().map(shown).collect();
    Ok(axum::Json(api::AgentVersion {
        version: env!("CARGO_PKG_VERSION").into(),
        protocol_oldest: LINK_PROTOCOL_OLDEST,
        protocol_newest: LINK_PROTOCOL,
        platforms,
    }))
}

fn shown(program: Supplied) -> api::AgentPlatform {
    api::AgentPlatform {
        os: program.platform.os.to_string(),
        arch: program.platform.arch.to_string(),
        bytes: program.bytes,
        sha256: program.sha256,
    }
}

/// A script for sh(1) that installs the program and, with `--join TOKEN`, makes the machine a node. It is made for this
/// cluster: it takes no other program, and no token of another cluster.
#[utoipa::path(get, path = "/api/agent/install-script", tag = "agent", responses(
    (status = 200, content_type = "text/x-shellscript", body = String), (status = 409, body = api::ErrorBody)))]
async fn agent_install_script(
    State(programs): State<Programs>,
    State(configured): State<PublicUrl>,
    headers: HeaderMap,
) -> Result<Response> {
    let script = programs.install_script(&own_url(&configured, &headers)?).await?;
    Ok(([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], script).into_response())
}
