//! The router, and the extractors every handler uses.

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tokio::task::JoinError;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::error::Error;
use crate::state::AppState;
use crate::{apps, mesh, platform, ui, workspaces};

/// Bodies of JSON requests; uploads have their own bound.
const JSON_MAX: usize = 2 << 20;

/// Of the connection, not of the request (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Every documented route. A route that is not in here does not exist.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(api::Shapes::openapi())
        .merge(platform::health::routes())
        .merge(platform::identity::http::routes())
        .merge(platform::signing::http::routes())
        .merge(platform::environment::routes())
        .merge(platform::git::routes())
        .merge(platform::nodes::http::routes())
        .merge(platform::metrics::http::routes())
        .merge(platform::audit::routes())
        .merge(platform::activity::http::routes())
        .merge(platform::programs::http::routes())
        .merge(platform::caches::routes())
        .merge(platform::machine_logs::http::routes())
        .merge(platform::events::routes())
        .merge(platform::notifications::http::routes())
        .merge(apps::projects::routes())
        .merge(apps::deployments::http::routes())
        .merge(apps::uploads::routes())
        .merge(apps::runs::http::routes())
        .merge(apps::logs::http::routes())
        .merge(workspaces::http::routes())
        .merge(workspaces::ports::http::routes())
        .merge(mesh::routes())
}

pub(crate) fn router(state: AppState) -> Router {
    finished(routes(), state)
}

/// What the portal of a mesh has where it is a process of its own, but for what the coordinator answers.
pub(crate) fn portal_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(platform::health::routes())
        .merge(platform::identity::http::routes())
        .merge(platform::audit::routes())
        .merge(platform::activity::http::routes())
        .merge(platform::programs::http::routes())
        .merge(platform::events::routes())
        .merge(platform::metrics::http::prometheus())
        .merge(mesh::portal_routes())
}

pub(crate) fn finished(routes: OpenApiRouter<AppState>, state: AppState) -> Router {
    let (router, _) = routes.split_for_parts();
    router
        .method_not_allowed_fallback(async || Error::method_not_allowed())
        .fallback(ui::serve)
        .layer(middleware::from_fn(finish))
        .layer(middleware::from_fn(secure_headers))
        .layer(middleware::from_fn_with_state(state.clone(), platform::metrics::exporter::count))
        // Before everything else: what is for a workspace's host is none of the dashboard's.
        .layer(middleware::from_fn_with_state(state.clone(), workspaces::ports::dispatch))
        .with_state(state)
}

/// The same care for a surface that has its own routes.
pub(crate) fn guarded(router: Router) -> Router {
    router.layer(middleware::from_fn(finish)).layer(middleware::from_fn(secure_headers))
}

/// Ends a change that was begun, also when whoever asked for it hangs up: what is in the database by then has to be
/// known to the rest of this process, and to nodes, too.
async fn finish(request: Request, next: Next) -> Response {
    // Who asks a model and hangs up wants nothing more of it.
    if request.method().is_safe() || request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await.map_err(JoinError::try_into_panic) {
        Ok(response) => response,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Error::unavailable("STOPPING", "the server is stopping; try again in a moment").into_response(),
    }
}

/// With what `Connection` names; but for what says where a message ends or whom it is for, which is never for one hop.
pub(crate) fn leave_out_hops(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let named = named.filter(|name| ![header::HOST, header::CONTENT_LENGTH].contains(name)).collect::<Vec<_>>();
    for name in HOP_BY_HOP.into_iter().chain(named) {
        headers.remove(name);
    }
}

/// What a browser sends as cookies, each as `name=value`. Bytes: apps set what is no ASCII, and it comes back beside ours.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii)
}

/// The value of a cookie, if there is one.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = cookies(headers).filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.find(|value| !value.is_empty()).and_then(|value| std::str::from_utf8(value).ok())
}

/// Headers that hold for everything this surface serves (OWASP secure headers).
async fn secure_headers(request: Request, next: Next) -> Response {
    const CSP: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
        frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A JSON body. What is wrong with it is said with the field's name.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let bytes = axum::body::to_bytes(request.into_body(), JSON_MAX)
            .await
            .map_err(|_| Error::too_large("the request's body is larger than 2 MB"))?;
        // A body that may be absent is an empty object.
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes[..] };
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = Some(error.path().to_string()).filter(|path| path != ".");
            let inner = error.into_inner();
            let field = match (path, named_field(&inner)) {
                // A missing one is told of where it should have been.
                (Some(path), Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => {
                    Some(format!("{path}.{name}"))
                }
                (path, name) => path.or(name),
            };
            let place = field.as_ref().map(|field| format!(" at `{field}`")).unwrap_or_default();
            Error::malformed(field, format!("the body is not what this route takes{place}: {inner}"))
        })?;
        json.end().map_err(|error| Error::malformed(None, format!("the body is not valid JSON: {error}")))?;
        Ok(Self(value))
    }
}

/// serde names a missing or unknown field only in its text.
fn named_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let rest = text.strip_prefix("missing field `").or_else(|| text.strip_prefix("unknown field `"))?;
    rest.split('`').next().map(str::to_owned)
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Error::malformed(None, format!("the query string is not understood: {error}")))
    }
}

/// An id in a path. A text that is no id names nothing.
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: std::str::FromStr + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::not_found("thing"))?;
        text.parse().map(Self).map_err(|_| Error::not_found("thing"))
    }
}
