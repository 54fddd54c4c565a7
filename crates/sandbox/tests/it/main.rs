//! Runs real programs through `sandbox-run`, which is single-threaded where a test is not.
//!
//! Most tests need root, as the things tested do; where it is missing they say so and pass.

mod confinement;
mod files;
mod groups;
mod network;
mod process;
mod programs;
mod terminal;
mod unprivileged;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Access, Exit, Identity, Mount, Network, Rlimits, Spec, WindowSize};

const DEADLINE: Duration = Duration::from_secs(60);
const UID: u32 = 61_234;

/// What a run left.
struct Ended {
    stdout: String,
    stderr: String,
    /// `None` if it was never started; then `stderr` says why.
    exit: Option<Exit>,
}

/// A `sandbox-run` at work. Killed, with what it runs, when dropped.
struct Running {
    process: Child,
    stdin: ChildStdin,
    stdout: Receiver<String>,
    stderr: Option<thread::JoinHandle<String>>,
}

fn spec<const N: usize>(argv: [&str; N]) -> Spec {
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Spec {
        argv: argv.map(str::to_owned).into(),
        env: [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp"), ("LC_ALL", "C")].map(pair).into(),
        cwd: "/tmp".into(),
        identity: Some(Identity { uid: UID, gid: UID }),
        mounts: Vec::new(),
        files: Vec::new(),
        network: Network::Host,
        join: None,
        trusted: false,
        cgroup: None,
        terminal: None,
        limits: Rlimits::default(),
        umask: 0o022,
        user_name: "app".into(),
        home: "/tmp".into(),
    }
}

fn shell(script: &str) -> Spec {
    spec(["sh", "-c", script])
}

fn python(script: &str) -> Spec {
    spec(["/usr/bin/python3", "-c", script])
}

fn mount(source: &Path, target: &str, access: Access) -> Mount {
    Mount { source: source.into(), target: target.into(), access }
}

fn run(spec: &Spec) -> Ended {
    start(spec).finish()
}

fn start(spec: &Spec) -> Running {
    start_by(Command::new(env!("CARGO_BIN_EXE_sandbox-run")), spec)
}

fn start_by(mut command: Command, spec: &Spec) -> Running {
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start");
    let mut stdin = process.stdin.take().expect("stdin");
    serde_json::to_writer(&stdin, spec).expect("write spec");
    stdin.write_all(b"\n").expect("write spec");
    let (sender, stdout) = mpsc::channel();
    let mut lines = BufReader::new(process.stdout.take().expect("stdout"));
    thread::spawn(move || {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    let mut stderr = process.stderr.take().expect("stderr");
    let stderr = thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).expect("read stderr");
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Running { process, stdin, stdout, stderr: Some(stderr) }
}

impl Running {
    /// The next line of output.
    fn line(&self) -> String {
        self.stdout.recv_timeout(DEADLINE).expect("a line of output").trim_end().to_owned()
    }

    fn signal(&mut self, number: i32) {
        writeln!(self.stdin, "{number}").expect("send signal");
    }

    fn finish(mut self) -> Ended {
        wait_until("the run ends", || self.process.try_wait().expect("wait").is_some());
        let stdout = self.stdout.iter().collect();
        let mut stderr = self.stderr.take().expect("taken once").join().expect("stderr");
        let last = stderr.trim_end().rsplit('\n').next().unwrap_or_default().to_owned();
        let number = |prefix| last.strip_prefix(prefix).and_then(|number: &str| number.parse().ok());
        let exit = number("exit code ").map(Exit::Code).or_else(|| number("exit signal ").map(Exit::Signal));
        if exit.is_some() {
            stderr.truncate(stderr.trim_end().len() - last.len());
        }
        Ended { stdout, stderr, exit }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = writeln!(self.stdin, "9");
            let _ = self.process.wait();
        }
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Runs a script that has to succeed, and gives its output.
#[track_caller]
fn output(spec: &Spec) -> String {
    let ended = run(spec);
    assert_eq!(ended.exit, Some(Exit::Code(0)), "stdout: {} stderr: {}", ended.stdout, ended.stderr);
    ended.stdout
}

fn is_root() -> bool {
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("proc")) == 0;
    if !root {
        eprintln!("not root: not tested");
    }
    root
}

/// A directory of the host that belongs to the sandbox's user.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    std::os::unix::fs::chown(dir.path(), Some(UID), Some(UID)).expect("chown");
    dir
}
