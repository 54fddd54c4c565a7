//! Looks at a repository without building it: what it would become, or what changed in it.

use std::time::Duration;

use ids::{ProjectId, WorkloadId};
use sandbox::Network;
use wire::{BuildSpec, Comparison, Failure, Runtime, Source};

use super::Agent;
use super::build::{fetch, json, node_error, start_clean};
use super::dockerfile::Choice;
use super::planning::{make_plan, outline, release};
use super::process::failed;
use super::step::Step;
use crate::confine::Program;
use crate::confined::{CompareRequest, Compared};

/// Memory to fetch a source only to look at it.
const MEMORY: u64 = 512 << 20;
const PREVIEW_SECONDS: u64 = 60;
/// Shorter than people wait for an answer: what takes longer counts as changed.
const COMPARE_SECONDS: u64 = 45;

impl Agent {
    /// Fetches a source, plans it, and leaves nothing behind.
    pub(crate) async fn preview(&self, spec: wire::PreviewSpec) -> wire::Preview {
        let spec = look_spec(spec.source, spec.root_directory, PREVIEW_SECONDS);
        let work = async {
            let (_, tree) = fetch(self, &spec).await?;
            if let Choice::Dockerfile(why) = Box::pin(self.choose_builder(&spec)).await? {
                return Ok(dockerfile_outline(why));
            }
            let plan = make_plan(self, &spec, &tree)?;
            let release = release(&spec, &plan)?;
            Ok(outline(&plan, &release))
        };
        match self.look(&spec, work).await {
            Ok(plan) => wire::Preview::Plan { plan },
            Err(failure) => wire::Preview::Failed { failure },
        }
    }

    /// Fetches two commits, looks at what differs, and leaves nothing behind.
    pub(crate) async fn compare(&self, spec: wire::CompareSpec) -> Comparison {
        let Source::Git { url, reference, commit, allow_private } = spec.source.clone() else {
            return Comparison::Unknown { reason: "uploads have no commits".into() };
        };
        let request = CompareRequest {
            url,
            reference,
            commit,
            allow_private,
            from: spec.from,
            watch_paths: spec.watch_paths,
            root_directory: spec.root_directory,
        };
        let spec = look_spec(spec.source, String::new(), COMPARE_SECONDS);
        let work = async {
            // As fetching: none of the project's code runs, and addresses have rules of their own.
            let step = Step {
                name: "fetch",
                program: Program::Internal("compare", json(&request)),
                runtime: &Runtime::default(),
                network: Network::Host,
                owner_env: &[],
                file: None,
            };
            self.run_step(&spec, step).await?;
            let result = self.confine().read_result(&WorkloadId::from(&spec.id));
            let compared = result.and_then(|bytes| serde_json::from_slice::<Compared>(&bytes).ok());
            compared.ok_or_else(|| failed("FETCH_FAILED", "the fetch step left no result"))
        };
        match self.look(&spec, work).await {
            Ok(Compared(comparison)) => comparison,
            Err(failure) => Comparison::Unknown { reason: failure.reason },
        }
    }

    /// Does `work` in a group of its own, of which nothing is left.
    async fn look<T>(&self, spec: &BuildSpec, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let id = WorkloadId::from(&spec.id);
        self.note(|state| state.previews.insert(id.clone()));
        let work = async {
            start_clean(self, spec)?;
            work.await
        };
        let seen = match self.confine().layout.mark_preview(&spec.group) {
            Ok(()) => tokio::time::timeout(Duration::from_secs(spec.timeout_seconds), work).await,
            Err(error) => Ok(Err(node_error(error))),
        };
        self.end(&id).await;
        self.discard(&self.confine().layout.run(&id));
        self.erase_group(&spec.group).await;
        self.note(|state| state.previews.remove(&id));
        seen.unwrap_or_else(|_| {
            let seconds = spec.timeout_seconds;
            Err(failed("TIMEOUT", format!("the repository could not be fetched within {seconds} s")))
        })
    }
}

fn dockerfile_outline(why: String) -> wire::Plan {
    wire::Plan {
        kind: "dockerfile".into(),
        reasons: vec![why],
        install_command: None,
        build_command: None,
        run_command: None,
        output_directory: None,
        workers: Vec::new(),
        release_command: None,
        schedules: Vec::new(),
    }
}

fn look_spec(source: Source, root_directory: String, timeout_seconds: u64) -> BuildSpec {
    BuildSpec {
        id: ids::DeploymentId::new(),
        group: ProjectId::new(),
        source,
        because: None,
        settings: wire::BuildSettings { root_directory, ..wire::BuildSettings::default() },
        env: Vec::new(),
        limits: wire::Limits { memory_bytes: MEMORY, pids: 256, cpu_weight: 100, cpu_percent: None },
        network: wire::NetworkPolicy::default(),
        timeout_seconds,
    }
}
