//! What listens in a workspace, under a host name of its own: `ws-<id>--<port>.<base domain>`.
//!
//! Pages there are anybody's, so they share no host with the dashboard and see none of its cookies. Who may look is decided
//! anew with every request; a browser shows a cookie of that host alone, which it got for a code that the dashboard's host gave out
//! once ([`gate`]). Where there are no such names, it is found at a port of the server's own ([`own`]).

mod forward;
mod gate;
pub(crate) mod http;
pub(crate) mod own;
mod waking;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use domain::user::User;
use domain::workspace::Workspace;
use ids::{PortAccess, WorkspaceId};
use store::{Store, StoredPort, Tx};
use tokio::sync::watch;

use self::gate::{Admission, Gate};
use super::Workspaces;
use super::http::TERMINALS;
use crate::caller::HostWorkspace;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::identity::{Identity, digest, random_secret};
use crate::platform::nodes::Nodes;
use crate::platform::vault::Vault;

#[derive(Clone)]
pub(crate) struct Ports {
    store: Store,
    config: Arc<Config>,
    nodes: Nodes,
    identity: Identity,
    workspaces: Workspaces,
    gate: Arc<Gate>,
    /// Changes when a port is opened to others, or closed to them.
    changed: Arc<watch::Sender<()>>,
}

/// What a host name of ours stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    workspace: WorkspaceId,
    /// Absent: the workspace itself.
    port: Option<u16>,
}

impl Ports {
    pub(crate) fn new(
        store: Store,
        config: Arc<Config>,
        nodes: Nodes,
        identity: Identity,
        workspaces: Workspaces,
        vault: Arc<Vault>,
    ) -> Self {
        let gate = Arc::new(Gate::new(vault, config.ports_are_secure(), config.own_ports.is_some()));
        Self { store, config, nodes, identity, workspaces, gate, changed: Arc::default() }
    }

    async fn list(&self, workspace: &Workspace) -> Result<Vec<api::WorkspacePort>> {
        self.workspaces.ports(&mut self.store.read().await?, workspace).await
    }

    /// Opens a port to others, or closes it to them; its link, if it has one.
    async fn share(&self, user: &User, id: &WorkspaceId, port: u16, access: PortAccess) -> Result<Option<String>> {
        let workspace = self.workspaces.find(user, id).await?;
        let secret = (access == PortAccess::Link).then(random_secret);
        let stored = StoredPort { port, access, link_digest: secret.as_deref().map(digest) };
        let mut tx = self.store.write().await?;
        tx.workspace_port_put(id, &stored, now_ms()).await?;
        let url = match access {
            PortAccess::Private => None,
            _ => Some(self.url(&mut tx, &workspace, port).await?),
        };
        tx.workspace_event("workspace.updated", &workspace, now_ms()).await?;
        tx.commit().await?;
        self.changed.send_replace(());
        Ok(secret.and_then(|secret| Some(format!("{}{}{secret}", url?, gate::LINK))))
    }

    /// Where a browser finds it from now on.
    async fn url(&self, tx: &mut Tx, workspace: &Workspace, port: u16) -> Result<String> {
        let own = match &self.config.own_ports {
            Some(own) => Some(self.own_number(tx, own, workspace, port).await?),
            None => None,
        };
        Ok(self.config.port_url(&workspace.id, port, own))
    }

    /// Its owner may, and everybody here where it is open to the team.
    async fn may_open(&self, user: &User, id: &WorkspaceId, port: u16) -> Result<Workspace> {
        let mut tx = self.store.read().await?;
        let workspace = tx.workspace(id).await?.ok_or_else(|| Error::not_found("workspace"))?;
        let stored = tx.workspace_ports(id).await?.into_iter().find(|it| it.port == port);
        let is_open = stored.is_some_and(|stored| matches!(stored.access, PortAccess::Team | PortAccess::Public));
        if workspace.owner_id == user.id || is_open { Ok(workspace) } else { Err(Error::not_found("workspace")) }
    }

    /// Where the dashboard is, without a slash at the end.
    fn dashboard(&self) -> &str {
        self.config.notifications.public_url.trim_end_matches('/')
    }

