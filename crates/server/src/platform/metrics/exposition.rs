//! The server's knowledge as Prometheus reads it (text format 0.0.4). Names and units as its conventions have them.

use std::collections::BTreeMap;

use ids::{DeploymentState, NodeStatus, ProjectId};
use prometheus::core::Collector;
use prometheus::{CounterVec, Gauge, GaugeVec, IntCounterVec, Opts, Registry, Result, TextEncoder};

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const NODE: [&str; 2] = ["node", "node_id"];
const WORKLOAD: [&str; 5] = ["node", "node_id", "project", "process", "deployment"];

/// What is told.
pub(super) struct Facts<'a> {
    pub(super) nodes: &'a [api::Node],
    /// Names that say more than an id.
    pub(super) projects: &'a BTreeMap<ProjectId, String>,
    pub(super) deployments: &'a [(DeploymentState, u64)],
    pub(super) requests: &'a IntCounterVec,
}

pub(super) fn render(facts: &Facts<'_>, further: Vec<Box<dyn Collector>>) -> Result<String> {
    let page = Page(Registry::new());
    page.server(facts)?;
    page.nodes(facts.nodes)?;
    page.machines(facts.nodes)?;
    page.workloads(facts)?;
    for family in further {
        page.0.register(family)?;
    }
    TextEncoder::new().encode_to_string(&page.0.gather())
}

/// Made anew for each reader: what is gone is not told of any more.
struct Page(Registry);

