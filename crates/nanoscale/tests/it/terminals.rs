//! A shim that owns a terminal, over its own socket: what was put out is there for whoever comes back, byte for byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Identity, Network, Rlimits, Spec, WindowSize};
use serde_json::json;
use wire::shim::{Answer, Exit, Request, frame};

const DEADLINE: Duration = Duration::from_secs(60);
/// Of what is run, and of the shim once it runs.
const APP: Identity = Identity { uid: 61_235, gid: 61_235 };
const SHIM: Identity = Identity { uid: 61_236, gid: 61_235 };

/// `nanoscale shim` with a terminal, killed when dropped.
struct Terminal {
    directory: tempfile::TempDir,
    shim: Child,
}

impl Terminal {
    fn start(script: &str, keep: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(directory.path(), Some(SHIM.uid), Some(SHIM.gid)).unwrap();
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let sandbox = Spec {
            argv: ["sh", "-c", script].map(str::to_owned).into(),
            env: [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")].map(pair).into(),
            cwd: "/tmp".into(),
            identity: Some(APP),
            trusted: false,
            mounts: Vec::new(),
            files: Vec::new(),
            network: Network::Host,
            join: None,
            cgroup: None,
            terminal: Some(WindowSize { rows: 24, columns: 80 }),
            limits: Rlimits::default(),
            umask: 0o022,
            user_name: "app".into(),
            home: "/tmp".into(),
        };
        let spec = json!({
            "sandbox": sandbox, "run_dir": directory.path(), "log_dir": directory.path().join("log"),
            "log_max_bytes": keep, "secrets": [], "identity": SHIM,
        });
        std::fs::create_dir(directory.path().join("log")).unwrap();
        std::os::unix::fs::chown(directory.path().join("log"), Some(SHIM.uid), Some(SHIM.gid)).unwrap();
        let mut shim = Command::new(crate::program()).arg("shim").env_clear().stdin(Stdio::piped()).spawn().unwrap();
        writeln!(shim.stdin.as_mut().unwrap(), "{spec}").unwrap();
        let this = Self { directory, shim };
        let deadline = Instant::now() + DEADLINE;
        while UnixStream::connect(this.socket()).is_err() {
            assert!(Instant::now() < deadline, "the shim does not come up");
            std::thread::yield_now();
        }
        this
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join("shim.sock")
    }

    fn look(&self, from: u64) -> Viewer {
        Viewer::attach(&self.socket(), from)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shim.kill();
        let _ = self.shim.wait();
    }
}

struct Viewer {
    stream: BufReader<UnixStream>,
    from: u64,
    seen: Vec<u8>,
    exit: Option<Exit>,
}

impl Viewer {
    fn attach(socket: &Path, from: u64) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        writeln!(stream, "{}", serde_json::to_string(&Request::Attach { from, watch: false }).unwrap()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match serde_json::from_str(&line).unwrap() {
            Answer::Attached { from, .. } => Self { stream, from, seen: Vec::new(), exit: None },
            answer => panic!("{answer:?}"),
        }
    }

    fn send(&mut self, kind: u8, payload: &[u8]) {
        self.stream.get_mut().write_all(&frame::encode(kind, payload)).unwrap();
    }

    /// Takes in one frame; false at the end.
    fn next(&mut self) -> bool {
        let mut head = [0; 5];
        if self.stream.read_exact(&mut head).is_err() {
            return false;
        }
        let [kind, length @ ..] = head;
        let mut payload = vec![0; u32::from_le_bytes(length) as usize];
        self.stream.read_exact(&mut payload).unwrap();
        match kind {
            frame::OUTPUT => self.seen.extend(payload),
            frame::EXIT => self.exit = Some(serde_json::from_slice(&payload).unwrap()),
            kind => panic!("a frame of kind {kind}"),
        }
        true
    }

    fn wait_for(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            assert!(self.next(), "{text:?} is not in {:?}", String::from_utf8_lossy(&self.seen));
        }
    }

