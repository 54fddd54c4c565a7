use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use super::process::{EDGE, Form, NOBODY, SERVER};
use super::{Addresses, TestServer};
use crate::checkpoints::Checkpoints;
use crate::clock::Clock;
use crate::docker::Docker;
use crate::postgres::Postgres;
use crate::scratch::Scratch;
use crate::secrets::{Secrets, random_secret};
use crate::small_disk::SmallDisk;

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
    form: Form,
    disk_megabytes: Option<u64>,
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

    /// Has a container engine, and may pull from these registries (`host:port`) on this machine.
    pub fn docker(self, docker: &Docker, registries: &[&str]) -> Self {
        self.config(json!({ "docker": { "host": docker.host() }, "images": { "allow_hosts": registries } }))
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
    pub fn unprivileged(self) -> Self {
        // No other driver is for everybody.
        let mut unprivileged = self.config(json!({ "node": { "driver": "native" } }));
        unprivileged.form = Form::Unprivileged;
        unprivileged
    }

    /// As server, edge and node in a process each, with users of their own: what an installation is.
    pub fn separate(mut self) -> Self {
        self.form = Form::Three;
        self
    }

    /// It goes by this clock. So do none of its apps.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.env.extend(clock.env());
        self
    }

    /// Its data lies on a disk of its own, of so many megabytes.
    pub fn small_disk(mut self, megabytes: u64) -> Self {
        self.disk_megabytes = Some(megabytes);
        self
    }

    /// Starts the server and waits until it listens.
    pub async fn start(mut self) -> TestServer {
        let scratch = Scratch::new("server", Some(&self.program));
        if self.form != Form::One {
            // The build's directory may be closed to other users.
            let program = scratch.path().join("nanoscale");
            fs::copy(&self.program, &program).expect("copy the server's binary");
            self.program = program;
        }
        let disk = self.disk_megabytes.map(|megabytes| SmallDisk::mount(&scratch.path().join("data"), megabytes));
        match self.form {
            Form::One => {}
            Form::Unprivileged => chown(scratch.path(), Some(NOBODY), Some(NOBODY)).expect("give the directory away"),
            Form::Three => make_directories(scratch.path()).expect("make the processes' directories"),
        }
        self.config["data_dir"] = json!(scratch.path().join("data"));
        match self.database.unwrap_or_else(usual_database) {
            Database::Sqlite => {}
            Database::Postgres(url) => self.config["database_url"] = json!(url),
        }
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = TestServer {
            disk,
            scratch,
            program: self.program,
            config: self.config,
            env: self.env,
            form: self.form,
            processes: BTreeMap::new(),
            addresses: Addresses { api: unknown, edge: unknown, mesh: BTreeMap::new() },
            setup_code: random_secret(),
            secrets: Secrets::default(),
        };
        server.start().await;
        server
    }
}

fn usual_form() -> Form {
    match std::env::var("NANOSCALE_TEST_FORM").as_deref() {
        Ok("three") => Form::Three,
        Ok("one" | "") | Err(_) => Form::One,
        Ok(other) => panic!("NANOSCALE_TEST_FORM is `{other}`; it may be one or three"),
    }
}

fn usual_database() -> Database {
    match std::env::var("NANOSCALE_TEST_DATABASE").as_deref() {
        Ok("postgres") => Database::Postgres(Postgres::shared().database()),
        Ok("sqlite" | "") | Err(_) => Database::Sqlite,
        Ok(other) => panic!("NANOSCALE_TEST_DATABASE is `{other}`; it may be sqlite or postgres"),
    }
}

/// What an installer makes: a directory for each user, below one that is root's.
fn make_directories(scratch: &Path) -> io::Result<()> {
    fs::set_permissions(scratch, fs::Permissions::from_mode(0o711))?;
    fs::create_dir_all(scratch.join("data"))?;
    for (name, user) in [("server", SERVER), ("edge", EDGE)] {
        let path = scratch.join("data").join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        chown(&path, Some(user), Some(user))?;
    }
    Ok(())
}

pub(crate) fn merge(base: &mut Value, patch: Value) {
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
        let mut config = json!({
            "orchestrator": { "bind_address": "127.0.0.1:0" },
            "edge": { "http_bind": "127.0.0.1:0" },
            "git": { "allow_hosts": [] },
            // The machine's own engine is no part of a test.
            "docker": { "host": "unix:///run/no-container-engine.sock" },
            "notifications": { "allow_hosts": [], "first_retry_ms": 100 },
            "limits": { "settle_ms": 200, "drain_seconds": 3, "stop_grace_seconds": 3 },
        });
        if let Ok(driver) = std::env::var("NANOSCALE_TEST_DRIVER") {
            config["node"] = json!({ "driver": driver });
        }
        Builder { program, config, database: None, env: Vec::new(), form: usual_form(), disk_megabytes: None }
    }
}