    fn address(&self, host: &str) -> Option<Address> {
        address(host, self.config.base_domain.as_str())
    }

    async fn answer(&self, address: Address, request: Request) -> Result<Response> {
        let unknown = || Error::not_found("workspace");
        let workspace = self.store.read().await?.workspace(&address.workspace).await?.ok_or_else(unknown)?;
        let Some(port) = address.port else {
            return Ok(Redirect::to(&format!("{}/workspaces/{}", self.dashboard(), workspace.id)).into_response());
        };
        let (head, body) = request.into_parts();
        let pass = match self.admit(&workspace, port, &head).await? {
            Admission::In(pass) => pass,
            Admission::Answered(answer) => return Ok(answer),
        };
        if !workspace.state.is_usable() {
            return self.answer_asleep(&workspace, port, &head).await;
        }
        let asked = gate::navigates(&head).then(|| head.clone());
        let is_kept_apart = pass.is_some() && self.config.own_ports.is_some();
        let ended = self.clone().let_out(workspace.clone(), port, pass);
        match self.forward(&workspace, port, Request::from_parts(head, body), ended).await {
            Err(error) if error.told().0 == "PORT_CLOSED" => match asked {
                Some(head) => self.answer_closed(&workspace, port, &head).await,
                None => Ok(waking::told(error)),
            },
            // Also over plain http, where browsers do not say whose page asks.
            Ok(mut answer) if is_kept_apart => {
                let policy = HeaderName::from_static("cross-origin-resource-policy");
                answer.headers_mut().insert(policy, HeaderValue::from_static("same-origin"));
                Ok(answer)
            }
            answer => answer,
        }
    }
}

/// Answers what is for a workspace's host; everything else goes on.
pub(crate) async fn dispatch(State(ports): State<Ports>, mut request: Request, next: Next) -> Response {
    match host(&request).and_then(|host| ports.address(host)) {
        // A route of ours, about the workspace that the host names.
        Some(Address { workspace, port: None }) if request.uri().path() == TERMINALS => {
            request.extensions_mut().insert(HostWorkspace(workspace));
            next.run(request).await
        }
        Some(address) => ports.answer(address, request).await.unwrap_or_else(IntoResponse::into_response),
        // What is said there to our own pages would be said to those of workspaces.
        None if ports.is_host_of_own_ports(&request) => Error::not_found("page").into_response(),
        None => next.run(request).await,
    }
}

/// The host that a request is for.
fn host(request: &Request) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| request.uri().authority().map(|it| it.as_str()))
}

/// What a `Host` stands for below the base domain.
fn address(host: &str, base: &str) -> Option<Address> {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_end_matches('.').to_ascii_lowercase();
    let label = host.strip_suffix(base)?.strip_suffix('.')?.strip_prefix("ws-")?;
    let (id, port) = label.split_once("--").map_or((label, None), |(id, port)| (id, Some(port)));
    // Written in one way only, so that a host has one cookie.
    let number = |port: &str| port.parse::<u16>().ok().filter(|number| *number > 0 && number.to_string() == port);
    let port = match port {
        Some(port) => Some(number(port)?),
        None => None,
    };
    Some(Address { workspace: id.parse().ok()?, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_a_workspace_and_a_port_or_nothing() {
        let id = WorkspaceId::new();
        let named = |host: String| address(&host, "cloud.example");
        let whole = named(format!("WS-{}.Cloud.Example:4000", id.as_str().to_uppercase()));
        assert_eq!(whole, Some(Address { workspace: id.clone(), port: None }));
        let port = named(format!("ws-{id}--3000.cloud.example"));
        assert_eq!(port, Some(Address { workspace: id.clone(), port: Some(3000) }));
        for bad in ["--0", "--03000", "--70000", "--", "--x", "--80--90"] {
            assert_eq!(named(format!("ws-{id}{bad}.cloud.example")), None, "{bad}");
        }
        for bad in [
            format!("ws-{id}"),
            format!("ws-{id}.evil.example"),
            format!("ws-{id}.xcloud.example"),
            "ws-1.cloud.example".into(),
        ] {
            assert_eq!(named(bad.clone()), None, "{bad}");
        }
    }
}
