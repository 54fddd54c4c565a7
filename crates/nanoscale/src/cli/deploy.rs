//! Bringing something live: a directory or a commit.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ids::SourceKind;

use super::client::{Client, ClientError};
use super::watch::{Show, Wait, conclude};
use super::{Format, find, output, pack};

const PROGRESS: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
pub(crate) struct DeployArgs {
    /// The directory to deploy, without what .gitignore and .nanoscaleignore name. Default: the current one.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The project, made when there is none of that name. Default: the directory's name.
    ///
    /// A project with a repository is deployed from there, unless a directory is given too.
    #[arg(long, short, visible_alias = "name", value_name = "NAME")]
    project: Option<String>,
    /// The full id of the commit to deploy, of a project with a repository.
    #[arg(long, value_name = "SHA", requires = "project", conflicts_with = "directory")]
    commit: Option<String>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    format: Format,
}

#[derive(clap::Args)]
pub(crate) struct RedeployArgs {
    project: String,
    /// The full id of the commit to take instead of the branch's newest.
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// Only if a path that the project watches differs from the live commit; see `project update --watch`.
    #[arg(long)]
    if_changed: bool,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn deploy(args: DeployArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    if let (None, Some(name)) = (&args.directory, &args.project)
        && let Some(project) = find::project_if_any(&client, name).await?
        && matches!(project.value.source, SourceKind::Git | SourceKind::Image)
    {
        let request = api::Redeploy { commit: args.commit, if_changed: false };
        return again(&client, &project.value, &request, args.wait, args.format).await;
    }
    if args.commit.is_some() {
        bail!("only a project with a repository has commits; leave out --commit to deploy the current directory");
    }
    let directory = directory(args.directory.as_deref())?;
    pack::check(&directory)?;
    let name = match args.project {
        Some(name) => name,
        None => directory_name(&directory)?,
    };
    let project = match find::project_if_any(&client, &name).await? {
        Some(project) => project.value,
        None => create(&client, name).await?,
    };
    let accepted = upload(&client, &project, directory).await?;
    conclude(&client, &project, &accepted, args.wait, Show::Log, args.format).await
}

pub(super) async fn redeploy(args: RedeployArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let project = find::project(&client, &args.project).await?.value;
    let request = api::Redeploy { commit: args.commit, if_changed: args.if_changed };
    again(&client, &project, &request, args.wait, args.format).await
}

/// Deploys what the project's source holds now.
pub(super) async fn again(
    client: &Client,
    project: &api::Project,
    request: &api::Redeploy,
    wait: Wait,
    format: Format,
) -> Result<ExitCode> {
    let path = ["projects", project.id.as_str(), "redeploy"];
    let answer = client.post::<api::Redeployed>(&path, request).await?;
    match &answer.value {
        api::Redeployed::Accepted(accepted) => {
            conclude(client, project, &accepted.deployment, wait, Show::Log, format).await
        }
        api::Redeployed::Not(not) => {
            answer.show(format.json, |_| output::line(format!("Nothing to deploy: {}", output::safe(&not.reason))))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The directory to deploy, with its real name.
fn directory(given: Option<&Path>) -> Result<PathBuf> {
    let path = given.unwrap_or_else(|| Path::new("."));
    let directory = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("the directory {} does not exist", path.display());
        }
        directory => directory.with_context(|| format!("open {}", path.display()))?,
    };
    if !directory.is_dir() {
        bail!("{} is no directory", path.display());
    }
    let is_home = std::env::var_os("HOME").is_some_and(|home| Path::new(&home) == directory);
    if given.is_none() && (is_home || directory.parent().is_none()) {
        bail!("this is {}; go to a project's directory, or name one", directory.display());
    }
    Ok(directory)
}

fn directory_name(directory: &Path) -> Result<String> {
    let name = directory.file_name().and_then(|name| name.to_str());
    Ok(name.context("the directory's name cannot be a project's; give --project")?.to_owned())
}

async fn create(client: &Client, name: String) -> Result<api::Project> {
    let create = api::ProjectCreate { name, ..api::ProjectCreate::default() };
    let project = client.post::<api::ProjectCreated>(&["projects"], &create).await?.value.project;
    output::note(format!("Created the project `{}`", project.name));
    Ok(project)
}

async fn upload(client: &Client, project: &api::Project, directory: PathBuf) -> Result<api::Deployment> {
    output::note(format!("Uploading {} to `{}`", directory.display(), project.name));
    let packing = pack::start(directory);
    let made = || output::bytes(packing.made.load(std::sync::atomic::Ordering::Relaxed));
    let path = ["projects", project.id.as_str(), "source"];
    let mut sending = std::pin::pin!(client.upload::<api::DeploymentAccepted>(&path, packing.body));
    let mut ticks = tokio::time::interval(PROGRESS);
    let sent = loop {
        tokio::select! {
            sent = &mut sending => break sent,
            _ = ticks.tick() => output::progress(&made()),
        }
    };
    output::progress("");
    let packed = packing.done.await.context("pack the directory")?;
    match (sent, packed) {
        (Ok(accepted), Ok(packed)) => {
            let total = output::bytes(packed.bytes);
            let files = if packed.files == 1 { "file" } else { "files" };
            output::note(format!("Uploaded {} {files}, {total} packed into {}", packed.files, made()));
            Ok(accepted.value.deployment)
        }
        // A server that says no stops reading, and a broken archive breaks the connection: each hides behind the other.
        (Err(error), Err(cause)) if !is_refusal(&error) && !pack::was_unwanted(&cause) => Err(cause),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

fn is_refusal(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ClientError::Refused { .. }))
}
