//! Requests that another service of the mesh answers, passed on to it as they come.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderName;
use axum::http::header;
use axum::http::request::Parts as RequestParts;
use axum::response::Response;

use crate::error::{Error, Result};
use crate::http::leave_out_hops;

const CONNECT: Duration = Duration::from_secs(5);
/// What a browser says of the page that asks was looked at here; over there it would not fit to the host's name.
const OF_THE_BROWSER: [HeaderName; 3] = [header::HOST, header::ORIGIN, HeaderName::from_static("sec-fetch-site")];

#[derive(Clone)]
pub(super) struct Forward {
    client: reqwest::Client,
    url: String,
}

impl Forward {
    pub(super) fn new(url: &str) -> Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT);
        Ok(Self { client: client.no_proxy().build().map_err(Error::internal)?, url: url.to_owned() })
    }

    /// Streams both ways: a hang-up on one side is one on the other.
    pub(super) async fn pass(
        &self,
        mut head: RequestParts,
        body: Body,
    ) -> std::result::Result<Response, reqwest::Error> {
        leave_out_hops(&mut head.headers);
        for name in OF_THE_BROWSER {
            head.headers.remove(name);
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = self.client.request(head.method, format!("{}{path}", self.url)).headers(head.headers);
        if !body.is_end_stream() {
            request = request.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let mut answer = request.send().await?;
        let (status, mut headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        leave_out_hops(&mut headers);
        let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
