//! Another machine of the cluster: the real binary as `nanoscale join`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use ids::NodeId;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::checkpoints::Checkpoints;
use crate::child::{self, Rights};
use crate::scratch::{Scratch, sweep};
use crate::server::merge;
use crate::visitor::App;
use crate::wait::{PATIENCE, wait_some};
use crate::wire::Wire;

/// A node in a directory of its own, and where wanted on a wire of its own. Dropping it ends it and its apps.
#[derive(Debug)]
pub struct TestNode {
    /// Goes after the processes that are on it.
    scratch: Scratch,
    program: PathBuf,
    config: Value,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
    process: Option<Child>,
    /// How much it had written before it was started last.
    written: usize,
    joined: Option<(NodeId, SocketAddr)>,
    wire: Option<Wire>,
}

// === impl TestNode ===

impl TestNode {
    /// A machine with the program, which has not joined anything. `program` is `env!("CARGO_BIN_EXE_nanoscale")`.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let program = fs::canonicalize(program).expect("the binary is there");
        let scratch = Scratch::new("node", Some(&program));
        let config = json!({
            "data_dir": scratch.path().join("data"),
            "edge": { "http_bind": "127.0.0.1:0" },
            "limits": { "settle_ms": 200, "drain_seconds": 3, "stop_grace_seconds": 3 },
        });
        Self {
            scratch,
            program,
            config,
            arguments: Vec::new(),
            env: Vec::new(),
            process: None,
            written: 0,
            joined: None,
            wire: None,
        }
    }

    /// On a wire of its own; the server is reached at its near end.
    pub fn on_wire(self) -> Self {
        self.on(Wire::new())
    }

    /// The same, on a wire that is there already.
    pub fn on(mut self, wire: Wire) -> Self {
        self.config["edge"]["http_bind"] = json!(format!("{}:0", wire.far()));
        self.wire = Some(wire);
        self
    }

    /// Lays `patch` over the configuration.
    pub fn config(mut self, patch: Value) -> Self {
        merge(&mut self.config, patch);
        self
    }

    /// Says at every named step where it is, and waits there when the test holds it.
    pub fn checkpoints(mut self, checkpoints: &Checkpoints) -> Self {
        self.env.push((checkpoint::VARIABLE.into(), checkpoints.socket().display().to_string()));
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub fn wire(&self) -> &Wire {
        self.wire.as_ref().expect("a node on a wire")
    }

    /// Joins with this token and waits until it is up. The server answers at `port` of this machine.
    pub async fn join(&mut self, token: &str, port: u16) {
        self.set_token(token, port);
        self.start().await;
    }

    /// The same, without waiting for what becomes of it: see [`TestNode::is_up`].
    pub fn begin_to_join(&mut self, token: &str, port: u16) {
        self.set_token(token, port);
        self.begin();
    }

    fn set_token(&mut self, token: &str, port: u16) {
        let file = self.scratch.path().join("token");
        fs::write(&file, token).expect("write the token");
        self.arguments = vec!["--token-file".into(), file.display().to_string()];
        if let Some(wire) = &self.wire {
            self.arguments.extend(["--url".into(), format!("https://{}:{port}", wire.near())]);
        }
    }

    /// Starts with these arguments of `nanoscale join` and waits until it is up.
    pub async fn start_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.start().await;
    }

    /// Starts as before.
    pub async fn start(&mut self) {
        self.begin();
        assert!(self.is_up().await, "the node ended at its start; it wrote:\n{}", &self.output()[self.written..]);
    }

    /// Starts as before, without waiting for what becomes of it.
    pub fn begin(&mut self) {
        self.kill();
        self.written = self.output().len();
        self.process = Some(self.spawn());
    }

    /// Waits until it is up, or has ended at its start: whether it is up.
    pub async fn is_up(&mut self) -> bool {
        let what = format!("{} is up", self.scratch.path().display());
        let joined = wait_some(&what, PATIENCE, async || {
            let ended = self.process.as_mut().is_none_or(|it| it.try_wait().expect("wait for it").is_some());
            let joined = self.output()[self.written..].lines().find_map(parse);
            if ended { Some(None) } else { joined.map(Some) }
        });
        let Some(joined) = joined.await else { return false };
        self.config["edge"]["http_bind"] = json!(joined.1);
        self.joined = Some(joined);
        true
    }

    /// Starts with these arguments, and shall not come up; what it wrote.
    pub fn start_in_vain(&mut self, arguments: &[&str]) -> String {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let before = self.output().len();
        let mut process = self.spawn();
        let status = child::wait(&mut process, PATIENCE);
        child::signal(&process, Signal::SIGKILL);
        let _ = process.wait();
        let status = status.unwrap_or_else(|| panic!("the node has started:\n{}", &self.output()[before..]));
        assert!(!status.success(), "the node ended in peace");
        self.output()[before..].to_owned()
    }

    fn spawn(&self) -> Child {
        let config = self.scratch.path().join("config.json");
        fs::write(&config, serde_json::to_vec_pretty(&self.config).expect("JSON")).expect("write the configuration");
        let output = fs::OpenOptions::new().create(true).append(true).open(self.output_path()).expect("open its log");
        let enter = self.wire.as_ref().map(Wire::enter);
        let mut command = match &enter {
            Some([enter, arguments @ ..]) => {
                let mut command = child::mortal(enter, Rights::Own);
                command.args(arguments).arg(&self.program);
                command
            }
            None => child::mortal(&self.program, Rights::Own),
        };
        command
            .arg("--config")
            .arg(config)
            .arg("join")
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("its log twice"))
            .stderr(output);
        child::spawn(command).expect("start the node")
    }

    pub fn id(&self) -> &NodeId {
        &self.joined.as_ref().expect("a node that has joined").0
    }

    pub fn edge_addr(&self) -> SocketAddr {
        self.joined.as_ref().expect("a node that has joined").1
    }

    /// A visitor who comes to this machine's edge.
    pub fn app(&self, host: impl Into<String>) -> App {
        App::new(self.edge_addr(), host)
    }

    /// What it wrote, over all its starts.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output_path()).unwrap_or_default()).into_owned()
    }

    fn output_path(&self) -> PathBuf {
        self.scratch.path().join("node.log")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Ends the process, and only that, without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGKILL);
            process.wait().expect("wait for the node");
        }
    }

    /// Kills it and starts it again.
    pub async fn restart(&mut self) {
        self.kill();
        self.start().await;
    }

    /// Ends every app too, as a loss of power does.
    pub fn lose_power(&mut self) {
        self.kill();
        sweep(self.scratch.path(), &self.program);
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.lose_power();
    }
}

/// `joined node=ID edge=ADDRESS`. The last line may not be there as a whole yet.
fn parse(line: &str) -> Option<(NodeId, SocketAddr)> {
    let (node, edge) = line.strip_prefix("joined node=")?.split_once(" edge=")?;
    Some((node.parse().ok()?, edge.parse().ok()?))
}
