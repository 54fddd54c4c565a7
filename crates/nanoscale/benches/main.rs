//! Measures the product beside its peers, in one run: `cargo xtask bench`. Prints a table and
//! writes `docs/BENCHMARKS.md`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on stops")]

#[path = "main/product.rs"]
mod product;
#[path = "main/proxy.rs"]
mod proxy;

use std::fmt::Write as _;

/// One measured number and what it is.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) value: String,
    /// Where the design says how much it may be.
    pub(crate) budget: &'static str,
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments = std::env::args().collect::<Vec<_>>();
    if let Some(place) = arguments.iter().position(|argument| argument == "--as-edge") {
        return proxy::serve_edge(&arguments[place + 1]);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut rows = runtime.block_on(product::measure());
    rows.extend(proxy::measure());
    let table = table(&rows);
    println!("{table}");
    std::fs::write(testkit::workspace().join("docs/BENCHMARKS.md"), page(&table)).unwrap();
}

fn table(rows: &[Row]) -> String {
    let mut text = "| what | measured | budget |\n|---|---|---|\n".to_owned();
    for Row { what, value, budget } in rows {
        let _ = writeln!(text, "| {what} | {value} | {budget} |");
    }
    text
}

fn page(table: &str) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench` (release build), on {cores} cores of {model}, client, app and server on the same \
         machine.\nProxies are measured in the same run, one worker each, `wrk -t1 -c64`, the same nginx as upstream answering 64 bytes; \
         medians of three.\n\n{table}"
    )
}
