use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Plan;

/// The last plan, in a file. Only the newest matters: while one is being written, those between are left out.
pub(super) struct Snapshot {
    path: PathBuf,
    /// What is still to be written.
    waiting: Arc<Mutex<Option<Plan>>>,
    /// One writes at a time, so that the newest comes last.
    turn: Arc<Mutex<()>>,
}

impl Snapshot {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, waiting: Arc::default(), turn: Arc::default() }
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

    /// Writes the plan soon.
    pub(super) fn keep(&self, plan: &Plan) {
        if lock(&self.waiting).replace(plan.clone()).is_some() {
            // A writer is about to take it.
            return;
        }
        let (path, waiting, turn) = (self.path.clone(), self.waiting.clone(), self.turn.clone());
        tokio::task::spawn_blocking(move || {
            let _turn = lock(&turn);
            let Some(plan) = lock(&waiting).take() else { return };
            if let Err(error) = write(&path, &plan) {
                tracing::warn!(%error, path = %path.display(), "the routes cannot be kept for the next start");
            }
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
