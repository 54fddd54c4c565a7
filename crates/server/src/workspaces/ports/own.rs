//! Ports of the server's own, for where no names can be had below a domain: what listens in a workspace gets one of them when it is
//! first opened, and keeps it while it is open to others. To browsers host and port are one place, with what they keep for it: a
//! number that somebody's workspace once had is never another person's.

use std::ops::RangeInclusive;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::workspace::Workspace;
use store::Tx;

use super::{Address, Ports};
use crate::error::{Error, Result};
use crate::now_ms;

/// That one person has, at most.
const MOST: usize = 16;

/// The ports, and where browsers find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPorts {
    /// Scheme and host, like `https://ports.example.com`. Never the dashboard's host: cookies know no ports.
    pub origin: String,
    pub numbers: RangeInclusive<u16>,
}

// === impl OwnPorts ===

impl OwnPorts {
    pub(crate) fn is_secure(&self) -> bool {
        self.origin.starts_with("https:")
    }

    pub(crate) fn url(&self, number: u16) -> String {
        format!("{}:{number}", self.origin)
    }

    fn is_host(&self, host: &str) -> bool {
        let own = self.origin.split_once("://").map_or("", |(_, own)| own);
        host.rsplit_once(':').map_or(host, |(host, _)| host).eq_ignore_ascii_case(own)
    }
}

impl Ports {
    /// The number at which a port of a workspace is found, and now is if it was not.
    pub(super) async fn own_number(
        &self,
        tx: &mut Tx,
        own: &OwnPorts,
        workspace: &Workspace,
        port: u16,
    ) -> Result<u16> {
        let (numbers, here) = ((&own.numbers, MOST), (&workspace.id, port));
        let number = tx.own_port_allot(&workspace.owner_id, here, numbers, now_ms()).await?;
        number.ok_or_else(|| {
            let message = format!(
                "there is no port for it: all others have theirs, and yours are open to others, or {MOST}; make one of yours \
                 private, or have the server's administrator widen workspaces.ports"
            );
            Error::unavailable("PORTS_EXHAUSTED", message)
        })
    }

    pub(super) fn is_host_of_own_ports(&self, request: &Request) -> bool {
        let own = self.config.own_ports.as_ref();
        own.zip(super::host(request)).is_some_and(|(own, host)| own.is_host(host))
    }

    async fn answer_at(&self, number: u16, request: Request) -> Result<Response> {
        // A name of somebody else's that leads here is no way in.
        if !self.is_host_of_own_ports(&request) {
            return Err(Error::not_found("port"));
        }
        let found = self.store.read().await?.own_port(number).await?;
        let (workspace, port) = found.ok_or_else(|| Error::not_found("port"))?;
        self.answer(Address { workspace, port: Some(port) }, request).await
    }
}

/// What answers at one of them.
pub(crate) fn router(ports: Ports, number: u16) -> Router {
    let answer = async move |State(ports): State<Ports>, request: Request| {
        ports.answer_at(number, request).await.unwrap_or_else(IntoResponse::into_response)
    };
    Router::new().fallback(answer).with_state(ports)
}
