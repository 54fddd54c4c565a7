//! The networks of workloads: what each may reach, as one table of the kernel's packet filter.
//!
//! Every confined process has a network namespace of its own. One that may reach something
//! gets a link whose name begins with this node's prefix; the table below says what may pass
//! it. The table is written as a whole, from what is running, each time that changes: the
//! kernel swaps it in one transaction, and a link nobody knows of may reach nothing.

mod names;
mod ruleset;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Stdio;

use ids::WorkloadId;
use ipnet::Ipv4Net;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use wire::{Capability, NetworkPolicy, Outward};

use names::Names;
use ruleset::Ruleset;

/// Links get their addresses from the range for benchmarks (RFC 2544), which nobody routes.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const LINKS: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);
const NEEDS_ROOT: &str = "it needs root";
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
/// Where the host's resolvers are named; with systemd-resolved the first only names a stub on the host's loopback.
const RESOLVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
/// Asked where the host names none that another network can reach.
const PUBLIC_RESOLVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(9, 9, 9, 9), Ipv4Addr::new(1, 1, 1, 1)];

pub(crate) struct Networks {
    /// Marks links and table as this node's.
    instance: String,
    /// Private networks that the machine's owner opened to workloads.
    allowed: Vec<Ipv4Net>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether links can be filtered here; absent until it was tried.
    usable: Option<Result<(), String>>,
    links: BTreeMap<String, NetworkPolicy>,
    /// There are links whose policies' names were not looked up.
    unresolved: bool,
    /// Every address that a named destination was seen to have.
    names: Names,
    applied: Option<String>,
}

impl Networks {
    pub(crate) fn new(instance: String, allowed: Vec<Ipv4Net>) -> Self {
        Self { instance, allowed, state: Mutex::default() }
    }

    /// What a workload with `policy` is put into. Where links cannot be filtered that is the
    /// host's network, which the node's capabilities say.
    pub(crate) async fn join(&self, id: &WorkloadId, policy: &NetworkPolicy) -> sandbox::Network {
        let ports = policy.host_ports.clone();
        let own = |link| sandbox::Network::Own { sockets: None, ports, link };
        if policy.outward == Outward::None {
            return own(None);
        }
        let name = self.link_name(id);
        let mut state = self.state.lock().await;
        if matches!(state.usable, Some(Err(_))) {
            return sandbox::Network::Host;
        }
        state.links.insert(name.clone(), policy.clone());
        let State { names, links, .. } = &mut *state;
        names.look_up(links).await;
        let applied = self.apply(&mut state).await;
        if state.usable.is_none() {
            // The first table is the trial too: it need not be made twice before an app starts.
            state.usable = Some(applied.as_ref().map_err(unusable).copied().and_then(|()| forward()));
        }
        if matches!(state.usable, Some(Err(_))) {
            return sandbox::Network::Host;
        }
        if let Err(error) = applied {
            tracing::error!(%error, workload.id = %id, "the packet filter cannot be changed: the workload reaches nothing");
        }
        own(Some(sandbox::Link { name, gateway: GATEWAY, network: LINKS.0, prefix: LINKS.1 }))
    }

    /// Looks names up again, as what is behind them moves, and writes the table anew, in case
    /// somebody flushed it.
    pub(crate) async fn refresh(&self) {
        let mut state = self.state.lock().await;
        state.applied = None;
        let State { names, links, .. } = &mut *state;
        names.look_up(links).await;
        if state.usable.as_ref().is_some_and(Result::is_ok)
            && let Err(error) = self.apply(&mut state).await
        {
            tracing::warn!(%error, "the packet filter cannot be changed");
        }
    }

    /// Takes up the links of what is wanted and may run already: what an earlier process started keeps what it
    /// may reach. They are in the table when it is written next.
    pub(crate) async fn expect(&self, wanted: impl Iterator<Item = (WorkloadId, &NetworkPolicy)>) {
        let mut state = self.state.lock().await;
        for (id, policy) in wanted.filter(|(_, policy)| policy.outward != Outward::None) {
            let State { links, unresolved, .. } = &mut *state;
            if let Entry::Vacant(unknown) = links.entry(self.link_name(&id)) {
                unknown.insert(policy.clone());
                *unresolved = true;
            }
        }
    }

