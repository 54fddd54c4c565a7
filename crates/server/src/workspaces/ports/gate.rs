//! Who may look at a port. No session leaves the dashboard's host: a browser that is signed in there gets a code in a URL,
//! good once and for a minute, and for it a cookie that only the port's own host sees, or by a name that only the port has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::workspace::Workspace;
use ids::{PortAccess, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::StoredPort;
use subtle::ConstantTimeEq;

use super::Ports;
use crate::error::{Error, Result};
use crate::http::cookie;
use crate::now_ms;
use crate::platform::identity::{digest, random_secret};
use crate::platform::vault::Vault;

/// Paths of a port's host that are ours.
const CODE: &str = "/.nanoscale/enter/";
pub(super) const LINK: &str = "/.nanoscale/link/";

const COOKIE: &str = "nanoscale_port";
const SECURE_COOKIE: &str = "__Host-nanoscale_port";
/// How often it is looked whether who was let in may stay, beside every change in this process.
const RECHECK: Duration = Duration::from_secs(10);
const CODE_MS: i64 = 60_000;
const COOKIE_MS: i64 = 12 * 3600 * 1000;
const CODE_PLACE: &str = "workspace_ports/code";
const COOKIE_PLACE: &str = "workspace_ports/cookie";

pub(super) struct Gate {
    vault: Arc<Vault>,
    secure: bool,
    /// Whether ports share a host: then they share its cookies, and each needs a name.
    shared: bool,
    /// Codes that were used, until they would have run out.
    used: Mutex<HashMap<String, i64>>,
}

/// What a code or a cookie says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pass {
    workspace: WorkspaceId,
    port: u16,
    by: By,
    expires_at: i64,
    /// Of a code: where to go in the end.
    #[serde(default)]
    to: String,
    #[serde(default)]
    nonce: String,
}

/// What becomes of a request.
pub(super) enum Admission {
    /// By this pass, or as the port is public.
    In(Option<Pass>),
    Answered(Response),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    /// The hash of a session's secret: with it this ends.
    Session(String),
    /// The digest of a link's secret.
    Link(String),
}

// === impl Gate ===

impl Gate {
    pub(super) fn new(vault: Arc<Vault>, secure: bool, shared: bool) -> Self {
        Self { vault, secure, shared, used: Mutex::default() }
    }

    fn cookie_name(&self, workspace: &WorkspaceId, port: u16) -> String {
        self.named_for(if self.secure { SECURE_COOKIE } else { COOKIE }, workspace, port)
    }

    /// The name of a cookie of this port alone.
    pub(super) fn named_for(&self, name: &str, workspace: &WorkspaceId, port: u16) -> String {
        if self.shared { format!("{name}_{workspace}_{port}") } else { name.to_owned() }
    }

    fn seal(&self, place: &str, pass: &Pass) -> Result<String> {
        let text = serde_json::to_string(pass).map_err(Error::internal)?;
        let sealed = self.vault.seal(place, &text).map_err(Error::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn open(&self, place: &str, text: &str) -> Option<Pass> {
        let sealed = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let pass = serde_json::from_str::<Pass>(&self.vault.open(place, &sealed).ok()?).ok()?;
        (pass.expires_at > now_ms()).then_some(pass)
    }

    /// Whether nobody has used it before.
    fn use_up(&self, pass: &Pass) -> bool {
        let now = now_ms();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until > now);
        used.insert(pass.nonce.clone(), pass.expires_at).is_none()
    }

    /// The pass for this port that a browser shows.
    fn shown(&self, headers: &HeaderMap, workspace: &Workspace, port: u16) -> Option<Pass> {
        let pass = self.open(COOKIE_PLACE, cookie(headers, &self.cookie_name(&workspace.id, port))?);
        pass.filter(|pass| is_for(pass, workspace, port))
    }

    fn enter(&self, pass: &Pass, to: &str) -> Result<Response> {
        let until = now_ms() + COOKIE_MS;
        let Pass { workspace, port, by, .. } = pass;
        let (workspace, by) = (workspace.clone(), by.clone());
        let cookie = Pass { workspace, port: *port, by, expires_at: until, to: String::new(), nonce: String::new() };
        let value = self.seal(COOKIE_PLACE, &cookie)?;
        let secure = if self.secure { "; Secure" } else { "" };
        let (name, age) = (self.cookie_name(&cookie.workspace, *port), COOKIE_MS / 1000);
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
        let mut response = Redirect::to(to).into_response();
        response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).map_err(Error::internal)?);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(response)
    }
}

