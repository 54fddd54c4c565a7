//! Measures the product beside its peers, in one run: `cargo xtask bench`. Prints a table and
//! writes `docs/BENCHMARKS.md`. `--only PART` measures one part and writes nothing, `--quick`
//! does with a tenth of the repetitions, and writes nothing either. `--nodes N` is how many nodes are simulated.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on stops")]

#[path = "main/docker.rs"]
mod docker;
#[path = "main/gateway.rs"]
mod gateway;
#[path = "main/machines.rs"]
mod machines;
#[path = "main/neighbours.rs"]
mod neighbours;
#[path = "main/piku.rs"]
mod piku;
#[path = "main/processes.rs"]
mod processes;
#[path = "main/product.rs"]
mod product;
#[path = "main/proxy.rs"]
mod proxy;
#[path = "main/sandbox.rs"]
mod sandboxed;
#[path = "main/workspaces.rs"]
mod workspaces;

use std::fmt::Write as _;
use std::sync::LazyLock;

/// One measured number and what it is.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) value: String,
    /// Where the design says how much it may be.
    pub(crate) budget: &'static str,
}

static QUICK: LazyLock<bool> = LazyLock::new(|| std::env::args().any(|argument| argument == "--quick"));

/// How often to do what is done so many times for the record.
pub(crate) fn times(count: usize) -> usize {
    if *QUICK { (count / 10).max(1) } else { count }
}

pub(crate) fn row(what: impl Into<String>, value: impl Into<String>) -> Row {
    Row { what: what.into(), value: value.into(), budget: "" }
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50)
}

/// The smallest value that so many of a hundred do not exceed.
pub(crate) fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

fn main() {
    let arguments = std::env::args().collect::<Vec<_>>();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    if let Some(origin) = value("--as-edge") {
        return proxy::serve_edge(&origin);
    }
    if arguments.iter().any(|argument| argument == "--as-engine") {
        return gateway::serve_engine();
    }
    if let Some(request) = value("--as-sandbox") {
        return sandboxed::serve(&request);
    }
    let only = value("--only");
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let load = load();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut rows = Vec::new();
    if wanted("product") {
        rows.extend(runtime.block_on(product::measure()));
    }
    if wanted("piku") {
        rows.extend(runtime.block_on(piku::measure()));
    }
    if wanted("proxy") {
        rows.extend(proxy::measure());
    }
    if wanted("sandbox") {
        rows.extend(sandboxed::measure());
    }
    if wanted("neighbours") {
        rows.extend(runtime.block_on(neighbours::measure()));
    }
    if wanted("machines") || machines::PARTS.iter().any(|part| wanted(part)) {
        let count = value("--nodes").map_or(1000, |count| count.parse().unwrap());
        let part = only.as_deref().filter(|only| *only != "machines");
        rows.extend(runtime.block_on(machines::measure(part, count)));
    }
    if wanted("workspaces") || workspaces::PARTS.iter().any(|part| wanted(part)) {
        let part = only.as_deref().filter(|only| *only != "workspaces");
        rows.extend(runtime.block_on(workspaces::measure(part)));
    }
    if wanted("gateway") || gateway::PARTS.iter().any(|part| wanted(part)) {
        let part = only.as_deref().filter(|only| *only != "gateway");
        rows.extend(runtime.block_on(gateway::measure(part)));
    }
    let table = table(&rows);
    println!("{table}");
    if only.is_none() && !*QUICK {
        let path = testkit::workspace().join("docs/BENCHMARKS.md");
        // Sections of their own are of other programs.
        let before = std::fs::read_to_string(&path).unwrap();
        let sections = before.find("\n## ").map_or("", |at| &before[at..]);
        std::fs::write(&path, page(&table, load) + sections).unwrap();
    }
}

/// How many processes wanted to run in the last minute (proc(5)).
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn table(rows: &[Row]) -> String {
    let mut text = "| what | measured | budget |\n|---|---|---|\n".to_owned();
    for Row { what, value, budget } in rows {
        let _ = writeln!(text, "| {what} | {value} | {budget} |");
    }
    text
}

fn page(table: &str, load: f64) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let machine = if load < 1.5 { "a quiet machine" } else { "a **busy** machine" };
    format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench` (release build), on {cores} cores of {model}, client, app and server on the same \
         machine: {machine}, whose load was {load:.1} at the start.\nPeers are measured in the same run. Proxies: one worker each, \
         `wrk -t1 -c64`, the same nginx as upstream answering 64 bytes; medians of three.\n{}\n\n{table}",
        NOTES.trim()
    )
}

const NOTES: &str = "
The uWSGI emperor is what Piku runs apps under: with settings after Piku's, but for owners and the format of its log, and a redeploy removes and
writes the worker's file, as Piku's does. Piku's own share (push, hook, checkout) is not in its numbers. Deployments of ours are whole: upload, build, start, swap;
of both, the time that the app takes to answer when it is started by hand is subtracted.
Neighbours: a Node app's answers, one after the other, quiet and then beside one bomb of `examples/hostile` in a project with 256 MB, from 2 s after
its spark; five rounds of 1000 visits each. The visitor, who in truth is elsewhere, has precedence over everything on the machine.
Simulated nodes: the real code to join, dial and prove who one is, all in one process on the same two cores, against a server in a process of its own with
50 projects; each reports as a real node does, every 10 s, and answers at once. A heartbeat is due 10 s after the one before was, and its lag is from then until the server
has it, by the server's own `last_seen_at`. The deployment to many nodes is built by a real node, and its files go to all others; what these say of it is true at once.
Tunnel: two further machines and a server are processes here; the app is on one, and visitors come to the edge of the other. Beside it a third machine that takes
connections of the others (`worker.bind`), and one connection of OpenSSH from either machine to the server (`-L`, `-R`) that does the same.
Terminals: one client for all, over a WebSocket, which says what each page would (that output was seen); the same `bash -l` behind each, ours in a workspace's sandbox, reached by way of a
server and a node that are processes of their own, theirs started by their own process. ttyd is the release 1.7.7, WeTTY 3.2 from npm; neither compresses here, as the client does not ask for it.
sshx is left out: its page encrypts and decrypts end to end, in a protocol of its own, which the one client for all does not speak.
";
