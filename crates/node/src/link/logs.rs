//! Logs as JSON lines, the ones that are there and, for a follower, those that come.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ids::{DeploymentId, ProjectId};
use tokio::sync::mpsc;
use wire::{LogQuery, LogRecord};

use crate::Agent;
use crate::layout::{Layout, LogKind};
use crate::log::{Follower, Record, tail};

/// A follower looks for new lines this often: under what a person notices.
const LOOK: Duration = Duration::from_millis(50);
/// Lines sent when no limit is asked for.
const DEFAULT_LIMIT: usize = 1000;
/// Bytes of lines read at once.
const READ: usize = 1 << 20;
/// Chunks on their way to a slow reader.
const CHUNKS: usize = 16;

/// What a deployment said of itself.
pub(super) async fn build(
    State(agent): State<Agent>,
    Path((group, workload)): Path<(ProjectId, DeploymentId)>,
    Query(query): Query<LogQuery>,
) -> Response {
    let directory = agent.confine().layout.log(&group, &ids::WorkloadId::from(&workload), LogKind::Build);
    let after = query.after.as_deref().and_then(|id| id.parse().ok()).unwrap_or(0);
    let wrap = move |record: Record| LogRecord { id: record.number.to_string(), ..to_wire(&workload, record) };
    stream(move |send| {
        let mut follower = Follower::after(directory, after);
        loop {
            let records = follower.read(READ)?;
            let idle = records.is_empty();
            if idle && !query.follow {
                return Ok(());
            }
            if !send.all(records.into_iter().map(&wrap)) || (idle && !send.wait()) {
                return Ok(());
            }
        }
    })
}

/// What the processes of a group wrote, over all its workloads, by time.
pub(super) async fn run(
    State(agent): State<Agent>,
    Path(group): Path<ProjectId>,
    Query(query): Query<LogQuery>,
) -> Response {
    let layout = agent.confine().layout.clone();
    stream(move |send| {
        let (first, mut followers) = history(&layout, &group, &query)?;
        if !send.all(first.into_iter()) || !query.follow {
            return Ok(());
        }
        let keep = filter(&query);
        loop {
            for (workload, directory) in run_logs(&layout, &group)? {
                followers.entry(workload).or_insert_with(|| Follower::after(directory, 0));
            }
            let mut records = Vec::new();
            for (workload, follower) in &mut followers {
                let new = follower.read(READ)?.into_iter().filter(&keep);
                records.extend(new.map(|record| positioned(workload, record)));
            }
            records.sort_by(|a, b| (a.at_ms, &a.workload).cmp(&(b.at_ms, &b.workload)));
            let idle = records.is_empty();
            if !send.all(records.into_iter()) || (idle && !send.wait()) {
                return Ok(());
            }
        }
    })
}

type Followers = BTreeMap<DeploymentId, Follower>;

/// What is there already, and followers that go on after it.
fn history(layout: &Layout, group: &ProjectId, query: &LogQuery) -> io::Result<(Vec<LogRecord>, Followers)> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let after = query.after.as_deref().and_then(parse_position);
    let keep = filter(query);
    let mut records = Vec::new();
    let mut followers = Followers::new();
    for (workload, directory) in run_logs(layout, group)? {
        let newest = tail(&directory, 1, |_| true)?.first().map_or(0, |record| record.number);
        let found = match &after {
            Some((_, of, number)) if *of == workload => {
                tail(&directory, usize::MAX, |record| record.number > *number && keep(record))?
            }
            Some((at_ms, ..)) => tail(&directory, usize::MAX, |record| record.at_ms > *at_ms && keep(record))?,
            None => tail(&directory, limit, &keep)?,
        };
        records.extend(
            found.into_iter().filter(|record| record.number <= newest).map(|record| positioned(&workload, record)),
        );
        followers.insert(workload, Follower::after(directory, newest));
    }
    records.sort_by(|a, b| (a.at_ms, &a.workload).cmp(&(b.at_ms, &b.workload)));
    if records.len() > limit {
        match after {
            None => drop(records.drain(..records.len() - limit)),
            // A page, and the next one goes on after its last line.
            Some(_) if !query.follow => records.truncate(limit),
            // Who comes back to follow on shall miss nothing.
            Some(_) => {}
        }
    }
    Ok((records, followers))
}

fn run_logs(layout: &Layout, group: &ProjectId) -> io::Result<Vec<(DeploymentId, PathBuf)>> {
    let entries = match std::fs::read_dir(layout.group_logs(group)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<DeploymentId>().ok());
    Ok(ids.map(|id| (id.clone(), layout.log(group, &ids::WorkloadId::from(&id), LogKind::Run))).collect())
}

fn filter(query: &LogQuery) -> impl Fn(&Record) -> bool + use<> {
    let since = query.since_ms.unwrap_or(i64::MIN);
    let search = query.search.as_deref().map(str::to_lowercase);
    move |record| {
        record.at_ms >= since && search.as_ref().is_none_or(|search| record.text.to_lowercase().contains(search))
    }
}

fn to_wire(workload: &DeploymentId, record: Record) -> LogRecord {
    LogRecord {
        id: String::new(),
        workload: workload.clone(),
        at_ms: record.at_ms,
        stream: record.stream,
        text: record.text,
    }
}

fn positioned(workload: &DeploymentId, record: Record) -> LogRecord {
    let id = format!("{}-{workload}-{}", record.at_ms, record.number);
    LogRecord { id, ..to_wire(workload, record) }
}

fn parse_position(id: &str) -> Option<(i64, DeploymentId, u64)> {
    let mut parts = id.splitn(3, '-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Where a reading thread puts what it found.
struct Sender {
    chunks: mpsc::Sender<io::Result<Bytes>>,
}

impl Sender {
    /// Whether somebody still listens.
    fn all(&self, records: impl Iterator<Item = LogRecord>) -> bool {
        let mut chunk = Vec::new();
        for record in records {
            if serde_json::to_writer(&mut chunk, &record).is_ok() {
                chunk.push(b'\n');
            }
            if chunk.len() > 32 * 1024 && self.chunks.blocking_send(Ok(std::mem::take(&mut chunk).into())).is_err() {
                return false;
            }
        }
        chunk.is_empty() || self.chunks.blocking_send(Ok(chunk.into())).is_ok()
    }

    /// Lets some time pass; whether somebody still listens after it.
    fn wait(&self) -> bool {
        tokio::runtime::Handle::current().block_on(async {
            tokio::select! {
                () = self.chunks.closed() => false,
                () = tokio::time::sleep(LOOK) => true,
            }
        })
    }
}

/// Runs `read` on a thread for blocking work and streams what it sends.
fn stream(read: impl FnOnce(&Sender) -> io::Result<()> + Send + 'static) -> Response {
    let (chunks, received) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let sender = Sender { chunks };
        if let Err(error) = read(&sender) {
            let _ = sender.chunks.blocking_send(Err(error));
        }
    });
    Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(received)).into_response()
}
