//! What terminals cost in which nothing happens.

use std::time::Duration;

use ids::WorkspaceId;
use testkit::Part;

use super::peers::Peer;
use super::{IN_ONE, Line, Stand};
use crate::{Row, processes, row, times};

const FEW: usize = 100;
const MANY: usize = 300;
/// Until nothing is left of what was done before.
const SETTLE: Duration = Duration::from_secs(4);
const WATCHED: Duration = Duration::from_secs(20);

/// Resident kilobytes, and processor time in microseconds a second.
struct Cost {
    server: f64,
    node: f64,
    server_cpu: f64,
    node_cpu: f64,
}

pub(super) async fn measure() -> Vec<Row> {
    let stand = Stand::new().await;
    let mut workspaces = Vec::new();
    for _ in 0..MANY.div_ceil(IN_ONE) {
        workspaces.push(stand.open().await);
    }
    // What is made once is made before.
    let mut first = stand.look(&workspaces[0], &stand.terminal(&workspaces[0]).await).await;
    first.next().await;
    drop(first);
    let none = cost(&stand).await;
    let terminals = open(&stand, &workspaces, 0..FEW).await;
    let alone = cost(&stand).await;
    let shims = shims(&stand);
    let watched = look(&stand, &terminals).await;
    let seen = cost(&stand).await;
    let more = open(&stand, &workspaces, FEW..MANY).await;
    let more_watched = look(&stand, &more).await;
    let many = cost(&stand).await;
    drop((watched, more_watched));
    let each = |cost: &Cost, count: usize, number: fn(&Cost) -> f64| per(number(cost) - number(&none), count);
    let both = |cost: &Cost, count| {
        format!("{:.1} + {:.1}", each(cost, count, |cost| cost.server), each(cost, count, |cost| cost.node))
    };
    let mut peers = Vec::new();
    for peer in Peer::all() {
        peers.push(theirs(&peer).await);
    }
    vec![
        row(
            format!(
                "resident memory for each idle terminal at which nobody looks: server + node, and its shim (RSS, PSS), {FEW} open"
            ),
            format!("{} KiB, and {:.0} ({:.0}) KiB", both(&alone, FEW), shims.0, shims.1),
        ),
        Row {
            what: format!(
                "the same where somebody looks: server + node, {FEW} and {MANY} open, beside a peer's process with {FEW}"
            ),
            value: format!("{} and {} KiB, {}", both(&seen, FEW), both(&many, MANY), peers.join(", ")),
            budget: "server 25 KiB",
        },
        row(
            format!(
                "processor that server and node take in a second: no terminal, {FEW} idle ones, {FEW} and {MANY} with somebody who looks"
            ),
            [&none, &alone, &seen, &many]
                .map(|cost| format!("{:.0} + {:.0} µs", cost.server_cpu, cost.node_cpu))
                .join(", "),
        ),
    ]
}

fn per(kilobytes: f64, count: usize) -> f64 {
    kilobytes / f64::from(u32::try_from(count).unwrap())
}

async fn cost(stand: &Stand) -> Cost {
    tokio::time::sleep(SETTLE).await;
    let [server, node] = [Part::Server, Part::Node].map(|part| stand.server.pid_of(part).unwrap());
    let cpu = || [server, node].map(processes::cpu_microseconds);
    let watched = if times(10) == 10 { WATCHED } else { SETTLE };
    let before = cpu();
    tokio::time::sleep(watched).await;
    let after = cpu();
    let [server_cpu, node_cpu] = [0, 1].map(|place| (after[place] - before[place]) / watched.as_secs_f64());
    let resident = |pid| processes::memory(&[pid]).rss * 1024.0;
    Cost { server: resident(server), node: resident(node), server_cpu, node_cpu }
}

type Open = Vec<(WorkspaceId, api::Terminal)>;

async fn open(stand: &Stand, workspaces: &[WorkspaceId], numbers: std::ops::Range<usize>) -> Open {
    let mut terminals = Vec::new();
    for number in numbers {
        let workspace = &workspaces[number / IN_ONE];
        terminals.push((workspace.clone(), stand.terminal(workspace).await));
    }
    terminals
}

/// Somebody looks at each.
async fn look(stand: &Stand, terminals: &Open) -> Vec<Line> {
    let mut lines = Vec::new();
    for (workspace, terminal) in terminals {
        let mut line = stand.look(workspace, terminal).await;
        line.next().await;
        lines.push(line);
    }
    lines
}

/// What each shim takes of itself: resident, and with each page counted once.
fn shims(stand: &Stand) -> (f64, f64) {
    let family = processes::family(&[stand.server.pid_of(Part::Node).unwrap()]);
    let is_shim =
        |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| text.ends_with(b"\0shim\0"));
    let shims = family.into_iter().filter(is_shim).collect::<Vec<_>>();
    let memory = processes::memory(&shims);
    (per(memory.rss * 1024.0, shims.len()), per(memory.pss * 1024.0, shims.len()))
}

/// A peer's process, for each terminal that it has open.
async fn theirs(peer: &Peer) -> String {
    let resident = || processes::memory(&[peer.pid()]).rss * 1024.0;
    let mut warm = peer.connect().await;
    warm.next().await;
    tokio::time::sleep(SETTLE).await;
    let before = resident();
    let mut lines = Vec::new();
    for _ in 0..FEW {
        let mut line = peer.connect().await;
        line.next().await;
        lines.push(line);
    }
    tokio::time::sleep(SETTLE).await;
    format!("{} {:.1} KiB", peer.name(), per(resident() - before, FEW))
}
