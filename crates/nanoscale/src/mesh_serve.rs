//! `nanoscale mesh serve`: this machine's models for a mesh, and nothing else of it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, FromArgMatches};
use ids::MeshNodeId;
use link::PublicKey;
use mesh_agent::{Config, Hours, MeshAgent, MeshPrice, OwnEngine, Terms, Upstream, UpstreamKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

const OLLAMA: &str = "http://127.0.0.1:11434";
const OLLAMA_PORT: u16 = 11434;

/// What the mesh may use of this machine, and for what.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    /// Where the coordinator is, where the control plane does not say it.
    #[arg(long, env = "COORDINATOR_URL", value_name = "URL", required_unless_present = "control_plane")]
    coordinator: Option<Url>,
    /// The control plane of the mesh, which knows where coordinators are.
    #[arg(long, env = "CONTROL_PLANE_URL", value_name = "URL")]
    control_plane: Option<Url>,
    /// The coordinator's key, as the dashboard shows it. Without it, whoever answers the first time is the coordinator.
    #[arg(long, env = "COORDINATOR_KEY", value_name = "KEY")]
    coordinator_key: Option<PublicKey>,
    /// What this machine was enrolled as.
    #[arg(long, env = "AGENT_ID", value_name = "NAME")]
    node_id: MeshNodeId,
    /// Read the registration token from this file; AGENT_REGISTRATION_TOKEN may have it instead. Needed once.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A llama.cpp server whose models are offered. May be given several times.
    #[arg(long, env = "LLAMA_URL", value_delimiter = ',', value_name = "URL")]
    llama: Vec<Url>,
    /// An Ollama server whose models are offered. Default, where there is no llama.cpp server: http://127.0.0.1:11434.
    #[arg(long, env = "OLLAMA_HOST", value_name = "URL")]
    ollama: Option<String>,
    /// Read the API key of the llama.cpp servers from this file; LLAMA_API_KEY may have it instead.
    #[arg(long, value_name = "FILE")]
    llama_key_file: Option<PathBuf>,
    /// A model of this machine, for which llama.cpp's server is run beside the mesh agent. May be given several times.
    #[arg(long, value_name = "FILE")]
    gguf: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Let programs of this machine ask its models here, too, like 127.0.0.1:11435, with the token in `local.token` of the directory.
    #[arg(long, value_name = "ADDRESS")]
    local: Option<SocketAddr>,
    /// Offer this model, and no other that is not named so. May be given several times.
    #[arg(long, value_name = "NAME")]
    model: Vec<String>,
    /// Let administrators of the mesh choose models that Ollama fetches to this machine.
    #[arg(long)]
    allow_pulls: bool,
    /// Let others use this machine at these hours only, like 22:00-08:00, by its own clock. May be given several times.
    #[arg(long, value_name = "FROM-TO")]
    hours: Vec<Hours>,
    /// Microcredits for a token of a prompt.
    #[arg(long, default_value_t = 10, value_name = "NUMBER")]
    input_price: u32,
    /// Microcredits for a token of an answer.
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    output_price: u32,
    /// Both, of one model: like `big=20/60`. May be given several times.
    #[arg(long, value_name = "MODEL=INPUT/OUTPUT", value_parser = model_price)]
    price: Vec<(String, MeshPrice)>,
    #[command(flatten)]
    directory: Directory,
}

/// How the engines of `--gguf` are run: how much of the machine they may have.
#[derive(clap::Args)]
struct EngineArgs {
    /// The server of llama.cpp.
    #[arg(long, env = "LLAMA_SERVER", default_value = "llama-server", value_name = "PROGRAM")]
    llama_server: PathBuf,
    /// Tokens of one request with its answer.
    #[arg(long, default_value_t = 4096, value_name = "TOKENS")]
    context: u32,
    /// Requests at the same time.
    #[arg(long, default_value_t = 2, value_name = "NUMBER")]
    slots: u32,
    /// Processors that an engine may use. Default: all.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<u32>,
    /// Layers of a model that the graphics card computes. Default: as llama.cpp decides.
    #[arg(long, value_name = "NUMBER")]
    gpu_layers: Option<u32>,
}

impl EngineArgs {
    /// The model is called as its file is.
    fn engine(&self, model: PathBuf) -> OwnEngine {
        let name = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let Self { llama_server, context, slots, threads, gpu_layers } = self;
        let (program, slots) = (llama_server.clone(), (*slots).max(1));
        OwnEngine { program, model, name, context: *context, slots, threads: *threads, gpu_layers: *gpu_layers }
    }
}

/// Where a mesh agent's key is, and its owner's word.
#[derive(clap::Args)]
pub(crate) struct Directory {
    /// Where this machine's key is kept.
    #[arg(long = "directory", env = "NANOSCALE_MESH_DIR", value_name = "DIRECTORY")]
    path: Option<PathBuf>,
}

impl Directory {
    fn path(self) -> Result<PathBuf> {
        let usual = || Some(crate::config::user_data_dir()?.join("mesh-agent"));
        let path = self.path.or_else(usual);
        path.context("neither XDG_DATA_HOME nor HOME says where its key may go; give --directory")
    }
}

/// Lets nobody else use this machine until `resume`; or lets them again.
pub(crate) fn pause(directory: Directory, reason: Option<&str>) -> Result<ExitCode> {
    let path = directory.path()?;
    if !path.is_dir() {
        bail!("{} is not there: no mesh agent has served from it; give --directory", path.display());
    }
    mesh_agent::pause(&path, reason).with_context(|| format!("write to {}", path.display()))?;
    say(match reason {
        Some(_) => "Paused: nothing new is taken, within a second; what is under way goes on.",
        None => "Resumed.",
    });
    Ok(ExitCode::SUCCESS)
}

