//! The API as a typed client: one method per operation, named like it.

mod activity;
mod caches;
mod failure;
mod machine;
mod mesh;
mod metrics;
mod nodes;
mod notifications;
mod runs;
mod signing;
mod stream;
mod wait;
mod workspaces;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use failure::ApiFailure;
pub use machine::MachineLogEvent;
pub use stream::Sse;

use crate::secrets::{Secrets, random_secret};
use crate::wait::PATIENCE;

type Result<T> = std::result::Result<T, ApiFailure>;

/// Somebody who speaks to a server: with a session once signed in, or with a token.
/// Clones share the session.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    secrets: Secrets,
}

/// What to read of a project's logs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LogsQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

// === impl Client ===

impl Client {
    /// `base` is `http://host:port`.
    pub fn new(base: impl Into<String>, secrets: Secrets) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .no_proxy()
            .tls_built_in_root_certs(false)
            .connect_timeout(PATIENCE)
            .build()
            .expect("build an HTTP client");
        Self { http, base: base.into(), token: None, secrets }
    }

    /// Another caller, who comes from `address`, one of the loopback's.
    pub fn from_address(&self, address: std::net::Ipv4Addr) -> Self {
        let http =
            reqwest::Client::builder().cookie_store(true).no_proxy().local_address(std::net::IpAddr::V4(address));
        let http = http.tls_built_in_root_certs(false).connect_timeout(PATIENCE).build().expect("build an HTTP client");
        Self { http, ..Self::new(self.base.clone(), self.secrets.clone()) }
    }

    /// Another caller, with an API token instead of a session.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..Self::new(self.base.clone(), self.secrets.clone()) }
    }

    /// Another caller, not signed in.
    pub fn anonymous(&self) -> Self {
        Self::new(self.base.clone(), self.secrets.clone())
    }

    /// For odd requests: a builder that carries who we are. `path` begins with a slash.
    pub fn raw(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| ApiFailure::unreachable(&error))?;
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        for value in cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next()?.split_once('=')) {
            self.secrets.remember(value.1);
        }
        if response.status().is_success() { Ok(response) } else { Err(ApiFailure::read(response).await) }
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request.timeout(PATIENCE)).await?;
        let text = response.text().await.map_err(|error| ApiFailure::unreachable(&error))?;
        Ok(serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the answer is not what docs/API.md says: {error}\n{text}")))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call(self.raw(Method::GET, path)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.call(self.raw(Method::POST, path).json(body)).await
    }

    /// A request whose answer is only its status.
    async fn act(&self, method: Method, path: &str) -> Result<u16> {
        Ok(self.send(self.raw(method, path).timeout(PATIENCE)).await?.status().as_u16())
    }
}

/// Who.
impl Client {
    pub async fn setup(&self, username: &str, password: &str, code: &str) -> Result<api::Me> {
        self.secrets.remember(password);
        let [username, password, code] = [username, password, code].map(str::to_owned);
        self.post("/api/auth/setup", &api::Setup { username, password, code }).await
    }

    pub async fn login(&self, username: &str, password: &str) -> Result<api::Me> {
        self.secrets.remember(password);
        let credentials = api::Credentials { username: username.into(), password: password.into() };
        self.post("/api/auth/login", &credentials).await
    }

    pub async fn logout(&self) -> Result<()> {
        self.act(Method::POST, "/api/auth/logout").await.map(drop)
    }

    pub async fn status(&self) -> Result<api::AuthStatus> {
        self.get("/api/auth/status").await
    }

    pub async fn me(&self) -> Result<api::Me> {
        self.get("/api/auth/me").await
    }

    /// A token with all scopes.
    pub async fn token_create(&self, name: &str) -> Result<api::TokenCreated> {
        self.token_create_with(&api::TokenCreate { name: name.into(), ..api::TokenCreate::default() }).await
    }

    pub async fn token_create_with(&self, create: &api::TokenCreate) -> Result<api::TokenCreated> {
        let created: api::TokenCreated = self.post("/api/tokens", create).await?;
        self.secrets.remember(&created.token);
        Ok(created)
    }

    pub async fn user_list(&self) -> Result<api::UserList> {
        self.get("/api/users").await
    }

    pub async fn user_create(&self, create: &api::UserCreate) -> Result<api::User> {
        self.secrets.remember(&create.password);
        self.post("/api/users", create).await
    }

    /// Has an account made for somebody with this role and a random password, and is then them, in another browser.
    pub async fn sign_in_another(&self, username: &str, role: &str) -> Self {
        let (username, password) = (username.to_owned(), random_secret());
        let create = api::UserCreate { username, password, role: Some(role.to_owned()) };
        self.user_create(&create).await.expect("make a user");
        let another = self.anonymous();
        another.login(&create.username, &create.password).await.expect("sign in");
        another
    }

