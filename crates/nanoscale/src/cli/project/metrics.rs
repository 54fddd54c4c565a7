//! What a project's processes used, over time.

use anyhow::Result;

use crate::cli::client::Client;
use crate::cli::plot::{Range, Series, amount, percent, rate};
use crate::cli::{find, output};

#[derive(clap::Args)]
pub(in crate::cli) struct MetricsArgs {
    project: String,
    #[command(flatten)]
    range: Range,
}

pub(in crate::cli) async fn show(client: &Client, args: MetricsArgs, json: bool) -> Result<()> {
    let project = find::project(client, &args.project).await?.value;
    let path = ["projects", project.id.as_str(), "metrics"];
    let history = client.get_with::<api::ProjectMetrics>(&path, &args.range.query()).await?;
    history.show(json, |history| print(history, &args.range))
}

#[expect(clippy::cast_precision_loss, reason = "for a line of text")]
pub(in crate::cli) fn print(history: &api::ProjectMetrics, range: &Range) -> Result<()> {
    let mut rows = Vec::new();
    for api::ProcessMetrics { process, samples } in &history.processes {
        let mut cpu = Series::new(format!("{process} cpu"), percent);
        let mut memory = Series::new(format!("{process} memory"), amount);
        let mut received = Series::new(format!("{process} received"), rate);
        let mut sent = Series::new(format!("{process} sent"), rate);
        for sample in samples {
            let time = &sample.time;
            cpu.add(time, sample.cpu_percent, Some(sample.cpu_percent_max));
            memory.add(time, sample.memory_bytes as f64, Some(sample.memory_bytes_max as f64));
            received.add(time, sample.network_rx_bytes_per_second, Some(sample.network_rx_bytes_per_second_max));
            sent.add(time, sample.network_tx_bytes_per_second, Some(sample.network_tx_bytes_per_second_max));
        }
        rows.extend([cpu, memory, received, sent]);
    }
    let mut volumes = Series::new("volumes", amount);
    for sample in &history.volumes {
        volumes.add(&sample.time, sample.used_bytes as f64, None);
    }
    rows.push(volumes);
    if history.processes.is_empty() && history.volumes.is_empty() {
        return output::line("Nothing ran in that time.");
    }
    range.print(&rows)
}
