use std::convert::Infallible;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{Response, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use ids::ActivityKind;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Activity, shown, socket};
use crate::caller::{Caller, Handshake, User};
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::platform::projects::{ProjectRef, Projects};
use crate::state::AppState;

const PAGE: i64 = 50;
const PAGE_MAX: i64 = 100;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(activity_list))
        .routes(routes!(activity_stream))
        .routes(routes!(activity_socket))
}

#[derive(Deserialize)]
struct Page {
    event_type: Option<String>,
    before: Option<i64>,
    limit: Option<i64>,
}

/// What happened in a project, newest first, as far back as it is kept. What happened in a workspace is told to its
/// owner only.
#[utoipa::path(get, path = "/api/projects/{id}/activity", tag = "activity", params(("id" = String, Path),
    ("event_type" = Option<ActivityKind>, Query), ("before" = Option<i64>, Query), ("limit" = Option<i64>, Query)),
    responses((status = 200, body = api::ActivityList), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn activity_list(
    User(user): User,
    State(projects): State<Projects>,
    State(activity): State<Activity>,
    PathId(id): PathId<ProjectRef>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::ActivityList>> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Error::invalid("limit", "INVALID_LIMIT", format!("a page has 1 to {PAGE_MAX} entries")));
    }
    let kind = page.event_type.map(|text| text.parse::<ActivityKind>()).transpose();
    let kind = kind.map_err(|error| Error::invalid("event_type", "INVALID_EVENT_TYPE", error.to_string()))?;
    let project = projects.find(&id).await?;
    let before = page.before.unwrap_or(i64::MAX);
    let (events, has_more) = activity.list(&project.id, &user.id, kind, before, limit).await?;
    Ok(axum::Json(api::ActivityList { events: events.into_iter().map(shown).collect(), has_more }))
}

/// What happens in a project, as it happens. Resumable by `Last-Event-ID`. Ends when the caller is signed out.
#[utoipa::path(get, path = "/api/projects/{id}/activity/stream", tag = "activity", params(("id" = String, Path)),
    responses((status = 200, body = api::ActivityEvent, content_type = "text/event-stream"),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn activity_stream(
    caller: Caller,
    State(projects): State<Projects>,
    State(activity): State<Activity>,
    PathId(id): PathId<ProjectRef>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let project = projects.find(&id).await?;
    let position = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    let follow = activity.follow(project.id, caller.user.id, position).await?;
    let batches = stream::unfold(follow, |mut follow| async {
        let batch = follow.next().await;
        Some((batch, follow))
    });
    let events = batches.flat_map(|batch| {
        stream::iter(batch.into_iter().map(|event| {
            let event = shown(event);
            let data = serde_json::to_string(&event).unwrap_or_default();
            Ok(Event::default().id(event.position.to_string()).data(data))
        }))
    });
    let events = events.take_until(async move {
        tokio::select! {
            () = activity.closing.cancelled() => {}
            () = activity.identity.ended(caller.credential) => {}
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// The same as a WebSocket, as the guide's clients know it: text frames `{"type":"activity.new","payload":{…}}`; `ping`
/// is answered with `pong`.
#[utoipa::path(get, path = "/api/projects/{id}/sessions/ws", tag = "activity", params(("id" = String, Path)),
    responses((status = 101, description = "a WebSocket"), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn activity_socket(
    Handshake(caller): Handshake,
    State(projects): State<Projects>,
    State(activity): State<Activity>,
    PathId(id): PathId<ProjectRef>,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    let project = projects.find(&id).await?;
    let upgrade = upgrade.map_err(|error| Error::malformed(None, format!("this is a WebSocket: {error}")))?;
    let follow = activity.follow(project.id, caller.user.id, None).await?;
    Ok(upgrade.max_message_size(socket::MESSAGE_MAX).on_upgrade(async move |socket| {
        tokio::select! {
            () = socket::serve(socket, follow) => {}
            () = activity.closing.cancelled() => {}
            () = activity.identity.ended(caller.credential) => {}
        }
    }))
}
