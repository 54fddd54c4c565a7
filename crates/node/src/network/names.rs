//! Addresses of destinations that are given by name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ids::DestinationHost;
use ipnet::Ipv4Net;
use wire::{NetworkPolicy, Outward};

/// Addresses kept per name: those of a large service take turns.
const ADDRESSES: usize = 64;
const ANSWER: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Names(BTreeMap<String, BTreeSet<Ipv4Addr>>);

impl Names {
    /// Asks for the addresses of every name in the policies, and forgets the other names.
    pub(super) async fn look_up(&mut self, policies: &BTreeMap<String, NetworkPolicy>) {
        let wanted = policies.values().flat_map(names).collect::<BTreeSet<_>>();
        self.0.retain(|name, _| wanted.contains(name.as_str()));
        for name in wanted {
            let answer = tokio::time::timeout(ANSWER, tokio::net::lookup_host((name, 0))).await;
            let Ok(Ok(found)) = answer else {
                tracing::warn!(name, "a destination's name cannot be resolved");
                continue;
            };
            let known = self.0.entry(name.to_owned()).or_default();
            for address in found.map(|address| address.ip()) {
                if let IpAddr::V4(address) = address
                    && known.len() < ADDRESSES
                {
                    known.insert(address);
                }
            }
        }
    }

    pub(super) fn addresses(&self, name: &str) -> Vec<Ipv4Net> {
        self.0.get(name).into_iter().flatten().map(|address| Ipv4Net::from(*address)).collect()
    }
}

fn names(policy: &NetworkPolicy) -> impl Iterator<Item = &str> {
    let destinations = match &policy.outward {
        Outward::Only { destinations } => destinations.as_slice(),
        Outward::Open | Outward::None => &[],
    };
    destinations.iter().filter_map(|destination| match destination.host() {
        DestinationHost::Name(name) => Some(name.as_str()),
        DestinationHost::Network(_) => None,
    })
}
