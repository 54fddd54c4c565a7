use std::collections::BTreeMap;

use edge::control::{Destination, Member, Report, Site};
use ids::WorkloadId;
use wire::{Desired, Fence, RouteSpec, RouteStatus, WorkloadState};

use super::{Agent, State};

/// What the edge was told, and what it has confirmed.
#[derive(Default)]
pub(super) struct Applied {
    generation: u64,
    /// The desired state that the edge was told of, and the one it has confirmed.
    told_fence: Fence,
    confirmed_fence: Fence,
    /// The workload that each host's visitors are sent to.
    told: BTreeMap<String, Option<WorkloadId>>,
    confirmed: BTreeMap<String, Option<WorkloadId>>,
    port_errors: BTreeMap<String, String>,
}

impl Applied {
    pub(super) fn status(&self) -> Vec<RouteStatus> {
        self.confirmed
            .iter()
            .map(|(host, workload)| RouteStatus {
                host: host.clone(),
                workload: workload.clone(),
                port_error: self.port_errors.get(host).cloned(),
            })
            .collect()
    }

    /// Whether the edge does what it was told last.
    pub(super) fn are_confirmed(&self) -> bool {
        self.told == self.confirmed
    }

    pub(super) fn fence(&self) -> Fence {
        self.confirmed_fence
    }

    fn tell(&mut self, generation: u64, fence: Fence, told: BTreeMap<String, Option<WorkloadId>>) {
        (self.generation, self.told_fence, self.told) = (generation, fence, told);
    }

    fn confirm(&mut self, report: Report) {
        for (host, error) in &report.port_errors {
            // Said once, and not each time it is tried again.
            if self.port_errors.get(host) != Some(error) {
                tracing::warn!(error, host, "a project's port cannot be served");
            }
        }
        self.port_errors = report.port_errors;
        if report.generation == self.generation {
            self.confirmed.clone_from(&self.told);
            self.confirmed_fence = self.told_fence;
        }
    }
}

impl Agent {
    /// Points every route at the first of its workloads that is ready, and at the other nodes that have one.
    pub(super) fn apply_routes(&self, desired: &Desired) {
        self.inner.peers.keep(desired);
        self.note(|state| {
            let chosen = desired.routes.iter().map(|route| (route, choose(state, route))).collect::<Vec<_>>();
            let told = chosen.iter().map(|(route, (workload, _))| (route.host.clone(), workload.clone())).collect();
            let sites = chosen.iter().map(|(route, (_, here))| Site {
                host: route.host.clone(),
                port: Some(route.port).filter(|port| *port != 0),
                to: self.everywhere(route, here.clone()),
            });
            let peers = chosen.iter().filter(|(route, _)| !route.prefer.is_empty());
            let peers = peers.map(|(route, (_, here))| Site { host: route.host.clone(), port: None, to: here.clone() });
            let generation = self.inner.edge.tell(sites.collect(), peers.collect());
            state.routes.tell(generation, desired.fence, told);
            // It may have answered before it was written down what it was told.
            state.routes.confirm(self.inner.edge.reports().borrow().clone());
        });
    }

    /// Where visitors of this machine go: to what is ready here, and to other nodes.
    fn everywhere(&self, route: &RouteSpec, here: Destination) -> Destination {
        if route.remote.is_empty() {
            return here;
        }
        let mut members = self.inner.peers.members(route);
        if let Destination::Upstream { id, origin } = here {
            members.push(Member { id, origin });
        }
        Destination::Upstreams { members }
    }

    /// Reports what the edge does, as it changes.
    pub(super) async fn hear_edge_forever(&self) {
        let mut reports = self.inner.edge.reports();
        // The sender lives as long as this does.
        while reports.changed().await.is_ok() {
            let report = reports.borrow_and_update().clone();
            self.update(|state| state.routes.confirm(report));
        }
    }
}

fn choose(state: &State, route: &RouteSpec) -> (Option<WorkloadId>, Destination) {
    let running = |id: &WorkloadId| state.workloads.get(id);
    for id in &route.prefer {
        if let Some(upstream) = running(id).and_then(|workload| workload.upstream.clone()) {
            return (Some(id.clone()), upstream);
        }
    }
    let down =
        route.prefer.iter().filter_map(running).any(|workload| workload.status.state == WorkloadState::Restarting);
    let target = if down {
        Destination::Down { reason: "The app has stopped and is being started again.".into() }
    } else if route.prefer.is_empty() {
        Destination::Down { reason: "Nothing is live here yet.".into() }
    } else {
        Destination::Starting
    };
    (None, target)
}
