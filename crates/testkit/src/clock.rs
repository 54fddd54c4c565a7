//! The clock of one server, which can be set like that of a machine. Only what tells the time of day jumps: what
//! measures how long something takes goes on evenly, as it does on a machine.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// Debian's `libfaketime`, for programs with threads.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Shown to a server by [`crate::Builder::clock`].
#[derive(Debug)]
pub struct Clock {
    directory: TempDir,
}

impl Clock {
    /// One that is right.
    #[expect(clippy::new_without_default, reason = "it makes a file")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("nanoscale-test-clock-").tempdir().expect("make a directory");
        let clock = Self { directory };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds before or after the true time.
    pub fn set(&self, seconds: i64) {
        let (file, part) = (self.directory.path().join("clock"), self.directory.path().join("part"));
        fs::write(&part, format!("{seconds:+}")).expect("write the clock's file");
        // Read at every look at the clock: never half of it.
        fs::rename(part, file).expect("set the clock");
    }

    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let file = self.directory.path().join("clock").display().to_string();
        [
            ("LD_PRELOAD", LIBRARY),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            // Files have the times that the kernel gives them.
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }
}

impl Drop for Clock {
    /// The library leaves its shared memory behind where a server was killed: `[sem.]faketime_…_<process>`.
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name.rsplit_once('_').filter(|_| name.contains("faketime_"));
            if process.is_some_and(|(_, process)| !Path::new("/proc").join(process).exists()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
