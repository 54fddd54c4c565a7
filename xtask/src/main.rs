//! Development tasks. `cargo xtask` lists them.

mod bench;
mod command;
mod dashboard;
mod lint;
mod models;
mod packages;
mod smoke;
mod soak;
mod tidy;
mod toolchains;
mod vm;

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use command::{cargo, root};

const USAGE: &str = "cargo xtask <task>

  run [args…]    build everything and start NanoScale for development
  install        what the tests need, and no more
  test [args…]   install what the tests need and run all of them
  soak           kill by chance: --minutes N (10), --seed S of a run to repeat
  vm test [names…]
                 the part of it that runs in an emulated Debian 12 with cgroup v2
  vm reboot      the last part of that: the machine loses its power and starts again
  lint           formatting, clippy, types, generated files, the repository's own rules
  gen            write docs/openapi.json and the dashboard's types anew
  dist           build the release binary with the dashboard in it
  bench          measure, beside peers, and write docs/BENCHMARKS.md";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest = arguments.collect::<Vec<_>>();
    let outcome = match task.as_str() {
        "run" => run(&rest),
        "install" => install(),
        "test" => test(&rest),
        "lint" => lint::run(),
        "gen" => generate(),
        "dist" => dist(),
        "soak" => soak::run(&rest),
        "bench" => bench::run(&rest),
        "vm" => virtual_machine(&rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(rest: &[String]) -> Result<()> {
    dashboard::build()?;
    cargo(&["build", "--package", "nanoscale"]).run()?;
    // In place of this process, so that signals reach the server itself.
    let error = std::process::Command::new(command::target().join("debug/nanoscale")).arg("serve").args(rest).exec();
    Err(error).context("start target/debug/nanoscale")
}

/// Everything, on SQLite; then what both databases have to do alike, on PostgreSQL too; then what depends on the
/// kernel, on another one.
fn test(rest: &[String]) -> Result<()> {
    install()?;
    dashboard::build()?;
    dashboard::test()?;
    cargo(&["test", "--workspace"]).args(rest).run()?;
    smoke::run()?;
    cargo(&["test", "--package", "nanoscale", "--test", "it", "--", "both::"])
        .env("NANOSCALE_TEST_DATABASE", "postgres")
        .run()?;
    vm::test(&[])
}

/// What the tests need.
fn install() -> Result<()> {
    packages::install()?;
    models::install()?;
    dashboard::install_xterm()
}

fn virtual_machine(rest: &[String]) -> Result<()> {
    match rest {
        [task, names @ ..] if task == "test" => vm::test(names),
        [task] if task == "reboot" => vm::reboot(),
        _ => bail!("cargo xtask vm test [names…], or cargo xtask vm reboot"),
    }
}

fn generate() -> Result<()> {
    let openapi = cargo(&["run", "--quiet", "--package", "server", "--example", "openapi"]).output()?;
    std::fs::write(root().join("docs/openapi.json"), openapi).context("write docs/openapi.json")?;
    dashboard::install()?;
    dashboard::npm(&["run", "gen"])
}

fn dist() -> Result<()> {
    dashboard::build()?;
    cargo(&["build", "--release", "--package", "nanoscale"]).run()?;
    println!("{}", command::target().join("release/nanoscale").display());
    Ok(())
}
