//! Projects: what there is to deploy, and how.

pub(super) mod metrics;
mod placing;
mod runtime;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use ids::Builder;
use reqwest::StatusCode;

use super::client::{Client, ClientError};
use super::output::{self, Cell, Colour, Fields, Table};
use super::watch::{Show, Wait, conclude};
use super::{Format, confirm, dotenv, find, time};

/// How long a removal is waited for.
const REMOVAL: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub(crate) struct ProjectArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: ProjectCommand,
}

#[derive(clap::Subcommand)]
enum ProjectCommand {
    /// Every project with its state and address.
    #[command(visible_alias = "ls")]
    List,
    /// One project with its settings.
    Show { project: String },
    /// Make a project and, when it has a repository, deploy it.
    Create(Box<CreateArgs>),
    /// Change settings; the next deployment takes them up.
    Update(Box<UpdateArgs>),
    /// Remove a project with its processes, files and logs.
    #[command(visible_alias = "rm")]
    Delete {
        project: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Print a project's address.
    Open { project: String },
    /// What its processes used, as a small plot.
    Metrics(metrics::MetricsArgs),
    /// Remove what its builds keep for later ones. The next build takes as long as a first one.
    ClearCache { project: String },
}

#[derive(clap::Args)]
struct Settings {
    /// The repository's https address, without credentials.
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// An image to run instead of files to build, like `nginx:1.27` or `ghcr.io/owner/app`.
    #[arg(long, value_name = "NAME", conflicts_with = "repo")]
    image: Option<String>,
    /// Who the image's registry is asked as; its password is asked for, or read from the standard input.
    #[arg(long, value_name = "USER")]
    registry_user: Option<String>,
    /// What makes a release: the Dockerfile where there is one and a container engine (auto), the language's own tools
    /// (native), or the Dockerfile and nothing else (dockerfile).
    #[arg(long, value_name = "auto|native|dockerfile")]
    builder: Option<Builder>,
    /// Where the Dockerfile is, relative to --root; `Dockerfile` when absent.
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<String>,
    /// Branch or tag; the repository's default branch when absent.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Where in the source the app lies.
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
    /// Which changes of the repository concern it, for `redeploy --if-changed`: a pattern as in a .gitignore, from the
    /// repository's top; `!` takes paths out. May be repeated. What lies below --root when absent.
    #[arg(long, value_name = "GLOB")]
    watch: Vec<String>,
    /// Back to what lies below the root directory.
    #[arg(long, conflicts_with = "watch")]
    no_watch: bool,
    /// Command that installs dependencies; detected when absent.
    #[arg(long, value_name = "COMMAND")]
    install: Option<String>,
    /// Command that builds; detected when absent.
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// Command that runs the app; detected when absent.
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// What of the built tree is run or served.
    #[arg(long, value_name = "DIR")]
    output: Option<String>,
    /// The path the probe asks for.
    #[arg(long, value_name = "PATH")]
    health_path: Option<String>,
    #[command(flatten)]
    runtime: runtime::Runtime,
    /// How many releases a rollback can choose from, beside the pinned ones; 0 for the server's default.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=100))]
    releases_kept: Option<u32>,
    #[command(flatten)]
    placing: placing::PlacingArgs,
}

#[derive(clap::Args)]
struct CreateArgs {
    name: String,
    #[command(flatten)]
    settings: Settings,
    /// The stable loopback port at which the node also answers, 3100 or higher.
    #[arg(long)]
    port: Option<i64>,
    /// An environment variable. Others on this machine can see it while the command runs; --env-file keeps it secret.
    #[arg(long, value_name = "KEY=VALUE", value_parser = dotenv::parse_pair)]
    env: Vec<(String, String)>,
    /// A .env file with environment variables.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(flatten)]
    wait: Wait,
}

/// Options that are left out stay as they are; an empty text goes back to detection.
#[derive(clap::Args)]
struct UpdateArgs {
    project: String,
    /// A new name; the address stays.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) async fn run(args: ProjectArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let format = args.format;
    match args.command {
        ProjectCommand::List => {
            client.get::<api::ProjectList>(&["projects"]).await?.show(format.json, print_list)?;
        }
        ProjectCommand::Show { project } => {
            let project = find::project(&client, &project).await?;
            let around = Around::of(&client, &project.value).await;
            project.show(format.json, |project| print(project, &around))?;
        }
        ProjectCommand::Create(create) => return self::create(&client, *create, format).await,
        ProjectCommand::Update(update) => self::update(&client, *update, format).await?,
        ProjectCommand::Delete { project, yes } => delete(&client, &project, yes).await?,
        ProjectCommand::Open { project } => {
            find::project(&client, &project).await?.show(format.json, |project| output::line(&project.url))?;
        }
        ProjectCommand::Metrics(which) => metrics::show(&client, which, args.format.json).await?,
        ProjectCommand::ClearCache { project } => {
            let project = find::project(&client, &project).await?.value;
            let path = ["projects", project.id.as_str(), "cache"];
            client.delete_for::<api::BuildCachePruned>(&path).await?.show(format.json, super::node::print_pruned)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_list(list: &api::ProjectList) -> Result<()> {
    if list.projects.is_empty() {
        return output::line("No projects yet; `nanoscale deploy` makes one of the current directory.");
    }
    let mut table = Table::new(["NAME", "STATUS", "SOURCE", "DEPLOYED", "URL"]);
    for project in &list.projects {
        let deployed = project.latest_deployment.as_ref().map(|latest| time::ago(&latest.created_at));
        table.row([
            Cell::new(&project.name, Colour::Bold),
            output::project_status(project.status),
            project.source.into(),
            deployed.as_deref().unwrap_or("never").into(),
            Cell::from(&project.url),
        ]);
    }
    table.print()
}

/// What is shown of a project beside its settings.
struct Around {
    /// The name of its node, or what there is of it.
    node: String,
    /// What its volumes take, where its node can say.
    volumes: Vec<api::VolumeUse>,
}

impl Around {
    async fn of(client: &Client, project: &api::Project) -> Self {
        let node = client.get::<api::Node>(&["nodes", project.node_id.as_str()]).await;
        let node = node.map_or_else(|_| project.node_id.to_string(), |node| node.value.name);
        let volumes = match project.volumes.is_empty() {
            true => Vec::new(),
            false => {
                let used = client.get::<api::VolumeUseList>(&["projects", project.id.as_str(), "volumes"]).await;
                used.map(|used| used.value.volumes).unwrap_or_default()
            }
        };
        Self { node, volumes }
    }
}

fn print(project: &api::Project, around: &Around) -> Result<()> {
    let deployment = |deployment: &Option<api::Deployment>| {
        let deployment = deployment.as_ref()?;
        let ago = time::ago(&deployment.created_at);
        Some(format!("{} ({}), {ago}, {}", deployment.number, deployment.state, deployment.id))
    };
    let mut fields = Fields::default();
    fields.add("name", &project.name).add("id", &project.id).add("url", &project.url);
    fields.add("status", output::project_status(project.status)).add("source", project.source);
    fields.add_some("image", project.image.as_ref()).add_some("registry user", project.registry_username.as_ref());
    fields.add_some("repository", project.repo_url.as_ref()).add_some("branch", project.branch.as_ref());
    fields.add_some("root", project.root_directory.as_ref()).add_some("install", project.install_command.as_ref());
    fields.add_some("watch", (!project.watch_paths.is_empty()).then(|| project.watch_paths.join(", ")));
    fields.add_some("build", project.build_command.as_ref()).add_some("run", project.run_command.as_ref());
    fields.add_some("output", project.output_directory.as_ref()).add_some("health path", project.health_path.as_ref());
    fields.add_some("builder", (project.builder != Builder::Auto).then_some(project.builder));
    fields.add_some("dockerfile", project.dockerfile_path.as_ref());
    fields.add_some("releases kept", project.releases_kept).add("port", project.port);
    fields.add_some("port error", project.port_error.as_deref().map(|error| Cell::new(error, Colour::Yellow)));
    fields.add_some("down", project.down_reason.as_deref().map(|reason| Cell::new(reason, Colour::Yellow)));
    fields.add("node", &around.node);
    placing::show(&mut fields, project);
    runtime::print(&mut fields, project, &around.volumes);
    fields.add_some("live", deployment(&project.live_deployment));
    fields.add_some("latest", deployment(&project.latest_deployment));
    fields.add("created", time::local(&project.created_at));
    fields.print()
}

async fn create(client: &Client, args: CreateArgs, format: Format) -> Result<ExitCode> {
    let mut variables = match &args.env_file {
        Some(path) => dotenv::read(path)?,
        None => Vec::new(),
    };
    variables.retain(|(key, _)| args.env.iter().all(|(other, _)| other != key));
    variables.extend(args.env);
    let settings = args.settings;
    let placing = settings.placing.read(client).await?;
    let registry_password = registry_password(settings.registry_user.as_deref())?;
    let create = api::ProjectCreate {
        image: settings.image,
        registry_username: settings.registry_user,
        registry_password,
        builder: settings.builder,
        dockerfile_path: settings.dockerfile,
        name: args.name,
        repo_url: settings.repo,
        branch: settings.branch,
        root_directory: settings.root,
        watch_paths: settings.watch,
        install_command: settings.install,
        build_command: settings.build,
        run_command: settings.run,
        output_directory: settings.output,
        port: args.port,
        health_path: settings.health_path,
        network: settings.runtime.network(&api::NetworkSettings::default()),
        volumes: settings.runtime.volumes(&[]),
        limits: settings.runtime.limits(&api::LimitSettings::default()),
        releases_kept: settings.releases_kept,
        env_vars: variables.into_iter().map(|(key, value)| api::EnvVarInput { key, value }).collect(),
        node_id: placing.node_id,
        replicas: placing.replicas,
        node_labels: placing.node_labels,
        reschedule: placing.reschedule,
    };
    let answer = client.post::<api::ProjectCreated>(&["projects"], &create).await?;
    answer.show(format.json, |created| output::line(format!("Created the project `{}`", created.project.name)))?;
    match &answer.value.deployment {
        // One document on standard output; a script reads on with the deployment's id.
        _ if format.json => Ok(ExitCode::SUCCESS),
        Some(deployment) => conclude(client, &answer.value.project, deployment, args.wait, Show::Log, format).await,
        None => {
            output::note(format!("Deploy a directory with: nanoscale deploy DIR --project '{}'", create.name));
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn update(client: &Client, args: UpdateArgs, format: Format) -> Result<()> {
    let settings = args.settings;
    let project = find::project(client, &args.project).await?.value;
    let placing = settings.placing.read(client).await?;
    let registry_password = registry_password(settings.registry_user.as_deref())?;
    let update = api::ProjectUpdate {
        name: args.name,
        image: settings.image,
        registry_username: settings.registry_user,
        registry_password,
        builder: settings.builder,
        dockerfile_path: settings.dockerfile,
        repo_url: settings.repo,
        branch: settings.branch,
        root_directory: settings.root,
        watch_paths: (settings.no_watch || !settings.watch.is_empty()).then_some(settings.watch),
        install_command: settings.install,
        build_command: settings.build,
        run_command: settings.run,
        output_directory: settings.output,
        health_path: settings.health_path,
        network: settings.runtime.network(&project.network),
        volumes: settings.runtime.volumes(&project.volumes),
        limits: settings.runtime.limits(&project.limits),
        releases_kept: settings.releases_kept,
        node_id: placing.node_id,
        replicas: placing.replicas,
        node_labels: placing.node_labels,
        reschedule: placing.reschedule,
    };
    if serde_json::to_value(&update)?.as_object().is_some_and(serde_json::Map::is_empty) {
        bail!("nothing to change; `nanoscale project update --help` lists the settings");
    }
    let answer = client.patch::<api::Project>(&["projects", project.id.as_str()], &update).await?;
    let around = Around::of(client, &answer.value).await;
    answer.show(format.json, |project| {
        print(project, &around)?;
        output::note(format!("The next deployment takes it up: nanoscale redeploy '{}'", project.name));
        Ok(())
    })
}

async fn delete(client: &Client, name: &str, yes: bool) -> Result<()> {
    let project = find::project(client, name).await?.value;
    if !yes {
        let warning = format!("This removes `{}` with its processes, files, variables and logs.", project.name);
        confirm::by_name(&warning, &project.name)?;
    }
    let path = ["projects", project.id.as_str()];
    let mut gone = client.delete(&path).await? == StatusCode::NO_CONTENT;
    let give_up = tokio::time::Instant::now() + REMOVAL;
    while !gone && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(POLL).await;
        gone = match client.get::<api::Project>(&path).await {
            Ok(_) => false,
            Err(error) if ClientError::is_not_found(&error) => true,
            Err(error) => return Err(error),
        };
    }
    let said = if gone { "Deleted" } else { "Still deleting" };
    output::line(format!("{said} `{}`", project.name))
}

/// The password of a registry's user: never an argument, which others on this machine can see.
fn registry_password(user: Option<&str>) -> Result<Option<String>> {
    match user.filter(|user| !user.is_empty()) {
        Some(user) => super::secret::read(&format!("Password of {user} at the registry")),
        None => Ok(None),
    }
}
