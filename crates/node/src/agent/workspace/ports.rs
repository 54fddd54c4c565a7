//! What in a workspace listens for connections: looked for in the tables of its network, which proc(5) shows.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use ids::WorkspaceId;
use wire::WorkspaceSpec;

use crate::Agent;
use crate::shim::Shim;

const PERIOD: Duration = Duration::from_secs(1);
/// The state of a socket that listens, in the table.
const LISTEN: &str = "0A";
/// Ports that are shown at most.
const SHOWN: usize = 100;

/// The tables are read again after so many periods at the latest.
const ANYWAY: u32 = 10;

/// What was seen the last time that the tables were read.
#[derive(Default, Clone)]
struct Seen {
    sockets: Option<[u64; 2]>,
    ports: Vec<u16>,
    /// Periods ago.
    age: u32,
}

impl Agent {
    /// Looks again and again, for as long as nobody drops it.
    pub(super) async fn watch_ports(&self, id: &WorkspaceId, spec: &WorkspaceSpec, shim: &Shim) -> Infallible {
        let init = shim.init_pid().await.unwrap_or_default();
        let mut tick = tokio::time::interval(PERIOD);
        let mut seen = Seen::default();
        loop {
            tick.tick().await;
            let (before, hosts) = (seen.clone(), spec.network.host_ports.clone());
            seen = tokio::task::spawn_blocking(move || look(init, &hosts, before)).await.unwrap_or_default();
            let changed = {
                let state = self.lock();
                state.workspaces.get(id).is_some_and(|running| running.status.ports != seen.ports)
            };
            if changed {
                self.update(|state| {
                    if let Some(running) = state.workspaces.get_mut(id) {
                        running.status.ports.clone_from(&seen.ports);
                    }
                });
            }
        }
    }
}

/// Looks at how many sockets there are, and at the tables only when that has changed: to show those of one network the
/// kernel walks over those of the whole machine, which takes it milliseconds.
fn look(init: i32, but: &[u16], before: Seen) -> Seen {
    let sockets = sockets(init);
    if sockets.is_some() && sockets == before.sockets && before.age < ANYWAY {
        return Seen { age: before.age + 1, ..before };
    }
    let ports = if sockets == Some([0, 0]) { Vec::new() } else { listening(init, but) };
    Seen { sockets, ports, age: 0 }
}

/// How many sockets of TCP the network of a process has, of either version of IP.
fn sockets(init: i32) -> Option<[u64; 2]> {
    let count =
        |file: &str, name: &str| in_use(&std::fs::read_to_string(format!("/proc/{init}/net/{file}")).ok()?, name);
    Some([count("sockstat", "TCP:")?, count("sockstat6", "TCP6:")?])
}

fn in_use(text: &str, name: &str) -> Option<u64> {
    let mut words = text.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace();
    words.find(|word| *word == "inuse")?;
    words.next()?.parse().ok()
}

/// Ports of the network of a process; without a network of its own nobody could say whose they are.
fn listening(init: i32, but: &[u16]) -> Vec<u16> {
    if !crate::confine::Confine::has_namespaces() || init <= 0 {
        return Vec::new();
    }
    let tables = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("/proc/{init}/net/{name}")));
    let ports = tables.iter().flatten().flat_map(|table| table.lines().skip(1)).filter_map(listener);
    ports.filter(|port| !but.contains(port)).collect::<BTreeSet<_>>().into_iter().take(SHOWN).collect()
}

/// The port of a line whose socket listens, for anybody.
fn listener(line: &str) -> Option<u16> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let (_, port) = local.rsplit_once(':')?;
    (state == LISTEN).then(|| u16::from_str_radix(port, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_listens_has_a_port() {
        let listens =
            "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 1 1 0 100 0 0 10 0";
        let talks =
            "   1: 0100007F:0BB8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000 0 1 1 0 100 0 0 10 0";
        assert_eq!((listener(listens), listener(talks), listener("")), (Some(3000), None, None));
    }

    #[test]
    fn sockets_are_counted() {
        let text = "sockets: used 9\nTCP: inuse 3 orphan 0 tw 1 alloc 5 mem 0\nUDP: inuse 7 mem 0\n";
        assert_eq!((in_use(text, "TCP:"), in_use(text, "TCP6:"), in_use("TCP:", "TCP:")), (Some(3), None, None));
    }
}
