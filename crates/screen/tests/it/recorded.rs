//! Streams of real programs, recorded on a terminal of their own while the test runs.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use screen::Screen;

use crate::xterm::{Comparison, compare_stream};

const ROWS: u16 = 30;
const COLUMNS: u16 = 100;
/// A program that said nothing for so long waits for a key.
const QUIET: Duration = Duration::from_millis(400);

struct Session {
    master: File,
    child: Child,
    output: Vec<u8>,
    /// Rows and columns that the terminal had later, each with where in the output that began.
    sizes: Vec<(usize, u16, u16)>,
}

/// What somebody does at a terminal.
enum Doing {
    Types(&'static str),
    Resizes(u16, u16),
}

use Doing::{Resizes, Types};

impl Session {
    fn start(program: &str, arguments: &[&str], directory: &Path, (rows, columns): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        resize(&master, rows, columns);
        let name: CString = ptsname(&master, Vec::new()).unwrap();
        let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let stdio = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", program]).args(arguments).current_dir(directory);
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env("HOME", directory).env_remove("TMUX");
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let mut session = Self { master: File::from(master), child, output: Vec::new(), sizes: Vec::new() };
        session.read();
        session
    }

    /// Until it waits, or is at its end.
    fn read(&mut self) {
        let mut buffer = [0; 65536];
        let quiet = Timespec { tv_sec: 0, tv_nsec: QUIET.as_nanos() as i64 };
        loop {
            let mut waited = [PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::IN)];
            if poll(&mut waited, Some(&quiet)).unwrap() == 0 {
                return;
            }
            match self.master.read(&mut buffer) {
                Ok(count) if count > 0 => self.output.extend_from_slice(&buffer[..count]),
                _ => return,
            }
        }
    }

    fn type_keys(&mut self, keys: &[&str]) {
        for key in keys {
            self.master.write_all(key.as_bytes()).unwrap();
            self.read();
        }
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.sizes.push((self.output.len(), rows, columns));
        resize(&self.master, rows, columns);
        self.read();
    }

    fn finish(mut self) -> Vec<u8> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.output
    }
}

fn resize(terminal: impl AsFd, rows: u16, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn record(program: &str, arguments: &[&str], keys: &[&str]) -> Vec<u8> {
    let directory = files();
    let mut session = Session::start(program, arguments, directory.path(), (ROWS, COLUMNS));
    session.type_keys(keys);
    session.finish()
}

fn files() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let text = (1..400).map(|line| format!("{line} fn main() {{ // 世界 é 🙂 \"text\" }}\n")).collect::<String>();
    std::fs::write(directory.path().join("text.rs"), text).unwrap();
    directory
}

/// Cell for cell in the browser's terminal, at many moments of the stream, and drawn from its snapshot.
fn check(stream: &[u8], shows: &str) {
    check_at((ROWS, COLUMNS), stream, shows);
}

fn check_at((rows, columns): (u16, u16), stream: &[u8], shows: &str) {
    let all = String::from_utf8_lossy(stream);
    assert!(all.contains(shows), "{}", stream.escape_ascii());
    compare_stream(rows, columns, stream, 97);
    compare_stream(rows, columns, stream, 3001);
    let mut screen = Screen::new(rows, columns);
    for piece in stream.chunks(211) {
        screen.feed(piece);
        let mut restored = Screen::new(rows, columns);
        restored.feed(&screen.snapshot());
        assert!(restored.snapshot() == screen.snapshot());
    }
}

#[test]
fn vim() {
    let keys = [
        "ihello 世界 🙂 e\u{301}\x1b",
        ":set number\r",
        ":split\r",
        "50G",
        "\x06",
        "\x02",
        "ddp",
        "u",
        ":vsplit\r",
        "/main\r",
        "V10j",
        "\x1b",
        ":syntax on\r",
        ":q\r",
        ":qa!\r",
    ];
    let stream = record("vim", &["-N", "-u", "NONE", "-i", "NONE", "text.rs"], &keys);
    check(&stream, "\x1b[?1049h");
}

#[test]
fn htop() {
    let keys = ["\x1b[B\x1b[B\x1b[B", "t", "\x1bOS", "q"];
    check(&record("htop", &["-d", "20"], &keys), "PID");
    check(&record("top", &["-d", "2"], &["1", "c", "V", "q"]), "PID");
}

#[test]
fn less() {
    let keys = [" ", " ", "b", "G", "g", "/main\r", "n", "n", "-S\r", "\x1b[C", "q"];
    check(&record("less", &["text.rs"], &keys), "main");
}

#[test]
fn tmux() {
    let keys = [
        "ls --color=always /\r",
        "\x02%",
        "seq 1 200\r",
        "\x02\"",
        "cat text.rs | head -50\r",
        "\x02o",
        "vim -u NONE text.rs\r",
        ":q\r",
        "\x02[",
        "\x02\x02",
        "q",
        "\x02z",
        "exit\r",
        "exit\r",
        "exit\r",
    ];
    let stream = record("tmux", &["-L", "screen-test", "-f", "/dev/null", "-u", "new-session", "/bin/sh"], &keys);
    check(&stream, "\x1b[?1049h");
}

/// Programs on the other screen are told of a new size and draw anew; until they have, both show the same of what was there.
fn check_resized(program: &str, arguments: &[&str], doings: &[Doing]) {
    let directory = files();
    let mut session = Session::start(program, arguments, directory.path(), (ROWS, COLUMNS));
    for doing in doings {
        match doing {
            Types(keys) => session.type_keys(&[keys]),
            Resizes(rows, columns) => session.resize(*rows, *columns),
        }
    }
    let sizes = std::mem::take(&mut session.sizes);
    let stream = session.finish();
    let mut comparison = Comparison::new(ROWS, COLUMNS);
    let mut at = 0;
    for (since, rows, columns) in sizes {
        comparison.feed_and_compare(&stream[at..since], 97);
        comparison.resize(rows, columns);
        at = since;
    }
    comparison.feed_and_compare(&stream[at..], 97);
    println!("{program}: {}", comparison.finish());
}

#[test]
fn programs_in_windows_that_change() {
    let vim = ["-N", "-u", "NONE", "-i", "NONE", "text.rs"];
    let doings = [
        Types(":split\r"),
        Types("50G"),
        Resizes(12, 100),
        Types("\x06"),
        Resizes(12, 41),
        Types(":vsplit\r"),
        Resizes(40, 120),
        Types("ihello\x1b"),
        Resizes(7, 20),
        Resizes(30, 100),
        Types(":q\r"),
    ];
    check_resized("vim", &vim, &doings);
    let doings = [Types("G"), Resizes(10, 50), Types("b"), Resizes(50, 150), Types("g"), Resizes(24, 80)];
    check_resized("less", &["text.rs"], &doings);
}
