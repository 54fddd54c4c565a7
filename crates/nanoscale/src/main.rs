//! The `nanoscale` program: reads its arguments and its configuration, and wires the rooms together.

mod cli;
mod config;
mod disk;
mod log;
mod mesh_serve;
mod operator;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use config::MeshService;
use serve::Part;

/// Your private cloud: deploy apps on machines you own.
#[derive(Parser)]
#[command(name = "nanoscale", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// The configuration file. Default: /opt/nanoscale/config.json if there is one, else development defaults.
    #[arg(long, global = true, env = "NANOSCALE_CONFIG_PATH", value_name = "FILE")]
    config: Option<PathBuf>,
    /// What this process is: `orchestrator` is another word for `serve`, the others for `serve` with that word.
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Another word for the `join` command.
    #[arg(long, value_name = "TOKEN", conflicts_with = "role")]
    join: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Orchestrator,
    Coordinator,
    Inference,
    ControlPlane,
    Portal,
}

impl Role {
    fn only(self) -> Option<Only> {
        match self {
            Self::Orchestrator => None,
            Self::Coordinator => Some(Only::Coordinator),
            Self::Inference => Some(Only::Inference),
            Self::ControlPlane => Some(Only::ControlPlane),
            Self::Portal => Some(Only::Portal),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Bootstrap {
    Coordinator,
}

#[derive(Clone, Copy, ValueEnum)]
enum Only {
    /// API and dashboard. It needs no rights on the machine.
    Server,
    /// What visitors meet. It needs the right to bind its port.
    Edge,
    /// What builds and runs apps. It is root and listens on nothing.
    Node,
    /// Of a mesh: machines link to it, and programs ask it for models.
    Coordinator,
    /// Of a mesh: models that the coordinator asks for, of an engine beside this process.
    Inference,
    /// Of a mesh: for who runs it.
    ControlPlane,
    /// Of a mesh: people and their machines. It has a database of its own.
    Portal,
}

#[derive(Subcommand)]
enum Command {
    /// Run server, node and edge in this process, or one of them; or one of the mesh's services.
    Serve {
        /// Run only this one.
        #[arg(value_enum)]
        only: Option<Only>,
        /// Code for the first-run setup, instead of a random one that is printed.
        #[arg(long, env = "NANOSCALE_SETUP_CODE", hide_env_values = true, value_name = "CODE")]
        setup_code: Option<String>,
    },
    /// Make this machine a node of a cluster, and be it from now on.
    ///
    /// It needs no address of its own that the server could reach. A later start needs no token.
    Join(serve::JoinArgs),
    /// Ask a few questions and write the configuration file.
    Setup,
    /// Show or check the configuration.
    Config {
        #[command(subcommand)]
        command: operator::ConfigCommand,
    },
    /// Make keys for secrets at rest; list and rotate the keys that tokens are signed with.
    Keys {
        #[command(subcommand)]
        command: operator::KeysCommand,
    },
    /// Bring the database's tables up to date and leave.
    Migrate,
    /// Bring the tables of the mesh's coordinator up to date, and say how they stand as JSON.
    Bootstrap {
        #[arg(value_enum)]
        what: Bootstrap,
        /// Of one that is a process of its own (`nanoscale serve coordinator`), with its database.
        #[arg(long)]
        alone: bool,
    },
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
    #[command(flatten)]
    Client(cli::ClientCommand),
}

fn main() -> ExitCode {
    if let Some(ended) = of_a_node() {
        return ended;
    }
    let cli = Cli::parse();
    let command = match (cli.role, cli.join, cli.command) {
        (Some(role), None, None) => {
            Command::Serve { only: role.only(), setup_code: std::env::var("NANOSCALE_SETUP_CODE").ok() }
        }
        (None, Some(token), None) => {
            Command::Join(serve::JoinArgs { token: Some(token), ..serve::JoinArgs::default() })
        }
        (None, None, Some(command)) => command,
        _ => return usage(),
    };
    let config = cli.config.as_deref();
    let log = match log::start(matches!(command, Command::Serve { .. } | Command::Join(_))) {
        Ok(log) => log,
        Err(error) => return failure(&error),
    };
    let outcome = match command {
        Command::Serve { only, setup_code } => serve::run(part(only, setup_code), config, &log),
        Command::Join(args) => serve::run(Part::Joined(args), config, &log),
        Command::Setup => operator::setup(config),
        Command::Config { command } => operator::config(command, config),
        Command::Keys { command } => operator::keys(command),
        Command::Migrate => operator::migrate(config),
        Command::Bootstrap { what: Bootstrap::Coordinator, alone } => operator::bootstrap_coordinator(config, alone),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "nanoscale", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Client(command) => block_on(cli::run(command)),
    };
    outcome.unwrap_or_else(|error| failure(&error))
}

/// What only a node starts, several times for each process of an app: `shim` and `internal NAME REQUEST`. It is read
/// before the words of people, of which the parser makes more than all else here takes. Both stay single-threaded, as
/// they become, or serve, one confined process.
fn of_a_node() -> Option<ExitCode> {
    let arguments = std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect::<Option<Vec<_>>>()?;
    let work: &dyn Fn() -> ExitCode = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["shim"] => &node::shim_main,
        ["internal", name, request] => &|| node::confined::main(name, request),
        _ => return None,
    };
    Some(match log::start(false) {
        Ok(_) => work(),
        Err(error) => failure(&error),
    })
}

fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn part(only: Option<Only>, setup_code: Option<String>) -> Part {
    let of_mesh = |service| Part::Mesh { service, setup_code: setup_code.clone() };
    match only {
        Some(Only::Coordinator) => of_mesh(MeshService::Coordinator),
        Some(Only::ControlPlane) => of_mesh(MeshService::ControlPlane),
        Some(Only::Portal) => of_mesh(MeshService::Portal),
        None => Part::All { setup_code },
        Some(Only::Server) => Part::Server { setup_code },
        Some(Only::Edge) => Part::Edge,
        Some(Only::Node) => Part::Node,
        Some(Only::Inference) => Part::Inference,
    }
}

/// Neither a command nor a word for one, or both.
fn usage() -> ExitCode {
    eprintln!("error: give either a command, --role or --join\n\n{}", Cli::command().render_help());
    ExitCode::from(2)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
