//! The real binary at work.

mod builder;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::child;
use crate::client::Client;
use crate::scratch::{Scratch, sweep};
use crate::secrets::{Secrets, random_secret};
use crate::small_disk::SmallDisk;
use crate::visitor::App;

pub(crate) use builder::merge;
pub use builder::{Builder, Database};
use process::Form;
pub use process::Part;

const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// The real binary at work in a directory of its own. Dropping it ends it and all its apps.
#[derive(Debug)]
pub struct TestServer {
    /// Goes before the directory that it is in.
    disk: Option<SmallDisk>,
    scratch: Scratch,
    program: PathBuf,
    config: Value,
    env: Vec<(String, String)>,
    form: Form,
    processes: BTreeMap<Part, Child>,
    addresses: Addresses,
    setup_code: String,
    secrets: Secrets,
}

#[derive(Debug, Clone)]
struct Addresses {
    api: SocketAddr,
    edge: SocketAddr,
    mesh: BTreeMap<String, SocketAddr>,
}

// === impl TestServer ===

impl TestServer {
    pub fn api_url(&self) -> String {
        format!("http://{}", self.addresses.api)
    }

    /// Where the API answers on this machine.
    pub fn api_port(&self) -> u16 {
        self.addresses.api.port()
    }

    /// A port of the mesh, where that is switched on: `coordinator`, `control-plane`, `portal` or `ollama`.
    pub fn mesh_url(&self, surface: &str) -> String {
        format!("http://{}", self.addresses.mesh.get(surface).expect("a server with a mesh"))
    }

    pub fn edge_addr(&self) -> SocketAddr {
        self.addresses.edge
    }

    /// A visitor of the app with this host name.
    pub fn app(&self, host: impl Into<String>) -> App {
        App::new(self.edge_addr(), host)
    }

    /// Nobody yet; what it logs in or makes is remembered in [`TestServer::secrets`].
    pub fn client(&self) -> Client {
        Client::new(self.api_url(), self.secrets.clone())
    }

    /// Does the first-run setup, and is then the administrator `admin` with a random password.
    pub async fn setup(&self) -> Client {
        let client = self.client();
        let password = random_secret();
        client.setup("admin", &password, &self.setup_code).await.expect("first-run setup");
        client
    }

    /// What the first-run setup wants to know. The server prints it, so it is not among the secrets.
    pub fn setup_code(&self) -> &str {
        &self.setup_code
    }

    /// Passwords, tokens, sessions and environment values that went through a [`Client`] of this server.
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// What the server wrote to standard output and error, over all its starts.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_path()).unwrap_or_default()).into_owned()
    }

    pub fn output_path(&self) -> PathBuf {
        self.scratch.path().join("server.log")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Where the server keeps its rows.
    pub fn database_url(&self) -> String {
        let configured = self.config["database_url"].as_str().map(str::to_owned);
        configured.unwrap_or_else(|| format!("sqlite:{}", self.data_dir().join("server/nanoscale.db").display()))
    }

    pub fn config_path(&self) -> PathBuf {
        self.scratch.path().join("config.json")
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.pid_of(Part::Server).or_else(|| self.pid_of(Part::All))
    }

    pub fn pid_of(&self, part: Part) -> Option<u32> {
        self.processes.get(&part).map(Child::id)
    }

    /// Ends the server's processes, and only those, without a chance to say goodbye.
    pub fn kill(&mut self) {
        for part in self.parts() {
            self.kill_part(*part);
        }
    }

    /// Ends one of them.
    pub fn kill_part(&mut self, part: Part) {
        if let Some(mut process) = self.processes.remove(&part) {
            child::signal(&process, Signal::SIGKILL);
            process.wait().expect("wait for the server");
        }
    }

    /// Asks the server to end, and checks that it does so in time and in peace. Apps go on running.
    pub fn terminate(&mut self) {
        for part in self.parts() {
            self.terminate_part(*part);
        }
    }

    /// Asks one of its processes to end.
    pub fn terminate_part(&mut self, part: Part) {
        let mut process = self.processes.remove(&part).expect("the server runs");
        child::signal(&process, Signal::SIGTERM);
        let Some(status) = child::wait(&mut process, STOP_DEADLINE) else {
            self.processes.insert(part, process);
            panic!("{part:?} does not stop within {STOP_DEADLINE:?}; it wrote:\n{}", self.output());
        };
        assert!(status.success(), "{part:?} ended with {status}; it wrote:\n{}", self.output());
    }

    /// What its data lies on, where that was asked for.
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("a server on a small disk")
    }

    /// Starts a server that shall not come up; what it wrote.
    pub fn start_in_vain(&mut self) -> String {
        let before = self.output().len();
        let mut process = self.spawn(Part::All).expect("start the server");
        let status = child::wait(&mut process, STOP_DEADLINE);
        child::signal(&process, Signal::SIGKILL);
        let _ = process.wait();
        let status = status.unwrap_or_else(|| panic!("the server has started:\n{}", &self.output()[before..]));
        assert!(!status.success(), "the server ended in peace");
        self.output()[before..].to_owned()
    }

    /// Ends every app too, as a loss of power does; for a server that was killed.
    pub fn end_apps(&self) {
        assert!(self.processes.is_empty(), "kill the server first: it starts its apps again");
        sweep(self.scratch.path(), &self.program);
    }

    fn parts(&self) -> &'static [Part] {
        match self.form {
            Form::Three => &[Part::Edge, Part::Server, Part::Node],
            Form::One | Form::Unprivileged => &[Part::All],
        }
    }

    /// Starts the server again in its directory and at its addresses; kills it first if it still runs.
    pub async fn restart(&mut self) {
        self.kill();
        self.start().await;
    }

    /// Lays `patch` over the configuration; the next start takes it up.
    pub fn configure(&mut self, patch: Value) {
        merge(&mut self.config, patch);
    }
}

impl TestServer {
    /// Every log of this server and its apps: none may hold a password, token, session or value.
    fn assert_logs_hold_no_secret(&self) {
        let mut logs = vec![self.output_path()];
        collect_files(&self.data_dir().join("node/logs"), &mut logs);
        collect_files(&self.data_dir().join("node/own-log"), &mut logs);
        for log in logs {
            let found = self.secrets.found_in(&String::from_utf8_lossy(&read_log(&log)));
            assert!(found.is_empty(), "{} holds secrets: {found:?}", log.display());
        }
    }
}

fn collect_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { collect_files(&path, files) } else { files.push(path) }
    }
}

/// A log's bytes, also of one that is packed.
fn read_log(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_default();
    let packed = path.extension().is_some_and(|extension| extension == "zst");
    packed.then(|| zstd::decode_all(&bytes[..]).ok()).flatten().unwrap_or(bytes)
}

impl Drop for TestServer {
    fn drop(&mut self) {
        for (part, mut process) in std::mem::take(&mut self.processes) {
            child::signal(&process, Signal::SIGTERM);
            if child::wait(&mut process, STOP_DEADLINE).is_none() {
                eprintln!("{part:?} did not stop within {STOP_DEADLINE:?} and is killed");
                child::signal(&process, Signal::SIGKILL);
                let _ = process.wait();
            }
        }
        sweep(self.scratch.path(), &self.program);
        if !std::thread::panicking() {
            self.assert_logs_hold_no_secret();
        }
    }
}
