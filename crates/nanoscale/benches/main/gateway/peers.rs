//! Other gateways before the same engine, each with one process of its own and nothing that it does not need.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{MODEL, body, free_address};

const PYTHON: &str = "/usr/local/lib/nanoscale-models/gateways/bin";
const PORTKEY: &str = "/usr/local/lib/node_modules/@portkey-ai/gateway/build/start-server.js";
/// LiteLLM takes half a minute to start.
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) struct Gateway {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Their children count, too.
    pub(super) processes: Vec<u32>,
    pub(super) held: Option<Held>,
}

/// Ends with this value.
pub(super) struct Held {
    child: Child,
    home: TempDir,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    /// The engine itself.
    pub(super) fn directly(address: SocketAddr, pid: u32) -> Self {
        Self { name: "directly", address, headers: Vec::new(), processes: vec![pid], held: None }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1/chat/completions", self.address)
    }

    pub(super) async fn ask(&self, client: &reqwest::Client, body: &Value) -> reqwest::Response {
        let request =
            self.headers.iter().fold(client.post(self.url()), |request, (name, value)| request.header(*name, value));
        request.json(body).send().await.unwrap()
    }

    fn start(
        name: &'static str,
        program: &str,
        headers: Vec<(&'static str, String)>,
        arguments: &dyn Fn(&Path, &str) -> Vec<String>,
    ) -> Option<Self> {
        if !Path::new(program).exists() {
            eprintln!("{name} is not here: {program}");
            return None;
        }
        let (home, address) = (tempfile::tempdir().unwrap(), free_address());
        let arguments = arguments(home.path(), &address.port().to_string());
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        // What pip installed names the directory in which that was done, which was another one.
        let interpreter = if program.ends_with(".js") { "node".into() } else { format!("{PYTHON}/python") };
        let mut command = Command::new(interpreter);
        command.arg(program).args(arguments);
        command.env("HOME", home.path()).current_dir(home.path()).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let gateway = Self { name, address, headers, processes: vec![child.id()], held: Some(Held { child, home }) };
        Some(gateway)
    }

    /// Once it answers. One that does not is left out.
    fn answering(self) -> Option<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut curl = Command::new("curl");
            curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "content-type: application/json", "-d"]);
            curl.arg(body(false).to_string());
            for (name, value) in &self.headers {
                curl.args(["-H", &format!("{name}: {value}")]);
            }
            if curl.arg(self.url()).output().unwrap().stdout == b"200" {
                return Some(self);
            }
            if Instant::now() > deadline {
                let log = self
                    .held
                    .as_ref()
                    .map(|held| std::fs::read_to_string(held.home.path().join("log")).unwrap_or_default());
                eprintln!("{} does not answer; it wrote:\n{}", self.name, log.unwrap_or_default());
                return None;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Those that are installed; the others are named.
pub(super) fn all(engine: SocketAddr) -> Vec<Gateway> {
    let engine = format!("http://{engine}");
    let key = format!("sk-{:032x}", rand::random::<u128>());
    let litellm = Gateway::start(
        "LiteLLM",
        &format!("{PYTHON}/litellm"),
        vec![("authorization", format!("Bearer {key}"))],
        &|home, port| {
            let config = format!(
                "model_list:\n- model_name: {MODEL}\n  litellm_params: {{model: openai/{MODEL}, api_base: \"{engine}/v1\", api_key: none}}\n\
             general_settings: {{master_key: \"{key}\"}}\nlitellm_settings: {{telemetry: false}}\n"
            );
            let path = home.join("config.yaml");
            std::fs::write(&path, config).unwrap();
            let path = path.display().to_string();
            ["--config", &path, "--host", "127.0.0.1", "--port", port, "--num_workers", "1"].map(str::to_owned).to_vec()
        },
    );
    let router = |name, program: &str, first: &'static [&'static str]| {
        Gateway::start(name, &format!("{PYTHON}/{program}"), Vec::new(), &|_, port| {
            // Both would take the same port for their metrics.
            let metrics = free_address().port().to_string();
            let rest = ["--worker-urls", &engine, "--policy", "round_robin", "--host", "127.0.0.1", "--port", port];
            let all = first.iter().copied().chain(rest).chain(["--prometheus-port", &metrics]);
            all.map(str::to_owned).collect()
        })
    };
    let portkey = vec![
        ("x-portkey-provider", "openai".to_owned()),
        ("x-portkey-custom-host", format!("{engine}/v1")),
        ("authorization", "Bearer none".to_owned()),
    ];
    let portkey =
        Gateway::start("Portkey", PORTKEY, portkey, &|_, port| vec![format!("--port={port}"), "--headless".into()]);
    [litellm, router("SMG", "smg", &["launch"]), router("vllm-router", "vllm-router", &[]), portkey]
        .into_iter()
        .flatten()
        .filter_map(Gateway::answering)
        .collect()
}
