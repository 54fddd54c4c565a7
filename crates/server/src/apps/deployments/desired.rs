//! From rows to what a node shall do. Derived anew each time, never stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::deployment::Deployment;
use domain::placement::Placement;
use domain::project::{Project, RuntimeSettings};
use domain::release::Release;
use domain::run::Run;
use ids::{DeploymentState, NodeId, PlacementState, SourceKind, Trigger, WorkloadId};
use wire::{
    BuildSettings, BuildSpec, Context, Credentials, Desired, GroupSpec, Limits, NetworkPolicy, Outward, Probe,
    Readiness, ReleaseSpec, RouteSpec, Source, Volume, VolumeLimit, WorkloadSpec,
};

use super::Deployments;
use super::jobs::release_spec;
use crate::error::{Error, Result};
use crate::platform::environment::Given;
use crate::platform::nodes::translated::policy;
use crate::platform::{image, repository};

const BUILD_CPU_WEIGHT: u64 = 50;
const APP_CPU_WEIGHT: u64 = 100;
const BUILD_PIDS: u64 = 4096;
const APP_PIDS: u64 = 1024;

/// One project with all that matters of it now.
pub(super) struct Held {
    pub(super) project: Project,
    /// Queued, active and live, oldest first.
    pub(super) deployments: Vec<Deployment>,
    pub(super) releases: Vec<Release>,
    /// Those that have not ended.
    pub(super) runs: Vec<Run>,
    /// Its starting deployment waits for the release command.
    pub(super) gated: bool,
    pub(super) placements: Vec<Placement>,
    /// Where it shall run, the node that it is built on first.
    pub(super) chosen: Vec<NodeId>,
}

/// Where visitors of a project find it.
struct Served<'a> {
    held: &'a Held,
    host: String,
    /// Nodes that have something to send them to. What is being emptied counts no more.
    on: Vec<NodeId>,
}

impl Served<'_> {
    /// Those besides this one.
    fn elsewhere(&self, node: &NodeId) -> Vec<NodeId> {
        self.on.iter().filter(|id| *id != node).cloned().collect()
    }

    /// A project's visitors are welcome at every node's edge, which sends them on.
    fn route_from(&self, node: &NodeId) -> Option<RouteSpec> {
        (!self.held.project.deleting).then(|| RouteSpec {
            host: self.host.clone(),
            port: 0,
            prefer: Vec::new(),
            remote: self.elsewhere(node),
        })
    }
}

impl Deployments {
    /// Tells every node what it shall do for these projects.
    pub(super) fn tell_nodes(&self, held: &[Held]) {
        let served = held.iter().map(|held| self.served(held)).collect::<Vec<_>>();
        let homes = held.iter().map(|held| &held.project.node_id);
        let placed = homes.chain(held.iter().flat_map(|held| held.placements.iter().map(|it| &it.node_id)));
        let placed = placed.collect::<BTreeSet<_>>();
        // Most of many nodes have nothing, and are all told the same.
        let mut idle = None;
        let meetings = self.nodes.meetings();
        for node in self.nodes.ids() {
            let desired = if placed.contains(&node) {
                Arc::new(self.desired(&node, &served))
            } else {
                idle.get_or_insert_with(|| Arc::new(self.desired(&node, &served))).clone()
            };
            let peers = meetings.of(&node, &desired.routes);
            self.nodes.desire_apps(&node, desired, peers);
        }
    }

