//! `nanoscale mesh serve`: this machine's models for a mesh, and nothing else of it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use ids::MeshNodeId;
use link::PublicKey;
use mesh_agent::{Config, MeshAgent, MeshPrice, Upstream, UpstreamKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

const OLLAMA: &str = "http://127.0.0.1:11434";
const OLLAMA_PORT: u16 = 11434;

/// What the mesh may use of this machine, and for what.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    /// Where the coordinator is.
    #[arg(long, env = "COORDINATOR_URL", value_name = "URL")]
    coordinator: Url,
    /// The coordinator's key, as the dashboard shows it. Without it, whoever answers the first time is the coordinator.
    #[arg(long, env = "COORDINATOR_KEY", value_name = "KEY")]
    coordinator_key: Option<PublicKey>,
    /// What this machine was enrolled as.
    #[arg(long, env = "AGENT_ID", value_name = "NAME")]
    node_id: MeshNodeId,
    /// Read the registration token from this file; AGENT_REGISTRATION_TOKEN may have it instead. Needed once.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What the approver may know this machine by besides.
    #[arg(long, env = "AGENT_DEVICE_ID", value_name = "TEXT")]
    device_id: Option<String>,
    /// A llama.cpp server whose models are offered. May be given several times.
    #[arg(long, value_name = "URL")]
    llama: Vec<Url>,
    /// An Ollama server whose models are offered. Default, where there is no llama.cpp server: http://127.0.0.1:11434.
    #[arg(long, env = "OLLAMA_HOST", value_name = "URL")]
    ollama: Option<String>,
    /// Microcredits for a token of a prompt.
    #[arg(long, default_value_t = 10, value_name = "NUMBER")]
    input_price: u32,
    /// Microcredits for a token of an answer.
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    output_price: u32,
    /// Where this machine's key is kept.
    #[arg(long, env = "NANOSCALE_MESH_DIR", value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(crate) async fn serve(args: ServeArgs) -> Result<ExitCode> {
    let agent = MeshAgent::new(config(args)?).map_err(|error| anyhow!(error)).context("prepare the mesh agent")?;
    say(&format!("key {}: who approves this machine compares it", agent.public_key().fingerprint()));
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (mut status, running) = (agent.status(), agent.clone());
    let run = tokio::spawn({
        let stop = stop.clone();
        async move { running.run(stop).await }
    });
    loop {
        tokio::select! {
            changed = status.changed() => match changed {
                Ok(()) => say(&status.borrow_and_update().to_string()),
                Err(_) => break,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    stop.cancel();
    run.await?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "how it stands, for people and for programs")]
fn say(line: &str) {
    println!("{line}");
}

fn config(args: ServeArgs) -> Result<Config> {
    let variable = std::env::var("AGENT_REGISTRATION_TOKEN").ok().filter(|token| !token.trim().is_empty());
    let registration_token = match &args.token_file {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("read the registration token in {}", path.display()))?,
        ),
        None => variable,
    };
    let directory = args.directory.or_else(default_directory);
    let mut upstreams = args.llama.into_iter().map(|url| upstream(UpstreamKind::LlamaCpp, url)).collect::<Vec<_>>();
    let ollama = args.ollama.or_else(|| upstreams.is_empty().then(|| OLLAMA.to_owned()));
    if let Some(text) = ollama {
        let url = ollama_url(&text).with_context(|| format!("`{text}` (OLLAMA_HOST) is no address like {OLLAMA}"))?;
        upstreams.push(upstream(UpstreamKind::Ollama, url));
    }
    Ok(Config {
        directory: directory.context("neither XDG_DATA_HOME nor HOME says where its key may go; give --directory")?,
        node_id: args.node_id,
        coordinator: args.coordinator,
        coordinator_key: args.coordinator_key,
        registration_token: registration_token.map(|token| token.trim().to_owned()),
        device_id: args.device_id,
        upstreams,
        price: MeshPrice { input: args.input_price, output: args.output_price },
    })
}

/// The variable is often a host alone, or one with a port.
fn ollama_url(text: &str) -> Result<Url> {
    if text.contains("://") {
        return Ok(text.parse()?);
    }
    let mut url: Url = format!("http://{text}").parse()?;
    if url.port().is_none() {
        let _ = url.set_port(Some(OLLAMA_PORT));
    }
    Ok(url)
}

fn upstream(kind: UpstreamKind, url: Url) -> Upstream {
    Upstream { kind, url, api_key: None }
}

fn default_directory() -> Option<PathBuf> {
    Some(crate::config::user_data_dir()?.join("mesh-agent"))
}

#[cfg(test)]
mod tests {
    use super::ollama_url;

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
