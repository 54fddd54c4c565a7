//! Programs whose output is read: with arguments, never a shell, and with a deadline.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Bytes of a line; the rest of a longer one is left out.
const LINE: usize = 64 << 10;
/// Bytes of what a program complains about.
const COMPLAINT: u64 = 4 << 10;

/// A program that takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late;

/// A program at work; it ends with this.
pub(super) struct Running {
    name: String,
    child: Child,
    lines: Lines<ChildStdout>,
    complaint: JoinHandle<Vec<u8>>,
    deadline: Instant,
}

pub(super) fn command(program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// What a program writes to its standard output; what it complains about when it fails.
pub(crate) async fn output(program: &str, arguments: &[&str], timeout: Duration) -> Result<String, String> {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
    let output = match tokio::time::timeout(timeout, command(program, &arguments).output()).await {
        Err(_) => return Err(late(program, timeout)),
        Ok(Err(error)) => return Err(cannot_start(program, &error)),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(complaint(program, &output.stderr))
    }
}

pub(super) fn late(program: &str, timeout: Duration) -> String {
    format!("`{program}` did not answer within {timeout:?}")
}

pub(super) fn cannot_start(program: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("`{program}` is not installed on this machine"),
        _ => format!("`{program}` cannot be started: {error}"),
    }
}

/// The last line of what a program complained about.
pub(super) fn complaint(program: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.trim().lines().next_back() {
        Some(line) => line.trim().to_owned(),
        None => format!("`{program}` failed"),
    }
}

impl Running {
    pub(super) fn start(program: &str, arguments: &[String], timeout: Duration) -> Result<Self, String> {
        let mut child = command(program, arguments).spawn().map_err(|error| cannot_start(program, &error))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(format!("`{program}` has no output"));
        };
        Ok(Self {
            name: program.to_owned(),
            child,
            lines: Lines::new(stdout),
            complaint: tokio::spawn(read_complaint(stderr)),
            deadline: Instant::now() + timeout,
        })
    }

    /// The next line; none at the end.
    pub(super) async fn line(&mut self) -> Result<Option<Vec<u8>>, Late> {
        timeout_at(self.deadline, self.lines.next()).await.map_err(|_| Late)
    }

    /// Whether it ended well, after its last line.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        let status = timeout_at(self.deadline, self.child.wait()).await;
        if matches!(status, Ok(Ok(status)) if status.success()) {
            return Ok(());
        }
        let bytes = timeout_at(self.deadline, self.complaint).await.ok().and_then(Result::ok).unwrap_or_default();
        Err(complaint(&self.name, &bytes))
    }
}

async fn read_complaint(stderr: ChildStderr) -> Vec<u8> {
    let mut stderr = BufReader::new(stderr);
    let mut bytes = Vec::new();
    let _ = (&mut stderr).take(COMPLAINT).read_to_end(&mut bytes).await;
    // Who cannot write does not go on.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    bytes
}

/// Lines of bounded length.
pub(super) struct Lines<R> {
    input: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(LINE, input) }
    }

    /// The next line without its end; none at the end, or when nothing more can be read.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let mut any = false;
        loop {
            let bytes = self.input.fill_buf().await.ok()?;
            if bytes.is_empty() {
                return any.then_some(line);
            }
            any = true;
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            line.extend_from_slice(&part[..part.len().min(LINE - line.len())]);
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Some(line);
            }
        }
    }
}
