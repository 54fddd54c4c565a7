use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::{Destination, Plan};
use crate::{Edge, Origin, Target, Upstream};

/// The upstreams that the last plan named, and those that are on their way out.
pub(super) struct Applied {
    edge: Edge,
    /// Told when the health of one of them changes.
    health: Arc<Notify>,
    live: BTreeMap<String, Arc<Upstream>>,
    /// By a number of their own: an id may be wanted again while its upstream still drains.
    draining: BTreeMap<u64, String>,
    drains: u64,
}

impl Applied {
    pub(super) fn new(edge: Edge, health: Arc<Notify>) -> Self {
        Self { edge, health, live: BTreeMap::new(), draining: BTreeMap::new(), drains: 0 }
    }

    /// Swaps the table. Gives what no host leads to any more, to be drained.
    pub(super) fn apply(&mut self, plan: &Plan) -> Vec<(u64, Arc<Upstream>)> {
        let mut named = BTreeMap::new();
        let mut routes = HashMap::with_capacity(plan.sites.len());
        for site in &plan.sites {
            routes.insert(site.host.clone(), self.target(&site.to, &mut named));
        }
        self.edge.replace_routes(routes);
        let of_peers = plan.peers.iter().map(|site| (site.host.clone(), self.target(&site.to, &mut named))).collect();
        self.edge.replace_peer_routes(of_peers);
        let unused = std::mem::replace(&mut self.live, named);
        let replaced =
            |(id, old): &(String, Arc<Upstream>)| !self.live.get(id).is_some_and(|now| Arc::ptr_eq(now, old));
        let unused = unused.into_iter().filter(replaced).collect::<Vec<_>>();
        unused.into_iter().map(|(id, upstream)| (self.drain(id), upstream)).collect()
    }

    fn target(&self, to: &Destination, named: &mut BTreeMap<String, Arc<Upstream>>) -> Target {
        match to {
            Destination::Upstream { id, origin } => Target::Upstream(self.upstream(id, origin, named)),
            Destination::Upstreams { members } => {
                let ids = members.iter().map(|member| (&member.id, &member.origin)).collect::<BTreeMap<_, _>>();
                let upstreams = ids.into_iter().map(|(id, origin)| self.upstream(id, origin, named));
                match upstreams.collect::<Vec<_>>().as_slice() {
                    [] => Target::Starting,
                    [one] => Target::Upstream(one.clone()),
                    several => Target::Upstreams(several.into()),
                }
            }
            Destination::Starting => Target::Starting,
            Destination::Down { reason } => Target::Down { reason: reason.clone() },
        }
    }

    /// The one that is in use already, so that what is known of it stays, or a new one.
    fn upstream(&self, id: &str, origin: &Origin, named: &mut BTreeMap<String, Arc<Upstream>>) -> Arc<Upstream> {
        let known = || self.live.get(id).filter(|known| known.origin() == origin).cloned();
        let new = || {
            let new = Upstream::new(id.to_owned(), origin.clone(), self.edge.config());
            Arc::new(new.telling(self.health.clone()))
        };
        named.entry(id.to_owned()).or_insert_with(|| known().unwrap_or_else(new)).clone()
    }

    fn drain(&mut self, id: String) -> u64 {
        self.drains += 1;
        self.draining.insert(self.drains, id);
        self.drains
    }

    pub(super) fn drained(&mut self, number: u64) {
        self.draining.remove(&number);
    }

    pub(super) fn in_use(&self) -> BTreeSet<String> {
        self.live.keys().chain(self.draining.values()).cloned().collect()
    }

    pub(super) fn unhealthy(&self) -> BTreeMap<String, String> {
        self.live.iter().filter_map(|(id, upstream)| Some((id.clone(), upstream.fault()?))).collect()
    }
}
