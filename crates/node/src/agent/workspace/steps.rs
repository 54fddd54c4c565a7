//! The steps of a workspace's start.

use std::time::Duration;

use checkpoint::Checkpoint;
use ids::{StepState, WorkloadId, WorkspaceId};
use sandbox::cgroup::OutOfMemory;
use wire::{Failure, WorkspaceSpec};

use super::super::Agent;
use super::super::process::{SOCKETS, failed, node_error, span};
use super::kept::Kept;
use super::{FAREWELL, begun};
use crate::confine::workspace::Inside;
use crate::confined::{CheckoutRequest, DotfilesRequest, StepResult};
use crate::layout::LogKind;
use crate::shim::Shim;

/// Lines that are kept with a failure.
const LAST_LINES: usize = 20;

pub(super) struct Steps<'a> {
    pub(super) agent: &'a Agent,
    pub(super) spec: &'a WorkspaceSpec,
    pub(super) kept: Kept,
    /// The first of this run. Told when the run has ended: until then nobody knows whether the rest is usable.
    pub(super) failure: Option<Failure>,
}

impl Steps<'_> {
    /// Whatever of it is still to be done. The holder, when terminals can be opened.
    pub(super) async fn run(mut self) -> Option<Shim> {
        let spec = self.spec;
        self.agent.show_workspace(&spec.id, &self.kept);
        self.step("prepare", async |agent| agent.prepare_home(spec)).await?;
        let shim = self.step("sandbox", async |agent| agent.hold_sandbox(spec).await).await?;
        let init = shim.init_pid().await.unwrap_or_default();
        if let Some(checkout) = &spec.checkout {
            let request = CheckoutRequest { checkout: checkout.clone() };
            self.once("clone", init, &request).await;
        }
        if !spec.files.is_empty() {
            self.files(init).await;
        }
        if let Some(remote) = &spec.dotfiles {
            self.once("dotfiles", init, &DotfilesRequest { remote: remote.clone() }).await;
        }
        checkpoint::reach(Checkpoint::StepsTaken).await;
        self.kept.is_ready = true;
        self.kept.failure = self.failure.take();
        self.keep();
        Some(shim)
    }

    fn keep(&self) {
        self.agent.keep_workspace(&self.spec.id, &self.kept);
    }

    /// One without which there is no workspace.
    async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl AsyncFnOnce(&Agent) -> Result<(T, Option<String>), Failure>,
    ) -> Option<T> {
        self.kept.steps.push(begun(name));
        self.keep();
        match work(self.agent).await {
            Ok((value, message)) => {
                self.end(StepState::Succeeded, message);
                Some(value)
            }
            Err(failure) => {
                self.fail(failure);
                self.kept.failure = self.failure.take();
                self.keep();
                None
            }
        }
    }

    /// One that is not taken again once it has succeeded.
    async fn once(&mut self, name: &'static str, init: i32, request: &impl serde::Serialize) {
        if self.kept.done.iter().any(|done| done == name) {
            self.kept.steps.push(begun(name));
            self.end(StepState::Skipped, Some("done before".into()));
            return;
        }
        let request = serde_json::to_string(request).unwrap_or_default();
        if self.inside(name, init, name, request).await {
            checkpoint::reach(Checkpoint::StepSucceeded).await;
            self.kept.done.push(name.to_owned());
            self.keep();
        }
    }

    /// One of our own program's, inside. Whether it succeeded.
    async fn inside(&mut self, step: &'static str, init: i32, name: &'static str, request: String) -> bool {
        self.kept.steps.push(begun(step));
        self.keep();
        match self.agent.run_inside(self.spec, &Inside::Step { name, request, init }).await {
            Ok(message) => {
                self.end(StepState::Succeeded, message);
                true
            }
            Err(failure) => {
                self.fail(failure);
                false
            }
        }
    }

    /// Not as an argument, which everybody on the machine could read.
    async fn files(&mut self, init: i32) {
        match self.agent.confine().write_runtime_files(self.spec) {
            Ok(()) => {
                self.inside("files", init, "runtime-files", String::new()).await;
            }
            Err(error) => {
                self.kept.steps.push(begun("files"));
                self.fail(node_error(error));
            }
        }
        self.agent.confine().remove_runtime_files(&self.spec.id);
    }

    fn end(&mut self, state: StepState, message: Option<String>) {
        if let Some(step) = self.kept.steps.last_mut() {
            step.state = state;
            step.finished_at_ms = Some(crate::now_ms());
            step.message = message;
        }
        self.keep();
    }

    fn fail(&mut self, failure: Failure) {
        self.agent.say_in_workspace(&self.spec.id, format!("failed: {}", failure.reason));
        let message = failure.reason.clone();
        self.failure.get_or_insert(failure);
        self.end(StepState::Failed, Some(message));
    }
}