/// Cookies of ours, which no app gets to see, or to set for us.
pub(super) fn is_ours(cookie: &[u8]) -> bool {
    let cookie = cookie.trim_ascii_start();
    cookie.strip_prefix(b"__Host-").unwrap_or(cookie).starts_with(b"nanoscale_")
}

/// Where to go on the same host: a path, and nothing that a browser takes for another host.
pub(super) fn local(to: &str) -> &str {
    let is_path = to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n']);
    if is_path { to } else { "/" }
}

impl Ports {
    /// A URL of the port's host that lets this session in, once.
    pub(super) async fn code(&self, workspace: &Workspace, port: u16, session: String, to: &str) -> Result<String> {
        let pass = Pass {
            workspace: workspace.id.clone(),
            port,
            by: By::Session(session),
            expires_at: now_ms() + CODE_MS,
            to: local(to).to_owned(),
            nonce: random_secret(),
        };
        let mut tx = self.store.write().await?;
        let url = self.url(&mut tx, workspace, port).await?;
        tx.commit().await?;
        Ok(format!("{url}{CODE}{}", self.gate.seal(CODE_PLACE, &pass)?))
    }

    /// Whether the request may go on, or the answer to it.
    pub(super) async fn admit(&self, workspace: &Workspace, port: u16, request: &Parts) -> Result<Admission> {
        let stored = self.stored(workspace, port).await?;
        let path = request.uri.path();
        if let Some(code) = path.strip_prefix(CODE) {
            let pass = self.gate.open(CODE_PLACE, code).filter(|pass| is_for(pass, workspace, port));
            let pass = pass.filter(|pass| self.gate.use_up(pass)).ok_or_else(refused)?;
            return self.gate.enter(&pass, local(&pass.to)).map(Admission::Answered);
        }
        if let Some(secret) = path.strip_prefix(LINK) {
            let pass = Pass {
                workspace: workspace.id.clone(),
                port,
                by: By::Link(digest(secret)),
                expires_at: i64::MAX,
                to: String::new(),
                nonce: String::new(),
            };
            if !self.holds(workspace, stored.as_ref(), &pass).await? {
                return Err(refused());
            }
            return self.gate.enter(&pass, "/").map(Admission::Answered);
        }
        if stored.as_ref().is_some_and(|stored| stored.access == PortAccess::Public) {
            return Ok(Admission::In(None));
        }
        if let Some(pass) = self.gate.shown(&request.headers, workspace, port)
            && self.holds(workspace, stored.as_ref(), &pass).await?
        {
            self.check_origin(workspace, &request.headers)?;
            return Ok(Admission::In(Some(pass)));
        }
        Ok(Admission::Answered(self.turn_away(workspace, port, request)))
    }

