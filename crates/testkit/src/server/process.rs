use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::{fs, io};

use serde_json::json;

use super::TestServer;
use crate::child::{self, Rights};
use crate::wait::{PATIENCE, wait_some};

/// How many processes a server is, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One, with this test's own rights.
    One,
    /// One without any rights.
    Unprivileged,
    /// Three, of which only the node has rights.
    Three,
}

/// One process of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Server, edge and node in one.
    All,
    Server,
    Edge,
    Node,
}

/// The user without any right, for a server that runs without root.
pub(super) const NOBODY: u32 = 65_534;
/// Users of the processes of [`Builder::separate`]; root's own is the node's.
pub(super) const SERVER: u32 = 65_532;
pub(super) const EDGE: u32 = 65_531;

impl TestServer {
    pub(super) async fn start(&mut self) {
        for part in self.parts() {
            self.start_part(*part).await;
        }
    }

    /// Starts one of the server's processes and waits until it says that it is up.
    pub async fn start_part(&mut self, part: Part) {
        let before = self.output().len();
        let process = self.spawn(part).expect("start the server");
        self.processes.insert(part, process);
        let said = self.up(part, before).await;
        // The next start comes back to the same places.
        if let Some(address) = said.api {
            self.addresses.api = address;
            self.config["orchestrator"]["bind_address"] = json!(address);
        }
        for (name, address) in said.mesh {
            self.config["mesh"][format!("{}_bind", name.replace('-', "_"))] = json!(address);
            self.addresses.mesh.insert(name, address);
        }
        if let Some(address) = said.edge {
            self.addresses.edge = address;
            self.config["edge"]["http_bind"] = json!(address);
        }
    }

    pub(super) fn spawn(&self, part: Part) -> io::Result<Child> {
        let text = serde_json::to_vec_pretty(&self.config).expect("JSON");
        fs::write(self.config_path(), text).expect("write the configuration");
        let output = fs::OpenOptions::new().create(true).append(true).open(self.output_path())?;
        let (rights, only) = match part {
            Part::All if self.form == Form::Unprivileged => (Rights::None(NOBODY), None),
            Part::All => (Rights::Own, None),
            Part::Server => (Rights::None(SERVER), Some("server")),
            Part::Edge => (Rights::Bind(EDGE), Some("edge")),
            Part::Node => (Rights::Own, Some("node")),
        };
        let mut command = child::mortal(&self.program, rights);
        command
            .arg("serve")
            .args(only)
            .arg("--config")
            .arg(self.config_path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("NANOSCALE_SETUP_CODE", &self.setup_code)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        child::spawn(command)
    }

    /// Reads what the process prints once it is up.
    async fn up(&mut self, part: Part, before: usize) -> Said {
        let what = format!("{part:?} is up; see {}", self.output_path().display());
        let found = wait_some(&what, PATIENCE, async || {
            let ended = self.processes.get_mut(&part).and_then(|process| process.try_wait().expect("wait for it"));
            let output = self.output();
            if let Some(status) = ended {
                panic!("{part:?} ended at its start with {status}; it wrote:\n{}", &output[before..]);
            }
            output[before..].lines().find_map(|line| parse_up(part, line))
        });
        found.await
    }
}

/// Where a process that is up listens.
#[derive(Debug, Default)]
struct Said {
    api: Option<SocketAddr>,
    edge: Option<SocketAddr>,
    /// `coordinator`, `control-plane`, `portal`, and `ollama` and `inference` where these are set.
    mesh: BTreeMap<String, SocketAddr>,
}

/// `listening api=ADDRESS edge=ADDRESS`, or one of both, and the ports of a mesh; `node directory=PATH` of a node, which listens on nothing.
/// The last line may not be there as a whole yet.
fn parse_up(part: Part, line: &str) -> Option<Said> {
    if part == Part::Node {
        return line.starts_with("node directory=").then(Said::default);
    }
    let mut said = Said::default();
    for word in line.strip_prefix("listening ")?.split_whitespace() {
        match word.split_once('=')? {
            ("api", address) => said.api = Some(address.parse().ok()?),
            ("edge", address) => said.edge = Some(address.parse().ok()?),
            (name @ ("coordinator" | "control-plane" | "portal" | "ollama" | "inference"), address) => {
                said.mesh.insert(name.to_owned(), address.parse().ok()?);
            }
            _ => return None,
        }
    }
    let complete = match part {
        Part::Server => said.api.is_some(),
        Part::Edge => said.edge.is_some(),
        Part::All | Part::Node => said.api.is_some() && said.edge.is_some(),
    };
    complete.then_some(said)
}