    /// What `node` shall do for these projects.
    fn desired(&self, node: &NodeId, served: &[Served<'_>]) -> Desired {
        let mut desired = Desired::default();
        for served in served {
            let project = &served.held.project;
            let is_home = &project.node_id == node;
            let placement = served.held.in_placement(node);
            if project.deleting || placement == Some(PlacementState::Removing) {
                if is_home || placement.is_some() {
                    desired.removed_groups.push(project.id.clone());
                }
                desired.routes.extend(served.route_from(node));
            } else if is_home || placement.is_some() {
                self.desire_project(&mut desired, node, served);
            } else {
                desired.routes.extend(served.route_from(node));
            }
        }
        desired
    }

    fn served<'a>(&self, held: &'a Held) -> Served<'a> {
        let host = self.projects.domain(&held.project);
        let stays = |id: &&NodeId| held.in_placement(id) != Some(PlacementState::Emptying);
        let on = held.runs_on().filter(stays).filter(|id| self.nodes.answers_for(id, &host)).cloned().collect();
        Served { held, host, on }
    }

    /// What a node shall do for a project that is placed on it.
    fn desire_project(&self, desired: &mut Desired, node: &NodeId, served: &Served<'_>) {
        let held = served.held;
        let project = &held.project;
        let is_home = &project.node_id == node;
        desired.groups.push(GroupSpec {
            group: project.id.clone(),
            releases: held.releases.iter().map(|release| release.deployment_id.clone()).collect(),
            volumes: self.volume_limits(held),
        });
        let live = held.in_state(DeploymentState::Live);
        let starting = held.in_state(DeploymentState::Starting).filter(|_| !held.gated);
        if let Some(building) = held.in_state(DeploymentState::Building).filter(|_| is_home) {
            match self.build_spec(project, building) {
                Ok(spec) => desired.builds.push(spec),
                // Its live release, and every other project, go on without it; it is failed when it is looked at.
                Err(error) => tracing::warn!(%error, project.id = %project.id, "a build cannot be described"),
            }
        }
        desired.builds.extend(held.copies(node).into_iter().filter_map(|release| self.copy_spec(held, release)));
        if is_home {
            desired.jobs.extend(self.job_specs(held));
        }
        for deployment in starting.iter().chain(&live) {
            // Where it ran until now it goes on, whatever is known of its files.
            let ran = held.in_placement(node).is_some_and(|state| state != PlacementState::Wanted);
            let has_files = |release: &Release| is_home || ran || self.has_copy(node, &release.deployment_id);
            if !held.release_of(deployment).is_some_and(has_files) {
                continue;
            }
            match self.workload_specs(held, deployment, live.is_some()) {
                // One of each worker is enough, where the jobs are.
                Ok(specs) => {
                    let front = WorkloadId::from(&deployment.id);
                    desired.workloads.extend(specs.into_iter().filter(|spec| is_home || spec.id == front));
                }
                // The others go on without it.
                Err(error) => tracing::warn!(%error, deployment.id = %deployment.id, "a release cannot be described"),
            }
        }
        let serves = |deployment: &&&Deployment| {
            let release = held.release_of(deployment).map(release_spec);
            !matches!(release, Some(Ok(ReleaseSpec { web: None, .. })))
        };
        let prefer = starting.iter().chain(&live).filter(serves).map(|it| WorkloadId::from(&it.id)).collect();
        let port = if is_home { project.port } else { 0 };
        desired.routes.push(RouteSpec { host: served.host.clone(), port, prefer, remote: served.elsewhere(node) });
    }

    /// Brings the files of a release that another node has built.
    fn copy_spec(&self, held: &Held, release: &Release) -> Option<BuildSpec> {
        let spec = release_spec(release).ok()?;
        Some(BuildSpec {
            id: release.deployment_id.clone(),
            group: held.project.id.clone(),
            source: Source::Copy { release: Box::new(spec) },
            because: None,
            settings: BuildSettings::default(),
            env: Vec::new(),
            limits: Limits {
                memory_bytes: self.config.limits.build_memory_bytes,
                pids: BUILD_PIDS,
                cpu_weight: BUILD_CPU_WEIGHT,
                cpu_percent: None,
            },
            network: NetworkPolicy { outward: Outward::None, host_ports: Vec::new() },
            timeout_seconds: self.config.limits.build_timeout.as_secs(),
        })
    }

    pub(super) fn build_spec(&self, project: &Project, deployment: &Deployment) -> Result<BuildSpec> {
        let settings = &project.settings;
        let source = match (&deployment.upload, &settings.repo_url) {
            (None, _) if project.source == SourceKind::Image => self.image_source(project)?,
            (Some(upload), _) => Source::Upload { upload: upload.clone() },
            (None, Some(url)) => self.git_source(url, deployment.branch.clone(), deployment.wanted_commit.clone()),
            (None, None) => {
                let message = "its project has no repository any more; set its `repo_url`, or upload a directory";
                return Err(Error::conflict("NO_SOURCE", message));
            }
        };
        let build_memory = project.runtime.limits.build_memory_mb;
        Ok(BuildSpec {
            id: deployment.id.clone(),
            group: project.id.clone(),
            source,
            because: deployment.because.clone(),
            settings: BuildSettings {
                root_directory: settings.root_directory.clone().unwrap_or_default(),
                install_command: settings.install_command.clone(),
                build_command: settings.build_command.clone(),
                run_command: settings.run_command.clone(),
                output_directory: settings.output_directory.clone(),
                builder: settings.builder,
                dockerfile_path: settings.dockerfile_path.clone(),
            },
            env: self.given(project, deployment.env_sealed.as_deref())?.env,
            limits: Limits {
                memory_bytes: build_memory.map_or(self.config.limits.build_memory_bytes, |megabytes| megabytes << 20),
                pids: BUILD_PIDS,
                cpu_weight: BUILD_CPU_WEIGHT,
                cpu_percent: None,
            },
            network: policy(&project.runtime.network),
            timeout_seconds: self.config.limits.build_timeout.as_secs(),
        })
    }

    fn image_source(&self, project: &Project) -> Result<Source> {
        let reference = image::parse(project.settings.image.as_deref().unwrap_or_default())?;
        let allow_private = image::is_allowed(&reference, &self.config.image_allow_hosts);
        let credentials = self.environment.registry_credentials(&project.id, &project.settings.registry)?;
        let credentials = credentials.map(|(username, password)| Credentials { username, password });
        Ok(Source::Image { reference, credentials, allow_private })
    }

    pub(super) fn git_source(&self, url: &str, reference: Option<String>, commit: Option<String>) -> Source {
        let allow_private = url.parse().is_ok_and(|url| repository::is_allowed(&url, &self.config.git_allow_hosts));
        Source::Git { url: url.to_owned(), reference, commit, allow_private }
    }

    /// The processes of a deployment's release; none when the release has gone.
    fn workload_specs(&self, held: &Held, deployment: &Deployment, replaces: bool) -> Result<Vec<WorkloadSpec>> {
        let Some(release) = held.release_of(deployment) else { return Ok(Vec::new()) };
        let spec = release_spec(release)?;
        let (given, unstartable) = match self.given(&held.project, Some(&release.env_sealed)) {
            Ok(given) => (given, None),
            Err(error) => {
                tracing::warn!(%error, deployment.id = %deployment.id, "an environment cannot be opened");
                (Given::default(), Some(told(&error)))
            }
        };
        let context = self.context(held, release, &spec, given);
        // A release that was live before has shown that it lasts.
        let proven = deployment.trigger == Trigger::Rollback || deployment.state == DeploymentState::Live;
        let settle = if replaces && !proven { self.config.limits.settle } else { Duration::ZERO };
        let probe = Probe {
            path: release.runtime.health_path.clone().unwrap_or_else(|| "/".into()),
            timeout_seconds: self.config.limits.start_timeout.as_secs(),
            settle_ms: milliseconds(settle),
        };
        let web = spec.web.map(|program| WorkloadSpec {
            id: WorkloadId::from(&deployment.id),
            context: context.clone(),
            program,
            readiness: Readiness::Answers { probe },
            unstartable: unstartable.clone(),
        });
        let stays = if proven { Duration::ZERO } else { self.config.limits.settle };
        let workers = spec.workers.into_iter().map(|worker| WorkloadSpec {
            id: WorkloadId::process(&deployment.id, &worker.name),
            context: context.clone(),
            program: wire::Program::Command { command: worker.command },
            readiness: Readiness::Stays { milliseconds: milliseconds(stays) },
            unstartable: unstartable.clone(),
        });
        Ok(web.into_iter().chain(workers).collect())
    }

    /// What each volume of the project, or of a release that may run, may take now.
    fn volume_limits(&self, held: &Held) -> Vec<VolumeLimit> {
        let project = &held.project.runtime.volumes;
        let of_releases = held.releases.iter().flat_map(|release| &release.runtime.volumes);
        let mut limits = BTreeMap::new();
        for volume in project.iter().chain(of_releases) {
            let bytes = volume.size_mb.map_or(self.config.limits.volume_bytes, |megabytes| megabytes << 20);
            limits.entry(volume.name.clone()).or_insert(bytes);
        }
        limits.into_iter().map(|(name, bytes)| VolumeLimit { name, bytes }).collect()
    }

    /// What all processes of a release have in common.
    pub(super) fn context(&self, held: &Held, release: &Release, spec: &ReleaseSpec, given: Given) -> Context {
        let RuntimeSettings { network, volumes, limits, .. } = &release.runtime;
        Context {
            group: held.project.id.clone(),
            release: release.deployment_id.clone(),
            runtime: spec.runtime.clone(),
            env: given.env,
            files: given.files,
            limits: Limits {
                memory_bytes: limits.memory_mb.map_or(self.config.limits.app_memory_bytes, |megabytes| megabytes << 20),
                pids: limits.processes.unwrap_or(APP_PIDS),
                cpu_weight: APP_CPU_WEIGHT,
                cpu_percent: limits.cpu_percent,
            },
            network: policy(network),
            volumes: volumes.iter().map(|it| Volume { name: it.name.clone(), path: it.path.clone() }).collect(),
        }
    }

    pub(super) fn given(&self, project: &Project, sealed: Option<&str>) -> Result<Given> {
        sealed.map_or_else(|| Ok(Given::default()), |sealed| self.environment.open_snapshot(&project.id, sealed))
    }
}

