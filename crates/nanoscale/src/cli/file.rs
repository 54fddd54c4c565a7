//! Files that a project's processes and workspaces find.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::client::Client;
use super::env::Shown;
use super::output::{self, Cell, Colour, Table};
use super::{Format, find, time};

#[derive(clap::Args)]
pub(crate) struct FileArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: FileCommand,
}

#[derive(clap::Subcommand)]
enum FileCommand {
    /// The files of a project.
    #[command(visible_alias = "ls")]
    List { project: String },
    /// Set a file. The next deployment and the next start of a workspace take it up.
    Set {
        project: String,
        /// `~/.npmrc` in the home directory, `/etc/app.conf` absolute, `config/app.json` among the project's own files.
        path: String,
        /// Where its content is; standard input when absent.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the content of a file that is not secret.
    Show { project: String, path: String },
    /// Remove a file.
    #[command(visible_alias = "rm")]
    Remove { project: String, path: String },
}

pub(super) async fn run(args: FileArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let format = args.format;
    match args.command {
        FileCommand::List { project } => {
            let project = find::project(&client, &project).await?.value;
            let path = ["projects", project.id.as_str(), "runtime-config"];
            client.get::<api::RuntimeConfig>(&path).await?.show(format.json, |config| print_list(&project, config))?;
        }
        FileCommand::Set { project, path, from, shown } => {
            let project = find::project(&client, &project).await?.value;
            let set = api::RuntimeFileSet { path, content: content(from)?, is_secret: shown.is_secret() };
            let route = ["projects", project.id.as_str(), "runtime", "files"];
            let answer = client.post::<api::RuntimeConfig>(&route, &set).await?;
            answer.show(format.json, |_| {
                output::line(format!("Set {}", set.path))?;
                output::note(format!("The next deployment takes it up: nanoscale redeploy '{}'", project.name));
                Ok(())
            })?;
        }
        FileCommand::Show { project, path } => {
            let project = find::project(&client, &project).await?.value;
            let config = client.get::<api::RuntimeConfig>(&["projects", project.id.as_str(), "runtime-config"]).await?;
            let Some(file) = config.value.files.into_iter().find(|file| file.path == path) else {
                bail!("`{}` has no file `{path}`; `nanoscale file list` shows those that it has", project.name);
            };
            match file.content {
                Some(content) => output::text(&content)?,
                None => bail!("`{path}` is secret: it goes to the project's processes and is never shown"),
            }
        }
        FileCommand::Remove { project, path } => {
            let project = find::project(&client, &project).await?.value;
            let route = ["projects", project.id.as_str(), "runtime", "files"];
            client.delete_with(&route, &[("path", path.clone())]).await?;
            output::line(format!("Removed {path}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Byte for byte, also the newline at its end.
fn content(from: Option<PathBuf>) -> Result<String> {
    let mut bytes = Vec::new();
    let name = match &from {
        Some(path) => {
            bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
            path.display().to_string()
        }
        None => {
            io::stdin().lock().read_to_end(&mut bytes).context("read standard input")?;
            "what came on standard input".to_owned()
        }
    };
    String::from_utf8(bytes).with_context(|| format!("{name} is not text in UTF-8, and nothing else can be kept"))
}

fn print_list(project: &api::Project, config: &api::RuntimeConfig) -> Result<()> {
    if config.files.is_empty() {
        output::note(format!("`{}` has no files of its own.", project.name));
        return Ok(());
    }
    let mut table = Table::new(["PATH", "SIZE", "SHOWN", "CHANGED"]);
    for file in &config.files {
        table.row([
            Cell::new(&file.path, Colour::Bold),
            output::bytes(file.size_bytes).into(),
            if file.is_secret { "secret" } else { "plain" }.into(),
            time::ago(&file.updated_at).into(),
        ]);
    }
    table.print()
}
