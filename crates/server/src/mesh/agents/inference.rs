//! The way to the coordinator's own inference service: plain HTTP, with a token, each request signed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response};
use ids::CompletionId;
use link::KeyPair;
use reqwest::Url;
use wire::{INFERENCE_TAG, MESH_REQUEST_ID};

use super::link::{PATIENCE, SHORT};
use crate::error::{Error, Result};

/// What it wants to see besides a signature.
const TOKEN: &str = "x-inference-token";
const CONNECT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Inference {
    client: reqwest::Client,
    url: Url,
    token: HeaderValue,
    key: Arc<KeyPair>,
}

/// Where it is, and what it wants to see.
#[derive(Clone)]
pub struct InferenceConfig {
    /// `http` or `https`, without a path.
    pub url: String,
    pub token: String,
}

// === impl Inference ===

impl Inference {
    pub(super) fn new(config: &InferenceConfig, key: Arc<KeyPair>) -> Result<Self> {
        let mut token = HeaderValue::try_from(&config.token).map_err(Error::internal)?;
        token.set_sensitive(true);
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            client: client.connect_timeout(CONNECT).build().map_err(Error::internal)?,
            url: config.url.parse().map_err(Error::internal)?,
            token,
            key,
        })
    }

    /// Who drops the answer hangs up.
    pub(super) async fn complete(
        &self,
        path: &str,
        id: &CompletionId,
        body: Bytes,
    ) -> reqwest::Result<Response<reqwest::Body>> {
        let request = self.signed(Method::POST, path, body).header(MESH_REQUEST_ID, id.as_str());
        request.send().await.map(Into::into)
    }

    pub(super) async fn get<T: serde::de::DeserializeOwned>(&self, target: &str) -> Result<Option<T>> {
        let request = self.signed(Method::GET, target, Bytes::new()).timeout(PATIENCE);
        let response = request.send().await.map_err(Error::internal)?;
        match response.status() {
            reqwest::StatusCode::NOT_FOUND => return Ok(None),
            status if !status.is_success() => {
                return Err(Error::internal(format!("the inference service answers {status} to {target}")));
            }
            _ => {}
        }
        let body = http_body_util::Limited::new(reqwest::Body::from(response), SHORT);
        let bytes = http_body_util::BodyExt::collect(body).await.map_err(Error::internal)?.to_bytes();
        serde_json::from_slice(&bytes).map(Some).map_err(Error::internal)
    }

    fn signed(&self, method: Method, target: &str, body: Bytes) -> reqwest::RequestBuilder {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(query);
        let message = signatures::Message { method: &method, authority: url.authority(), path, query, body: &body };
        let signed =
            signatures::sign(&message, &self.key.public().to_string(), &self.key, INFERENCE_TAG, SystemTime::now());
        let headers = signed.unwrap_or_else(|error| {
            // It is refused over there.
            tracing::error!(%error, "a request to the inference service cannot be signed");
            hyper::HeaderMap::new()
        });
        let json = HeaderValue::from_static("application/json");
        let request = self.client.request(method, url).headers(headers);
        request.header(TOKEN, self.token.clone()).header(CONTENT_TYPE, json).body(body)
    }
}