fn model_price(text: &str) -> Result<(String, MeshPrice), String> {
    let parsed = || {
        let (model, price) = text.rsplit_once('=').filter(|(model, _)| !model.is_empty())?;
        let (input, output) = price.split_once('/')?;
        Some((model.to_owned(), MeshPrice { input: input.parse().ok()?, output: output.parse().ok()? }))
    };
    parsed().ok_or_else(|| "it is not like model=20/60, in microcredits".to_owned())
}

pub(crate) async fn serve(args: ServeArgs) -> Result<ExitCode> {
    let offered = Offered::new(args)?;
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let run = tokio::spawn(offered.run(stop.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    run.await?;
    Ok(ExitCode::SUCCESS)
}

/// This machine's models, ready to be offered.
pub(crate) struct Offered(MeshAgent);

impl Offered {
    fn new(args: ServeArgs) -> Result<Self> {
        Ok(Self(MeshAgent::new(config(args)?).map_err(|error| anyhow!(error)).context("prepare the mesh agent")?))
    }

    /// Those of a machine that is something else as well, set up by variables alone; it is enrolled as `node_id`, unless AGENT_ID
    /// says otherwise.
    pub(crate) fn beside(node_id: &str, directory: &Path) -> Result<Self> {
        let mut words = vec![OsStr::new(""), "--directory".as_ref(), directory.as_ref()];
        if std::env::var_os("AGENT_ID").is_none() {
            words.extend([OsStr::new("--node-id"), node_id.as_ref()]);
        }
        let matches = ServeArgs::augment_args(clap::Command::new("")).try_get_matches_from(words);
        let args = matches.and_then(|matches| ServeArgs::from_arg_matches(&matches));
        Self::new(
            args.context(
                "it is set up by the variables of `nanoscale mesh serve`, such as COORDINATOR_URL and AGENT_ID",
            )?,
        )
    }

    /// Offers them until `stop`, and says how that stands.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self(agent) = self;
        say(&format!("key {}: who approves this machine compares it", agent.public_key().fingerprint()));
        if let Some(local) = agent.local() {
            let (address, token) = (local.address(), local.token_path().display());
            say(&format!("local models at http://{address}/v1, with the token in {token}"));
        }
        let mut status = agent.status();
        let mut run = std::pin::pin!(agent.run(stop));
        loop {
            tokio::select! {
                Ok(()) = status.changed() => say(&status.borrow_and_update().to_string()),
                () = &mut run => return,
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "how it stands, for people and for programs")]
fn say(line: &str) {
    println!("{line}");
}

fn config(args: ServeArgs) -> Result<Config> {
    let registration_token = secret(args.token_file.as_deref(), "AGENT_REGISTRATION_TOKEN")?;
    let api_key = secret(args.llama_key_file.as_deref(), "LLAMA_API_KEY")?;
    let llama = |url| Upstream { kind: UpstreamKind::LlamaCpp, url, api_key: api_key.clone() };
    let mut upstreams = args.llama.into_iter().map(llama).collect::<Vec<_>>();
    let has_others = !upstreams.is_empty() || !args.gguf.is_empty();
    let ollama = args.ollama.or_else(|| (!has_others).then(|| OLLAMA.to_owned()));
    if let Some(text) = ollama {
        let url = ollama_url(&text).with_context(|| format!("`{text}` (OLLAMA_HOST) is no address like {OLLAMA}"))?;
        upstreams.push(Upstream { kind: UpstreamKind::Ollama, url, api_key: None });
    }
    Ok(Config {
        directory: args.directory.path()?,
        node_id: args.node_id,
        coordinator: args.coordinator,
        registry: args.control_plane,
        coordinator_key: args.coordinator_key,
        registration_token,
        upstreams,
        own_engines: args.gguf.into_iter().map(|model| args.engine.engine(model)).collect(),
        local: args.local,
        terms: Terms {
            price: MeshPrice { input: args.input_price, output: args.output_price },
            prices: args.price.into_iter().collect(),
            models: args.model.into_iter().collect(),
            hours: args.hours,
            allows_pulls: args.allow_pulls,
        },
    })
}

/// A secret of a file, or of a variable.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<String>> {
    let text = match file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.with_context(|| format!("read the secret in {}", path.display()))?)
        }
        None => std::env::var(variable).ok(),
    };
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// The variable is often a host alone, or one with a port.
pub(crate) fn ollama_url(text: &str) -> Result<Url> {
    if text.contains("://") {
        return Ok(text.parse()?);
    }
    let mut url: Url = format!("http://{text}").parse()?;
    if url.port().is_none() {
        let _ = url.set_port(Some(OLLAMA_PORT));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{model_price, ollama_url};

    #[test]
    fn a_price_is_a_models() {
        let (model, price) = model_price("org/big:70b=x=20/60").unwrap();
        assert_eq!((model.as_str(), price.input, price.output), ("org/big:70b=x", 20, 60));
        for wrong in ["", "=1/2", "big", "big=1", "big=1/-2", "big=a/b"] {
            assert!(model_price(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ollama_is_found_as_its_own_programs_find_it() {
        for (text, url) in [
            ("127.0.0.1:11434", "http://127.0.0.1:11434/"),
            ("gpu.example", "http://gpu.example:11434/"),
            ("https://gpu.example", "https://gpu.example/"),
        ] {
            assert_eq!(ollama_url(text).unwrap().as_str(), url);
        }
        assert!(ollama_url("a b").is_err());
    }
}
