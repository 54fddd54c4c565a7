//! The machine's use of itself, read from /proc.

mod network;
mod workloads;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wire::{Metrics, Problem};

use crate::{Agent, now_ms};
use network::{Traffic, interfaces};
use workloads::Workloads;

/// Rates are means over this long.
const PERIOD: Duration = Duration::from_secs(2);

/// Reads the machine's counters every [`PERIOD`] and keeps the newest sample.
pub(crate) struct Sampler {
    /// Whose file system counts as the disk.
    directory: PathBuf,
    /// Bytes of it that builds leave free.
    disk_reserve_bytes: u64,
    last: Mutex<Option<Metrics>>,
}

/// What the next sample's rates are counted from.
struct Before {
    at: Instant,
    processors: (u64, u64),
    network: Traffic,
    workloads: Workloads,
}

impl Sampler {
    pub(crate) fn new(directory: PathBuf, disk_reserve_bytes: u64) -> Self {
        Self { directory, disk_reserve_bytes, last: Mutex::new(None) }
    }

    pub(crate) fn last(&self) -> Option<Metrics> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Samples for ever.
    pub(crate) async fn run(&self, agent: &Agent) {
        let prefix = agent.networks().prefix();
        let mut before = Before {
            at: Instant::now(),
            processors: processor_times(),
            network: Traffic::new(&interfaces(), &prefix),
            workloads: Workloads::default(),
        };
        // The first sample covers a short while, so that a page opened at once has numbers.
        let mut pause = Duration::from_millis(200);
        loop {
            tokio::time::sleep(pause).await;
            pause = PERIOD;
            let metrics = Metrics { problem: self.problem().await, ..self.sample(agent, &mut before, &prefix).await };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(metrics);
        }
    }

    /// A broken disk may take long to answer.
    async fn problem(&self) -> Option<Problem> {
        let (directory, reserve) = (self.directory.clone(), self.disk_reserve_bytes);
        tokio::task::spawn_blocking(move || crate::agent::disk::problem(&directory, reserve)).await.ok().flatten()
    }

    #[expect(clippy::cast_precision_loss, reason = "a plot does not need the last bit of a counter")]
    async fn sample(&self, agent: &Agent, before: &mut Before, prefix: &str) -> Metrics {
        let counted = workloads::count(agent).await;
        let (at, processors, interfaces) = (Instant::now(), processor_times(), interfaces());
        let elapsed = at - before.at;
        let busy = processors.0.saturating_sub(before.processors.0) as f64;
        let total = processors.1.saturating_sub(before.processors.1).max(1) as f64;
        let (received, sent) = before.network.advance(&interfaces, prefix);
        let per_second = |bytes: u64| bytes as f64 / elapsed.as_secs_f64();
        let workloads = before.workloads.advance(counted, &interfaces, elapsed);
        (before.at, before.processors) = (at, processors);
        let memory = |key: &str| meminfo(key).unwrap_or_default();
        let [load, load5, load15] = loads();
        let disk = nix::sys::statvfs::statvfs(&self.directory).ok();
        let blocks = |blocks: u64| disk.as_ref().map_or(0, |disk| blocks * disk.fragment_size());
        let total_disk = blocks(disk.as_ref().map_or(0, nix::sys::statvfs::Statvfs::blocks));
        let free_disk = blocks(disk.as_ref().map_or(0, nix::sys::statvfs::Statvfs::blocks_free));
        Metrics {
            at_ms: now_ms(),
            cpu_percent: (100.0 * busy / total).clamp(0.0, 100.0),
            cpu_cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1)),
            load,
            load5,
            load15,
            memory_used_bytes: memory("MemTotal").saturating_sub(memory("MemAvailable")),
            memory_total_bytes: memory("MemTotal"),
            swap_used_bytes: memory("SwapTotal").saturating_sub(memory("SwapFree")),
            swap_total_bytes: memory("SwapTotal"),
            disk_used_bytes: total_disk.saturating_sub(free_disk),
            disk_total_bytes: total_disk,
            network_rx_bytes_per_second: per_second(received),
            network_tx_bytes_per_second: per_second(sent),
            network_rx_bytes: before.network.received,
            network_tx_bytes: before.network.sent,
            workloads,
            groups: agent.group_usage(),
            problem: None,
        }
    }
}

/// What all processors were busy since the machine's start, and for how long they might have been, in ticks.
pub(crate) fn processor_times() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    // user nice system idle iowait irq softirq steal; see proc(5)
    let times = stat.lines().next().into_iter().flat_map(str::split_whitespace).skip(1).take(8);
    let times = times.map(|n| n.parse().unwrap_or(0)).collect::<Vec<u64>>();
    let idle = times.get(3).unwrap_or(&0) + times.get(4).unwrap_or(&0);
    let total = times.iter().sum::<u64>();
    (total - idle, total)
}

/// A value of /proc/meminfo in bytes.
pub(crate) fn meminfo(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Bytes that programs can have without any going to swap.
pub(crate) fn memory_available() -> Option<u64> {
    meminfo("MemAvailable")
}

pub(crate) fn memory_total() -> Option<u64> {
    meminfo("MemTotal")
}

/// Load averages of one, five and fifteen minutes.
fn loads() -> [f64; 3] {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut loads = text.split(' ').map(|load| load.parse().unwrap_or_default());
    std::array::from_fn(|_| loads.next().unwrap_or_default())
}
