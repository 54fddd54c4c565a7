//! A directory of one test part, and the processes that work in it.

mod sweep;

use std::path::{Path, PathBuf};
use std::sync::Once;

pub(crate) use sweep::sweep;

use crate::small_disk::detach;

const PREFIX: &str = "nanoscale-test-";
/// Names the process that will clean up, and the program whose processes are meant.
const OWNER: &str = "owner";

/// Removed when dropped; kept when the test failed.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

// === impl Scratch ===

impl Scratch {
    /// `program`: a server's binary, when one will work here.
    pub(crate) fn new(kind: &str, program: Option<&Path>) -> Self {
        static STALE: Once = Once::new();
        STALE.call_once(remove_stale);
        let directory =
            tempfile::Builder::new().prefix(&format!("{PREFIX}{kind}-")).tempdir().expect("make a temporary directory");
        let scratch = Self { path: directory.keep() };
        let program = program.unwrap_or(Path::new("")).display();
        std::fs::write(scratch.path.join(OWNER), format!("{}\n{program}\n", std::process::id()))
            .expect("write the owner's file");
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::fs::remove_file(self.path.join(OWNER));
            eprintln!("kept for you to look at: {}", self.path.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Cleans up after test processes that were killed.
fn remove_stale() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let Ok(owner) = std::fs::read_to_string(path.join(OWNER)) else { continue };
        let mut lines = owner.lines();
        let (Some(pid), Some(program)) = (lines.next(), lines.next()) else { continue };
        if Path::new("/proc").join(pid).exists() {
            continue;
        }
        sweep(&path, Path::new(program));
        detach(&path.join("data"));
        let _ = std::fs::remove_dir_all(&path);
    }
}
