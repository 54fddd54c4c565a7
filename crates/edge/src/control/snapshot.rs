use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Plan;

/// The last plan, in a file. Only the newest matters: while one is being written, those between are left out.
pub(super) struct Snapshot {
    path: PathBuf,
    /// What is still to be written, and how many plans there were with it.
    waiting: Arc<Mutex<Option<(u64, Plan)>>>,
    /// One writes at a time, so that the newest comes last.
    turn: Arc<Mutex<()>>,
    plans: AtomicU64,
    /// How many of the plans are no newer than what the file has.
    written: watch::Sender<u64>,
}

impl Snapshot {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            waiting: Arc::default(),
            turn: Arc::default(),
            plans: AtomicU64::default(),
            written: watch::Sender::default(),
        }
    }

    pub(super) fn read(&self) -> Option<Plan> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "the last routes cannot be read");
                return None;
            }
        };
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "the last routes are not readable; waiting for new ones"))
            .ok()
    }

    /// Writes the plan soon. The result resolves when the file has it or a newer one, or cannot be written: visitors
    /// are served all the same.
    pub(super) fn keep(&self, plan: &Plan) -> impl Future<Output = ()> + use<> {
        let number = self.plans.fetch_add(1, Ordering::Relaxed) + 1;
        let mut seen = self.written.subscribe();
        // Otherwise a writer is about to take it.
        if lock(&self.waiting).replace((number, plan.clone())).is_none() {
            self.write_soon();
        }
        async move {
            let _ = seen.wait_for(|written| *written >= number).await;
        }
    }

    fn write_soon(&self) {
        let (path, waiting, turn) = (self.path.clone(), self.waiting.clone(), self.turn.clone());
        let written = self.written.clone();
        tokio::task::spawn_blocking(move || {
            let _turn = lock(&turn);
            let Some((number, plan)) = lock(&waiting).take() else { return };
            if let Err(error) = write(&path, &plan) {
                tracing::warn!(%error, path = %path.display(), "the routes cannot be kept for the next start");
            }
            written.send_replace(number);
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(path: &Path, plan: &Plan) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec(plan)?)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}