    pub async fn token_list(&self) -> Result<api::TokenList> {
        self.get("/api/tokens").await
    }

    pub async fn token_delete(&self, id: impl std::fmt::Display) -> Result<()> {
        self.act(Method::DELETE, &format!("/api/tokens/{id}")).await.map(drop)
    }
}

/// Projects. An id may also be the name's slug.
impl Client {
    pub async fn project_list(&self) -> Result<Vec<api::Project>> {
        Ok(self.get::<api::ProjectList>("/api/projects").await?.projects)
    }

    pub async fn project_create(&self, create: &api::ProjectCreate) -> Result<api::ProjectCreated> {
        for var in &create.env_vars {
            self.secrets.remember(&var.value);
        }
        create.registry_password.iter().for_each(|password| self.secrets.remember(password));
        self.post("/api/projects", create).await
    }

    pub async fn project_plan(&self, request: &api::PlanRequest) -> Result<api::Plan> {
        self.post("/api/projects/plan", request).await
    }

    pub async fn project_get(&self, id: impl std::fmt::Display) -> Result<api::Project> {
        self.get(&format!("/api/projects/{id}")).await
    }

    pub async fn project_update(
        &self,
        id: impl std::fmt::Display,
        update: &api::ProjectUpdate,
    ) -> Result<api::Project> {
        self.call(self.raw(Method::PATCH, &format!("/api/projects/{id}")).json(update)).await
    }

    /// 204 when nothing is left, 202 while that goes on.
    pub async fn project_delete(&self, id: impl std::fmt::Display) -> Result<u16> {
        self.act(Method::DELETE, &format!("/api/projects/{id}")).await
    }

    pub async fn env_get(&self, id: impl std::fmt::Display) -> Result<Vec<api::EnvVar>> {
        self.get(&format!("/api/projects/{id}/env")).await
    }

    /// Writes the whole set; `None` keeps the stored value.
    pub async fn env_put(&self, id: impl std::fmt::Display, vars: &[(&str, Option<&str>)]) -> Result<Vec<api::EnvVar>> {
        let update = |&(key, value): &(&str, Option<&str>)| {
            value.inspect(|value| self.secrets.remember(value));
            api::EnvVarUpdate { key: key.into(), value: value.map(str::to_owned), has_value: None, is_secret: None }
        };
        let updates: Vec<_> = vars.iter().map(update).collect();
        self.call(self.raw(Method::PUT, &format!("/api/projects/{id}/env")).json(&updates)).await
    }
}

/// Deployments.
impl Client {
    async fn accepted(&self, request: RequestBuilder) -> Result<api::Deployment> {
        Ok(self.call::<api::DeploymentAccepted>(request).await?.deployment)
    }

    /// The branch's newest commit.
    pub async fn redeploy(&self, id: impl std::fmt::Display) -> Result<api::Deployment> {
        self.redeploy_with(id, &api::Redeploy::default()).await
    }

    pub async fn redeploy_with(&self, id: impl std::fmt::Display, redeploy: &api::Redeploy) -> Result<api::Deployment> {
        self.accepted(self.raw(Method::POST, &format!("/api/projects/{id}/redeploy")).json(redeploy)).await
    }

    /// The branch's newest commit if something changed that the project watches, else why there is nothing to deploy.
    pub async fn redeploy_if_changed(
        &self,
        id: impl std::fmt::Display,
    ) -> Result<std::result::Result<api::Deployment, String>> {
        let redeploy = api::Redeploy { commit: None, if_changed: true };
        let request = self.raw(Method::POST, &format!("/api/projects/{id}/redeploy")).json(&redeploy);
        Ok(match self.call(request).await? {
            api::Redeployed::Accepted(accepted) => Ok(accepted.deployment),
            api::Redeployed::Not(not) => Err(not.reason),
        })
    }

    /// To a deployment's release, or to the one before the live one.
    pub async fn rollback(
        &self,
        id: impl std::fmt::Display,
        to: Option<&ids::DeploymentId>,
    ) -> Result<api::Deployment> {
        let rollback = api::Rollback { deployment_id: to.map(ToString::to_string) };
        self.accepted(self.raw(Method::POST, &format!("/api/projects/{id}/rollback")).json(&rollback)).await
    }

    /// Deploys a tar archive, plain or compressed.
    pub async fn upload(&self, id: impl std::fmt::Display, archive: impl Into<Bytes>) -> Result<api::Deployment> {
        let request = self.raw(Method::PUT, &format!("/api/projects/{id}/source")).body(archive.into());
        self.accepted(request.header(header::CONTENT_TYPE, "application/x-tar")).await
    }

