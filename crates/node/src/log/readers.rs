//! Those who read logs on this node: what they may take of it, and how they wait for more.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use wire::LogRecord;

use super::watch::{Watch, Watcher};

/// Followers at a time. Each is a task, a few watches and some buffers.
const FOLLOWERS: usize = 256;
/// Threads that read for all of them.
const THREADS: usize = 4;
/// A reader that is woken looks after so long what there is by then: less than a person
/// notices, and a log that is written to all the time is not looked at for every line.
const GATHER: Duration = Duration::from_millis(40);
/// Without a sign a reader looks this often all the same.
const LOOK: Duration = Duration::from_secs(30);
/// How often it looks where the kernel gives no signs.
const LOOK_BLIND: Duration = Duration::from_millis(500);
/// Bytes of one chunk to the other side.
const CHUNK: usize = 32 << 10;

/// A log, or several, that may grow.
pub(crate) trait Growing: Send + 'static {
    /// What comes next, a bounded amount of it.
    fn read(&mut self) -> io::Result<Batch>;

    /// Where a change means that there is more to read.
    fn directories(&self) -> Vec<PathBuf>;
}

pub(crate) struct Batch {
    pub(crate) records: Vec<LogRecord>,
    /// There may be more at once.
    pub(crate) more: bool,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers {
    followers: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    /// Absent where the kernel has no more instances of inotify for this user.
    watcher: Arc<OnceLock<Option<Watcher>>>,
}

/// The right to follow.
pub(crate) struct Follow {
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(crate) fn new() -> Self {
        Self {
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            threads: Arc::new(Semaphore::new(THREADS)),
            watcher: Arc::default(),
        }
    }

    /// None when there are too many already.
    pub(crate) fn follow(&self) -> Option<Follow> {
        let permit = self.followers.clone().try_acquire_owned().ok()?;
        Some(Follow { _permit: permit })
    }

    /// Runs a bounded piece of reading on a thread for blocking work.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _permit = self.threads.acquire().await.map_err(io::Error::other)?;
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }

    /// Sends all that is there as JSON lines and, to a follower, what comes.
    pub(crate) async fn send(
        &self,
        log: impl Growing,
        follow: Option<Follow>,
        chunks: mpsc::Sender<io::Result<Bytes>>,
    ) {
        if let Err(error) = self.try_send(log, follow.as_ref(), &chunks).await {
            // Nobody may be there any more to hear of it.
            let _ = chunks.send(Err(error)).await;
        }
    }

    async fn try_send(
        &self,
        mut log: impl Growing,
        follow: Option<&Follow>,
        chunks: &mpsc::Sender<io::Result<Bytes>>,
    ) -> io::Result<()> {
        let wake = Arc::new(Notify::new());
        // Those of the round before go when there are new ones.
        let mut watches;
        loop {
            let watcher = follow.and_then(|_| self.watcher());
            let (wake_it, waits) = (wake.clone(), follow.is_some());
            let batch;
            (log, watches, batch) = self
                .work(move || {
                    // Before the look at what is there, so that nothing comes unseen.
                    let watches = waits.then(|| watch(watcher.as_ref(), &log, &wake_it));
                    let batch = log.read()?;
                    Ok((log, watches, batch))
                })
                .await?;
            for chunk in to_chunks(&batch.records) {
                if chunks.send(Ok(chunk)).await.is_err() {
                    return Ok(());
                }
            }
            if batch.more {
                continue;
            }
            let Some(watches) = &watches else { return Ok(()) };
            let look = if watches.is_some() { LOOK } else { LOOK_BLIND };
            tokio::select! {
                () = wake.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(look) => {}
                () = chunks.closed() => return Ok(()),
            }
        }
    }

    fn watcher(&self) -> Option<Watcher> {
        let start =
            || Watcher::start().inspect_err(|error| tracing::warn!(%error, "logs are looked at by the clock")).ok();
        self.watcher.get_or_init(start).clone()
    }
}

/// None when the kernel refuses one of them.
fn watch(watcher: Option<&Watcher>, log: &impl Growing, wake: &Arc<Notify>) -> Option<Vec<Watch>> {
    let watches = log.directories().into_iter().map(|path| watcher?.watch(&path, wake).ok());
    watches.collect()
}

fn to_chunks(records: &[LogRecord]) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    for record in records {
        if serde_json::to_writer(&mut chunk, record).is_ok() {
            chunk.push(b'\n');
        }
        if chunk.len() > CHUNK {
            chunks.push(std::mem::take(&mut chunk).into());
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk.into());
    }
    chunks
}
