//! Logs of the machine, and what it is.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::mpsc;
use wire::{MachineLogQuery, SystemInfo};

use crate::Agent;
use crate::machine_logs::Refused;

/// Lines on their way to a slow reader.
const LINES: usize = 64;

pub(super) fn routes() -> Router<Agent> {
    Router::new()
        .route("/v1/machine/logs", get(page))
        .route("/v1/machine/logs/follow", get(follow))
        .route("/v1/machine/info", get(info))
}

async fn page(State(agent): State<Agent>, Query(query): Query<MachineLogQuery>) -> Response {
    match agent.machine_logs().page(&query).await {
        Ok(page) => axum::Json(page).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Events as JSON lines, until the other side hangs up.
async fn follow(State(agent): State<Agent>, Query(query): Query<MachineLogQuery>) -> Response {
    let follower = match agent.machine_logs().follower(&query).await {
        Ok(follower) => follower,
        Err(Refused::NoCursor) => return StatusCode::BAD_REQUEST.into_response(),
        Err(Refused::TooMany) => return StatusCode::TOO_MANY_REQUESTS.into_response(),
    };
    let (chunks, received) = mpsc::channel(LINES);
    tokio::spawn(async move { agent.follow_machine_logs(follower, chunks).await });
    Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(received)).into_response()
}

async fn info(State(agent): State<Agent>) -> axum::Json<SystemInfo> {
    axum::Json(agent.system_infos().get().await)
}