    /// Hosts below one domain are one site to a browser: it sends the cookie along whichever of them asks. So a page of
    /// somebody else's must not ask in the name of who looks at it; one of another host of the same workspace may.
    fn check_origin(&self, workspace: &Workspace, headers: &HeaderMap) -> Result<()> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_here = |origin: &str| {
            let Some((_, host)) = origin.split_once("://") else { return false };
            text("host") == Some(host) || self.address(host).is_some_and(|address| address.workspace == workspace.id)
        };
        let is_own_page = matches!(text("sec-fetch-site"), Some("same-origin" | "none"));
        // On a host that workspaces share, what says no origin may be of anybody's page; but for going there.
        let goes_there = text("sec-fetch-dest") == Some("document");
        if self.gate.shared && text("sec-fetch-site").is_some() && !is_own_page && !goes_there {
            return Err(cross_site());
        }
        if is_own_page || !headers.contains_key(header::ORIGIN) || text("origin").is_some_and(is_here) {
            return Ok(());
        }
        Err(cross_site())
    }

    async fn stored(&self, workspace: &Workspace, port: u16) -> Result<Option<StoredPort>> {
        let ports = self.store.read().await?.workspace_ports(&workspace.id).await?;
        Ok(ports.into_iter().find(|stored| stored.port == port))
    }

    /// Resolves when who was let in would be let in no more: signed out, or the port is open to them no longer.
    pub(super) async fn let_out(self, workspace: Workspace, port: u16, pass: Option<Pass>) {
        let (mut revoked, mut changed) = (self.identity.revocations(), self.changed.subscribe());
        loop {
            tokio::select! {
                _ = revoked.changed() => {}
                _ = changed.changed() => {}
                () = tokio::time::sleep(RECHECK) => {}
            }
            // A database that does not answer ends nothing.
            if matches!(self.still_holds(&workspace, port, pass.as_ref()).await, Ok(false)) {
                return;
            }
        }
    }

    async fn still_holds(&self, workspace: &Workspace, port: u16, pass: Option<&Pass>) -> Result<bool> {
        let stored = self.stored(workspace, port).await?;
        match pass {
            _ if stored.as_ref().is_some_and(|stored| stored.access == PortAccess::Public) => Ok(true),
            Some(pass) => self.holds(workspace, stored.as_ref(), pass).await,
            None => Ok(false),
        }
    }

    /// Whether who asks would be let in if the port were not public.
    pub(super) async fn shows_pass(&self, workspace: &Workspace, port: u16, headers: &HeaderMap) -> Result<bool> {
        let Some(pass) = self.gate.shown(headers, workspace, port) else { return Ok(false) };
        self.holds(workspace, self.stored(workspace, port).await?.as_ref(), &pass).await
    }

    /// Whether who shows this may look, now.
    async fn holds(&self, workspace: &Workspace, stored: Option<&StoredPort>, pass: &Pass) -> Result<bool> {
        let access = stored.map_or(PortAccess::Private, |stored| stored.access);
        Ok(match &pass.by {
            By::Session(session) => match self.identity.session_owner(session).await? {
                Some(owner) => owner.user.id == workspace.owner_id || access == PortAccess::Team,
                None => false,
            },
            By::Link(digest) => {
                let wanted = stored.and_then(|stored| stored.link_digest.as_deref());
                access == PortAccess::Link
                    && wanted.is_some_and(|wanted| bool::from(wanted.as_bytes().ct_eq(digest.as_bytes())))
            }
        })
    }

    /// A browser is sent to where it may be signed in; a program is told.
    fn turn_away(&self, workspace: &Workspace, port: u16, request: &Parts) -> Response {
        if !navigates(request) {
            return refused().into_response();
        }
        let to = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let to = percent_encoding::utf8_percent_encode(to, percent_encoding::NON_ALPHANUMERIC);
        let place = format!("{}/api/workspaces/{}/ports/{port}/open?to={to}", self.dashboard(), workspace.id);
        let mut response = Redirect::to(&place).into_response();
        *response.status_mut() = StatusCode::FOUND;
        response
    }
}

fn is_for(pass: &Pass, workspace: &Workspace, port: u16) -> bool {
    pass.workspace == workspace.id && pass.port == port
}

/// Whether it is a page that a browser goes to.
pub(super) fn navigates(request: &Parts) -> bool {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    request.method == Method::GET
        && text("accept").contains("text/html")
        && !matches!(text("sec-fetch-mode"), "cors" | "no-cors" | "websocket")
}

fn cross_site() -> Error {
    Error::forbidden("CROSS_SITE", "this was sent by a page of another place, with the cookie of this one")
}

fn refused() -> Error {
    Error::refused("PORT_PRIVATE", "this port is its owner's; open it from the workspace's page, or ask for a link")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_same_host_are_gone_to() {
        for (to, expected) in
            [("/a?b=c", "/a?b=c"), ("//evil", "/"), ("https://evil", "/"), ("/\\evil", "/"), ("", "/")]
        {
            assert_eq!(local(to), expected);
        }
        assert!(
            is_ours(b"__Host-nanoscale_port=1") && is_ours(b" nanoscale_session=1") && !is_ours(b"session=nanoscale_")
        );
    }
}
