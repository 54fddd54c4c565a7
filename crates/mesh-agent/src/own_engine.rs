//! llama.cpp's server as a process of the mesh agent's own: started with it, started again when it ends, ended with it.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use url::Url;

use crate::config::{Upstream, UpstreamKind};

/// By it a program ends when its parent is killed.
const SETPRIV: &str = "/usr/bin/setpriv";
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// One that ran for so long did not fail at its start.
const GOOD: Duration = Duration::from_secs(60);

/// An engine that the mesh agent runs itself.
#[derive(Debug, Clone)]
pub struct OwnEngine {
    /// llama.cpp's `llama-server`: a path, or a name to be looked for in `PATH`.
    pub program: PathBuf,
    /// A GGUF file.
    pub model: PathBuf,
    /// What its model is called.
    pub name: String,
    /// Tokens of one request with its answer.
    pub context: u32,
    /// Requests at the same time.
    pub slots: u32,
    /// Of processors; as many as there are cores where it is not said.
    pub threads: Option<u32>,
    /// Layers of the model that a graphics card computes; as the engine decides where it is not said.
    pub gpu_layers: Option<u32>,
}

/// One of them, with the place that it has on this machine.
pub(crate) struct Supervised {
    engine: OwnEngine,
    address: SocketAddr,
    /// So that nobody else on this machine uses it past the mesh agent.
    api_key: String,
    log: PathBuf,
}

// === impl Supervised ===

impl Supervised {
    pub(crate) fn new(engine: &OwnEngine, directory: &Path) -> io::Result<Self> {
        if !engine.model.is_file() {
            let message = format!("there is no model in {}", engine.model.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        // A port that is free now, and most likely still is when the engine starts.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = format!("engine-{}.log", engine.name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"));
        let api_key = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        Ok(Self { engine: engine.clone(), address, api_key, log: directory.join(file) })
    }

    /// As the other engines are asked.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        let url = Url::parse(&format!("http://{}", self.address)).ok()?;
        Some(Upstream { kind: UpstreamKind::LlamaCpp, url, api_key: Some(self.api_key.clone()) })
    }

    /// Runs it for ever. It ends when this is dropped.
    pub(crate) async fn run(&self) {
        let mut pause = RETRY;
        loop {
            let began = Instant::now();
            let ended = match self.start() {
                Ok(mut child) => child.wait().await,
                Err(error) => Err(error),
            };
            pause = if began.elapsed() >= GOOD { RETRY } else { pause };
            let name = &self.engine.name;
            tracing::warn!(model = name, reason = self.reason(ended), "the engine ended; it is started again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    fn start(&self) -> io::Result<Child> {
        let OwnEngine { program, model, name, context, slots, threads, gpu_layers } = &self.engine;
        // What the last one said says why it ended.
        let _ = std::fs::rename(&self.log, self.log.with_extension("log.old"));
        let output = File::create(&self.log)?;
        let mut command = if Path::new(SETPRIV).exists() {
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .arg("--model")
            .arg(model)
            .args(["--alias", name, "--host", "127.0.0.1", "--port", &self.address.port().to_string()])
            // It divides what it is given among its slots.
            .args(["--ctx-size", &context.saturating_mul(*slots).to_string(), "--parallel", &slots.to_string()])
            .args(threads.iter().flat_map(|count| ["--threads".to_owned(), count.to_string()]))
            .args(gpu_layers.iter().flat_map(|count| ["--n-gpu-layers".to_owned(), count.to_string()]))
            .arg("--jinja")
            .env("LLAMA_API_KEY", &self.api_key)
            .env_remove("AGENT_REGISTRATION_TOKEN")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        command.spawn()
    }

    fn reason(&self, ended: io::Result<ExitStatus>) -> String {
        let program = self.engine.program.display();
        match ended {
            Ok(status) => format!("{status}; {}.old will have what it said", self.log.display()),
            Err(error) => format!("{program} cannot be started: {error}; install llama.cpp, or say where it is"),
        }
    }
}
