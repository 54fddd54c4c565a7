//! Holds the product at its named steps: see the crate `checkpoint`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use checkpoint::Checkpoint;
use tokio::sync::oneshot;

use crate::scratch::Scratch;

/// The side of the test: whoever comes to a step that is not held goes on at once.
#[derive(Debug)]
pub struct Checkpoints {
    scratch: Scratch,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    closing: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    passed: Vec<Passed>,
    /// Takes the next one who comes there, and only that one.
    trap: Option<(Checkpoint, oneshot::Sender<Held>)>,
}

/// Who came to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    pub name: String,
    pub pid: i32,
}

/// A step that is to be held once.
#[derive(Debug)]
pub struct Trap {
    checkpoint: Checkpoint,
    held: oneshot::Receiver<Held>,
}

/// A process that waits at a step until this is dropped.
#[derive(Debug)]
pub struct Held {
    /// The waiting process, which may have been killed meanwhile.
    pub pid: i32,
    stream: UnixStream,
}

// === impl Checkpoints ===

impl Checkpoints {
    #[expect(clippy::new_without_default, reason = "it listens")]
    pub fn new() -> Self {
        let scratch = Scratch::new("checkpoints", None);
        // Shims come as users of their own.
        let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
        open(scratch.path(), 0o755).expect("open the directory");
        let socket = scratch.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("listen for checkpoints");
        open(&socket, 0o666).expect("open the socket");
        let state = Arc::<State>::default();
        let taken = Arc::clone(&state);
        thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    if taken.closing.load(Ordering::Relaxed) {
                        return;
                    }
                    taken.take(stream);
                }
            })
            .expect("start a thread");
        Self { scratch, state }
    }

    /// What [`checkpoint::VARIABLE`] shall be.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("socket")
    }

    /// Holds whoever comes to this step next; an earlier trap that caught nobody is taken away.
    pub fn hold(&self, checkpoint: Checkpoint) -> Trap {
        let (caught, held) = oneshot::channel();
        self.state.seen().trap = Some((checkpoint, caught));
        Trap { checkpoint, held }
    }

    /// Everybody who came to a step since the last call, in order.
    pub fn passed(&self) -> Vec<Passed> {
        std::mem::take(&mut self.state.seen().passed)
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::Relaxed);
        // Wakes the thread.
        let _ = UnixStream::connect(self.socket());
    }
}

// === impl State ===

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, stream: UnixStream) {
        let mut line = String::new();
        // Who comes says so at once, or was killed.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        if BufReader::new(&stream).read_line(&mut line).is_err() {
            return;
        }
        let Some((name, pid)) = line.trim().split_once(' ') else { return };
        let Ok(pid) = pid.parse() else { return };
        let mut seen = self.seen();
        seen.passed.push(Passed { name: name.into(), pid });
        if let Some((_, caught)) = seen.trap.take_if(|(checkpoint, _)| checkpoint.name() == name) {
            // Nobody may wait for it any more; then it goes on.
            let _ = caught.send(Held { pid, stream });
        }
    }
}

// === impl Trap ===

impl Trap {
    /// Waits until somebody is held. `None`: nobody came there in time.
    pub async fn reached(self, within: Duration) -> Option<Held> {
        tokio::time::timeout(within, self.held).await.ok()?.ok()
    }

    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = self.stream.write_all(b"\n");
    }
}
