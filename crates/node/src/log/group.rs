//! What the processes of a group wrote: the logs of all its workloads, which ones of them may
//! still grow, and which lines are asked for.

use std::io;
use std::path::PathBuf;

use ids::{LogStream, ProjectId, WorkloadId};
use wire::LogQuery;

use super::{Record, write};
use crate::layout::{Layout, LogKind};

/// Workloads that are looked at for their first line.
const EXPECTED: usize = 8;

/// The logs of one group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(super) layout: Layout,
    pub(super) group: ProjectId,
}

impl Group {
    pub(crate) fn new(layout: Layout, group: ProjectId) -> Self {
        Self { layout, group }
    }

    /// Workloads that have logs, in their order. One that is only being built has none yet.
    pub(super) fn workloads(&self) -> io::Result<Vec<WorkloadId>> {
        let mut ids = self.ids()?;
        ids.retain(|id| self.log(id).exists());
        Ok(ids)
    }

    /// Directories in which a log may come to be: those of the newest workloads without one.
    pub(super) fn expected(&self) -> Vec<PathBuf> {
        let ids = self.ids().unwrap_or_default();
        let without = ids.into_iter().rev().filter(|id| !self.log(id).exists());
        without.take(EXPECTED).map(|id| self.directory().join(id.as_str())).collect()
    }

    fn ids(&self) -> io::Result<Vec<WorkloadId>> {
        let entries = match std::fs::read_dir(self.directory()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut ids = names.filter_map(|name| name.to_str()?.parse().ok()).collect::<Vec<_>>();
        ids.sort_unstable();
        Ok(ids)
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.layout.group_logs(&self.group)
    }

    pub(super) fn log(&self, workload: &WorkloadId) -> PathBuf {
        self.layout.log(&self.group, workload, LogKind::Run)
    }

    /// Whether lines of a workload may still come. One that is over never comes back: its run's
    /// directory goes with the last of its processes, and what these wrote is on disk once
    /// nobody has the log open.
    pub(super) fn is_open(&self, workload: &WorkloadId) -> io::Result<bool> {
        Ok(self.layout.run(workload).exists() || write::is_written(&self.log(workload))?)
    }
}

/// Which lines are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Only processes of this deployment.
    pub(super) deployment: Option<ids::DeploymentId>,
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    stream: Option<LogStream>,
    /// In lower case.
    search: Option<String>,
}

impl Filter {
    pub(crate) fn new(query: &LogQuery) -> Self {
        Self {
            deployment: query.deployment.clone(),
            since_ms: query.since_ms,
            until_ms: query.until_ms,
            stream: query.stream,
            search: query.search.as_deref().map(str::to_lowercase),
        }
    }

    /// Whether any line of this workload may be asked for.
    pub(super) fn concerns(&self, workload: &WorkloadId) -> bool {
        self.deployment.as_ref().is_none_or(|wanted| wanted.as_str() == workload.base())
    }

    pub(super) fn keeps(&self, record: &Record) -> bool {
        self.since_ms.is_none_or(|since| record.at_ms >= since)
            && self.until_ms.is_none_or(|until| record.at_ms < until)
            && self.stream.is_none_or(|stream| record.stream == stream)
            && self.search.as_ref().is_none_or(|search| record.text.to_lowercase().contains(search))
    }
}
