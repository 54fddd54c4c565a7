//! How many requests the API has answered.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus::{IntCounterVec, Opts};

use super::exporter::Exporter;

/// By method and status.
#[derive(Clone)]
pub(super) struct Requests(pub(super) IntCounterVec);

impl Requests {
    pub(super) fn new() -> prometheus::Result<Self> {
        let opts = Opts::new("nanoscale_http_requests_total", "Requests that the server's API and dashboard answered.");
        Ok(Self(IntCounterVec::new(opts, &["method", "code"])?))
    }

    fn count(&self, method: &Method, code: u16) {
        // Anybody may make methods up.
        let known =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        self.0.with_label_values(&[method, &code.to_string()]).inc();
    }
}

/// Counts what passes.
pub(crate) async fn count(State(exporter): State<Exporter>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    exporter.requests().count(&method, response.status().as_u16());
    response
}
