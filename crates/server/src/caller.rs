//! Who calls: each route names its caller in its signature.

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use ids::WorkspaceId;

use crate::error::{Error, Result};
use crate::platform::identity::{Credential, Identity, TOKEN_PREFIX};
use crate::platform::metrics::exporter::Exporter;
use crate::platform::signing::Signing;
use crate::state::AppState;

/// Somebody of whom a service that is trusted says who they are.
#[derive(Clone)]
pub(crate) struct VouchedFor(pub(crate) Caller);

/// Somebody who is signed in, by session or by API token.
pub(crate) struct User(pub(crate) domain::user::User);

/// The same, where it matters by what, as that bounds what may be done, or for how long.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) user: domain::user::User,
    pub(crate) credential: Credential,
}

/// The same on a WebSocket's handshake: a browser must have come from our own pages, as for a change, since it may type.
pub(crate) struct Handshake(pub(crate) Caller);

/// The same on the socket of a terminal: a token for terminals is as good as what asked for it, for those of one workspace.
pub(crate) struct TerminalHandshake {
    pub(crate) caller: Caller,
    /// The only workspace that it is good for.
    pub(crate) only: Option<WorkspaceId>,
}

/// The workspace by whose host name a request came.
#[derive(Debug, Clone)]
pub(crate) struct HostWorkspace(pub(crate) WorkspaceId);

/// A WebSocket of a browser can say nothing else: `Sec-WebSocket-Protocol: nanoscale.terminal, bearer.<token>`.
pub(crate) const TERMINAL_PROTOCOL: &str = "nanoscale.terminal";
const BEARER_PROTOCOL: &str = "bearer.";

/// A user who may change what concerns everybody.
pub(crate) struct Admin(pub(crate) domain::user::User);

/// A program that reads metrics: it has the setting's token, which opens nothing else.
pub(crate) struct Metrics;

/// Anybody, on a route that changes something: a browser must have come from our own pages.
pub(crate) struct Anonymous {
    /// Hash of the session cookie, if one was sent.
    pub(crate) session: Option<String>,
    pub(crate) address: String,
}

impl FromRequestParts<AppState> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        Ok(Self(Caller::from_request_parts(parts, state).await?.user))
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let identity = Identity::from_ref(state);
        let needed = if parts.method.is_safe() { "read" } else { "write" };
        Self::find(parts, &identity, needed).await
    }
}

impl FromRequestParts<AppState> for Handshake {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, state).await?;
        check_handshake(&parts.headers)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<AppState> for TerminalHandshake {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let (caller, only) = match any_secret(&parts.headers).filter(|token| !token.starts_with(TOKEN_PREFIX)) {
            // Not sent by a browser of its own accord, so that it does not matter whose page asks.
            Some(token) => {
                let (caller, workspace) = Signing::from_ref(state).terminal_caller(token).await?;
                (caller, Some(workspace))
            }
            None => (Handshake::from_request_parts(parts, state).await?.0, None),
        };
        let host = parts.extensions.get::<HostWorkspace>().map(|HostWorkspace(id)| id.clone());
        match (&only, &host) {
            (Some(only), Some(host)) if only != host => Err(Error::not_found("workspace")),
            _ => Ok(Self { caller, only: only.or(host) }),
        }
    }
}

impl Caller {
    /// Somebody who asks models: an API token needs the scope for that, and no other.
    pub(crate) async fn for_models(parts: &Parts, identity: &Identity) -> Result<Self> {
        Self::find(parts, identity, "models").await
    }

    async fn find(parts: &Parts, identity: &Identity, needed: &str) -> Result<Self> {
        if let Some(VouchedFor(caller)) = parts.extensions.get() {
            if let Credential::Token(grant) = &caller.credential {
                check_scope(&grant.scopes, needed)?;
            }
            return Ok(caller.clone());
        }
        if let Some(token) = bearer(&parts.headers) {
            let (user, grant) = identity.token_owner(token).await?.ok_or_else(Error::unauthenticated)?;
            check_scope(&grant.scopes, needed)?;
            return Ok(Self { user, credential: Credential::Token(grant) });
        }
        let session = identity.session_cookie(&parts.headers).ok_or_else(Error::unauthenticated)?;
        let owner = identity.session_owner(&session).await?.ok_or_else(Error::unauthenticated)?;
        check_origin(&parts.method, &parts.headers)?;
        Ok(Self { user: owner.user, credential: Credential::Session(session) })
    }

    /// Whether more than looking is granted, on a request that is not a change by its method.
    pub(crate) fn check_writes(&self) -> Result<()> {
        match &self.credential {
            Credential::Token(grant) => check_scope(&grant.scopes, "write"),
            Credential::Session(_) => Ok(()),
        }
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let User(user) = User::from_request_parts(parts, state).await?;
        match user.is_admin() {
            true => Ok(Self(user)),
            false => Err(Error::forbidden("ADMIN_ONLY", "only an administrator may do this; ask one")),
        }
    }
}

impl FromRequestParts<AppState> for Metrics {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        Exporter::from_ref(state).admit(any_bearer(&parts.headers)).map(|()| Self)
    }
}

impl FromRequestParts<AppState> for Anonymous {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        check_origin(&parts.method, &parts.headers)?;
        let peer = parts.extensions.get::<ConnectInfo<std::net::SocketAddr>>();
        Ok(Self {
            session: Identity::from_ref(state).session_cookie(&parts.headers),
            address: peer.map_or_else(String::new, |ConnectInfo(address)| address.ip().to_string()),
        })
    }
}

/// An API token of ours.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    any_bearer(headers).filter(|token| token.starts_with(TOKEN_PREFIX))
}

fn any_bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// What a request shows as `Authorization: Bearer`, or a browser's WebSocket among its protocols.
pub(crate) fn any_secret(headers: &HeaderMap) -> Option<&str> {
    any_bearer(headers).or_else(|| protocol_bearer(headers))
}

fn protocol_bearer(headers: &HeaderMap) -> Option<&str> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).find_map(|name| name.trim().strip_prefix(BEARER_PROTOCOL))
}

fn check_scope(scopes: &[String], needed: &str) -> Result<()> {
    if scopes.iter().any(|scope| scope == needed) {
        return Ok(());
    }
    Err(Error::forbidden("SCOPE_MISSING", format!("this API token lacks the scope `{needed}`")))
}

/// A change that a browser sends must come from a page of ours: the cookie alone says only
/// which browser it is (OWASP CSRF, Fetch Metadata). Programs send neither header.
pub(crate) fn check_origin(method: &Method, headers: &HeaderMap) -> Result<()> {
    if method.is_safe() || is_ours(headers) {
        return Ok(());
    }
    Err(Error::forbidden("CROSS_SITE", "this change was sent by a page of another site"))
}

fn check_handshake(headers: &HeaderMap) -> Result<()> {
    if is_ours(headers) {
        return Ok(());
    }
    Err(Error::forbidden("CROSS_SITE", "this connection was asked for by a page of another site"))
}

fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == text("host")
        }
        (None, None) => true,
    }
}
