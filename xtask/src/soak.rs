//! Kills by chance, for longer than the suite takes: `crates/nanoscale/tests/matrix/seeded.rs`.

use anyhow::{Context, Result, bail};

use crate::command::cargo;
use crate::{dashboard, packages};

const MINUTES: u64 = 10;

pub(crate) fn run(rest: &[String]) -> Result<()> {
    let (mut minutes, mut seed) = (MINUTES, None);
    let mut rest = rest.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().map(|value| value.parse::<u64>().with_context(|| format!("{option} takes a number")));
        match (option.as_str(), value) {
            ("--minutes", Some(value)) => minutes = value?,
            ("--seed", Some(value)) => seed = Some(value?),
            _ => bail!("cargo xtask soak [--minutes N] [--seed S]"),
        }
    }
    packages::install()?;
    dashboard::build()?;
    let test = ["test", "--package", "nanoscale", "--test", "matrix", "--", "--nocapture", "seeded::"];
    let mut soak = cargo(&test).env("NANOSCALE_SOAK_SECONDS", &(minutes * 60).to_string());
    if let Some(seed) = seed {
        soak = soak.env("NANOSCALE_SEED", &seed.to_string());
    }
    // The test prints the seed.
    soak.run()
}