    fn end(mut self) -> (Vec<u8>, Exit) {
        while self.next() {}
        let exit = self.exit.expect("how it ended");
        (self.seen, exit)
    }
}

#[test]
fn what_is_typed_goes_in_and_its_end_is_told() {
    let terminal = Terminal::start("stty size; read line; echo \"<$line>\"; stty size; exit 7", 1 << 20);
    let (mut one, mut two) = (terminal.look(0), terminal.look(0));
    one.wait_for("24 80\r\n");
    two.send(frame::RESIZE, &[50, 0, 132, 0]);
    // A kind of another version is passed over.
    two.send(200, b"whatever");
    // In pieces, as it may come.
    for byte in frame::encode(frame::INPUT, "h\u{e4}llo\n".as_bytes()) {
        two.stream.get_mut().write_all(&[byte]).unwrap();
    }
    let ((seen, exit), (same, _)) = (one.end(), two.end());
    assert_eq!(String::from_utf8(seen.clone()).unwrap(), "24 80\r\nh\u{e4}llo\r\n<h\u{e4}llo>\r\n50 132\r\n");
    assert_eq!(same, seen);
    assert_eq!((exit.code, exit.signal), (Some(7), None));
}

/// Looked at by one after the other, each of whom goes in the middle: together they have seen every byte once.
#[test]
fn who_comes_back_goes_on_at_the_byte_where_they_were() {
    let script =
        "stty -opost -echo; echo ready; read go; i=1; while [ $i -le 100000 ]; do echo $i; i=$((i+1)); done; read end";
    let terminal = Terminal::start(script, 8 << 20);
    let mut first = terminal.look(0);
    first.wait_for("ready");
    first.send(frame::INPUT, b"go\n");
    drop(first);
    let expected = (1..=100_000).fold(String::from("ready\n"), |text, number| text + &format!("{number}\n"));
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        let mut viewer = terminal.look(seen.len() as u64);
        assert_eq!(viewer.from, seen.len() as u64);
        let before = seen.len();
        while viewer.seen.len() < 50_000 && before + viewer.seen.len() < expected.len() {
            assert!(viewer.next());
        }
        seen.extend(viewer.seen);
    }
    assert!(seen == expected.as_bytes(), "something is lost, doubled or changed");
}

/// Any bytes at all, cut anywhere; and somebody who does not read holds up nobody.
#[test]
fn every_byte_passes_unchanged_and_nobody_waits_for_the_slow() {
    let script = "stty raw -echo; python3 -c 'import random, sys; random.seed(7); \
                  sys.stdout.buffer.write(random.randbytes(10_000_000))'";
    let terminal = Terminal::start(&format!("read go; {script}"), 16 << 20);
    let slow = terminal.look(0);
    let mut fast = terminal.look(0);
    fast.send(frame::INPUT, b"go\n");
    let (seen, _) = fast.end();
    let made = Command::new("python3")
        .args(["-c", "import random, sys; random.seed(7); sys.stdout.buffer.write(random.randbytes(10_000_000))"])
        .output()
        .unwrap();
    let echoed = seen.len() - made.stdout.len();
    assert_eq!(&seen[..echoed], b"go\r\n");
    assert!(seen[echoed..] == made.stdout, "something was changed");
    drop(slow);
}

/// What nobody can read any more is not waited for, and what is left begins where it says.
#[test]
fn a_long_history_is_cut_and_said_to_be() {
    let script = "stty -opost; read go; i=100000; while [ $i -lt 800000 ]; do echo $i; i=$((i+1)); done; read end";
    let terminal = Terminal::start(script, 1 << 20);
    let mut viewer = terminal.look(0);
    viewer.send(frame::INPUT, b"go\n");
    viewer.wait_for("799999\n");
    let late = terminal.look(0);
    assert!(late.from > 1 << 20, "{}", late.from);
    let mut late = late;
    late.wait_for("799999\n");
    assert!(late.seen == viewer.seen[usize::try_from(late.from).unwrap()..]);
}
