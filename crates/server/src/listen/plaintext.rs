//! What plaintext from another machine is answered with: where to go instead.

use axum::Router;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::error::Error;

pub(super) fn router() -> Router {
    Router::new().fallback(answer)
}

async fn answer(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        // A browser that was sent here; nothing of its own is lost by sending it on.
        Some(host) if method.is_safe() && uri.path_and_query().is_some() => {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            Redirect::permanent(&format!("https://{host}{path}")).into_response()
        }
        _ => Error::forbidden(
            "PLAINTEXT_REFUSED",
            "what is sent to another machine is sent encrypted; use https:// with the same address",
        )
        .into_response(),
    }
}
