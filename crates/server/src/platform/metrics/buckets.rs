//! What was measured within ten seconds, until it is stored as one.

use std::collections::BTreeMap;

use ids::{NodeId, ProjectId};
use store::{MetricsBatch, NodeSample, Peak, ProcessSample};
use wire::{Metrics, WorkloadUsage};

pub(super) const BUCKET_MS: i64 = 10_000;

/// By when they begin.
#[derive(Debug, Default)]
pub(super) struct Buckets(BTreeMap<i64, Bucket>);

#[derive(Debug, Default)]
struct Bucket {
    nodes: BTreeMap<NodeId, NodeMean>,
    /// By machine, project and name.
    processes: BTreeMap<(NodeId, ProjectId, String), ProcessMean>,
}

#[derive(Debug, Default)]
struct NodeMean {
    cpu: Mean,
    load: Mean,
    memory_used: Mean,
    swap_used: Mean,
    network_rx: Mean,
    network_tx: Mean,
    last: NodeSample,
}

#[derive(Debug, Default)]
struct ProcessMean {
    cpu: Mean,
    memory: Mean,
    network_rx: Mean,
    network_tx: Mean,
    disk_bytes: u64,
    /// How often it was looked at.
    seen: u32,
}

/// What several workloads of a process use at one moment.
#[derive(Debug, Default)]
struct Together {
    cpu: Option<f64>,
    memory: Option<f64>,
    network_rx: Option<f64>,
    network_tx: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    max: f64,
    count: u32,
}

// === impl Buckets ===

impl Buckets {
    pub(super) fn record(&mut self, node: &NodeId, metrics: &Metrics, now: i64) {
        let bucket = self.0.entry(now - now.rem_euclid(BUCKET_MS)).or_default();
        bucket.nodes.entry(node.clone()).or_default().add(metrics);
        let mut together: BTreeMap<(ProjectId, String), Together> = BTreeMap::new();
        // Of what has just begun only counters are known: it is not idle.
        let is_measured = |it: &&WorkloadUsage| it.cpu_usec.is_none() || it.cpu_percent.is_some();
        for workload in metrics.workloads.iter().filter(is_measured) {
            let name = workload.id.process_name().unwrap_or("web").to_owned();
            together.entry((workload.group.clone(), name)).or_default().add(workload);
        }
        for ((project, name), used) in together {
            bucket.processes.entry((node.clone(), project, name)).or_default().add(&used);
        }
        for group in &metrics.groups {
            let key = (node.clone(), group.group.clone(), String::new());
            bucket.processes.entry(key).or_default().share(group.volume_bytes);
        }
    }

    /// Takes those that have ended.
    pub(super) fn ended(&mut self, now: i64) -> Self {
        let present = self.0.split_off(&(now - now.rem_euclid(BUCKET_MS)));
        let ended = std::mem::replace(&mut self.0, present);
        // Those from a future that a clock has come back from are of no use to anybody.
        self.0.retain(|begin, _| *begin <= now);
        Self(ended)
    }

    /// Puts some back that could not be stored, unless they began before `oldest`.
    pub(super) fn put_back(&mut self, ended: Self, oldest: i64) {
        self.0.extend(ended.0.into_iter().filter(|(begin, _)| *begin >= oldest));
    }

    pub(super) fn batch(&self) -> MetricsBatch {
        let mut batch = MetricsBatch::default();
        for (begin, bucket) in &self.0 {
            let nodes = bucket.nodes.iter().map(|(id, mean)| (id.clone(), mean.sample(*begin)));
            batch.nodes.extend(nodes);
            let processes = bucket.processes.iter().map(|((node, project, name), mean)| {
                (node.clone(), project.clone(), name.clone(), mean.sample(*begin))
            });
            batch.processes.extend(processes);
        }
        batch
    }
}

// === impl NodeMean ===

#[expect(clippy::cast_precision_loss, reason = "a plot does not need the last bit")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of whole numbers")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

impl NodeMean {
    fn add(&mut self, metrics: &Metrics) {
        self.cpu.add(metrics.cpu_percent);
        self.load.add(metrics.load);
        self.memory_used.add(float(metrics.memory_used_bytes));
        self.swap_used.add(float(metrics.swap_used_bytes));
        self.network_rx.add(metrics.network_rx_bytes_per_second);
        self.network_tx.add(metrics.network_tx_bytes_per_second);
        self.last = NodeSample {
            cpu_cores: metrics.cpu_cores,
            memory_total_bytes: metrics.memory_total_bytes,
            swap_total_bytes: metrics.swap_total_bytes,
            disk_used_bytes: metrics.disk_used_bytes,
            disk_total_bytes: metrics.disk_total_bytes,
            ..NodeSample::default()
        };
    }

    fn sample(&self, at_ms: i64) -> NodeSample {
        NodeSample {
            at_ms,
            weight: self.cpu.count,
            cpu_percent: self.cpu.peak(),
            load: self.load.mean(),
            memory_used_bytes: whole(self.memory_used.mean()),
            swap_used_bytes: whole(self.swap_used.mean()),
            network_rx: self.network_rx.peak(),
            network_tx: self.network_tx.peak(),
            ..self.last.clone()
        }
    }
}

