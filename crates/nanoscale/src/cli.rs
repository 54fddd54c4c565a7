//! The client half of the command line: talks to a server over its API, and knows nothing of how a server works.

mod account;
mod audit;
mod client;
mod confirm;
mod find;
mod keys;
mod output;
mod plot;
mod secret;
mod size;
mod time;

mod git_credential;
mod login;
mod mesh;
mod node;
mod notify;
mod settings;
mod token;
mod user;

mod dotenv;
mod env;
mod file;
mod project;

mod deploy;
mod deployment;
mod pack;
mod release;
mod rollback;
mod watch;

mod once;
mod runs;
mod schedule;

mod activity;
mod follow;
mod logs;
mod sse;

mod terminal;
mod ws;

use std::process::ExitCode;

use anyhow::Result;

pub(crate) use account::is_loopback;
use client::ClientError;
pub(crate) use keys::KeysCommand;

#[derive(clap::Subcommand)]
pub(crate) enum ClientCommand {
    /// Sign in to a server and keep an API token for the commands below.
    Login(login::LoginArgs),
    /// Revoke and forget the token that `login` keeps.
    Logout,
    /// Deploy a directory, or a project's repository, and follow until it is live.
    Deploy(deploy::DeployArgs),
    /// Deploy a project's newest commit, or its last upload, again.
    Redeploy(deploy::RedeployArgs),
    /// Make an earlier release live again, without a build. Shows first what that changes.
    Rollback(rollback::RollbackArgs),
    /// The releases a rollback can choose from: list, pin, unpin.
    Release(release::ReleaseArgs),
    /// What an app writes.
    Logs(logs::LogsArgs),
    /// Run a command once with a project's live release, and end with its exit code.
    ///
    /// It has the release's files, environment, volumes and network, in a sandbox of its own. The exit code is 124 when
    /// the command was stopped at its time limit, 130 when somebody stopped it, and 1 when it ended by a signal or could
    /// not run. Ctrl-C stops it.
    Run(once::RunArgs),
    /// Run a command inside a running process of a project, and end with its exit code.
    ///
    /// It sees what the process sees, and ends with it. The exit code is 124 when the command was stopped at its time
    /// limit, 130 when somebody stopped it, and 1 when it ended by a signal or could not run. Ctrl-C stops it.
    Exec(once::ExecArgs),
    /// Workspaces: list, create, show, stop, start, rebuild, delete, log, ports, open.
    Ws(ws::WsArgs),
    /// A terminal of a workspace, in this one. Ends with the exit code of what ran there.
    ///
    /// Ctrl-] leaves, and the terminal goes on. Where standard input is no terminal it is passed on to its end, so that
    /// scripts can use it.
    Terminal(terminal::TerminalArgs),
    /// What happened in a project, newest first.
    Activity(activity::ActivityArgs),
    /// What was run: release commands, scheduled jobs, one-offs.
    Runs(runs::RunsArgs),
    /// Scheduled jobs: list, set, remove, run, history.
    Schedule(schedule::ScheduleArgs),
    /// Projects: list, show, create, update, delete, open.
    Project(project::ProjectArgs),
    /// Deployments: list, show, log, cancel.
    Deployment(deployment::DeploymentArgs),
    /// Environment variables of a project.
    Env(env::EnvArgs),
    /// Files that a project's processes and workspaces find: list, set, show, remove.
    File(file::FileArgs),
    /// The machines that apps run on.
    Node(node::NodeArgs),
    /// Models over machines of several owners: machines, credits, usage. `mesh serve` offers this machine's.
    Mesh(mesh::MeshArgs),
    /// Tell people what happens: by webhook, Slack or mail.
    Notify(notify::NotifyArgs),
    /// What people did to machines, in a chain that no entry can be taken out of unseen.
    Audit(audit::AuditArgs),
    /// API tokens.
    Token(token::TokenArgs),
    /// People who may sign in: list, add. For administrators.
    User(user::UserArgs),
    /// What your workspaces show to git servers: list, set, remove.
    GitCredential(git_credential::GitCredentialArgs),
    /// Your own settings.
    Settings(settings::SettingsArgs),
}

/// Whether a person or a script reads the output.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Format {
    /// Print the API's JSON unchanged, for scripts.
    #[arg(long, global = true)]
    json: bool,
}

/// Does what the command says. A failure is printed here, with what to do about it.
pub(crate) async fn run(command: ClientCommand) -> Result<ExitCode> {
    told(Box::pin(dispatch(command)).await)
}

/// The same for what is a command of the operator's, too.
pub(crate) async fn keys(command: &KeysCommand) -> Result<ExitCode> {
    told(keys::run(command).await)
}

fn told(outcome: Result<ExitCode>) -> Result<ExitCode> {
    match outcome {
        Ok(code) => Ok(code),
        Err(error) if reader_left(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            output::error(&format!("{error:#}"));
            if let Some(hint) = error.downcast_ref::<ClientError>().and_then(ClientError::hint) {
                output::note(format!("hint: {hint}"));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn dispatch(command: ClientCommand) -> Result<ExitCode> {
    match command {
        ClientCommand::Login(args) => login::login(args).await,
        ClientCommand::Logout => login::logout().await,
        ClientCommand::Deploy(args) => deploy::deploy(args).await,
        ClientCommand::Redeploy(args) => deploy::redeploy(args).await,
        ClientCommand::Rollback(args) => rollback::rollback(args).await,
        ClientCommand::Release(args) => release::run(args).await,
        ClientCommand::Logs(args) => logs::run(args).await,
        ClientCommand::Run(args) => once::run(args).await,
        ClientCommand::Exec(args) => once::exec(args).await,
        ClientCommand::Ws(args) => ws::run(args).await,
        ClientCommand::Terminal(args) => terminal::run(args).await,
        ClientCommand::Activity(args) => activity::run(args).await,
        ClientCommand::Runs(args) => runs::run(args).await,
        ClientCommand::Schedule(args) => schedule::run(args).await,
        ClientCommand::Project(args) => project::run(args).await,
        ClientCommand::Deployment(args) => deployment::run(args).await,
        ClientCommand::Env(args) => env::run(args).await,
        ClientCommand::File(args) => file::run(args).await,
        ClientCommand::Node(args) => node::run(args).await,
        ClientCommand::Mesh(args) => mesh::run(args).await,
        ClientCommand::Notify(args) => notify::run(args).await,
        ClientCommand::Audit(args) => audit::run(args).await,
        ClientCommand::Token(args) => token::run(args).await,
        ClientCommand::User(args) => user::run(args).await,
        ClientCommand::GitCredential(args) => git_credential::run(args).await,
        ClientCommand::Settings(args) => settings::run(args).await,
    }
}

/// Whether somebody like `head` closed our standard output.
fn reader_left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<output::Closed>().is_some()
}