    /// Forgets the links of everything but what is `running` at that moment.
    pub(crate) async fn keep_only(&self, running: impl FnOnce() -> Vec<WorkloadId>) {
        let mut state = self.state.lock().await;
        // Asked with the lock held: what joins is known before it does.
        let names = running().iter().map(|id| self.link_name(id)).collect::<Vec<_>>();
        state.links.retain(|name, _| names.contains(name));
        if std::mem::take(&mut state.unresolved) {
            let State { names, links, .. } = &mut *state;
            names.look_up(links).await;
        }
        if state.usable.as_ref().is_some_and(Result::is_ok)
            && let Err(error) = self.apply(&mut state).await
        {
            tracing::warn!(%error, "the packet filter cannot be changed");
        }
    }

    /// Whether what leaves a workload is filtered, and why not.
    pub(crate) async fn capability(&self) -> Capability {
        let mut state = self.state.lock().await;
        let (enabled, detail) = match self.usable(&mut state).await {
            Ok(()) => (true, "nftables: no host, no other workload, no private network".to_owned()),
            Err(reason) => (false, format!("workloads that may reach anything share the host's network: {reason}")),
        };
        Capability { name: "network_policy".into(), enabled, detail }
    }

    async fn usable(&self, state: &mut State) -> Result<(), String> {
        if state.usable.is_none() {
            state.usable = Some(self.try_out().await);
        }
        state.usable.clone().unwrap_or_else(|| Err("not tried".into()))
    }

    async fn try_out(&self) -> Result<(), String> {
        if !nix::unistd::geteuid().is_root() {
            return Err(NEEDS_ROOT.into());
        }
        // Beside the table, which may be that of an earlier process and hold for what still runs.
        let trial = format!("nanoscale-{}-trial", self.instance);
        let text = self.ruleset(&trial, "nobody", &BTreeMap::new(), &Names::default());
        nft(&format!("{text}delete table inet {trial}\n")).await.map_err(|error| unusable(&error))?;
        forward()
    }

    async fn apply(&self, state: &mut State) -> io::Result<()> {
        if !nix::unistd::geteuid().is_root() {
            return Err(io::Error::other(NEEDS_ROOT));
        }
        let table = format!("nanoscale-{}", self.instance);
        let text = self.ruleset(&table, &format!("{}*", self.prefix()), &state.links, &state.names);
        if state.applied.as_ref() == Some(&text) {
            return Ok(());
        }
        nft(&text).await?;
        state.applied = Some(text);
        Ok(())
    }

    fn ruleset(&self, table: &str, links: &str, policies: &BTreeMap<String, NetworkPolicy>, names: &Names) -> String {
        let ruleset = Ruleset {
            table: table.to_owned(),
            links: links.to_owned(),
            range: format!("{}/{}", LINKS.0, LINKS.1),
            resolvers: resolvers(),
            allowed: &self.allowed,
            policies,
            names,
        };
        ruleset.to_string()
    }

    /// What the names of this node's links begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("n{}-", self.instance.get(..6).unwrap_or(&self.instance))
    }

    /// The same name for the same workload, also after a restart of the node; 15 bytes.
    pub(crate) fn link_name(&self, id: &WorkloadId) -> String {
        // FNV-1a: spreads, and stays what it is over versions of this program.
        let hash = id
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{}{:07x}", self.prefix(), hash >> 36)
    }
}

/// Why links cannot be filtered.
fn unusable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "nftables is not installed; install the package `nftables`".to_owned(),
        _ => error.to_string(),
    }
}

/// Without it nothing a workload sends goes further than the host.
fn forward() -> Result<(), String> {
    let forwards = std::fs::read_to_string(FORWARDING).is_ok_and(|value| value.trim() == "1");
    if !forwards {
        std::fs::write(FORWARDING, "1").map_err(|error| format!("{FORWARDING} cannot be set: {error}"))?;
        tracing::info!("turned IPv4 forwarding on, for what workloads send");
    }
    Ok(())
}

/// The resolvers that a workload asks.
pub(crate) fn resolvers() -> Vec<Ipv4Addr> {
    let named = |path: &&str| {
        let text = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        let addresses = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
        let usable = |address: IpAddr| match address {
            IpAddr::V4(address) if !address.is_loopback() => Some(address),
            _ => None,
        };
        addresses.filter_map(usable).collect::<Vec<_>>()
    };
    RESOLVERS.iter().map(named).find(|found| !found.is_empty()).unwrap_or_else(|| PUBLIC_RESOLVERS.to_vec())
}

/// Hands a ruleset to the kernel, as one transaction.
async fn nft(ruleset: &str) -> io::Result<()> {
    let mut child = tokio::process::Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(ruleset.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
