//! The way to a company that serves models.

use std::time::Duration;

use bytes::Bytes;
use domain::mesh::hosted;
use domain::mesh::meter::Dialect;
use hyper::Response;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ids::HostedProviderKind;
use serde::Deserialize;

use crate::error::{Error, Result};

const CONNECT: Duration = Duration::from_secs(5);
/// Of a question for their models.
const PATIENCE: Duration = Duration::from_secs(10);
const ANTHROPIC_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Without it, they answer nothing.
const ANTHROPIC_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

#[derive(Clone)]
pub(crate) struct Hosted {
    kind: HostedProviderKind,
    client: reqwest::Client,
    /// Without `/v1`.
    base_url: String,
}

// === impl Hosted ===

impl Hosted {
    /// # Errors
    /// Where the key is none that a header can have.
    pub(crate) fn new(kind: HostedProviderKind, base_url: &str, api_key: &str) -> Result<Self> {
        let unusable = |_| Error::invalid("api_key", "INVALID_API_KEY", "an API key has printable characters only");
        let mut headers = HeaderMap::new();
        let (name, text) = match kind {
            HostedProviderKind::OpenAi => (AUTHORIZATION, format!("Bearer {api_key}")),
            HostedProviderKind::Anthropic => {
                headers.extend([ANTHROPIC_VERSION]);
                (ANTHROPIC_KEY, api_key.to_owned())
            }
        };
        let mut key = HeaderValue::try_from(text).map_err(unusable)?;
        key.set_sensitive(true);
        headers.insert(name, key);
        // A key goes where it was meant for, and nowhere that it is sent on to.
        let client = reqwest::Client::builder().default_headers(headers).connect_timeout(CONNECT);
        let client = client.redirect(reqwest::redirect::Policy::none());
        // What is not encrypted stays on this machine.
        let client = if base_url.starts_with("https:") { client } else { client.no_proxy() };
        let client = client.build().map_err(Error::internal)?;
        Ok(Self { kind, client, base_url: base_url.to_owned() })
    }

    pub(super) fn speaks(&self, dialect: Dialect) -> bool {
        hosted::speaks(self.kind, dialect)
    }

    /// Who drops the answer hangs up.
    pub(super) async fn complete(&self, path: &str, body: Bytes) -> reqwest::Result<Response<reqwest::Body>> {
        let json = HeaderValue::from_static("application/json");
        let request = self.client.post(format!("{}{path}", self.base_url)).header(CONTENT_TYPE, json).body(body);
        request.send().await.map(Into::into)
    }

    /// All models that they have for this key, or why they say nothing.
    pub(crate) async fn models(&self) -> std::result::Result<Vec<String>, String> {
        #[derive(Deserialize)]
        struct Listed {
            data: Vec<Model>,
        }
        #[derive(Deserialize)]
        struct Model {
            id: String,
        }
        let answered = self.client.get(format!("{}/v1/models", self.base_url)).timeout(PATIENCE).send().await;
        let response = answered.map_err(|error| format!("it cannot be reached: {}", root(&error)))?;
        match response.status() {
            status if status.is_success() => {}
            status if [401, 403].contains(&status.as_u16()) => return Err(format!("it refuses the key ({status})")),
            status => return Err(format!("it answers {status} to /v1/models; look at the base URL")),
        }
        let listed = response.json::<Listed>().await.map_err(|_| "it lists no models at /v1/models".to_owned())?;
        let mut names = listed.data.into_iter().map(|model| model.id).collect::<Vec<_>>();
        names.sort();
        Ok(names)
    }
}

/// What an error came of in the end.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
