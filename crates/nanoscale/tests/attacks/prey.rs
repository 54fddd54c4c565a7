//! What there is to attack: the host's things, another project, and all that somebody knows who can see the machine.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::Command;

use ids::{DeploymentId, ProjectId};
use serde_json::{Value, json};
use testkit::{Client, TestServer};

use crate::apps::{archive, deploy, project_with};

/// Each attack's name and what came of it.
pub(crate) type Told = BTreeMap<String, String>;

/// Listens on every address it has, which it tells; keeps a secret in its environment and one in its volume.
const NEIGHBOUR: &str = "
import http.server, os, socket
open('/data/secret', 'w').write('kept')
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.connect(('9.9.9.9', 53))
        self.send_response(200); self.end_headers(); self.wfile.write(probe.getsockname()[0].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('0.0.0.0', int(os.environ['PORT'])), App).serve_forever()
";

/// Processes of the host, running or ended and not reaped, for which `condition` holds.
pub(crate) fn pids(condition: impl Fn(&Path) -> bool) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let pid = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    processes.filter(|path| condition(path)).filter_map(|path| pid(&path)).collect()
}

/// Its processes and their shims.
pub(crate) fn pids_of_workload(server: &TestServer, id: &str) -> Vec<u32> {
    let runs = server.data_dir().join("node/runs");
    let is_of = |cwd: &Path| cwd.strip_prefix(&runs).is_ok_and(|run| run.to_string_lossy().starts_with(id));
    pids(|path| {
        std::fs::read_to_string(path.join("cgroup")).is_ok_and(|text| text.contains(id))
            || std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| is_of(&cwd))
    })
}

/// The host's things that an attacker would want, with all that is needed to find them.
pub(crate) struct Host {
    everywhere: Vec<TcpListener>,
    datagrams: u16,
    answers: tokio::task::JoinHandle<()>,
    name: String,
    _abstract: UnixListener,
    memory: u32,
}

impl Host {
    pub(crate) async fn new() -> Self {
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let datagrams = socket.local_addr().unwrap().port();
        let answers = tokio::spawn(async move {
            let mut buffer = [0; 64];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(&buffer[..length], from).await;
            }
        });
        let name = format!("nanoscale-test-{datagrams}");
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let memory = 0x6e00_0000 | u32::from(datagrams);
        shared_memory("shmget(int(sys.argv[1]), 4096, 0o1666)", memory);
        Self {
            everywhere: ["0.0.0.0:0", "[::]:0"].iter().filter_map(|address| TcpListener::bind(address).ok()).collect(),
            datagrams,
            answers,
            name,
            _abstract: UnixListener::bind_addr(&address).unwrap(),
            memory,
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.answers.abort();
        shared_memory("shmctl(libc.shmget(int(sys.argv[1]), 0, 0), 0, None)", self.memory);
    }
}

fn shared_memory(call: &str, key: u32) {
    let script = format!("import ctypes, sys; libc = ctypes.CDLL(None); sys.exit(libc.{call} < 0)");
    let status = Command::new("python3").args(["-c", &script, &key.to_string()]).status().unwrap();
    assert!(status.success());
}

fn own_addresses() -> Vec<String> {
    let output = Command::new("hostname").arg("-I").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter(|address| !address.contains(':')).map(str::to_owned).collect()
}

pub(crate) struct Neighbour {
    project: ProjectId,
    deployment: DeploymentId,
    pub(crate) address: String,
}

pub(crate) async fn neighbour(server: &TestServer, client: &Client) -> Neighbour {
    let create = api::ProjectCreate {
        name: "neighbour".into(),
        volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb: None }]),
        env_vars: vec![api::EnvVarInput { key: "SECRET".into(), value: "the-neighbours-secret".into() }],
        ..api::ProjectCreate::default()
    };
    let project = project_with(client, create).await;
    let deployment = deploy(client, &project, archive(&[("main.py", NEIGHBOUR)])).await.id;
    let address = server.app("neighbour.localhost").get("/").await.unwrap().text();
    Neighbour { project, deployment, address }
}

/// All that somebody knows who can see the host.
pub(crate) fn targets(server: &TestServer, host: &Host, neighbour: &Neighbour, own: Option<&DeploymentId>) -> Value {
    let data = server.data_dir();
    let node = data.join("node");
    let group = node.join("groups").join(neighbour.project.as_str());
    let release = group.join("releases").join(neighbour.deployment.as_str());
    let volume = group.join("volumes/data");
    let log = node.join("logs").join(neighbour.project.as_str());
    for path in [&release.join("main.py"), &volume.join("secret"), &log, &node.join("identities.json")] {
        assert!(path.exists(), "{}", path.display());
    }
    let runs = own.into_iter().chain([&neighbour.deployment]);
    let run = |id: &DeploymentId| node.join("runs").join(id.as_str());
    let sockets = runs.clone().flat_map(|id| [run(id).join("shim.sock"), run(id).join("net.sock")]).collect::<Vec<_>>();
    assert!(sockets.iter().all(|path| path.exists()), "{sockets:?}");
    let mut pids = pids_of_workload(server, neighbour.deployment.as_str());
    assert!(pids.len() >= 2, "a shim and an app: {pids:?}");
    pids.extend(server.pid());
    pids.extend(own.map(|own| pids_of_workload(server, own.as_str())).into_iter().flatten());
    let mut ports = vec![server.edge_addr().port(), server.api_url().rsplit(':').next().unwrap().parse().unwrap()];
    ports.extend(host.everywhere.iter().map(|listener| listener.local_addr().unwrap().port()));
    json!({
        "database": [data.join("server/nanoscale.db"), data.join("server/nanoscale.db-wal"), data],
        "keys": [data.join("server/keys.json")],
        "node": [node.join("identities.json"), node.join("runs"), node.join("uploads"), node, run(&neighbour.deployment)],
        "neighbour_release": [release.join("main.py"), release, group],
        "neighbour_volume": [volume.join("secret"), volume],
        "neighbour_log": [log, log.join(neighbour.deployment.as_str()).join("run")],
        "sockets": sockets,
        "pids": pids,
        "host_ports": ports,
        "host_addresses": own_addresses(),
        "host_datagram_ports": [host.datagrams],
        "neighbour_addresses": [neighbour.address],
        "abstract": [host.name],
        "shared_memory": [host.memory],
    })
}

/// `weaker`: attacks that get somewhere, and what stands in everything that they may get to.
#[track_caller]
pub(crate) fn assert_nothing_succeeded(time: &str, told: &Told, weaker: &[(&str, &[&str])]) {
    for (name, verdict) in told {
        println!("{time} {name}: {verdict}");
    }
    assert!(told.len() >= 45, "{}", told.len());
    let harmless = |name: &str, verdict: &str| {
        let known = weaker.iter().find(|(weak, _)| *weak == name).map_or(&[][..], |(_, known)| known);
        let reached = verdict.strip_prefix("SUCCEEDED: ").filter(|_| !known.is_empty());
        let is_known = reached.is_some_and(|it| it.split("; ").all(|it| known.iter().any(|known| it.contains(known))));
        verdict.starts_with("denied: ") || verdict.starts_with("contained: ") || is_known
    };
    let broken = told.iter().filter(|(name, verdict)| !harmless(name, verdict)).collect::<Vec<_>>();
    assert!(broken.is_empty(), "at {time} time: {broken:#?}");
}