// === impl ProcessMean ===

impl ProcessMean {
    fn add(&mut self, used: &Together) {
        self.seen += 1;
        for (mean, value) in [
            (&mut self.cpu, used.cpu),
            (&mut self.memory, used.memory),
            (&mut self.network_rx, used.network_rx),
            (&mut self.network_tx, used.network_tx),
        ] {
            if let Some(value) = value {
                mean.add(value);
            }
        }
    }

    fn share(&mut self, disk_bytes: u64) {
        self.seen += 1;
        self.disk_bytes = disk_bytes;
    }

    fn sample(&self, at_ms: i64) -> ProcessSample {
        ProcessSample {
            at_ms,
            weight: self.seen,
            cpu_percent: self.cpu.peak(),
            memory: self.memory.peak(),
            disk_bytes: self.disk_bytes,
            network_rx: self.network_rx.peak(),
            network_tx: self.network_tx.peak(),
        }
    }
}

// === impl Together ===

impl Together {
    fn add(&mut self, used: &WorkloadUsage) {
        for (sum, value) in [
            (&mut self.cpu, used.cpu_percent),
            (&mut self.memory, used.memory_bytes.map(float)),
            (&mut self.network_rx, used.network_rx_bytes_per_second),
            (&mut self.network_tx, used.network_tx_bytes_per_second),
        ] {
            if let Some(value) = value {
                *sum.get_or_insert(0.0) += value;
            }
        }
    }
}

// === impl Mean ===

impl Mean {
    /// What is no number, or less than none, was not measured by us.
    fn add(&mut self, value: f64) {
        let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
        self.sum += value;
        self.max = self.max.max(value);
        self.count += 1;
    }

    fn mean(self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }

    fn peak(self) -> Peak {
        Peak { mean: self.mean(), max: self.max }
    }
}

#[cfg(test)]
mod tests {
    use ids::{DeploymentId, WorkloadId};
    use wire::GroupUsage;

    use super::*;

    fn metrics(cpu_percent: f64, workloads: Vec<WorkloadUsage>) -> Metrics {
        let mut metrics: Metrics = serde_json::from_value(serde_json::json!({
            "at_ms": 0, "cpu_percent": 0.0, "cpu_cores": 2, "load": 1.0, "memory_used_bytes": 10,
            "memory_total_bytes": 20, "disk_used_bytes": 1, "disk_total_bytes": 2,
            "network_rx_bytes_per_second": 100.0, "network_tx_bytes_per_second": 0.0,
        }))
        .expect("what an older node sends");
        (metrics.cpu_percent, metrics.workloads) = (cpu_percent, workloads);
        metrics
    }

    fn workload(group: &ProjectId, memory: u64) -> WorkloadUsage {
        WorkloadUsage {
            id: WorkloadId::from(&DeploymentId::new()),
            group: group.clone(),
            cpu_usec: Some(1),
            cpu_percent: Some(50.0),
            memory_bytes: Some(memory),
            network_rx_bytes: None,
            network_tx_bytes: None,
            network_rx_bytes_per_second: None,
            network_tx_bytes_per_second: None,
        }
    }

    #[test]
    fn what_a_node_says_becomes_a_mean_and_a_maximum() {
        let (mut buckets, node) = (Buckets::default(), NodeId::new());
        for (at, cpu) in [(100_000, 10.0), (102_000, 30.0), (104_000, f64::NAN), (110_000, 90.0)] {
            buckets.record(&node, &metrics(cpu, Vec::new()), at);
        }
        let ended = buckets.ended(110_001);
        let batch = ended.batch();
        assert_eq!(batch.nodes.len(), 1);
        let sample = &batch.nodes[0].1;
        assert_eq!((sample.at_ms, sample.weight, sample.memory_used_bytes), (100_000, 3, 10));
        assert!(
            (sample.cpu_percent.mean - 40.0 / 3.0).abs() < 1e-9 && sample.cpu_percent.max.to_bits() == 30f64.to_bits()
        );
        buckets.put_back(ended, 100_000);
        assert_eq!(buckets.ended(120_000).batch().nodes.len(), 2);
        assert!(buckets.ended(900_000).batch().nodes.is_empty());
    }

    #[test]
    fn two_releases_at_a_time_are_one_process() {
        let (mut buckets, node, project) = (Buckets::default(), NodeId::new(), ProjectId::new());
        let mut both = metrics(0.0, vec![workload(&project, 100), workload(&project, 300)]);
        both.groups = vec![GroupUsage { group: project.clone(), volume_bytes: 7 }];
        buckets.record(&node, &both, 0);
        buckets.record(&node, &metrics(0.0, vec![workload(&project, 300)]), 2000);
        let batch = buckets.ended(10_000).batch();
        let names = batch.processes.iter().map(|(_, _, name, _)| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["", "web"]);
        assert_eq!(batch.processes[0].3.disk_bytes, 7);
        let web = &batch.processes[1].3;
        assert_eq!((web.weight, web.memory, web.cpu_percent.max), (2, Peak { mean: 350.0, max: 400.0 }, 100.0));
    }
}
