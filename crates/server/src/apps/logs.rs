//! Logs, read from the node that has them: of one deployment, and of a project's processes over all its releases.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use bytes::{Buf, BytesMut};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ids::{DeploymentId, NodeId};
use serde::Deserialize;
use store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::LogRecord;

use crate::apps::deployments::Deployments;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::platform::identity::{Credential, Identity};
use crate::platform::nodes::Nodes;
use crate::platform::projects::{ProjectRef, Projects};
use crate::rfc3339;
use crate::state::AppState;

/// Lines on their way to a slow browser.
const LINES: usize = 256;
/// A longer one would not fit into a request to the node.
const SEARCH_MAX: usize = 1000;

#[derive(Clone)]
pub(crate) struct Logs {
    nodes: Nodes,
    deployments: Deployments,
    projects: Projects,
    identity: Identity,
    store: Store,
    /// The server stops: followers are let go, and come back to the next one.
    closing: CancellationToken,
}

impl Logs {
    pub(crate) fn new(
        nodes: Nodes,
        deployments: Deployments,
        projects: Projects,
        identity: Identity,
        store: Store,
        closing: CancellationToken,
    ) -> Self {
        Self { nodes, deployments, projects, identity, store, closing }
    }

    async fn lines(&self, node: &NodeId, path: &str, query: &[(&str, String)]) -> Result<Lines> {
        let query = query.iter().map(|(key, value)| format!("{key}={}", escape(value))).collect::<Vec<_>>().join("&");
        let body = self.nodes.link(node)?.stream(&format!("{path}?{query}")).await?;
        Ok(Lines { body, rest: BytesMut::new() })
    }

    /// Follows a deployment's log until the deployment has settled and everything was said.
    async fn follow_deployment(&self, id: DeploymentId, after: String, send: mpsc::Sender<Event>) -> Result<()> {
        let mut events = self.store.events_committed();
        let deployment = self.deployments.find(&id).await?;
        let project = self.projects.find(&ProjectRef::Id(deployment.project_id.clone())).await?;
        let path = format!("/v1/logs/build/{}/{id}", project.id);
        let mut after = after;
        let mut settled = deployment.state.is_settled();
        while !settled {
            let query = [("after", after.clone()), ("follow", "true".to_owned())];
            let mut lines = self.lines(&project.node_id, &path, &query).await?;
            loop {
                tokio::select! {
                    line = lines.next() => match line? {
                        Some(record) => {
                            after.clone_from(&record.id);
                            if send.send(to_sse(record)).await.is_err() {
                                return Ok(());
                            }
                        }
                        None => break,
                    },
                    _ = events.changed() => {
                        settled = self.deployments.find(&id).await?.state.is_settled();
                        if settled {
                            break;
                        }
                    }
                    () = send.closed() => return Ok(()),
                }
            }
        }
        let mut lines = self.lines(&project.node_id, &path, &[("after", after)]).await?;
        while let Some(record) = lines.next().await? {
            if send.send(to_sse(record)).await.is_err() {
                return Ok(());
            }
        }
        let _ = send.send(Event::default().event("end").data("{}")).await;
        Ok(())
    }
}

