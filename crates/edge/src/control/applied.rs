use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Destination, Plan};
use crate::{Edge, Target, Upstream};

/// The upstreams that the last plan named, and those that are on their way out.
pub(super) struct Applied {
    edge: Edge,
    live: BTreeMap<String, Arc<Upstream>>,
    /// By a number of their own: an id may be wanted again while its upstream still drains.
    draining: BTreeMap<u64, String>,
    drains: u64,
}

impl Applied {
    pub(super) fn new(edge: Edge) -> Self {
        Self { edge, live: BTreeMap::new(), draining: BTreeMap::new(), drains: 0 }
    }

    /// Swaps the table. Gives what no host leads to any more, to be drained.
    pub(super) fn apply(&mut self, plan: &Plan) -> Vec<(u64, Arc<Upstream>)> {
        let mut named = BTreeMap::new();
        let mut routes = HashMap::with_capacity(plan.sites.len());
        for site in &plan.sites {
            let target =
                match &site.to {
                    Destination::Upstream { id, origin } => {
                        let upstream =
                            self.live.get(id).filter(|known| known.origin() == origin).cloned().unwrap_or_else(|| {
                                Arc::new(Upstream::new(id.clone(), origin.clone(), self.edge.config()))
                            });
                        Target::Upstream(named.entry(id.clone()).or_insert(upstream).clone())
                    }
                    Destination::Starting => Target::Starting,
                    Destination::Down { reason } => Target::Down { reason: reason.clone() },
                };
            routes.insert(site.host.clone(), target);
        }
        self.edge.replace_routes(routes);
        let unused = std::mem::replace(&mut self.live, named);
        let replaced =
            |(id, old): &(String, Arc<Upstream>)| !self.live.get(id).is_some_and(|now| Arc::ptr_eq(now, old));
        let unused = unused.into_iter().filter(replaced).collect::<Vec<_>>();
        unused.into_iter().map(|(id, upstream)| (self.drain(id), upstream)).collect()
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
}
