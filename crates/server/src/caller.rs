//! Who calls: each route names its caller in its signature.

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use crate::error::{Error, Result};
use crate::platform::identity::{Credential, Identity, TOKEN_PREFIX};
use crate::platform::metrics::exporter::Exporter;
use crate::state::AppState;

/// Somebody who is signed in, by session or by API token.
pub(crate) struct User(pub(crate) domain::user::User);

/// The same, where it matters by what, as that bounds what may be done, or for how long.
pub(crate) struct Caller {
    pub(crate) user: domain::user::User,
    pub(crate) credential: Credential,
}
/// A user who may change what concerns everybody.
pub(crate) struct Admin;

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
        if let Some(token) = bearer(&parts.headers) {
            let (user, grant) = identity.token_owner(token).await?.ok_or_else(Error::unauthenticated)?;
            let needed = if parts.method.is_safe() { "read" } else { "write" };
            if !grant.scopes.iter().any(|scope| scope == needed) {
                return Err(Error::forbidden("SCOPE_MISSING", format!("this API token lacks the scope `{needed}`")));
            }
            return Ok(Self { user, credential: Credential::Token(grant) });
        }
        let session = identity.session_cookie(&parts.headers).ok_or_else(Error::unauthenticated)?;
        let owner = identity.session_owner(&session).await?.ok_or_else(Error::unauthenticated)?;
        check_origin(&parts.method, &parts.headers)?;
        Ok(Self { user: owner.user, credential: Credential::Session(session) })
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let User(user) = User::from_request_parts(parts, state).await?;
        match user.is_admin() {
            true => Ok(Self),
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

fn bearer(headers: &HeaderMap) -> Option<&str> {
    any_bearer(headers).filter(|token| token.starts_with(TOKEN_PREFIX))
}

fn any_bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A change that a browser sends must come from a page of ours: the cookie alone says only
/// which browser it is (OWASP CSRF, Fetch Metadata). Programs send neither header.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<()> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == text("host")
        }
        (None, None) => true,
    };
    if ours { Ok(()) } else { Err(Error::forbidden("CROSS_SITE", "this change was sent by a page of another site")) }
}
