//! `nanoscale --role inference`: models for a coordinator, in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::Signal;

use crate::child::{self, Rights};
use crate::scratch::Scratch;
use crate::wait::{PATIENCE, wait_some};

/// The real program, in a directory of its own, until it is dropped.
#[derive(Debug)]
pub struct InferenceServer {
    program: PathBuf,
    env: Vec<(String, String)>,
    address: SocketAddr,
    process: Option<Child>,
    scratch: Scratch,
}

// === impl InferenceServer ===

impl InferenceServer {
    /// Set up by variables of its environment.
    pub async fn start(program: &str, env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (scratch, address) = (Scratch::new("inference", None), SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut server = Self { program: program.into(), env, address, process: None, scratch };
        server.restart().await;
        server
    }

    /// Ends it without a chance to say goodbye, and starts it again at the same address.
    pub async fn restart(&mut self) {
        self.kill();
        let output = File::create(self.output_path()).expect("make its log");
        let mut command = child::mortal(&self.program, Rights::Own);
        command
            .args(["--role", "inference"])
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("NANOSCALE_MESH_INFERENCE_BIND", self.address.to_string())
            .env("NANOSCALE_DATA_DIR", self.scratch.path().join("data"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("its log twice"))
            .stderr(output);
        self.process = Some(child::spawn(command).expect("start an inference service"));
        let listens = wait_some("the inference service listens", PATIENCE, async || {
            let output = self.output();
            let (_, rest) = output.split_once("listening inference=")?;
            rest.split_once('\n')?.0.trim().parse().ok()
        });
        self.address = listens.await;
    }

    /// What it says when it cannot start.
    pub fn start_in_vain(program: &str, env: &[(&str, &str)]) -> Output {
        let scratch = Scratch::new("inference", None);
        let mut command = Command::new(program);
        command.args(["--role", "inference"]).env_clear().envs(env.iter().copied());
        let output = command.env("NANOSCALE_DATA_DIR", scratch.path()).output().expect("start an inference service");
        assert!(!output.status.success(), "it started");
        output
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGKILL);
            process.wait().expect("wait for an inference service");
        }
    }

    /// What it has said since its last start.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_path()).unwrap_or_default()).into_owned()
    }

    fn output_path(&self) -> PathBuf {
        self.scratch.path().join("output")
    }
}

impl Drop for InferenceServer {
    fn drop(&mut self) {
        self.kill();
    }
}