/// Records of a body of JSON lines.
struct Lines {
    body: Incoming,
    rest: BytesMut,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<LogRecord>> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line = self.rest.split_to(end);
                self.rest.advance(1);
                return Ok(Some(serde_json::from_slice(&line).map_err(Error::internal)?));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(Error::internal)?.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

/// Percent-encodes a query value (RFC 3986 section 2.1).
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn shown(record: LogRecord) -> api::LogLine {
    api::LogLine {
        id: record.id,
        deployment_id: record.workload,
        time: rfc3339(record.at_ms),
        stream: record.stream,
        text: record.text,
    }
}

fn to_sse(record: LogRecord) -> Event {
    let id = record.id.clone();
    Event::default().id(id).data(serde_json::to_string(&shown(record)).unwrap_or_default())
}

/// Everything there is as JSON lines, one [`api::LogLine`] each.
fn json_lines(lines: Lines) -> Response {
    let stream = stream::unfold(lines, |mut lines| async {
        let record = lines.next().await.transpose()?;
        let line = record.map(|record| {
            let mut line = serde_json::to_vec(&shown(record)).unwrap_or_default();
            line.push(b'\n');
            line
        });
        Some((line.map_err(|error| std::io::Error::other(error.to_string())), lines))
    });
    let mut response = Body::from_stream(stream).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// What is received, until the server stops or the caller is signed out.
fn sse(received: mpsc::Receiver<Event>, logs: Logs, credential: Credential) -> Response {
    let stream = tokio_stream::wrappers::ReceiverStream::new(received).map(Ok::<_, Infallible>);
    let stream = stream.take_until(async move {
        tokio::select! {
            () = logs.closing.cancelled() => {}
            () = logs.identity.ended(credential) => {}
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(deployment_log)).routes(routes!(project_logs))
}

/// Where to go on: the id of a line, as an earlier answer had it.
fn resume(headers: &HeaderMap, after: Option<String>) -> Result<Option<String>> {
    let after = headers.get("last-event-id").and_then(|id| Some(id.to_str().ok()?.to_owned())).or(after);
    let is_id = |id: &String| id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match after.filter(|id| !id.is_empty()) {
        Some(id) if !is_id(&id) => {
            Err(Error::invalid("after", "INVALID_CURSOR", "pass the `id` of a line of an earlier answer"))
        }
        after => Ok(after),
    }
}

#[derive(Deserialize, IntoParams)]
struct Follow {
    /// Stay and send what comes, as server-sent events.
    #[serde(default)]
    follow: bool,
    /// Go on after the line with this id; `Last-Event-ID` says the same.
    after: Option<String>,
}

/// What a deployment said: fetch, plan, install, build, start, probe.
#[utoipa::path(get, path = "/api/deployments/{id}/log", tag = "logs", params(("id" = DeploymentId, Path), Follow), responses(
    (status = 200, body = api::LogLine, content_type = "application/x-ndjson"), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn deployment_log(
    caller: Caller,
    State(logs): State<Logs>,
    PathId(id): PathId<DeploymentId>,
    headers: HeaderMap,
    Query(query): Query<Follow>,
) -> Result<Response> {
    let after = resume(&headers, query.after)?.unwrap_or_default();
    let deployment = logs.deployments.find(&id).await?;
    if !query.follow {
        let project = logs.projects.find(&ProjectRef::Id(deployment.project_id)).await?;
        let path = format!("/v1/logs/build/{}/{id}", project.id);
        return Ok(json_lines(logs.lines(&project.node_id, &path, &[("after", after)]).await?));
    }
    let (send, received) = mpsc::channel(LINES);
    let follower = logs.clone();
    tokio::spawn(async move {
        if let Err(error) = follower.follow_deployment(id, after, send).await {
            tracing::debug!(%error, "a log could not be followed any more");
        }
    });
    Ok(sse(received, logs, caller.credential))
}

#[derive(Deserialize, IntoParams)]
struct LogsQuery {
    /// Stay and send what comes, as server-sent events.
    #[serde(default)]
    follow: bool,
    /// Go on after the line with this id; `Last-Event-ID` says the same.
    after: Option<String>,
    /// RFC 3339; only later lines.
    since: Option<String>,
    /// Only lines with this text in them, whatever its case.
    search: Option<String>,
    /// At most so many, 1000 when absent: the last of what is there, or the first after `after`. Who follows on after a
    /// line gets all.
    limit: Option<usize>,
}

/// What the project's processes wrote, over all releases.
#[utoipa::path(get, path = "/api/projects/{id}/logs", tag = "logs", params(("id" = String, Path), LogsQuery), responses(
    (status = 200, body = api::LogLine, content_type = "application/x-ndjson"), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn project_logs(
    caller: Caller,
    State(logs): State<Logs>,
    PathId(id): PathId<ProjectRef>,
    headers: HeaderMap,
    Query(query): Query<LogsQuery>,
) -> Result<Response> {
    let project = logs.projects.find(&id).await?;
    let mut asked = vec![("follow", query.follow.to_string())];
    if let Some(after) = resume(&headers, query.after)? {
        asked.push(("after", after));
    }
    if let Some(since) = &query.since {
        let since: jiff::Timestamp = since
            .parse()
            .map_err(|_| Error::invalid("since", "INVALID_TIME", "a time looks like 2030-01-31T12:00:00Z"))?;
        asked.push(("since_ms", since.as_millisecond().to_string()));
    }
    if let Some(search) = query.search.filter(|search| !search.is_empty()) {
        if search.chars().count() > SEARCH_MAX {
            let message = format!("a text to search for has at most {SEARCH_MAX} characters");
            return Err(Error::invalid("search", "INVALID_SEARCH", message));
        }
        asked.push(("search", search));
    }
    asked.push(("limit", query.limit.unwrap_or(1000).clamp(1, 10_000).to_string()));
    let mut lines = logs.lines(&project.node_id, &format!("/v1/logs/run/{}", project.id), &asked).await?;
    if !query.follow {
        return Ok(json_lines(lines));
    }
    let (send, received) = mpsc::channel(LINES);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                line = lines.next() => match line {
                    Ok(Some(record)) => {
                        if send.send(to_sse(record)).await.is_err() {
                            break;
                        }
                    }
                    Ok(None) | Err(_) => break,
                },
                () = send.closed() => break,
            }
        }
    });
    Ok(sse(received, logs, caller.credential))
}
