//! Kills by chance, on one machine and on several, for longer than the suite takes: `seeded.rs` and `cluster/seeded.rs` in
//! `crates/nanoscale/tests/matrix`. With `--partition` a machine that is cut off meanwhile: `cluster/partition.rs` there. With `--completions` what a mesh pays while everything
//! dies: `crates/nanoscale/tests/mesh/money.rs`.

use anyhow::{Context, Result, bail};

use crate::command::cargo;
use crate::{dashboard, models, packages};

const MINUTES: u64 = 10;

pub(crate) fn run(rest: &[String]) -> Result<()> {
    let (mut minutes, mut seed, mut partition, mut completions) = (MINUTES, None, None, None);
    let mut rest = rest.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().map(|value| value.parse::<u64>().with_context(|| format!("{option} takes a number")));
        match (option.as_str(), value) {
            ("--minutes", Some(value)) => minutes = value?,
            ("--seed", Some(value)) => seed = Some(value?),
            ("--partition", Some(value)) => partition = Some(value?),
            ("--completions", Some(value)) => completions = Some(value?),
            _ => bail!("cargo xtask soak [--minutes N | --partition MINUTES | --completions N] [--seed S]"),
        }
    }
    packages::install()?;
    dashboard::build()?;
    if let Some(completions) = completions {
        models::install()?;
        let test = ["test", "--package", "nanoscale", "--test", "mesh", "--", "--nocapture", "whatever_dies"];
        return cargo(&test).env("NANOSCALE_COMPLETIONS", &completions.to_string()).run();
    }
    let soak = |tests| cargo(&["test", "--package", "nanoscale", "--test", "matrix", "--", "--nocapture", tests]);
    let seconds = |minutes: u64| (minutes * 60).to_string();
    let mut soak = match partition {
        Some(minutes) => soak("partition::").env("NANOSCALE_PARTITION_SECONDS", &seconds(minutes)),
        None => soak("seeded::").env("NANOSCALE_SOAK_SECONDS", &seconds(minutes)),
    };
    if let Some(seed) = seed {
        soak = soak.env("NANOSCALE_SEED", &seed.to_string());
    }
    // The test prints the seed.
    soak.run()
}
