//! The packet filter's table, as text for nft(8).

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ids::DestinationHost;
use ipnet::Ipv4Net;
use wire::{NetworkPolicy, Outward};

use super::names::Names;

/// What is not the internet: this host, private networks, link-local with the metadata address of
/// clouds, other workloads, multicast (IANA's special-purpose registry, RFC 6890).
const PRIVATE: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, \
                       192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/4, 240.0.0.0/4";

pub(super) struct Ruleset<'a> {
    pub(super) table: String,
    /// Pattern of this node's links.
    pub(super) links: String,
    /// Where links have their addresses.
    pub(super) range: String,
    pub(super) resolvers: Vec<Ipv4Addr>,
    pub(super) allowed: &'a [Ipv4Net],
    pub(super) policies: &'a BTreeMap<String, NetworkPolicy>,
    pub(super) names: &'a Names,
}

impl fmt::Display for Ruleset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, links, range, .. } = self;
        // Added first, so that there is one to delete.
        writeln!(f, "table inet {table} {{}}\ndelete table inet {table}\ntable inet {table} {{")?;
        writeln!(f, "chain input {{ type filter hook input priority filter - 5; policy accept;")?;
        writeln!(f, "iifname \"{links}\" ct state established,related accept")?;
        writeln!(f, "iifname \"{links}\" reject with icmpx type admin-prohibited\n}}")?;
        writeln!(f, "chain forward {{ type filter hook forward priority filter - 5; policy accept;")?;
        writeln!(f, "oifname \"{links}\" ct state established,related accept")?;
        writeln!(f, "oifname \"{links}\" drop")?;
        writeln!(f, "iifname \"{links}\" jump outward\n}}")?;
        writeln!(f, "chain postrouting {{ type nat hook postrouting priority srcnat; policy accept;")?;
        writeln!(f, "ip saddr {range} masquerade\n}}")?;
        self.outward(f)?;
        writeln!(f, "}}")
    }
}

impl Ruleset<'_> {
    fn outward(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chain outward {{ ct state established,related accept")?;
        if !self.policies.is_empty() {
            let known = join(self.policies.keys().map(|name| format!("\"{name}\"")));
            let resolvers = join(self.resolvers.iter());
            writeln!(
                f,
                "iifname {{ {known} }} ip daddr {{ {resolvers} }} meta l4proto {{ tcp, udp }} th dport 53 accept"
            )?;
        }
        for (name, policy) in self.policies {
            if let Outward::Only { destinations } = &policy.outward {
                for destination in destinations {
                    let networks = match destination.host() {
                        DestinationHost::Network(network) => vec![*network],
                        DestinationHost::Name(name) => self.names.addresses(name),
                    };
                    let port = destination.port().map(|port| format!(" meta l4proto {{ tcp, udp }} th dport {port}"));
                    let port = port.unwrap_or_default();
                    for network in networks {
                        writeln!(f, "iifname \"{name}\" ip daddr {network}{port} accept")?;
                    }
                }
            }
        }
        let open = self.policies.iter().filter(|(_, policy)| policy.outward == Outward::Open);
        let open = join(open.map(|(name, _)| format!("\"{name}\"")));
        if !open.is_empty() {
            if !self.allowed.is_empty() {
                writeln!(f, "iifname {{ {open} }} ip daddr {{ {} }} accept", join(self.allowed.iter()))?;
            }
            writeln!(f, "iifname {{ {open} }} ip daddr != {{ {PRIVATE} }} accept")?;
        }
        writeln!(f, "reject with icmpx type admin-prohibited\n}}")
    }
}

fn join(items: impl Iterator<Item = impl fmt::Display>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
