//! Logs, the lines that are there and, for a follower, those that come.

use std::io;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ids::{ProjectId, WorkloadId};
use tokio::sync::mpsc;
use wire::LogQuery;

use crate::Agent;
use crate::layout::LogKind;
use crate::log::{Batch, Filter, Follower, Group, Growing, Merge, Place, Position, page, to_wire};

/// Lines of a page when no limit is asked for.
const PAGE: usize = 1000;
/// Bytes of a deployment's log at a time.
const BATCH: usize = 256 << 10;
/// Chunks on their way to a slow reader.
const CHUNKS: usize = 16;

/// What a deployment said of itself, as JSON lines.
pub(super) async fn build(
    State(agent): State<Agent>,
    Path((group, workload)): Path<(ProjectId, WorkloadId)>,
    Query(query): Query<LogQuery>,
) -> Response {
    whole(&agent, &group, workload, LogKind::Build, &query)
}

/// What a command that is run once wrote, as JSON lines.
pub(super) async fn job(
    State(agent): State<Agent>,
    Path((group, workload)): Path<(ProjectId, WorkloadId)>,
    Query(query): Query<LogQuery>,
) -> Response {
    whole(&agent, &group, workload, LogKind::Job, &query)
}

fn whole(agent: &Agent, group: &ProjectId, workload: WorkloadId, kind: LogKind, query: &LogQuery) -> Response {
    let directory = agent.confine().layout.log(group, &workload, kind);
    let after = query.after.as_deref().and_then(|id| id.parse().ok()).unwrap_or(0);
    let follower = Follower::after(directory.clone(), after);
    stream(agent, WholeLog { workload, directory, follower }, query.follow)
}

/// What the processes of a group write from a position on, over all its workloads, as JSON lines.
pub(super) async fn run(
    State(agent): State<Agent>,
    Path(group): Path<ProjectId>,
    Query(query): Query<LogQuery>,
) -> Response {
    let position = match query.after.as_deref().map(Position::parse) {
        Some(None) => return StatusCode::BAD_REQUEST.into_response(),
        position => position.flatten().unwrap_or_default(),
    };
    let group = Group::new(agent.confine().layout.clone(), group);
    let filter = Filter::new(&query);
    match agent.log_readers().work(move || Merge::after(group, filter, &position)).await {
        Ok(merge) => stream(&agent, merge, query.follow),
        Err(error) => failed(&error),
    }
}

/// What they wrote before some place, or up to now.
pub(super) async fn run_page(
    State(agent): State<Agent>,
    Path(group): Path<ProjectId>,
    Query(query): Query<LogQuery>,
) -> Response {
    let group = Group::new(agent.confine().layout.clone(), group);
    let before = match query.before.as_deref().map(Place::parse) {
        Some(None) => return StatusCode::BAD_REQUEST.into_response(),
        before => before.flatten(),
    };
    let (filter, limit) = (Filter::new(&query), query.limit.unwrap_or(PAGE));
    match agent.log_readers().work(move || page(&group, &filter, before, limit)).await {
        Ok(page) => axum::Json(page).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}

fn stream(agent: &Agent, log: impl Growing, follow: bool) -> Response {
    let readers = agent.log_readers().clone();
    let follow = match follow.then(|| readers.follow()) {
        Some(None) => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        follow => follow.flatten(),
    };
    let (chunks, received) = mpsc::channel(CHUNKS);
    tokio::spawn(async move { readers.send(log, follow, chunks).await });
    Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(received)).into_response()
}

struct WholeLog {
    workload: WorkloadId,
    directory: PathBuf,
    follower: Follower,
}

impl Growing for WholeLog {
    fn read(&mut self) -> io::Result<Batch> {
        let records = self.follower.read(BATCH)?;
        let more = !records.is_empty();
        let records = records.into_iter().map(|record| {
            let id = record.number.to_string();
            to_wire(&self.workload, record, id)
        });
        Ok(Batch { records: records.collect(), more })
    }

    fn directories(&self) -> Vec<PathBuf> {
        vec![self.directory.clone()]
    }
}
