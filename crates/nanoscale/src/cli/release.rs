//! What a rollback can choose from.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::{Format, deployment, find, time};

#[derive(clap::Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: ReleaseCommand,
}

#[derive(clap::Subcommand)]
enum ReleaseCommand {
    /// The releases of a project that are kept, newest first.
    #[command(visible_alias = "ls")]
    List { project: String },
    /// Keep a release whatever its age.
    Pin {
        project: String,
        /// The number or id of the deployment that built it, or its own id.
        release: String,
    },
    /// Let a release go when it is too old, with the next deployment.
    Unpin {
        project: String,
        /// The number or id of the deployment that built it, or its own id.
        release: String,
    },
}

pub(super) async fn run(args: ReleaseArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        ReleaseCommand::List { project } => {
            let project = find::project(&client, &project).await?.value;
            let path = ["projects", project.id.as_str(), "releases"];
            client.get::<api::ReleaseList>(&path).await?.show(args.format.json, print)?;
        }
        ReleaseCommand::Pin { project, release } => {
            let release = find(&client, &project, &release).await?;
            client.put_silently(&["releases", release.id.as_str(), "pin"], &serde_json::json!({})).await?;
            output::line(format!("Pinned the release of deployment {}", release.number))?;
        }
        ReleaseCommand::Unpin { project, release } => {
            let release = find(&client, &project, &release).await?;
            client.delete(&["releases", release.id.as_str(), "pin"]).await?;
            output::line(format!("Unpinned the release of deployment {}", release.number))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(client: &Client, project: &str, name: &str) -> Result<api::Release> {
    let project = find::project(client, project).await?.value;
    let path = ["projects", project.id.as_str(), "releases"];
    let releases = client.get::<api::ReleaseList>(&path).await?.value.releases;
    let number = name.trim_start_matches('#').parse::<i64>().ok();
    let is_named = |release: &api::Release| {
        Some(release.number) == number || release.id.as_str() == name || release.deployment_id.as_str() == name
    };
    releases.into_iter().find(is_named).with_context(|| {
        format!("no release `{name}` is kept; `nanoscale release list '{}'` shows those that are", project.name)
    })
}

fn print(list: &api::ReleaseList) -> Result<()> {
    if list.releases.is_empty() {
        return output::line("No releases yet; the first deployment that goes live makes one.");
    }
    let mut table = Table::new(["DEPLOYMENT", "COMMIT", "BUILT", "", "ID"]);
    for release in &list.releases {
        let commit = release.commit.as_ref().map_or_else(|| "-".to_owned(), deployment::commit);
        let marks = [release.live.then_some("live"), release.pinned.then_some("pinned")];
        table.row([
            Cell::new(release.number, Colour::Bold),
            commit.into(),
            time::ago(&release.created_at).into(),
            Cell::new(marks.into_iter().flatten().collect::<Vec<_>>().join(", "), Colour::Green),
            Cell::new(&release.id, Colour::Dim),
        ]);
    }
    table.print()?;
    output::note(format!("{} are kept, beside those that are live or pinned", list.releases_kept));
    Ok(())
}
