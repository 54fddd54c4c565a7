//! Workspaces from inside: their terminals, and what listens in them.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt, TryStreamExt};
use ids::{TerminalId, WorkspaceId};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{ReaderStream, StreamReader};
use wire::{Failure, Terminal, TerminalRename, TerminalSpec, attach};

use crate::Agent;

const FROM: HeaderName = HeaderName::from_static("x-from");
const END: HeaderName = HeaderName::from_static("x-end");
/// Bytes of output when nobody says how many.
const OUTPUT: usize = 256 << 10;

pub(super) fn routes() -> Router<Agent> {
    Router::new()
        .route("/v1/workspaces/{workspace}/terminals", get(list).post(open))
        .route("/v1/workspaces/{workspace}/terminals/{terminal}", axum::routing::patch(rename).delete(close))
        .route("/v1/workspaces/{workspace}/terminals/{terminal}/output", get(output))
        .route("/v1/workspaces/{workspace}/terminals/{terminal}/attach", post(look))
        .route("/v1/workspaces/{workspace}/terminals/{terminal}/job", get(job))
        .route("/v1/workspaces/{workspace}/matches", get(matches))
        .route("/v1/workspaces/{workspace}/quiet", get(quiet))
        .route("/v1/workspaces/{workspace}/ports/{port}", post(connect))
}

async fn list(State(agent): State<Agent>, Path(workspace): Path<WorkspaceId>) -> axum::Json<Vec<Terminal>> {
    axum::Json(agent.list_terminals(&workspace))
}

async fn open(
    State(agent): State<Agent>,
    Path(workspace): Path<WorkspaceId>,
    axum::Json(spec): axum::Json<TerminalSpec>,
) -> Response {
    // Goes on to its end, also when nobody waits for the answer any more: what was started is known.
    let opening = tokio::spawn(async move { Box::pin(agent.open_terminal(&workspace, spec)).await });
    match opening.await {
        Ok(Ok(terminal)) => axum::Json(terminal).into_response(),
        Ok(Err(failure)) => refused(failure),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn rename(
    State(agent): State<Agent>,
    Path((workspace, terminal)): Path<(WorkspaceId, TerminalId)>,
    axum::Json(rename): axum::Json<TerminalRename>,
) -> Response {
    match agent.rename_terminal(&workspace, &terminal, &rename.name) {
        Ok(Some(terminal)) => axum::Json(terminal).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(failure) => refused(failure),
    }
}

async fn close(State(agent): State<Agent>, Path((workspace, terminal)): Path<(WorkspaceId, TerminalId)>) -> StatusCode {
    match agent.close_terminal(&workspace, &terminal).await {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    from: u64,
    max: Option<usize>,
}

async fn output(
    State(agent): State<Agent>,
    Path((workspace, terminal)): Path<(WorkspaceId, TerminalId)>,
    Query(part): Query<Part>,
) -> Response {
    let max = part.max.unwrap_or(OUTPUT);
    let read = move || agent.terminal_output(&workspace, &terminal, part.from, max);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(output))) => {
            let headers = [(FROM, output.from.to_string()), (END, output.end.to_string())];
            (headers, output.bytes).into_response()
        }
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
struct Job {
    id: Option<i32>,
}

async fn job(
    State(agent): State<Agent>,
    Path((workspace, terminal)): Path<(WorkspaceId, TerminalId)>,
    Query(job): Query<Job>,
) -> Response {
    match agent.terminal_job(&workspace, &terminal, job.id).await {
        Some(job) => axum::Json(job).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Deserialize)]
struct Search {
    text: String,
    limit: usize,
}

/// Lines of all terminals of a workspace.
async fn matches(
    State(agent): State<Agent>,
    Path(workspace): Path<WorkspaceId>,
    Query(search): Query<Search>,
) -> Response {
    let find = move || agent.terminal_matches(&workspace, &search.text, search.limit);
    match tokio::task::spawn_blocking(find).await {
        Ok(matches) => axum::Json(matches).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Frames both ways, see [`wire::attach`].
async fn look(
    State(agent): State<Agent>,
    Path((workspace, terminal)): Path<(WorkspaceId, TerminalId)>,
    Query(query): Query<attach::Query>,
    body: Body,
) -> Response {
    match agent.view_terminal(&workspace, &terminal, query, body.into_data_stream()).await {
        Ok(Some(frames)) => Body::from_stream(ReceiverStream::new(frames).map(Ok::<_, std::io::Error>)).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn quiet(State(agent): State<Agent>, Path(workspace): Path<WorkspaceId>) -> Response {
    match agent.workspace_quiet(&workspace) {
        Some(quiet) => axum::Json(quiet).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// One connection to something that listens inside, there and back.
async fn connect(
    State(agent): State<Agent>,
    Path((workspace, port)): Path<(WorkspaceId, u16)>,
    body: Body,
) -> Response {
    let stream = match agent.open_workspace(&workspace).await {
        Ok(_) => agent.workspace_origin(&workspace, port).connect().await,
        Err(failure) => return refused(failure),
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    agent.note_port_use(&workspace, port);
    let (read, mut write) = tokio::io::split(stream);
    tokio::spawn(async move {
        let mut inward = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
        let _ = tokio::io::copy(&mut inward, &mut write).await;
        let _ = write.shutdown().await;
    });
    Body::from_stream(ReaderStream::with_capacity(read, 64 * 1024)).into_response()
}

/// With code and reason, for the control plane to pass on.
fn refused(failure: Failure) -> Response {
    let status = match failure.code.as_str() {
        "DISK_FULL" => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::CONFLICT,
    };
    (status, axum::Json(failure)).into_response()
}
