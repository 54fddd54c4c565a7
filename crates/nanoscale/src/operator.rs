//! Commands for whoever runs the server, on its machine.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::config::{self, Config, MeshService};

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a configuration file with every default.
    Default,
    /// Read the configuration and report every mistake in it.
    Check,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Write a new key ring to a file that only its owner reads.
    Generate {
        #[arg(long, value_name = "FILE", default_value = "keys.json")]
        out: PathBuf,
    },
    #[command(flatten)]
    Signing(crate::cli::KeysCommand),
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn config(command: ConfigCommand, path: Option<&Path>) -> Result<ExitCode> {
    match command {
        ConfigCommand::Default => println!("{}", config::default_file()),
        ConfigCommand::Check => {
            let config = config::load(path)?;
            for warning in &config.warnings {
                eprintln!("warning: {warning}");
            }
            println!("the configuration is valid");
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn keys(command: KeysCommand) -> Result<ExitCode> {
    let out = match &command {
        KeysCommand::Generate { out } => out,
        KeysCommand::Signing(command) => return crate::block_on(crate::cli::keys(command)),
    };
    server::KeyRing::generate()
        .create(out)
        .with_context(|| format!("write {}; a key ring that is there is never overwritten", out.display()))?;
    println!(
        "wrote {}; put it into `server` below the data directory as keys.json before the first start",
        out.display()
    );
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn migrate(path: Option<&Path>) -> Result<ExitCode> {
    bring_up_to_date(&config::load(path)?)?;
    println!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

/// The same for the coordinator's, told as the control plane tells it.
#[expect(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn bootstrap_coordinator(path: Option<&Path>, alone: bool) -> Result<ExitCode> {
    let config = if alone { config::load_for_mesh(path, MeshService::Coordinator)? } else { config::load(path)? };
    let database = format!("{}_ready", bring_up_to_date(&config)?);
    println!("{}", serde_json::json!({ "ok": true, "database": database, "modelBootstrap": "skipped" }));
    Ok(ExitCode::SUCCESS)
}

/// What kind of database it is.
fn bring_up_to_date(config: &Config) -> Result<&'static str> {
    crate::serve::make_private(&config.server_dir())?;
    crate::block_on(async {
        let store = store::Store::open(&config.database_url).await.context("open the database")?;
        let engine = store.engine();
        store.close().await;
        Ok(engine)
    })
}

/// Asks on the terminal and writes the file.
#[expect(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn setup(path: Option<&Path>) -> Result<ExitCode> {
    let path = path.map_or_else(|| PathBuf::from("config.json"), Path::to_path_buf);
    if path.exists() {
        bail!("{} is there already; edit it, or move it away first", path.display());
    }
    println!("This writes {}. Enter takes the value in brackets.", path.display());
    let home = config::load(None).map(|config| config.data_dir.display().to_string()).unwrap_or_default();
    let data_dir = ask("Directory for data", &home)?;
    let bind = ask("Address of the API and dashboard", "127.0.0.1:4000")?;
    let edge = ask("Address of the edge, where visitors come in", "127.0.0.1:8080")?;
    let domain = ask("Domain below which apps get their names", "localhost")?;
    let file = serde_json::json!({
        "data_dir": data_dir,
        "orchestrator": { "bind_address": bind, "base_domain": domain },
        "edge": { "http_bind": edge },
    });
    std::fs::write(&path, serde_json::to_string_pretty(&file)? + "\n")
        .with_context(|| format!("write {}", path.display()))?;
    if let Err(mistakes) = config::load(Some(&path)) {
        std::fs::remove_file(&path)?;
        return Err(mistakes.into());
    }
    println!("Start with: nanoscale serve --config {}", path.display());
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "a question on the terminal")]
fn ask(question: &str, default: &str) -> Result<String> {
    print!("{question} [{default}]: ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        bail!("the questions were not answered");
    }
    let answer = line.trim();
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
}
