use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::{StreamExt, stream};
use ids::{DeploymentId, LogStream, RunId};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::LogQuery;

use super::{LINES, Lines, Logs, Subject, shown, shown_page, to_sse};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::platform::identity::Credential;
use crate::platform::projects::ProjectRef;
use crate::state::AppState;

const PAGE: usize = 1000;
const PAGE_MAX: usize = 10_000;
/// A position names every process that may still write.
const POSITION_MAX: usize = 16 * 1024;
/// A longer one would not fit into a request to the node.
const SEARCH_MAX: usize = 1000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(deployment_log)).routes(routes!(run_log)).routes(routes!(project_logs))
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

/// Where to go on: the id of a line, as an earlier answer had it.
fn resume(headers: &HeaderMap, after: Option<String>) -> Result<Option<String>> {
    let after = headers.get("last-event-id").and_then(|id| Some(id.to_str().ok()?.to_owned())).or(after);
    after.filter(|id| !id.is_empty()).map(|id| position("after", id)).transpose()
}

/// A text that could be a position; a node reads more of it.
fn position(field: &str, text: String) -> Result<String> {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if text.len() <= POSITION_MAX && text.bytes().all(sign) {
        return Ok(text);
    }
    Err(Error::invalid(field, "INVALID_CURSOR", "pass the `id` of a line, or a cursor, of an earlier answer"))
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

/// Sends what comes until one of both sides has gone.
async fn forward(mut lines: Lines, send: &mpsc::Sender<Event>) {
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(record)) => {
                    if send.send(to_sse(record)).await.is_err() {
                        return;
                    }
                }
                Ok(None) | Err(_) => return,
            },
            () = send.closed() => return,
        }
    }
}