impl Agent {
    fn prepare_home(&self, spec: &WorkspaceSpec) -> Result<((), Option<String>), Failure> {
        let is_new = self.confine().prepare_workspace(spec).map_err(node_error)?;
        let message = if is_new { "a new home directory" } else { "its files were kept" };
        Ok(((), Some(message.into())))
    }

    /// The sandbox that everything in the workspace joins: the one that is there, or a new one.
    async fn hold_sandbox(&self, spec: &WorkspaceSpec) -> Result<(Shim, Option<String>), Failure> {
        if let Some(shim) = self.find_holder(&spec.id).await {
            return Ok((shim, Some("it still runs".into())));
        }
        self.end_workspace(&spec.id).await;
        let id = WorkloadId::from(&spec.id);
        // A program that took too much is no reason to end the shells beside it.
        self.confine().limit(&id, &spec.limits, OutOfMemory::EndsOne);
        let mut network = self.networks().join(&id, &spec.network).await;
        if let sandbox::Network::Own { sockets, .. } = &mut network {
            *sockets = Some(SOCKETS.into());
        }
        checkpoint::reach(Checkpoint::SandboxMarked).await;
        let shim = self.start_inside(spec, &Inside::Holder { network }).await?;
        checkpoint::reach(Checkpoint::SandboxStarted).await;
        Ok((shim, None))
    }

    /// Runs a step to its end, or to the end of its time.
    async fn run_inside(&self, spec: &WorkspaceSpec, inside: &Inside) -> Result<Option<String>, Failure> {
        let id = inside.id(&spec.id);
        // One that an earlier life of this node began: it is begun anew, so it must not go on.
        self.end_step(&id).await;
        let holder = WorkloadId::from(&spec.id);
        self.confine().forget_result(&holder);
        checkpoint::reach(Checkpoint::StepMarked).await;
        let shim = self.start_inside(spec, inside).await?;
        let limit = Duration::from_secs(spec.step_timeout_seconds);
        let ended = tokio::time::timeout(limit, shim.wait()).await;
        self.end_step(&id).await;
        checkpoint::reach(Checkpoint::StepEnded).await;
        let fail =
            |code: &str, reason: String| Failure { last_lines: self.last_lines_of(&spec.id), ..failed(code, reason) };
        let Ok(exit) = ended else {
            return Err(fail("TIMEOUT", format!("it was ended after {}, its time limit", span(limit))));
        };
        let result = self.confine().read_result(&holder);
        match result.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            Some(StepResult::Done { message }) => Ok(message),
            Some(StepResult::Failed { code, reason }) => Err(fail(&code, reason)),
            None => Err(fail("STEP_FAILED", format!("it {}", super::super::process::how(exit.as_ref())))),
        }
    }

    /// Nothing of it goes on beside what comes next. It is in the group of the whole workspace, so nobody but its shim can
    /// end it, which takes a moment.
    async fn end_step(&self, id: &WorkloadId) {
        let run_dir = self.confine().layout.run(id);
        if let Some(shim) = Shim::find(&run_dir).await
            && shim.signal(nix::libc::SIGKILL).await.is_ok()
        {
            let _ = tokio::time::timeout(FAREWELL, shim.wait()).await;
        }
        self.end(id).await;
        self.discard(&run_dir);
    }

    fn last_lines_of(&self, id: &WorkspaceId) -> Vec<String> {
        let directory = self.confine().layout.log(&id.group(), &WorkloadId::from(id), LogKind::Job);
        let lines = crate::log::tail(&directory, LAST_LINES, |_| true).unwrap_or_default();
        lines.into_iter().map(|record| record.text).collect()
    }
}