impl Page {
    fn add<T: Collector + Clone + 'static>(&self, family: T) -> Result<T> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
        self.add(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec> {
        self.add(CounterVec::new(Opts::new(name, help), labels)?)
    }

    fn server(&self, facts: &Facts<'_>) -> Result<()> {
        let build = self.gauge("nanoscale_build_info", "The version of the server; always 1.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let projects = Gauge::new("nanoscale_projects", "Projects there are.")?;
        self.add(projects)?.set(float(facts.projects.len() as u64));
        let deployments =
            self.gauge("nanoscale_deployments", "Deployments that are remembered, by state.", &["state"])?;
        for (state, count) in facts.deployments {
            deployments.with_label_values(&[state.as_str()]).set(float(*count));
        }
        self.add(facts.requests.clone())?;
        Ok(())
    }

    /// What the server knows of machines, also while it hears nothing of them.
    fn nodes(&self, nodes: &[api::Node]) -> Result<()> {
        let info_labels = ["node", "node_id", "version", "kernel"];
        let info = self.gauge("nanoscale_node_info", "What runs on a machine; always 1.", &info_labels)?;
        let up = self.gauge("nanoscale_node_up", "Whether a machine is connected.", &NODE)?;
        let state =
            self.gauge("nanoscale_node_state", "1 for the state that a machine is in.", &["node", "node_id", "state"])?;
        let problems = self.gauge("nanoscale_node_problems", "What keeps a machine from its work.", &NODE)?;
        for node in nodes {
            let (name, id) = (node.name.as_str(), node.id.as_str());
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            info.with_label_values(&[name, id, &text(&node.version), &text(&node.kernel)]).set(1.0);
            up.with_label_values(&[name, id]).set(if node.status == NodeStatus::Online { 1.0 } else { 0.0 });
            state.with_label_values(&[name, id, node.status.as_str()]).set(1.0);
            problems.with_label_values(&[name, id]).set(float(node.problems.len() as u64));
        }
        Ok(())
    }

    /// What machines that are connected said last.
    fn machines(&self, nodes: &[api::Node]) -> Result<()> {
        for Measure { name, help, value } in MEASURES {
            let family = self.gauge(name, help, &NODE)?;
            for (node, metrics) in measured(nodes) {
                family.with_label_values(&[node.name.as_str(), node.id.as_str()]).set(value(metrics));
            }
        }
        let received = "nanoscale_node_network_receive_bytes_total";
        let received = self.counter(received, "Bytes that a machine received.", &NODE)?;
        let sent = "nanoscale_node_network_transmit_bytes_total";
        let sent = self.counter(sent, "Bytes that a machine sent.", &NODE)?;
        for (node, metrics) in measured(nodes) {
            let labels = [node.name.as_str(), node.id.as_str()];
            received.with_label_values(&labels).inc_by(float(metrics.network_rx_bytes.unwrap_or_default()));
            sent.with_label_values(&labels).inc_by(float(metrics.network_tx_bytes.unwrap_or_default()));
        }
        Ok(())
    }

    fn workloads(&self, facts: &Facts<'_>) -> Result<()> {
        let of = |what: &str| format!("nanoscale_workload_{what}");
        let ready = self.gauge(&of("ready"), "Whether a process of a project answers.", &WORKLOAD)?;
        let memory = self.gauge(&of("memory_bytes"), "Memory that a process uses.", &WORKLOAD)?;
        let cpu = self.counter(&of("cpu_seconds_total"), "Processor time that a process used.", &WORKLOAD)?;
        let restarts = self.counter(&of("restarts_total"), "How often a process was started again.", &WORKLOAD)?;
        let received = of("network_receive_bytes_total");
        let received = self.counter(&received, "Bytes that a process received from the outside.", &WORKLOAD)?;
        let sent = of("network_transmit_bytes_total");
        let sent = self.counter(&sent, "Bytes that a process sent to the outside.", &WORKLOAD)?;
        for node in facts.nodes.iter().filter(|node| node.status == NodeStatus::Online) {
            for workload in &node.workloads {
                let project = facts.projects.get(&workload.project_id).map_or(workload.project_id.as_str(), |it| it);
                let (process, deployment) = (workload.process.as_str(), workload.deployment_id.as_str());
                let labels = [node.name.as_str(), node.id.as_str(), project, process, deployment];
                ready.with_label_values(&labels).set(if workload.state == "ready" { 1.0 } else { 0.0 });
                restarts.with_label_values(&labels).inc_by(workload.restarts.into());
                if let Some(bytes) = workload.memory_bytes {
                    memory.with_label_values(&labels).set(float(bytes));
                }
                for (family, value) in [
                    (&cpu, workload.cpu_seconds),
                    (&received, workload.network_rx_bytes.map(float)),
                    (&sent, workload.network_tx_bytes.map(float)),
                ] {
                    if let Some(value) = value {
                        family.with_label_values(&labels).inc_by(value);
                    }
                }
            }
        }
        Ok(())
    }
}

/// One number of a machine.
struct Measure {
    name: &'static str,
    help: &'static str,
    value: fn(&api::NodeMetrics) -> f64,
}

const fn measure(name: &'static str, help: &'static str, value: fn(&api::NodeMetrics) -> f64) -> Measure {
    Measure { name, help, value }
}

const MEASURES: &[Measure] = &[
    measure("nanoscale_node_cpu_usage_ratio", "Part of all cores that is busy, 0 to 1.", |it| it.cpu_percent / 100.0),
    measure("nanoscale_node_cpu_cores", "Cores of a machine.", |it| it.cpu_cores.into()),
    measure("nanoscale_node_load1", "Load average of one minute.", |it| it.load),
    measure("nanoscale_node_load5", "Load average of five minutes.", |it| it.load5.unwrap_or_default()),
    measure("nanoscale_node_load15", "Load average of fifteen minutes.", |it| it.load15.unwrap_or_default()),
    measure("nanoscale_node_memory_used_bytes", "Memory that programs use.", |it| float(it.memory_used_bytes)),
    measure("nanoscale_node_memory_size_bytes", "Memory of a machine.", |it| float(it.memory_total_bytes)),
    measure("nanoscale_node_swap_used_bytes", "Swap that is used.", |it| float(it.swap_used_bytes)),
    measure("nanoscale_node_swap_size_bytes", "Swap of a machine.", |it| float(it.swap_total_bytes)),
    measure("nanoscale_node_disk_used_bytes", "Disk that is used, where the node works.", |it| {
        float(it.disk_used_bytes)
    }),
    measure("nanoscale_node_disk_size_bytes", "Disk of a machine, where the node works.", |it| {
        float(it.disk_total_bytes)
    }),
];

fn measured(nodes: &[api::Node]) -> impl Iterator<Item = (&api::Node, &api::NodeMetrics)> {
    // What was last heard of one that is gone is not what it uses.
    let online = nodes.iter().filter(|node| node.status == NodeStatus::Online);
    online.filter_map(|node| Some((node, node.metrics.as_ref()?)))
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn float(value: u64) -> f64 {
    value as f64
}
