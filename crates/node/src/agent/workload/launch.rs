//! The start of a process, and what of it outlives the node's own.

use checkpoint::Checkpoint;
use serde::{Deserialize, Serialize};
use wire::{Failure, Program as Spec, Readiness, WorkloadSpec};

use super::super::process::{Listen, Process, Start, failed, node_error};
use super::{WEB, Workload};
use crate::confine::Program;
use crate::confined::StaticRequest;
use crate::layout::{LogKind, write_atomic};

/// What outlives the node's process: where the app listens, and that it was ready.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub(super) listen: Listen,
    /// When it was started, in milliseconds: tells the lives of a workload apart.
    #[serde(default)]
    pub(super) life: i64,
    pub(super) ready: bool,
    /// Some process of it was ready before: it is started again for as long as it is wanted.
    #[serde(default)]
    pub(super) was_ready: bool,
}

/// A process and what is kept of it.
pub(super) struct Live {
    pub(super) process: Process,
    pub(super) kept: Kept,
}

impl Workload {
    pub(super) async fn launch(&self, was_ready: bool) -> Result<Live, Failure> {
        let agent = &self.agent;
        let spec = &self.newest_spec();
        if let Some(failure) = &spec.unstartable {
            return Err(failure.clone());
        }
        if let Some(failure) = agent.volume_full_now(&spec.context).await {
            return Err(failure);
        }
        agent.prepare_process(&spec.id, &spec.context)?;
        let argv;
        let (program, shown) = match &spec.program {
            Spec::Command { command } => {
                argv = domain::command::argv(command).ok_or_else(|| {
                    failed("INVALID_COMMAND", format!("the run command has an open quote or no words: {command}"))
                })?;
                (Program::Command(&argv), format!("$ {command}"))
            }
            Spec::Image => {
                let origin = spec.context.runtime.image.as_ref().map(|image| image.origin.as_str()).unwrap_or_default();
                (Program::Image, format!("the image {origin}"))
            }
            Spec::Files { single_page } => {
                let request = StaticRequest { single_page: *single_page };
                let shown = match spec.context.runtime.directory.as_str() {
                    "" => "serve the files".to_owned(),
                    directory => format!("serve the files in `{directory}`"),
                };
                (Program::Internal("serve-static", serde_json::to_string(&request).unwrap_or_default()), shown)
            }
        };
        let name = self.process_name();
        self.log_start(format!("{}: {shown}", if name == WEB { "run" } else { name }));
        self.log_run(format!("{name} starts: {shown}"));
        // What serves files reads none of the owner's.
        if !matches!(spec.program, Spec::Files { .. }) {
            for line in agent.prepare_files(&spec.id, &spec.context)? {
                self.log_start(line.clone());
                self.log_run(line);
            }
        }
        let network = match &spec.program {
            // Our own code, which reaches for nothing.
            Spec::Files { .. } => sandbox::Network::Own { sockets: None, ports: Vec::new(), link: None },
            Spec::Command { .. } | Spec::Image => agent.networks().join(&spec.id, &spec.context.network).await,
        };
        let listen = Listen::choose(&network, spec.context.runtime.image.as_ref()).map_err(node_error)?;
        let env = match spec.readiness {
            Readiness::Answers { .. } if spec.context.runtime.image.is_some() => {
                vec![("PORT".into(), listen.port.to_string())]
            }
            Readiness::Answers { .. } => {
                vec![("PORT".into(), listen.port.to_string()), ("HOST".into(), "127.0.0.1".into())]
            }
            Readiness::Stays { .. } => Vec::new(),
        };
        let kept = Kept { listen, life: crate::now_ms(), ready: false, was_ready };
        self.keep(kept).map_err(node_error)?;
        checkpoint::reach(Checkpoint::ProcessMarked).await;
        let log = (spec.id.clone(), LogKind::Run);
        let start =
            Start { id: &spec.id, context: &spec.context, program, env, network, inside: None, inside_of: None, log };
        let process = agent.start_process(start).await?;
        checkpoint::reach(Checkpoint::ProcessStarted).await;
        Ok(Live { process, kept })
    }

    /// As it is wanted by now: an environment that could not be opened may be readable again, a default may be another.
    fn newest_spec(&self) -> WorkloadSpec {
        let state = self.agent.lock();
        let wanted = state.desired.iter().flat_map(|desired| &desired.workloads).find(|spec| spec.id == self.spec.id);
        wanted.unwrap_or(&self.spec).clone()
    }

    pub(super) fn kept(&self) -> Option<Kept> {
        let path = self.agent.confine().layout.run(&self.spec.id).join("kept.json");
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(super) fn keep(&self, kept: Kept) -> std::io::Result<()> {
        let path = self.agent.confine().layout.run(&self.spec.id).join("kept.json");
        write_atomic(&path, &serde_json::to_vec(&kept)?)
    }
}
