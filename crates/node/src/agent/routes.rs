use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use edge::Target;
use ids::WorkloadId;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wire::{Desired, RouteSpec, RouteStatus, WorkloadState};

use super::{Agent, State};

/// What the edge was told.
#[derive(Default)]
pub(super) struct Applied {
    hosts: BTreeMap<String, Host>,
}

struct Host {
    workload: Option<WorkloadId>,
    target: Option<Target>,
    port: u16,
    port_error: Option<String>,
    /// Ends the listener on the loopback port.
    stop: CancellationToken,
}

impl Applied {
    pub(super) fn status(&self) -> Vec<RouteStatus> {
        self.hosts
            .iter()
            .map(|(host, applied)| RouteStatus {
                host: host.clone(),
                workload: applied.workload.clone(),
                port_error: applied.port_error.clone(),
            })
            .collect()
    }
}

impl Agent {
    /// Points every route at the first of its workloads that is ready.
    pub(super) async fn apply_routes(&self, desired: &Desired) {
        for route in &desired.routes {
            // One that belonged to somebody else may be free by now.
            let is_served = |host: &Host| host.port == route.port && host.port_error.is_none();
            let served = self.lock().routes.hosts.get(&route.host).is_some_and(is_served);
            if !served {
                self.listen(route).await;
            }
            self.note(|state| {
                let (workload, target) = choose(state, route);
                let Some(host) = state.routes.hosts.get_mut(&route.host) else { return };
                host.workload = workload;
                // A swap copies the edge's table: not for what it knows already.
                if !host.target.as_ref().is_some_and(|known| same(known, &target)) {
                    host.target = Some(target.clone());
                    self.inner.edge.set_route(&route.host, target);
                }
            });
        }
        self.note(|state| {
            state.routes.hosts.retain(|host, applied| {
                let wanted = desired.routes.iter().any(|route| &route.host == host);
                if !wanted {
                    self.inner.edge.remove_route(host);
                    applied.stop.cancel();
                }
                wanted
            });
        });
    }

    /// Answers for the route's host at its loopback port too, whatever the Host header says.
    async fn listen(&self, route: &RouteSpec) {
        let stop = self.inner.closing.child_token();
        let port_error = match TcpListener::bind((Ipv4Addr::LOCALHOST, route.port)).await {
            Ok(listener) => {
                let (edge, host, stopped) = (self.inner.edge.clone(), route.host.clone(), stop.clone());
                self.inner.tasks.spawn(async move {
                    edge.serve_host(listener, &host, stopped.cancelled_owned()).await;
                });
                None
            }
            Err(error) => Some(format!("port {} cannot be served: {error}", route.port)),
        };
        let mut state = self.lock();
        let Some(host) = state.routes.hosts.get_mut(&route.host) else {
            warn(route, port_error.as_deref());
            let host = Host { workload: None, target: None, port: route.port, port_error, stop };
            state.routes.hosts.insert(route.host.clone(), host);
            return;
        };
        // Said once, and not each time it is tried again.
        if host.port_error != port_error {
            warn(route, port_error.as_deref());
        }
        host.stop.cancel();
        (host.port, host.port_error, host.stop) = (route.port, port_error, stop);
    }
}

fn warn(route: &RouteSpec, error: Option<&str>) {
    if let Some(error) = error {
        tracing::warn!(error, host = route.host, "a project's port cannot be served");
    }
}

fn same(known: &Target, target: &Target) -> bool {
    match (known, target) {
        (Target::Upstream(known), Target::Upstream(target)) => Arc::ptr_eq(known, target),
        (Target::Down { reason: known }, Target::Down { reason }) => known == reason,
        (Target::Starting, Target::Starting) => true,
        _ => false,
    }
}

fn choose(state: &State, route: &RouteSpec) -> (Option<WorkloadId>, Target) {
    let running = |id: &WorkloadId| state.workloads.get(id);
    for id in &route.prefer {
        if let Some(upstream) = running(id).and_then(|workload| workload.upstream.clone()) {
            return (Some(id.clone()), Target::Upstream(upstream));
        }
    }
    let down =
        route.prefer.iter().filter_map(running).any(|workload| workload.status.state == WorkloadState::Restarting);
    let target = if down {
        Target::Down { reason: "The app has stopped and is being started again.".into() }
    } else if route.prefer.is_empty() {
        Target::Down { reason: "Nothing is live here yet.".into() }
    } else {
        Target::Starting
    };
    (None, target)
}
