//! What the processes of a group wrote: the logs of all its workloads, which ones of them may
//! still grow, and which lines are asked for.

use std::io;
use std::path::PathBuf;

use ids::{DeploymentId, LogStream, ProjectId};
use wire::LogQuery;

use super::{Record, write};
use crate::layout::{Layout, LogKind};

/// Builds that are watched for their first run: more than a group has at a time, as what failed stays.
const AWAITED: usize = 4;

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

    /// Workloads that have begun to run, in their order.
    pub(super) fn workloads(&self) -> io::Result<Vec<DeploymentId>> {
        let mut known = self.known()?;
        known.retain(|workload| self.log(workload).exists());
        Ok(known)
    }

    /// Where those will show up that have not, the ones that are built now.
    pub(super) fn awaited(&self) -> Vec<PathBuf> {
        let known = self.known().unwrap_or_default();
        let logs = known.iter().rev().map(|workload| self.log(workload)).filter(|log| !log.exists());
        logs.take(AWAITED).chain([self.directory()]).collect()
    }

    fn known(&self) -> io::Result<Vec<DeploymentId>> {
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

    fn directory(&self) -> PathBuf {
        self.layout.group_logs(&self.group)
    }

    pub(super) fn log(&self, workload: &DeploymentId) -> PathBuf {
        self.layout.log(&self.group, workload, LogKind::Run)
    }

    /// Whether lines of a workload that has begun may still come. One that is over never comes
    /// back: its run's directory is there before its log, and goes with the last of its
    /// processes; what these wrote is on disk once nobody has the log open.
    pub(super) fn is_open(&self, workload: &DeploymentId) -> io::Result<bool> {
        Ok(self.layout.run(workload).exists() || write::is_written(&self.log(workload))?)
    }
}

/// Which lines are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(super) workload: Option<DeploymentId>,
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    stream: Option<LogStream>,
    /// In lower case.
    search: Option<String>,
}

impl Filter {
    pub(crate) fn new(query: &LogQuery) -> Self {
        Self {
            workload: query.workload.clone(),
            since_ms: query.since_ms,
            until_ms: query.until_ms,
            stream: query.stream,
            search: query.search.as_deref().map(str::to_lowercase),
        }
    }

    /// Whether any line of this workload may be asked for.
    pub(super) fn concerns(&self, workload: &DeploymentId) -> bool {
        self.workload.as_ref().is_none_or(|wanted| wanted == workload)
    }

    pub(super) fn keeps(&self, record: &Record) -> bool {
        self.since_ms.is_none_or(|since| record.at_ms >= since)
            && self.until_ms.is_none_or(|until| record.at_ms < until)
            && self.stream.is_none_or(|stream| record.stream == stream)
            && self.search.as_ref().is_none_or(|search| record.text.to_lowercase().contains(search))
    }
}
