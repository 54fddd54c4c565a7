use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response, Sse};
use futures_util::StreamExt;
use ids::NodeId;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::MachineLogEvent;

use super::filter::LogsQuery;
use super::{MachineLogs, shown};
use crate::caller::{Admin, Caller, User};
use crate::config::MachineLogConfig;
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::platform::nodes::Lines;
use crate::state::AppState;

/// Lines on their way to a slow browser.
const LINES: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(node_logs)).routes(routes!(node_logs_stream)).routes(routes!(node_system_info))
}

/// What a machine logs: NanoScale's own program there, cloud-init, containers, units in the journal; newest first.
#[utoipa::path(get, path = "/api/nodes/{id}/logs", tag = "nodes", params(("id" = NodeId, Path), LogsQuery), responses(
    (status = 200, body = api::MachineLogPage), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn node_logs(
    _: Admin,
    State(logs): State<MachineLogs>,
    PathId(id): PathId<NodeId>,
    Query(query): Query<LogsQuery>,
) -> Result<axum::Json<api::MachineLogPage>> {
    let query = query.page(logs.config.page_lines, logs.config.page_lines_max)?;
    Ok(axum::Json(shown::page(logs.page(&id, &query).await?)))
}

/// The last lines, oldest first, then an event `caught_up` with their number, then what comes. The id of the event `begin`, before
/// all of them, is a `cursor` for what is older. An event `unavailable` says what cannot be read.
#[utoipa::path(get, path = "/api/nodes/{id}/logs/stream", tag = "nodes", params(("id" = NodeId, Path), LogsQuery), responses(
    (status = 200, body = api::MachineLogEntry, content_type = "text/event-stream"), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 503, body = api::ErrorBody)))]
async fn node_logs_stream(
    _: Admin,
    caller: Caller,
    State(logs): State<MachineLogs>,
    PathId(id): PathId<NodeId>,
    headers: HeaderMap,
    Query(query): Query<LogsQuery>,
) -> Result<Response> {
    let last_id = headers.get("last-event-id").map(|id| id.to_str().map(str::to_owned));
    let last_id = last_id.transpose().map_err(|_| {
        Error::invalid(
            "after",
            "INVALID_CURSOR",
            "`Last-Event-ID` is the id of an event as it came; leave it out to begin anew",
        )
    })?;
    let query = query.stream(last_id, logs.config.stream_lines)?;
    let lines = logs.follow(&id, &query).await?;
    let (send, received) = mpsc::channel(LINES);
    let config = logs.config.clone();
    tokio::spawn(async move { forward(lines, &send, &config).await });
    let stream = tokio_stream::wrappers::ReceiverStream::new(received).map(Ok::<_, Infallible>);
    let stream = stream.take_until(async move {
        tokio::select! {
            () = logs.closing.cancelled() => {}
            () = logs.identity.ended(caller.credential) => {}
        }
    });
    Ok(Sse::new(stream).into_response())
}

/// What a machine is: system, processors, memory, disks, networks, containers, programs. It is read anew every few seconds at most.
#[utoipa::path(get, path = "/api/nodes/{id}/system-info", tag = "nodes", params(("id" = NodeId, Path)), responses(
    (status = 200, body = api::SystemInfo), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 503, body = api::ErrorBody)))]
async fn node_system_info(
    _: User,
    State(logs): State<MachineLogs>,
    PathId(id): PathId<NodeId>,
) -> Result<axum::Json<api::SystemInfo>> {
    Ok(axum::Json(shown::info(logs.info(&id).await?)))
}

/// Sends what comes, and a sign of life while nothing does, until one of both sides has gone or takes nothing for too long.
async fn forward(mut lines: Lines<MachineLogEvent>, send: &mpsc::Sender<Event>, config: &MachineLogConfig) {
    // Without one at its start; what is there comes at once.
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + config.ping_interval, config.ping_interval);
    loop {
        let event = tokio::select! {
            line = lines.next() => match line {
                Ok(Some(event)) => to_sse(event),
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "the logs of a machine could not be followed any more"),
            },
            _ = ping.tick() => Event::default().comment("ping"),
            () = send.closed() => return,
        };
        if !matches!(timeout(config.pong_timeout, send.send(event)).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn to_sse(event: MachineLogEvent) -> Event {
    match event {
        MachineLogEvent::Begin { id } => Event::default().id(id).event("begin").data("{}"),
        MachineLogEvent::Entry { id, entry } => Event::default().id(id).data(json(&shown::entry(entry))),
        MachineLogEvent::CaughtUp { id, count } => {
            Event::default().id(id).event("caught_up").data(json(&api::MachineLogCaughtUp { count }))
        }
        MachineLogEvent::Unavailable { unavailable } => {
            Event::default().event("unavailable").data(json(&shown::unavailable(unavailable)))
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
