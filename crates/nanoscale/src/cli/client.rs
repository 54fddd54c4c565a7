//! Requests to one server, and its refusals made readable.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::{account, output};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For answers that come as a whole; streams and uploads take as long as they take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    credential: Credential,
}

#[derive(Clone)]
enum Credential {
    Nobody,
    Token(String),
    /// `name=value` of the session's cookie.
    Session(String),
}

/// An answer of the API: what it means, and the JSON as it came.
pub(super) struct Answer<T> {
    pub(super) value: T,
    raw: String,
}

impl<T> Answer<T> {
    /// Prints the JSON for a script, or for a person what `print` makes of it.
    pub(super) fn show(&self, json: bool, print: impl FnOnce(&T) -> Result<()>) -> Result<()> {
        if json { output::line(self.raw.trim_end()) } else { print(&self.value) }
    }
}

impl Client {
    /// As whoever signed in last, or as the environment says.
    pub(super) fn signed_in() -> Result<Self> {
        let target = account::target()?;
        let token = target.token.ok_or(ClientError::NotSignedIn)?;
        Self::new(target.url, Credential::Token(token))
    }

    pub(super) fn anonymous(url: Url) -> Result<Self> {
        Self::new(url, Credential::Nobody)
    }

    fn new(url: Url, credential: Credential) -> Result<Self> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("nanoscale/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirected upload or change would arrive as something else.
            .redirect(redirect::Policy::none());
        if account::is_loopback(&url) {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build().context("prepare HTTP")?, url, credential })
    }

    pub(super) fn with_token(&self, token: &str) -> Self {
        Self { credential: Credential::Token(token.to_owned()), ..self.clone() }
    }

    pub(super) fn with_session(&self, cookie: String) -> Self {
        Self { credential: Credential::Session(cookie), ..self.clone() }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The server's address as people write it.
    pub(super) fn address(&self) -> &str {
        shown(&self.url)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Answer<T>> {
        self.get_with(path, &[]).await
    }

    pub(super) async fn get_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer<T>> {
        self.answer(self.request(Method::GET, path).query(query)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>> {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>> {
        self.answer(self.request(Method::PUT, path).json(body)).await
    }

    /// Puts something that is answered without a body.
    pub(super) async fn put_silently(&self, path: &[&str], body: &impl Serialize) -> Result<()> {
        self.send(self.request(Method::PUT, path).json(body).timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>> {
        self.answer(self.request(Method::PATCH, path).json(body)).await
    }

    /// Deletes something that is answered with a body.
    pub(super) async fn delete_for<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Answer<T>> {
        self.answer(self.request(Method::DELETE, path)).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> Result<StatusCode> {
        self.delete_with(path, &[]).await
    }

    pub(super) async fn delete_with(&self, path: &[&str], query: &[(&str, String)]) -> Result<StatusCode> {
        let request = self.request(Method::DELETE, path).query(query).timeout(ANSWER_TIMEOUT);
        Ok(self.send(request).await?.status())
    }

    /// Posts something whose answer matters only for its headers.
    pub(super) async fn post_for_response(&self, path: &[&str], body: &impl Serialize) -> Result<Response> {
        self.send(self.request(Method::POST, path).json(body).timeout(ANSWER_TIMEOUT)).await
    }

    /// A body that is read as it comes: JSON lines, or server-sent events after the one named.
    pub(super) async fn stream(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        last_event_id: Option<&str>,
    ) -> Result<Response> {
        let mut request = self.request(Method::GET, path).query(query);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        self.send(request).await
    }

    pub(super) async fn upload<T: DeserializeOwned>(&self, path: &[&str], body: reqwest::Body) -> Result<Answer<T>> {
        let request = self.request(Method::PUT, path).header(header::CONTENT_TYPE, "application/x-tar").body(body);
        self.parsed(self.send(request).await?).await
    }

    /// Where a WebSocket is, and the header that says who asks for it.
    pub(super) fn socket(&self, path: &[&str], query: &[(&str, String)]) -> Result<(Url, (HeaderName, HeaderValue))> {
        let mut url = self.route(path);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| anyhow::anyhow!("{url} cannot be the address of a WebSocket"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let (name, value) = match &self.credential {
            Credential::Nobody => return Err(ClientError::NotSignedIn.into()),
            Credential::Token(token) => (header::AUTHORIZATION, format!("Bearer {token}")),
            Credential::Session(cookie) => (header::COOKIE, cookie.clone()),
        };
        let mut value = HeaderValue::try_from(value).context("the token is no text for a header")?;
        value.set_sensitive(true);
        Ok((url, (name, value)))
    }

    /// The error of an answer that is a no.
    pub(super) fn refusal(&self, status: StatusCode, body: &[u8]) -> anyhow::Error {
        match serde_json::from_slice::<api::ErrorBody>(body) {
            Ok(body) => ClientError::Refused { status, body }.into(),
            Err(_) => ClientError::NotOurs { url: self.url.clone(), status }.into(),
        }
    }

    fn route(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        url
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let request = self.http.request(method, self.route(path));
        match &self.credential {
            Credential::Nobody => request,
            Credential::Token(token) => request.bearer_auth(token),
            Credential::Session(cookie) => request.header(header::COOKIE, cookie),
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Answer<T>> {
        let response = self.send(request.timeout(ANSWER_TIMEOUT)).await?;
        self.parsed(response).await
    }

    async fn parsed<T: DeserializeOwned>(&self, response: Response) -> Result<Answer<T>> {
        let status = response.status();
        let raw = response.text().await.map_err(|cause| self.broken(cause))?;
        match serde_json::from_str(&raw) {
            Ok(value) => Ok(Answer { value, raw }),
            Err(_) => Err(ClientError::NotOurs { url: self.url.clone(), status }.into()),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|cause| self.broken(cause))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(self.refusal(status, &response.bytes().await.unwrap_or_default()))
    }

    fn broken(&self, cause: reqwest::Error) -> ClientError {
        ClientError::Broken { url: self.url.clone(), cause }
    }
}

/// Why there is no answer, by what the person does about it.
#[derive(Debug)]
pub(super) enum ClientError {
    NotSignedIn,
    /// No connection, or one that ended too early.
    Broken {
        url: Url,
        cause: reqwest::Error,
    },
    /// The server says no.
    Refused {
        status: StatusCode,
        body: api::ErrorBody,
    },
    /// Something answers there, but not NanoScale's API.
    NotOurs {
        url: Url,
        status: StatusCode,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSignedIn => f.write_str("you are not signed in to a server"),
            Self::Broken { url, cause } if cause.is_connect() => {
                write!(f, "the server is not reachable at {} ({})", shown(url), root_cause(cause))
            }
            Self::Broken { url, cause } if cause.is_timeout() => {
                write!(f, "the server at {} did not answer in time", shown(url))
            }
            Self::Broken { url, cause } => {
                write!(f, "the connection to {} broke off ({})", shown(url), root_cause(cause))
            }
            Self::Refused { body, .. } => f.write_str(&body.message),
            Self::NotOurs { url, status } => {
                write!(f, "{} does not answer like a NanoScale server (status {status})", shown(url))
            }
        }
    }
}

// The cause is part of the message: what lies between says only "error sending request".
impl Error for ClientError {}

impl ClientError {
    /// Whether the server has refused with this code.
    pub(super) fn has_code(error: &anyhow::Error, code: &str) -> bool {
        matches!(error.downcast_ref(), Some(Self::Refused { body, .. }) if body.error == code)
    }

    /// What to do about it, where the message does not say.
    pub(super) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotSignedIn => "run `nanoscale login`, or set NANOSCALE_URL and NANOSCALE_TOKEN",
            Self::Broken { cause, .. } if cause.is_connect() => {
                "start it with `nanoscale serve`, or name another one with `nanoscale login URL` or NANOSCALE_URL"
            }
            Self::Broken { cause, .. } if cause.is_body() || cause.is_request() => {
                "try again; an upload may also be larger than the server takes (limits.upload_mb)"
            }
            Self::Broken { .. } => "try again",
            Self::NotOurs { status, .. } if status.is_redirection() => {
                "it redirects; name the address that it redirects to, perhaps with https"
            }
            Self::NotOurs { .. } => "name the server's own address with `nanoscale login URL` or NANOSCALE_URL",
            Self::Refused { body, .. } => match body.error.as_str() {
                "UNAUTHENTICATED" => "the token is not valid there (any more); run `nanoscale login`",
                "SCOPE_MISSING" => "make another token with `nanoscale token create`, or run `nanoscale login`",
                "TOO_LARGE" => "name what is not needed in .gitignore or .nanoscaleignore",
                "NOTHING_TO_ROLL_BACK_TO" => "`nanoscale deployment list PROJECT` shows what there was",
                "NOTHING_LIVE" => "`nanoscale deployment list PROJECT` shows what became of what was deployed",
                "NODE_IN_USE" => "`nanoscale node drain NODE` empties it; --force removes it all the same",
                "RELEASE_NOT_KEPT" => "`nanoscale redeploy PROJECT --commit SHA` builds it again",
                _ => return None,
            },
        })
    }

    /// Whether the same request may go well later.
    pub(super) fn may_pass(error: &anyhow::Error) -> bool {
        match error.downcast_ref() {
            Some(Self::Broken { .. }) => true,
            Some(Self::Refused { status, .. } | Self::NotOurs { status, .. }) => status.is_server_error(),
            Some(Self::NotSignedIn) | None => false,
        }
    }

    pub(super) fn is_not_found(error: &anyhow::Error) -> bool {
        matches!(error.downcast_ref(), Some(Self::Refused { status: StatusCode::NOT_FOUND, .. }))
    }
}

fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
