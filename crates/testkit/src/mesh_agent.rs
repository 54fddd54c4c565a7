//! `nanoscale mesh serve`: a machine of another owner, that serves models.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::child::{self, Rights};
use crate::scratch::Scratch;
use crate::wait::{PATIENCE, wait_until};

/// The real program, in a directory of its own, until it is dropped.
#[derive(Debug)]
pub struct MeshAgent {
    program: PathBuf,
    coordinator: String,
    node_id: String,
    token: String,
    llama: Vec<String>,
    further: Vec<String>,
    env: Vec<(String, String)>,
    process: Option<Child>,
    scratch: Scratch,
}

// === impl MeshAgent ===

impl MeshAgent {
    /// Not started yet. `llama` is where its engines are.
    pub fn new(program: &str, coordinator: &str, node_id: &str, token: &str, llama: &[String]) -> Self {
        Self {
            program: program.into(),
            coordinator: coordinator.into(),
            node_id: node_id.into(),
            token: token.into(),
            llama: llama.to_vec(),
            further: Vec::new(),
            env: Vec::new(),
            process: None,
            scratch: Scratch::new("mesh-agent", None),
        }
    }

    /// Starts it, or starts it again with the key that it has.
    pub fn start(&mut self) {
        self.kill();
        let output = OpenOptions::new().create(true).append(true).open(self.output_path()).expect("its log");
        let mut command = child::mortal(&self.program, Rights::Own);
        command
            .args(["mesh", "serve", "--coordinator", &self.coordinator, "--node-id", &self.node_id])
            .args(self.llama.iter().flat_map(|url| ["--llama", url]))
            .args(&self.further)
            .arg("--directory")
            .arg(self.directory())
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("AGENT_REGISTRATION_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("its log twice"))
            .stderr(output);
        self.process = Some(child::spawn(command).expect("start a mesh agent"));
    }

    /// Further arguments, for the next start.
    pub fn with_arguments(&mut self, arguments: &[&str]) {
        self.further = arguments.iter().map(ToString::to_string).collect();
    }

    /// A variable of its environment, from the next start on.
    pub fn with_env(&mut self, name: &str, value: &str) {
        self.env.push((name.into(), value.into()));
    }

    /// Its owner says `pause` or `resume` on that machine.
    pub async fn owner_says(&self, word: &str) {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(["mesh", word, "--directory"]).arg(self.directory()).env_clear();
        let status = command.kill_on_drop(true).status().await.expect("run nanoscale");
        assert!(status.success(), "nanoscale mesh {word} failed");
    }

    /// Where it keeps what it has.
    pub fn directory(&self) -> PathBuf {
        self.scratch.path().join("mesh")
    }

    /// Another token, for the next start.
    pub fn with_token(&mut self, token: &str) {
        self.token = token.into();
    }

    /// Forgets its key, as a machine does that is set up anew.
    pub fn forget(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(self.directory());
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(mut process) = self.process.take() {
            process.wait().expect("wait for a mesh agent");
        }
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            child::signal(process, signal);
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Waits until it has said `text`.
    pub async fn says(&self, text: &str) {
        let what = format!("{} says {text}; see {}", self.node_id, self.output_path().display());
        wait_until(&what, PATIENCE, async || self.output().contains(text)).await;
    }

    /// What it has said over all its starts.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_path()).unwrap_or_default()).into_owned()
    }

    fn output_path(&self) -> PathBuf {
        self.scratch.path().join("output")
    }
}

impl Drop for MeshAgent {
    fn drop(&mut self) {
        self.kill();
    }
}
