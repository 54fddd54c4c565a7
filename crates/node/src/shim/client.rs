//! The node's side: start a shim, find one again, speak to it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use wire::shim::{Answer, Exit, Request};

use super::{EXIT, SOCKET, ShimSpec};

/// A shim that lives says how it is within this time.
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes of the longest answer.
const ANSWER_MAX: u64 = 64 << 10;
/// Bytes of the answer to who wants to look at a terminal, about.
const ATTACHED: usize = 256;

/// A running shim.
#[derive(Debug, Clone)]
pub(crate) struct Shim {
    run_dir: PathBuf,
}

/// A shim that does not know yet what to run. It ends when this is dropped.
pub(crate) struct Waiting {
    child: tokio::process::Child,
}

impl Waiting {
    /// Starts `program shim`.
    pub(crate) fn start(program: &Path) -> io::Result<Self> {
        let child = tokio::process::Command::new(program)
            .arg("shim")
            .env_clear()
            .envs(checkpoint::variable())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Self { child })
    }

    /// Its process; absent when it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Has it run `spec`, and waits until its process runs; `Err` says in words why it does not.
    pub(crate) async fn tell(self, spec: &ShimSpec) -> io::Result<Result<Shim, Exit>> {
        let Self { mut child } = self;
        let _ = std::fs::remove_file(spec.run_dir.join(EXIT));
        let mut text = serde_json::to_vec(spec)?;
        text.push(b'\n');
        let mut told = child.stdin.take();
        if let Some(stdin) = &mut told {
            stdin.write_all(&text).await?;
        }
        let shim = Shim { run_dir: spec.run_dir.clone() };
        // Reaps it, whenever it ends.
        let mut ended = tokio::spawn(async move { child.wait().await });
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(2));
        let started = loop {
            tokio::select! {
                status = &mut ended => break match read_exit(&shim.run_dir) {
                    // It may already have come and gone.
                    Some(exit) if exit.spawn_error.is_none() => Ok(Ok(shim)),
                    Some(exit) => Ok(Err(exit)),
                    // It was killed, and nobody knows what its process came to: whoever waits for it hears so.
                    None if killed(&status) => Ok(Ok(shim)),
                    None => Err(io::Error::other(format!("the shim ended without a word: {status:?}"))),
                },
                _ = pause.tick() => {
                    if shim.is_alive().await {
                        break Ok(Ok(shim));
                    }
                }
            }
        };
        drop(told);
        started
    }
}

/// A view of a process's terminal: frames both ways.
pub(crate) struct Attached {
    pub(crate) reader: BufReader<OwnedReadHalf>,
    pub(crate) writer: OwnedWriteHalf,
}

impl Shim {
    /// The shim that works in `run_dir`, if one does. One that does not answer is ended: another would be started
    /// beside it.
    pub(crate) async fn find(run_dir: &Path) -> Option<Self> {
        match Self::look(run_dir).await {
            Ok(shim) => shim,
            Err(_) => {
                Self { run_dir: run_dir.to_owned() }.kill().await;
                None
            }
        }
    }

    /// The same for who starts nothing: they come again, and what a busy machine holds up goes on.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn look(run_dir: &Path) -> io::Result<Option<Self>> {
        let shim = Self { run_dir: run_dir.to_owned() };
        match shim.ask_soon(&Request::Status).await {
            Ok(Answer::Status { .. }) => Ok(Some(shim)),
            // Also when so many wait for an answer that no more can.
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => Err(error),
            _ => Ok(None),
        }
    }

    async fn kill(&self) {
        let Ok(stream) = self.connect().await else { return };
        if let Some(pid) = stream.peer_cred().ok().and_then(|peer| peer.pid()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
        }
    }

    async fn is_alive(&self) -> bool {
        self.init_pid().await.is_some()
    }

    /// The first process of the sandbox, on the host; absent when it has ended.
    pub(crate) async fn init_pid(&self) -> Option<i32> {
        match self.ask_soon(&Request::Status).await {
            Ok(Answer::Status { pid, .. }) => Some(pid),
            _ => None,
        }
    }

    pub(crate) async fn signal(&self, signal: i32) -> io::Result<()> {
        match self.ask_soon(&Request::Signal { signal }).await? {
            Answer::Error { message } => Err(io::Error::other(message)),
            _ => Ok(()),
        }
    }

    /// Waits for the process to end. `None`: the shim went without saying how.
    pub(crate) async fn wait(&self) -> Option<Exit> {
        match self.ask(&Request::Wait).await {
            Ok(Answer::Exited(exit)) => Some(exit),
            _ => read_exit(&self.run_dir),
        }
    }

    /// Looks at the process's terminal, from this offset of its output on.
    pub(crate) async fn attach(&self, from: u64, watch: bool) -> io::Result<Attached> {
        let (reader, mut writer) = self.connect().await?.into_split();
        let mut line = serde_json::to_vec(&Request::Attach { from, watch })?;
        line.push(b'\n');
        writer.write_all(&line).await?;
        // For the answer; frames are read into larger buffers, past this one.
        let mut reader = BufReader::with_capacity(ATTACHED, reader);
        let mut answer = String::new();
        tokio::time::timeout(ANSWER, reader.read_line(&mut answer)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        match serde_json::from_str(&answer)? {
            // What was asked for has been removed meanwhile.
            Answer::Attached { from: at, .. } if at != from => Err(io::ErrorKind::NotFound.into()),
            Answer::Attached { .. } => Ok(Attached { reader, writer }),
            answer => Err(io::Error::other(format!("{answer:?}"))),
        }
    }

    /// As [`ask`](Self::ask), of a shim that may be stopped or worse: it holds up nobody for long.
    async fn ask_soon(&self, request: &Request) -> io::Result<Answer> {
        match tokio::time::timeout(ANSWER, self.ask(request)).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(run = %self.run_dir.display(), "a shim does not answer");
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let path = self.run_dir.join(SOCKET);
        UnixStream::connect(short(&path)?.path()).await
    }

    async fn ask(&self, request: &Request) -> io::Result<Answer> {
        let mut stream = self.connect().await?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(stream.take(ANSWER_MAX)).read_line(&mut answer).await?;
        Ok(serde_json::from_str(&answer)?)
    }
}

fn killed(status: &Result<io::Result<ExitStatus>, tokio::task::JoinError>) -> bool {
    matches!(status, Ok(Ok(status)) if status.signal().is_some())
}

/// How the process in `run_dir` ended, if it has.
pub(crate) fn read_exit(run_dir: &Path) -> Option<Exit> {
    serde_json::from_slice(&std::fs::read(run_dir.join(EXIT)).ok()?).ok()
}

/// A name for a socket path that fits into 108 bytes, however deep its directory lies (unix(7)).
struct Short {
    _directory: File,
    path: PathBuf,
}

impl Short {
    fn path(&self) -> &Path {
        &self.path
    }
}

fn short(path: &Path) -> io::Result<Short> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("a socket path has a directory and a name"));
    };
    let directory = File::open(parent)?;
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok(Short { _directory: directory, path })
}
