//! Containers of this node: what each is asked to be, and that none is left which nobody wants.

use std::collections::BTreeSet;

use bollard::models::ContainerSummary;
use ids::{DeploymentId, ProjectId, WorkloadId};
use sandbox::Network;
use wire::{Context, Failure, Image};

use super::Agent;
use super::process::{SOCKETS, failed};
use crate::confine::{Job, Program};
use crate::container::{Request, Run, Seen, What};
use crate::engine::{Engine, Names, WORKLOAD};

impl Agent {
    pub(crate) fn docker_host(&self) -> &str {
        &self.inner.config.docker_host
    }

    fn container_names(&self, id: &WorkloadId) -> Names {
        Names::of(&self.confine().identities.instance(), id)
    }

    pub(super) fn container_request(
        &self,
        job: &Job<'_>,
        context: &Context,
        image: &Image,
        inside: Option<&WorkloadId>,
    ) -> Result<Request, Failure> {
        let command = match &job.program {
            Program::Command(argv) => Some(argv.to_vec()),
            Program::Image | Program::Internal(..) => None,
        };
        let what = match (inside, command) {
            (Some(inside), Some(command)) => What::Exec { container: self.container_names(inside).app, command },
            (_, command) => What::Run(Box::new(Run {
                names: self.container_names(job.id),
                instance: self.confine().identities.instance(),
                group: context.group.clone(),
                workload: job.id.clone(),
                image: image.id.clone(),
                command,
                limits: context.limits.clone(),
                volumes: context
                    .volumes
                    .iter()
                    .map(|it| (self.confine().layout.volume(&context.group, &it.name), it.path.clone()))
                    .collect(),
                network: own_network(&job.network)?,
                resolvers: crate::network::resolvers(),
            })),
        };
        let grace_seconds = self.inner.config.stop_grace.as_secs();
        Ok(Request { host: self.docker_host().to_owned(), grace_seconds, what })
    }

    /// Whether what runs, or ran last, as `id` is a container.
    pub(super) fn is_container(&self, id: &WorkloadId) -> bool {
        Seen::read(&self.confine().layout.run(id)).is_some()
    }

    /// Why there is no container although there was to be one.
    pub(super) fn container_failure(&self, id: &WorkloadId) -> Option<Failure> {
        Seen::read(&self.confine().layout.run(id))?.failure
    }

    /// The first process of a workload's container.
    pub(crate) fn container_pid(&self, id: &WorkloadId) -> Option<i32> {
        Seen::read(&self.confine().layout.run(id))?.pid
    }

    /// Ends what was left of a container by a runner that was killed.
    pub(super) async fn remove_container(&self, id: &WorkloadId) {
        if !self.is_container(id) {
            return;
        }
        let Names { app, hold } = self.container_names(id);
        match Engine::connect(self.docker_host()).await {
            Ok(engine) => {
                for name in [app, hold] {
                    if let Err(error) = engine.remove(&name).await {
                        tracing::warn!(%error, name, "a container stays until it is looked for");
                    }
                }
            }
            Err(failure) => tracing::warn!(reason = failure.reason, "a container may be left"),
        }
    }

    /// Removes containers and images of this node's that nobody wants any more.
    pub(super) async fn sweep_engine(&self, known: &BTreeSet<WorkloadId>) {
        if !Engine::may_be_at(self.docker_host()) {
            return;
        }
        let instance = self.confine().identities.instance();
        let Ok(engine) = Engine::connect(self.docker_host()).await else { return };
        let workload = |container: &ContainerSummary| container.labels.as_ref()?.get(WORKLOAD)?.parse().ok();
        for container in engine.containers(&instance).await.unwrap_or_default() {
            let Some(id) = &container.id else { continue };
            if !workload(&container).is_some_and(|workload| known.contains(&workload)) {
                tracing::info!(container.id = %id, "removing a container that nobody knows of");
                let _ = engine.remove(id).await;
            }
        }
        let prefix = format!("nanoscale-{instance}/");
        for name in engine.image_names(&prefix).await.unwrap_or_default() {
            if !self.is_image_wanted(name.strip_prefix(&prefix).unwrap_or_default()) {
                let _ = engine.untag(&name).await;
            }
        }
    }

    /// Whether the release of `group:deployment` is still here, finished or not.
    fn is_image_wanted(&self, name: &str) -> bool {
        let Some((group, build)) = name.split_once(':') else { return false };
        let (Ok(group), Ok(build)) = (group.parse::<ProjectId>(), build.parse::<DeploymentId>()) else { return false };
        self.lock().builds.contains_key(&build) || self.release_list(&group).contains(&build)
    }

    /// What an image of ours is called in the engine, and its tag.
    pub(super) fn image_name(&self, group: &ProjectId, build: &DeploymentId) -> (String, String) {
        (format!("nanoscale-{}/{group}", self.confine().identities.instance()), build.as_str().to_owned())
    }

    /// Removes the image of a release, if it has one.
    pub(super) fn forget_image(&self, group: &ProjectId, build: &DeploymentId) {
        let has_one = self.manifest(group, build).is_some_and(|manifest| manifest.release.runtime.image.is_some());
        if !has_one {
            return;
        }
        let (agent, (name, tag)) = (self.clone(), self.image_name(group, build));
        // Nothing waits for it: what does not come to pass here does when containers are looked for.
        self.inner.tasks.spawn(async move {
            let Ok(engine) = Engine::connect(agent.docker_host()).await else { return };
            if let Err(error) = engine.untag(&format!("{name}:{tag}")).await {
                tracing::debug!(%error, image = name, "an image stays until it is looked for");
            }
        });
    }

    /// Removes the images of all releases of a group.
    pub(super) fn forget_images(&self, group: &ProjectId) {
        for build in self.release_list(group) {
            self.forget_image(group, &build);
        }
    }
}

/// A container has a network of its own or none: the host's has everything in it that a container shall not reach.
pub(super) fn own_network(network: &Network) -> Result<Network, Failure> {
    match network {
        Network::Own { ports, link, .. } => {
            Ok(Network::Own { sockets: Some(SOCKETS.into()), ports: ports.clone(), link: link.clone() })
        }
        Network::Host => Err(failed(
            "NO_NETWORK_POLICY",
            "this node cannot filter what a container sends, so it runs none; install the package `nftables`, or set the \
             project's network to `none`",
        )),
    }
}
