use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use std::{fs, io};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::checkpoints::Checkpoints;
use crate::child;
use crate::client::Client;
use crate::postgres::Postgres;
use crate::scratch::{Scratch, sweep};
use crate::secrets::{Secrets, random_secret};
use crate::visitor::App;
use crate::wait::{PATIENCE, wait_some};

const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Where a server keeps its rows.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite,
    /// `postgres://…` of an empty database.
    Postgres(String),
}

/// How to start a server.
#[derive(Debug)]
pub struct Builder {
    program: PathBuf,
    config: Value,
    database: Option<Database>,
    env: Vec<(String, String)>,
    unprivileged: bool,
}

/// The user without any right, for a server that runs without root.
const NOBODY: u32 = 65_534;

/// The real binary at work in a directory of its own. Dropping it ends it and all its apps.
#[derive(Debug)]
pub struct TestServer {
    scratch: Scratch,
    program: PathBuf,
    config: Value,
    env: Vec<(String, String)>,
    unprivileged: bool,
    process: Option<Child>,
    addresses: Addresses,
    setup_code: String,
    secrets: Secrets,
}

#[derive(Debug, Clone, Copy)]
struct Addresses {
    api: SocketAddr,
    edge: SocketAddr,
}

// === impl Builder ===

impl Builder {
    /// `host:port` of a git server that may be plain http and on this machine.
    pub fn git_allow(mut self, host: impl Into<String>) -> Self {
        let hosts = self.config["git"]["allow_hosts"].as_array_mut().expect("a list from the start");
        hosts.push(host.into().into());
        self
    }

    /// `host:port` of a receiver or mail server that may be plain http and on this machine.
    pub fn notification_allow(mut self, host: impl Into<String>) -> Self {
        let hosts = self.config["notifications"]["allow_hosts"].as_array_mut().expect("a list from the start");
        hosts.push(host.into().into());
        self
    }

    /// Lays `patch` over the configuration: objects are merged, anything else is replaced.
    pub fn config(mut self, patch: Value) -> Self {
        merge(&mut self.config, patch);
        self
    }

    /// Instead of SQLite, or of what `NANOSCALE_TEST_DATABASE` says.
    pub fn database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// An environment variable besides PATH and the setup code; nothing else is inherited.
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Says at every named step where it is, and waits there when the test holds it.
    pub fn checkpoints(self, checkpoints: &Checkpoints) -> Self {
        self.env(checkpoint::VARIABLE, checkpoints.socket().display().to_string())
    }

    /// As a user without root's rights: what a person has who just tries it.
    pub fn unprivileged(mut self) -> Self {
        self.unprivileged = true;
        self
    }

    /// Starts the server and waits until it listens.
    pub async fn start(mut self) -> TestServer {
        let scratch = Scratch::new("server", Some(&self.program));
        if self.unprivileged {
            // The build's directory may be closed to that user.
            let program = scratch.path().join("nanoscale");
            fs::copy(&self.program, &program).expect("copy the server's binary");
            std::os::unix::fs::chown(scratch.path(), Some(NOBODY), Some(NOBODY)).expect("give the directory away");
            self.program = program;
        }
        self.config["data_dir"] = json!(scratch.path().join("data"));
        match self.database.unwrap_or_else(usual_database) {
            Database::Sqlite => {}
            Database::Postgres(url) => self.config["database_url"] = json!(url),
        }
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = TestServer {
            scratch,
            program: self.program,
            config: self.config,
            env: self.env,
            unprivileged: self.unprivileged,
            process: None,
            addresses: Addresses { api: unknown, edge: unknown },
            setup_code: random_secret(),
            secrets: Secrets::default(),
        };
        server.start().await;
        server
    }
}

fn usual_database() -> Database {
    match std::env::var("NANOSCALE_TEST_DATABASE").as_deref() {
        Ok("postgres") => Database::Postgres(Postgres::shared().database()),
        Ok("sqlite" | "") | Err(_) => Database::Sqlite,
        Ok(other) => panic!("NANOSCALE_TEST_DATABASE is `{other}`; it may be sqlite or postgres"),
    }
}

fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}

// === impl TestServer ===

impl TestServer {
    /// `program` is `env!("CARGO_BIN_EXE_nanoscale")` of the calling test.
    pub fn builder(program: impl AsRef<Path>) -> Builder {
        let program = fs::canonicalize(program).expect("the server's binary is there");
        // Everything that only waits is short here, so that tests need not wait along.
        let config = json!({
            "orchestrator": { "bind_address": "127.0.0.1:0" },
            "edge": { "http_bind": "127.0.0.1:0" },
            "git": { "allow_hosts": [] },
            "notifications": { "allow_hosts": [], "first_retry_ms": 100 },
            "limits": { "settle_ms": 200, "drain_seconds": 3, "stop_grace_seconds": 3 },
        });
        Builder { program, config, database: None, env: Vec::new(), unprivileged: false }
    }

    pub fn api_url(&self) -> String {
        format!("http://{}", self.addresses.api)
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

    pub fn config_path(&self) -> PathBuf {
        self.scratch.path().join("config.json")
    }

    /// The server's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Ends the server's process, and only that, without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGKILL);
            process.wait().expect("wait for the server");
        }
    }

    /// Asks the server to end, and checks that it does so in time and in peace. Apps go on running.
    pub fn terminate(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        child::signal(&process, Signal::SIGTERM);
        let Some(status) = child::wait(&mut process, STOP_DEADLINE) else {
            self.process = Some(process);
            panic!("the server does not stop within {STOP_DEADLINE:?}; it wrote:\n{}", self.output());
        };
        assert!(status.success(), "the server ended with {status}; it wrote:\n{}", self.output());
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

    async fn start(&mut self) {
        let text = serde_json::to_vec_pretty(&self.config).expect("JSON");
        fs::write(self.config_path(), text).expect("write the configuration");
        let before = self.output().len();
        self.process = Some(self.spawn().expect("start the server"));
        self.addresses = self.listening(before).await;
        // The next start comes back to the same places.
        self.config["orchestrator"]["bind_address"] = json!(self.addresses.api);
        self.config["edge"]["http_bind"] = json!(self.addresses.edge);
    }

    fn spawn(&self) -> io::Result<Child> {
        let output = fs::OpenOptions::new().create(true).append(true).open(self.output_path())?;
        let nobody = self.unprivileged.then_some(NOBODY);
        let mut command = child::mortal(&self.program, nobody);
        command
            .args(["serve", "--config"])
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

    /// Reads the addresses that the server prints once it is up.
    async fn listening(&mut self, before: usize) -> Addresses {
        let what = format!("the server listens; see {}", self.output_path().display());
        let found = wait_some(&what, PATIENCE, async || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().expect("wait for the server"));
            let output = self.output();
            if let Some(status) = ended {
                panic!("the server ended at its start with {status}; it wrote:\n{}", &output[before..]);
            }
            output[before..].lines().find_map(parse_listening)
        });
        found.await
    }
}

impl TestServer {
    /// Every log of this server and its apps: none may hold a password, token, session or value.
    fn assert_logs_hold_no_secret(&self) {
        let mut logs = vec![self.output_path()];
        collect_files(&self.data_dir().join("node/logs"), &mut logs);
        for log in logs {
            let found = self.secrets.found_in(&String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()));
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

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGTERM);
            if child::wait(&mut process, STOP_DEADLINE).is_none() {
                eprintln!("the server did not stop within {STOP_DEADLINE:?} and is killed");
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

/// `listening api=ADDRESS edge=ADDRESS`. The last line may not be there as a whole yet.
fn parse_listening(line: &str) -> Option<Addresses> {
    let (api, edge) = line.strip_prefix("listening api=")?.split_once(" edge=")?;
    Some(Addresses { api: api.parse().ok()?, edge: edge.trim().parse().ok()? })
}
