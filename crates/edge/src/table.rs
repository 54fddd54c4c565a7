//! Which upstream a host leads to.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::balance::{self, Attempt};
use crate::host;
use crate::upstream::{Claim, Upstream};

/// Where requests for a host go.
#[derive(Debug, Clone)]
pub enum Target {
    /// To this upstream.
    Upstream(Arc<Upstream>),
    /// To one of these, the least loaded of those that answer.
    Upstreams(Arc<[Arc<Upstream>]>),
    /// Nowhere yet: answered with 503, `Retry-After: 1` and a page that reloads itself.
    Starting,
    /// Nowhere: answered with 503.
    Down {
        /// A sentence for the visitor that says why.
        reason: String,
    },
}

/// What a request for a host found.
pub(crate) enum Choice {
    Claimed(Claim),
    Starting,
    Down(String),
    Unknown,
}

#[derive(Default)]
pub(crate) struct Table(ArcSwap<HashMap<Box<str>, Target>>);

/// How often the table is read again after the upstream it named had begun to drain. The route was set before that
/// drain began, so the second read finds another one unless routes change at this very rate.
const CLAIM_TRIES: usize = 16;

impl Table {
    /// Claims an upstream of `host`, which is in the form [`host::parse`] gives.
    pub(crate) fn claim(&self, host: &str, attempt: &Attempt) -> Choice {
        for _ in 0..CLAIM_TRIES {
            match self.0.load().get(host) {
                Some(Target::Upstream(upstream)) => {
                    if !attempt.has_tried(upstream)
                        && let Some(claim) = Upstream::claim(upstream)
                    {
                        return Choice::Claimed(claim);
                    }
                }
                Some(Target::Upstreams(members)) => {
                    if let Some(claim) = balance::claim(members, attempt) {
                        return Choice::Claimed(claim);
                    }
                }
                Some(Target::Starting) => return Choice::Starting,
                Some(Target::Down { reason }) => return Choice::Down(reason.clone()),
                None => return Choice::Unknown,
            }
        }
        // The route still names an upstream that leaves; whoever drains it is about to say what comes next.
        Choice::Starting
    }

    pub(crate) fn set(&self, host: &str, target: &Target) {
        let host = key(host);
        self.0.rcu(|routes| {
            let mut routes = HashMap::clone(routes);
            routes.insert(host.clone(), target.clone());
            routes
        });
    }

    pub(crate) fn replace(&self, routes: HashMap<String, Target>) {
        self.0.store(Arc::new(routes.into_iter().map(|(host, target)| (key(&host), target)).collect()));
    }

    pub(crate) fn remove(&self, host: &str) {
        let host = key(host);
        self.0.rcu(|routes| {
            let mut routes = HashMap::clone(routes);
            routes.remove(&host);
            routes
        });
    }

    /// All routes, by host.
    pub(crate) fn list(&self) -> Vec<(String, Target)> {
        let routes = self.0.load();
        let mut list: Vec<_> = routes.iter().map(|(host, target)| (host.to_string(), target.clone())).collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    }
}

/// The form in which hosts are compared.
pub(crate) fn key(host: &str) -> Box<str> {
    host::parse(host).map_or_else(|| host.to_ascii_lowercase().into(), |host| host.into_owned().into())
}