    /// The first page, newest first.
    pub async fn deployment_list(&self, id: impl std::fmt::Display) -> Result<Vec<api::Deployment>> {
        Ok(self.get::<api::DeploymentList>(&format!("/api/projects/{id}/deployments")).await?.deployments)
    }

    pub async fn deployment_page(
        &self,
        id: impl std::fmt::Display,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<api::DeploymentList> {
        let request = self.raw(Method::GET, &format!("/api/projects/{id}/deployments")).query(&[("limit", limit)]);
        let cursor: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.call(request.query(&cursor)).await
    }

    pub async fn deployment_get(&self, id: impl std::fmt::Display) -> Result<api::Deployment> {
        self.get(&format!("/api/deployments/{id}")).await
    }

    pub async fn deployment_cancel(&self, id: impl std::fmt::Display) -> Result<api::Deployment> {
        self.accepted(self.raw(Method::POST, &format!("/api/deployments/{id}/cancel"))).await
    }

    pub async fn release_list(&self, id: impl std::fmt::Display) -> Result<Vec<api::Release>> {
        Ok(self.get::<api::ReleaseList>(&format!("/api/projects/{id}/releases")).await?.releases)
    }

    /// What [`Self::rollback`] to the same deployment would change.
    pub async fn rollback_plan(
        &self,
        id: impl std::fmt::Display,
        to: Option<&ids::DeploymentId>,
    ) -> Result<api::RollbackPlan> {
        let query: Vec<_> = to.map(|to| ("deployment_id", to.as_str())).into_iter().collect();
        self.call(self.raw(Method::GET, &format!("/api/projects/{id}/rollback-plan")).query(&query)).await
    }

    pub async fn release_pin(&self, id: impl std::fmt::Display, pinned: bool) -> Result<()> {
        let method = if pinned { Method::PUT } else { Method::DELETE };
        self.act(method, &format!("/api/releases/{id}/pin")).await.map(drop)
    }
}

/// Logs, machines, changes.
impl Client {
    /// A deployment's log as far as it is there.
    pub async fn log(&self, deployment: impl std::fmt::Display) -> Result<Vec<api::LogLine>> {
        self.lines(self.raw(Method::GET, &format!("/api/deployments/{deployment}/log"))).await
    }

    /// A deployment's log until it settles, from the line after `after` on.
    pub async fn follow_log(
        &self,
        deployment: impl std::fmt::Display,
        after: Option<&str>,
    ) -> Result<Sse<api::LogLine>> {
        let request = self.raw(Method::GET, &format!("/api/deployments/{deployment}/log?follow=true"));
        self.stream(request, after).await
    }

    /// What the project's processes wrote.
    pub async fn project_logs(&self, id: impl std::fmt::Display, query: &LogsQuery) -> Result<Vec<api::LogLine>> {
        Ok(self.project_log_page(id, query).await?.lines)
    }

    pub async fn project_log_page(&self, id: impl std::fmt::Display, query: &LogsQuery) -> Result<api::LogPage> {
        self.call(self.raw(Method::GET, &format!("/api/projects/{id}/logs")).query(query)).await
    }

    pub async fn follow_project_logs(
        &self,
        id: impl std::fmt::Display,
        query: &LogsQuery,
    ) -> Result<Sse<api::LogLine>> {
        let request = self.raw(Method::GET, &format!("/api/projects/{id}/logs")).query(query);
        self.stream(request.query(&[("follow", true)]), None).await
    }

    pub async fn nodes(&self) -> Result<Vec<api::Node>> {
        Ok(self.get::<api::NodeList>("/api/nodes").await?.nodes)
    }

    pub async fn node_get(&self, id: impl std::fmt::Display) -> Result<api::Node> {
        self.get(&format!("/api/nodes/{id}")).await
    }

    /// Changes from now on, or after the position `after`.
    pub async fn events(&self, after: Option<i64>) -> Result<Sse<api::Event>> {
        let after = after.map(|position| position.to_string());
        self.stream(self.raw(Method::GET, "/api/events"), after.as_deref()).await
    }

    async fn stream<T>(&self, request: RequestBuilder, after: Option<&str>) -> Result<Sse<T>> {
        let request = match after {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        Ok(Sse::new(self.send(request.header(header::ACCEPT, "text/event-stream")).await?))
    }

    async fn lines(&self, request: RequestBuilder) -> Result<Vec<api::LogLine>> {
        let response = self.send(request.timeout(PATIENCE)).await?;
        let text = response.text().await.map_err(|error| ApiFailure::unreachable(&error))?;
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not a log line: {error}\n{line}"));
        Ok(text.lines().map(parse).collect())
    }
}
