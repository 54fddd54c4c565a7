//! What a workload writes into the logs, and how its end is told.

use ids::{DeploymentId, LogStream, WorkloadId};
use wire::Failure;
use wire::shim::Exit;

use super::super::process::{Process, failed, how};
use super::super::step::LAST_LINES;
use super::{WEB, Workload};
use crate::layout::LogKind;

/// Lines of the node about the starts of a deployment's processes.
const STARTING_LINES: usize = 100;

impl Workload {
    pub(super) fn exited_early(&self, process: &Process, exit: Option<Exit>) -> Failure {
        let after = process.started.elapsed().as_millis();
        if let Some(Failure { code, reason, .. }) = self.agent.container_failure(&self.spec.id) {
            return self.failure(&code, reason);
        }
        if self.agent.ran_out_of_memory(&self.spec.id) {
            return self.failure("OUT_OF_MEMORY", self.too_little_memory());
        }
        let (name, how) = (self.process_name(), how(exit.as_ref()));
        let who = if name == WEB { "the app".to_owned() } else { format!("the process `{name}`") };
        self.failure("APP_EXITED", format!("{who} {how}, {after} ms after its start and before it was ready"))
    }

    fn too_little_memory(&self) -> String {
        let megabytes = self.spec.context.limits.memory_bytes >> 20;
        format!("the app needed more than its {megabytes} MB of memory; raise the project's memory limit")
    }

    /// A failure with the app's last lines.
    pub(super) fn failure(&self, code: &str, reason: String) -> Failure {
        let lines = self.agent.last_lines(&self.spec.context, &self.run_log(), LAST_LINES);
        self.copy_to_deployment(lines.iter().map(|line| (line.stream, line.text.clone())));
        Failure { code: code.into(), reason, last_lines: lines.into_iter().map(|line| line.text).collect() }
    }

    /// Whether the deployment's log tells of the start and not of its end: the node was cut off in between.
    pub(super) fn was_cut_off(&self, end: &str) -> bool {
        let Ok(deployment) = self.spec.id.base().parse::<DeploymentId>() else { return false };
        let layout = &self.agent.confine().layout;
        let log = layout.log(&self.spec.context.group, &WorkloadId::from(&deployment), LogKind::Build);
        let said = crate::log::tail(&log, STARTING_LINES, |record| record.stream == LogStream::Sys);
        said.is_ok_and(|said| !said.is_empty() && said.iter().all(|record| record.text != end))
    }

    pub(super) fn death(&self, exit: Option<&Exit>) -> Failure {
        if let Some(failure) = self.agent.container_failure(&self.spec.id) {
            return failure;
        }
        match self.agent.ran_out_of_memory(&self.spec.id) {
            true => failed("OUT_OF_MEMORY", self.too_little_memory()),
            false => failed("APP_EXITED", format!("the app {}", how(exit))),
        }
    }

    pub(super) fn process_name(&self) -> &str {
        self.spec.id.process_name().unwrap_or(WEB)
    }

    pub(super) fn run_log(&self) -> (WorkloadId, LogKind) {
        (self.spec.id.clone(), LogKind::Run)
    }

    pub(super) fn log_run(&self, line: String) {
        let (id, kind) = self.run_log();
        if let Err(error) = self.agent.confine().log(&id, &self.spec.context.group, kind, &[line]) {
            tracing::warn!(%error, workload.id = %self.spec.id, "cannot write a log");
        }
    }

    /// A line in the log of the deployment this is a process of.
    pub(super) fn log_start(&self, line: String) {
        self.copy_to_deployment(std::iter::once((LogStream::Sys, line)));
    }

    pub(super) fn copy_to_deployment(&self, lines: impl Iterator<Item = (LogStream, String)>) {
        let Ok(deployment) = self.spec.id.base().parse::<DeploymentId>() else { return };
        let id = WorkloadId::from(&deployment);
        let logged = self.agent.confine().log_records(&id, &self.spec.context.group, LogKind::Build, lines);
        if let Err(error) = logged {
            tracing::warn!(%error, workload.id = %self.spec.id, "cannot write a log");
        }
    }
}
