//! What a machine used, over time.

use anyhow::Result;

use crate::cli::client::Client;
use crate::cli::output;
use crate::cli::plot::{Range, Series, amount, percent, rate};

/// The machine is the only one there is when it is not named.
#[derive(clap::Args)]
pub(super) struct MetricsArgs {
    /// Its id or name.
    node: Option<String>,
    #[command(flatten)]
    range: Range,
}

pub(super) async fn show(client: &Client, args: MetricsArgs, json: bool) -> Result<()> {
    let node = super::named(client, args.node.as_deref()).await?;
    let path = ["nodes", node.id.as_str(), "metrics"];
    let history = client.get_with::<api::MetricsHistory>(&path, &args.range.query()).await?;
    history.show(json, |history| print(&history.samples, &args.range))
}

#[expect(clippy::cast_precision_loss, reason = "for a line of text")]
fn print(samples: &[api::NodeMetrics], range: &Range) -> Result<()> {
    let Some(last) = samples.last() else {
        return output::line("Nothing is known of that time.");
    };
    let mut cpu = Series::new("cpu", percent).full(100.0);
    let mut load = Series::new("load", |load| format!("{load:.2}"));
    let mut memory = Series::new("memory", amount).full(last.memory_total_bytes as f64);
    let mut swap = Series::new("swap", amount).full(last.swap_total_bytes as f64);
    let mut disk = Series::new("disk", amount).full(last.disk_total_bytes as f64);
    let (mut received, mut sent) = (Series::new("received", rate), Series::new("sent", rate));
    for sample in samples {
        let time = &sample.time;
        cpu.add(time, sample.cpu_percent, sample.cpu_percent_max);
        load.add(time, sample.load, None);
        memory.add(time, sample.memory_used_bytes as f64, None);
        if sample.swap_total_bytes > 0 {
            swap.add(time, sample.swap_used_bytes as f64, None);
        }
        disk.add(time, sample.disk_used_bytes as f64, None);
        received.add(time, sample.network_rx_bytes_per_second, sample.network_rx_bytes_per_second_max);
        sent.add(time, sample.network_tx_bytes_per_second, sample.network_tx_bytes_per_second_max);
    }
    range.print(&[cpu, load, memory, swap, disk, received, sent])
}
