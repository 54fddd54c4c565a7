//! `nanoscale --role inference` and the like: one of the mesh's services, in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::Signal;

use crate::child::{self, Rights};
use crate::client::Client;
use crate::scratch::Scratch;
use crate::secrets::Secrets;
use crate::wait::{PATIENCE, wait_some};

/// The real program, in a directory of its own, until it is dropped.
#[derive(Debug)]
pub struct MeshService {
    program: PathBuf,
    /// As `--role` names it.
    role: &'static str,
    env: Vec<(String, String)>,
    address: SocketAddr,
    process: Option<Child>,
    scratch: Scratch,
}

// === impl MeshService ===

impl MeshService {
    /// Set up by variables of its environment.
    pub async fn start(program: &str, role: &'static str, env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (scratch, address) = (Scratch::new(role, None), SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut server = Self { program: program.into(), role, env, address, process: None, scratch };
        server.restart().await;
        server
    }

    /// Ends it without a chance to say goodbye, and starts it again at the same address.
    pub async fn restart(&mut self) {
        self.kill();
        let bind = format!("NANOSCALE_MESH_{}_BIND", self.role.replace('-', "_").to_uppercase());
        let output = File::create(self.output_path()).expect("make its log");
        let mut command = child::mortal(&self.program, Rights::Own);
        command
            .args(["--role", self.role])
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env(bind, self.address.to_string())
            .env("NANOSCALE_DATA_DIR", self.scratch.path().join("data"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("its log twice"))
            .stderr(output);
        self.process = Some(child::spawn(command).expect("start a service of the mesh"));
        let listens = wait_some("a service of the mesh listens", PATIENCE, async || {
            let output = self.output();
            let (_, rest) = output.split_once(&format!("listening {}=", self.role))?;
            rest.split(char::is_whitespace).next()?.parse().ok()
        });
        self.address = listens.await;
    }

    /// What it says when it cannot start.
    pub fn start_in_vain(program: &str, role: &str, env: &[(&str, &str)]) -> Output {
        let scratch = Scratch::new(role, None);
        let mut command = Command::new(program);
        command.args(["--role", role]).env_clear().envs(env.iter().copied());
        let output = command.env("NANOSCALE_DATA_DIR", scratch.path()).output().expect("start a service of the mesh");
        assert!(!output.status.success(), "it started");
        output
    }

    /// Counts from the next start on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.into(), value.into()));
    }

    /// Nobody yet, at its port.
    pub fn client(&self) -> Client {
        Client::new(self.url(), Secrets::default())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGKILL);
            process.wait().expect("wait for a service of the mesh");
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

impl Drop for MeshService {
    fn drop(&mut self) {
        self.kill();
    }
}
