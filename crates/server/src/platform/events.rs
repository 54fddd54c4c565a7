//! Tells browsers that something changed, from an outbox whose positions have no gaps.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream, StreamExt};
use store::{Store, StoredEvent};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Caller;
use crate::error::Result;
use crate::platform::identity::Identity;
use crate::state::AppState;

/// With several servers on one database, events of the others are looked for this often.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Events {
    store: Store,
    closing: CancellationToken,
}

impl Events {
    pub(crate) fn new(store: Store, closing: CancellationToken) -> Self {
        Self { store, closing }
    }
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(event_stream))
}

/// What changes, as it changes. Resumable by `Last-Event-ID`. Ends when the caller is signed out.
#[utoipa::path(get, path = "/api/events", tag = "events", responses(
    (status = 200, body = api::Event, content_type = "text/event-stream"), (status = 401, body = api::ErrorBody)))]
async fn event_stream(
    caller: Caller,
    State(identity): State<Identity>,
    State(events): State<Events>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let resume = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    let position = match resume {
        Some(position) => position,
        None => events.store.read().await?.event_position().await?,
    };
    let follow = Follow { committed: events.store.events_committed(), store: events.store, position };
    let closing = events.closing;
    let batches = stream::unfold(follow, |mut follow| async {
        let batch = follow.next().await;
        Some((batch, follow))
    });
    let reader = caller.user.id;
    let stream = batches.flat_map(move |batch| {
        let concerns = |event: &StoredEvent| event.owner_id.as_ref().is_none_or(|owner| *owner == reader);
        let shown = batch.iter().filter(|event| concerns(event)).map(|event| Ok(to_sse(event)));
        stream::iter(shown.collect::<Vec<_>>())
    });
    let stream = stream.take_until(async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = identity.ended(caller.credential) => {}
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

struct Follow {
    store: Store,
    committed: watch::Receiver<i64>,
    position: i64,
}

impl Follow {
    /// The next events; waits until there are some.
    async fn next(&mut self) -> Vec<StoredEvent> {
        loop {
            self.committed.mark_unchanged();
            match self.read().await {
                Ok(events) if !events.is_empty() => return events,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot read events"),
            }
            let _ = tokio::time::timeout(LOOK, self.committed.changed()).await;
        }
    }

    async fn read(&mut self) -> store::StoreResult<Vec<StoredEvent>> {
        let events = self.store.read().await?.events_after(self.position).await?;
        if let Some(last) = events.last() {
            self.position = last.position;
        }
        Ok(events)
    }
}

fn to_sse(event: &StoredEvent) -> Event {
    let shown = api::Event {
        position: event.position,
        kind: event.kind.clone(),
        project_id: event.project_id.clone(),
        deployment_id: event.deployment_id.clone(),
        workspace_id: event.workspace_id.clone(),
    };
    let data = serde_json::to_string(&shown).unwrap_or_default();
    Event::default().id(event.position.to_string()).data(data)
}
