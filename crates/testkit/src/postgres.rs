use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::{PATIENCE, wait_blocking};

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// Starts the database again when it is killed. Stops it and removes its directory when standard input
/// ends, which it does with the process that holds the other end, however that ends.
const KEEPER: &str = r#"
trap '' HUP INT TERM
until [ -e "$DIRECTORY/stop" ]; do
    "$@" >>"$DIRECTORY/log" 2>&1
    sleep 0.05
done </dev/null &
cat
touch "$DIRECTORY/stop"
kill -QUIT "$(head -n 1 "$DIRECTORY/data/postmaster.pid")"
wait
rm -rf "$DIRECTORY"
"#;

/// What makes a database fast whose machine may go down with it.
const HASTY: &[&str] = &["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
/// The same for one whose process may be killed, and nothing else: what it committed the kernel has.
const KILLABLE: &[&str] = &["fsync=off", "full_page_writes=off"];

/// One real PostgreSQL for all tests of this process.
#[derive(Debug)]
pub struct Postgres {
    directory: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// Holds the other end of the keeper's standard input.
    _keeper: Child,
}

static SHARED: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(HASTY));

// === impl Postgres ===

impl Postgres {
    /// Starts with the first call, which takes a second or two.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// One of its own, for a test that kills it.
    pub fn killable() -> Self {
        Self::start(KILLABLE)
    }

    /// Ends the database with all its sessions, without a chance to say goodbye. It is started again at once,
    /// as a supervisor would.
    pub fn kill(&self) {
        let text = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.parse().ok());
        let pid = Pid::from_raw(pid.expect("the database wrote down its process id"));
        kill(pid, Signal::SIGKILL).expect("the database runs");
        let text = || std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap_or_default();
        let again =
            || psql(&self.url("postgres"), "select 1").status.success() && !text().starts_with(&format!("{pid}\n"));
        assert!(wait_blocking(PATIENCE, again), "PostgreSQL does not start again");
    }

    /// The address of a fresh empty database.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&self.url("postgres"), &format!("create database {name}"));
        self.url(&name)
    }

    /// Runs SQL and returns its rows, a line each, columns between `|`.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        let output = psql(url, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn start(settings: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("nanoscale-postgres-").tempdir().expect("make a directory");
        let directory = directory.keep();
        let data = directory.join("data");
        if nix::unistd::geteuid().is_root() {
            let owner = nix::unistd::User::from_name("postgres").ok().flatten().expect("there is a user postgres");
            std::os::unix::fs::chown(&directory, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
                .expect("give the directory to postgres");
        }
        let mut init = as_postgres("initdb");
        init.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
        let output = init.current_dir(&directory).output().expect("run initdb");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        Self::serve(&directory, &data, settings)
    }

    fn serve(directory: &Path, data: &Path, settings: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("find a free port").port();
        let mut server = as_postgres("postgres");
        server.arg("-D").arg(data).arg("-k").arg(directory).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "max_connections=500"].iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(server.get_program()).args(server.get_args());
        let keeper = keeper
            .env("DIRECTORY", directory)
            .current_dir(directory)
            // Ctrl-C ends the test, and that ends the database.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let keeper = keeper.expect("start the database's keeper");
        let postgres = Self { directory: directory.to_owned(), port, databases: AtomicU32::new(0), _keeper: keeper };
        let url = postgres.url("postgres");
        if !wait_blocking(PATIENCE, || psql(&url, "select 1").status.success()) {
            let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            panic!("PostgreSQL does not start; it wrote:\n{log}");
        }
        postgres
    }
}

fn as_postgres(program: &str) -> Command {
    let program = PathBuf::from(BIN).join(program);
    if !nix::unistd::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

fn psql(url: &str, sql: &str) -> Output {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
    command.output().expect("run psql")
}
