use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use ids::{DeploymentId, LogStream, RunId};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::LogQuery;

use super::{Logs, Subject, shown_page};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::platform::identity::Credential;
use crate::platform::log_lines::{self, LINES, forward, json_lines, position, resume, to_sse};
use crate::platform::projects::ProjectRef;
use crate::state::AppState;

const PAGE: usize = 1000;
const PAGE_MAX: usize = 10_000;
/// A longer one would not fit into a request to the node.
const SEARCH_MAX: usize = 1000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(deployment_log)).routes(routes!(run_log)).routes(routes!(project_logs))
}

/// What is received, until the server stops or the caller is signed out.
fn sse(received: mpsc::Receiver<Event>, logs: Logs, credential: Credential) -> Response {
    let Logs { closing, identity, .. } = logs;
    log_lines::sse(received, async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = identity.ended(credential) => {}
        }
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Follow {
    /// Stay and send what comes, as server-sent events.
    #[serde(default)]
    follow: bool,
    /// Go on after the line with this id; `Last-Event-ID` says the same.
    after: Option<String>,
}

/// What a deployment said: fetch, plan, install, build, start, probe.
#[utoipa::path(get, path = "/api/deployments/{id}/log", tag = "logs", params(("id" = DeploymentId, Path), Follow), responses(
    (status = 200, body = api::LogLine, content_type = "application/x-ndjson"), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn deployment_log(
    caller: Caller,
    State(logs): State<Logs>,
    PathId(id): PathId<DeploymentId>,
    headers: HeaderMap,
    Query(query): Query<Follow>,
) -> Result<Response> {
    subject_log(caller, logs, Subject::Deployment(id), &headers, query).await
}

/// What a run wrote. A release command writes into its deployment's log.
#[utoipa::path(get, path = "/api/runs/{id}/log", tag = "logs", params(("id" = RunId, Path), Follow), responses(
    (status = 200, body = api::LogLine, content_type = "application/x-ndjson"), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn run_log(
    caller: Caller,
    State(logs): State<Logs>,
    PathId(id): PathId<RunId>,
    headers: HeaderMap,
    Query(query): Query<Follow>,
) -> Result<Response> {
    subject_log(caller, logs, Subject::Run(id), &headers, query).await
}

async fn subject_log(
    caller: Caller,
    logs: Logs,
    subject: Subject,
    headers: &HeaderMap,
    query: Follow,
) -> Result<Response> {
    let after = resume(headers, query.after)?.unwrap_or_default();
    let lines = logs.subject_lines(&subject, &after, query.follow).await?;
    if !query.follow {
        return Ok(json_lines(lines));
    }
    let (send, received) = mpsc::channel(LINES);
    let follower = logs.clone();
    tokio::spawn(async move {
        if let Err(error) = follower.subject_follow(&subject, after, lines, &send).await {
            tracing::debug!(%error, "a log could not be followed any more");
        }
    });
    Ok(sse(received, logs, caller.credential))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogsQuery {
    /// Stay and send what comes, as server-sent events, after the last lines there are.
    #[serde(default)]
    follow: bool,
    /// With `follow`: go on after the line with this id, or a page's `position`; `Last-Event-ID` says the same.
    after: Option<String>,
    /// RFC 3339; only lines of this time and later ones.
    since: Option<String>,
    /// RFC 3339; only earlier lines. Not with `follow`.
    until: Option<String>,
    /// Only lines with this text in them, whatever its case.
    search: Option<String>,
    /// Only lines of this deployment: its id or its number.
    deployment: Option<String>,
    /// Of a project on several machines: the one, by id or name, whose processes wrote them; the one that it is built
    /// on when absent.
    node: Option<String>,
    /// Only lines of this stream.
    stream: Option<LogStream>,
    /// At most the last so many, 1000 when absent, up to 10000.
    limit: Option<usize>,
    /// `next_cursor` of the page after. Not with `follow`.
    cursor: Option<String>,
}

fn milliseconds(field: &str, time: Option<&String>) -> Result<Option<i64>> {
    let parse = |time: &String| {
        let parsed = time.parse::<jiff::Timestamp>();
        parsed.map_err(|_| Error::invalid(field, "INVALID_TIME", "a time looks like 2030-01-31T12:00:00Z"))
    };
    Ok(time.map(parse).transpose()?.map(jiff::Timestamp::as_millisecond))
}

/// What the project's processes wrote, over all releases that are kept, newest last. A page has the lines before its cursor, and may
/// have fewer than asked for, or none, when there is more to look through: as long as it has a `next_cursor`, there may be older ones.
#[utoipa::path(get, path = "/api/projects/{id}/logs", tag = "logs", params(("id" = String, Path), LogsQuery), responses(
    (status = 200, body = api::LogPage), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn project_logs(
    caller: Caller,
    State(logs): State<Logs>,
    PathId(id): PathId<ProjectRef>,
    headers: HeaderMap,
    Query(query): Query<LogsQuery>,
) -> Result<Response> {
    let project = logs.projects.find(&id).await?;
    let deployment = match &query.deployment {
        Some(text) => Some(logs.deployment_of(&project, text).await?),
        None => None,
    };
    let node = logs.node_of(&project, query.node.as_deref().filter(|node| !node.is_empty())).await?;
    if query.follow && (query.until.is_some() || query.cursor.is_some()) {
        let field = if query.until.is_some() { "until" } else { "cursor" };
        return Err(Error::invalid(
            field,
            "NOT_WITH_FOLLOW",
            "who follows reads what comes; leave this or `follow` out",
        ));
    }
    if query.search.as_ref().is_some_and(|search| search.len() > SEARCH_MAX) {
        let message = format!("a text to search for has at most {SEARCH_MAX} bytes");
        return Err(Error::invalid("search", "INVALID_SEARCH", message));
    }
    let asked = LogQuery {
        after: resume(&headers, query.after)?.filter(|_| query.follow),
        before: query.cursor.map(|cursor| position("cursor", cursor)).transpose()?,
        since_ms: milliseconds("since", query.since.as_ref())?,
        until_ms: milliseconds("until", query.until.as_ref())?,
        deployment,
        stream: query.stream,
        search: query.search.filter(|search| !search.is_empty()),
        limit: Some(query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)),
        follow: false,
    };
    if !query.follow {
        return Ok(axum::Json(shown_page(logs.project_page(&project, &node, &asked).await?)).into_response());
    }
    let (first, lines) = logs.project_follow(&project, &node, asked).await?;
    let (send, received) = mpsc::channel(LINES);
    tokio::spawn(async move {
        for record in first {
            if send.send(to_sse(record)).await.is_err() {
                return;
            }
        }
        forward(lines, &send).await;
    });
    Ok(sse(received, logs, caller.credential))
}
