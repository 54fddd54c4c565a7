//! Requests that another service of the mesh answers, passed on to it as they come.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderName, Uri, header};
use axum::response::Response;
use url::Url;

use crate::error::{Error, Result};
use crate::http::leave_out_hops;

const CONNECT: Duration = Duration::from_secs(5);
/// What a browser says of the page that asks was looked at here; over there it would not fit to the host's name.
const OF_THE_BROWSER: [HeaderName; 3] = [header::HOST, header::ORIGIN, HeaderName::from_static("sec-fetch-site")];

#[derive(Clone)]
pub(super) struct Forward {
    client: reqwest::Client,
    url: String,
    /// What is said where it does not answer.
    unreachable: fn() -> Error,
}

impl Forward {
    pub(super) fn new(url: &str, unreachable: fn() -> Error) -> Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT);
        let client = client.no_proxy().build().map_err(Error::internal)?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), unreachable })
    }

    /// Streams both ways: a hang-up on one side is one on the other.
    pub(super) async fn pass(&self, mut head: RequestParts, body: Body) -> Result<Response> {
        leave_out_hops(&mut head.headers);
        for name in OF_THE_BROWSER {
            head.headers.remove(name);
        }
        let mut request = self.client.request(head.method, self.target(&head.uri)?).headers(head.headers);
        if !body.is_end_stream() {
            request = request.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let mut answer = request.send().await.map_err(|error| (self.unreachable)().because(error))?;
        let (status, mut headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        leave_out_hops(&mut headers);
        let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// The same path over there, and no other one: here it was looked at as it was written, dots and all.
    fn target(&self, uri: &Uri) -> Result<Url> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let asked = format!("{}{path}", self.url);
        let same = Url::parse(&asked).ok().filter(|target| target.as_str() == asked);
        same.ok_or_else(|| Error::malformed(None, "the path is not written plainly; leave out dots and odd characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        let forward = Forward::new("http://127.0.0.1:9/below", || Error::not_found("thing")).unwrap();
        let target = |path: &str| forward.target(&path.parse().unwrap()).map(|url| url.to_string()).ok();
        assert_eq!(target("/v1/models?a=%2F").as_deref(), Some("http://127.0.0.1:9/below/v1/models?a=%2F"));
        for path in ["/v1/../internal/agents", "/assets/%2e%2e/internal/people", "/v1/%2E./x", "/v1/..%5cx/../y"] {
            assert_eq!(target(path), None, "{path}");
        }
    }
}
