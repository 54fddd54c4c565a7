//! One confined process of a build, from start to end.

use ids::{LogStream, WorkloadId};
use sandbox::Network;
use wire::{BuildSpec, Failure, Runtime};

use super::Agent;
use super::disk::disk_failure;
use super::process::SOCKETS;
use crate::confine::{Job, Program, Role};
use crate::groups::Described;
use crate::layout::LogKind;

/// Lines of a failure that are shown with it.
pub(super) const LAST_LINES: usize = 20;

/// What a step runs.
pub(super) struct Step<'a> {
    pub(super) name: &'static str,
    pub(super) program: Program<'a>,
    pub(super) runtime: &'a Runtime,
    pub(super) network: Network,
    pub(super) owner_env: &'a [(String, String)],
    pub(super) file: Option<(std::path::PathBuf, &'static str)>,
}

impl Agent {
    /// Runs a step to its end.
    pub(super) async fn run_step(&self, spec: &BuildSpec, step: Step<'_>) -> Result<(), Failure> {
        let confine = self.confine();
        let name = step.name;
        let id = WorkloadId::from(&spec.id);
        let mut network = step.network;
        let ports = match &mut network {
            Network::Own { sockets, ports, .. } if !ports.is_empty() => {
                *sockets = Some(SOCKETS.into());
                ports.clone()
            }
            _ => Vec::new(),
        };
        let job = Job {
            id: &id,
            group: &spec.group,
            release: &spec.id,
            role: Role::Build,
            program: step.program,
            runtime: step.runtime,
            env: Vec::new(),
            owner_env: step.owner_env,
            file: step.file,
            files: &[],
            volumes: &[],
            network,
            inside: None,
            log: (&id, LogKind::Build),
        };
        let started = match confine.shim_spec(&job) {
            Ok(shim) => {
                let words = format!("NanoScale: {name} of build {} of project {}", spec.id, spec.group);
                Box::pin(confine.start(&Described { id: &id, group: &spec.group, words }, shim)).await
            }
            Err(error) => Err(error),
        };
        let kills = || confine.cgroup(&id).map_or(0, |cgroup| cgroup.oom_kills());
        let exit = match started {
            Ok(Ok(shim)) => {
                let _passing = self.answer_host_ports(&id, &ports);
                shim.wait().await
            }
            Ok(Err(exit)) => Some(exit),
            Err(error) => {
                return Err(disk_failure(&error).unwrap_or_else(|| {
                    self.failure(spec, "NODE_ERROR", format!("the {name} step cannot be started: {error}"))
                }));
            }
        };
        let Some(exit) = exit else {
            return Err(self.failure(
                spec,
                "NODE_ERROR",
                format!("the {name} step went away without a word; deploy again"),
            ));
        };
        if let Some(error) = exit.spawn_error {
            return Err(self.failure(spec, "CANNOT_START", format!("the {name} step cannot be started: {error}")));
        }
        if exit.code == Some(0) {
            return Ok(());
        }
        if exit.out_of_memory || kills() > 0 {
            let megabytes = spec.limits.memory_bytes >> 20;
            return Err(self.failure(
                spec,
                "OUT_OF_MEMORY",
                format!("the {name} step needed more than the {megabytes} MB of memory a build may take (limits.build_memory_mb)"),
            ));
        }
        let how = match (exit.code, exit.signal) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "failed".into(),
        };
        let code = if name == "install" { "INSTALL_FAILED" } else { "BUILD_FAILED" };
        Err(self.failure(spec, code, format!("the {name} step {how}; its last lines say why")))
    }

    /// A failure with the last lines of the build's log.
    pub(super) fn failure(&self, spec: &BuildSpec, code: &str, reason: String) -> Failure {
        let directory = self.confine().layout.log(&spec.group, &WorkloadId::from(&spec.id), LogKind::Build);
        let lines = crate::log::tail(&directory, LAST_LINES, |record| record.stream != LogStream::Sys);
        let last_lines = lines.unwrap_or_default().into_iter().map(|record| record.text).collect();
        Failure { code: code.into(), reason, last_lines }
    }
}