impl Held {
    pub(super) fn release_of(&self, deployment: &Deployment) -> Option<&Release> {
        self.releases.iter().find(|release| Some(&release.id) == deployment.release_id.as_ref())
    }

    pub(super) fn in_state(&self, state: DeploymentState) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.state == state)
    }
}

/// What a node says of what it was not told.
fn told(error: &Error) -> wire::Failure {
    let (code, reason) = error.told();
    wire::Failure { code: code.into(), reason: reason.into(), last_lines: Vec::new() }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Asks the embedded node what it would do with a repository.
pub(super) async fn preview(deployments: &Deployments, request: api::PlanRequest) -> Result<api::Plan> {
    let config = &deployments.config;
    let url = repository::check(&request.repo_url, &config.git_allow_hosts).await?;
    let invalid = |field: &'static str, code| move |error: ids::Invalid| Error::invalid(field, code, error.to_string());
    let branch = request.branch.filter(|branch| !branch.trim().is_empty());
    if let Some(branch) = &branch {
        branch.parse::<ids::GitRef>().map_err(invalid("branch", "INVALID_BRANCH"))?;
    }
    let root = request.root_directory.unwrap_or_default();
    let root = root.parse::<ids::RelativeDir>().map_err(invalid("root_directory", "INVALID_DIRECTORY"))?;
    let spec = wire::PreviewSpec {
        source: Source::Git {
            allow_private: repository::is_allowed(&url, &config.git_allow_hosts),
            url: url.to_string(),
            reference: branch,
            commit: None,
        },
        root_directory: root.as_str().to_owned(),
    };
    let link = deployments.nodes.link(deployments.nodes.local_id()).await?;
    match link.post::<wire::Preview>("/v1/previews", &spec).await? {
        wire::Preview::Plan { plan } => Ok(api::Plan {
            kind: plan.kind,
            reasons: plan.reasons,
            install_command: plan.install_command,
            build_command: plan.build_command,
            run_command: plan.run_command,
            output_directory: plan.output_directory,
            workers: plan.workers.into_iter().map(named).collect(),
            release_command: plan.release_command,
            schedules: plan.schedules.into_iter().map(planned).collect(),
        }),
        wire::Preview::Failed { failure } => Err(Error::invalid("repo_url", "NO_PLAN", failure.reason)),
    }
}

fn named(process: wire::NamedCommand) -> api::NamedCommand {
    api::NamedCommand { name: process.name.as_str().to_owned(), command: process.command }
}

fn planned(line: wire::Schedule) -> api::PlannedSchedule {
    api::PlannedSchedule { name: line.name.as_str().to_owned(), schedule: line.schedule, command: line.command }
}
