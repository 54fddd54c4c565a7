//! What to say when the server cannot start for want of a disk that it can write to.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Error, anyhow};
use store::StoreError;

/// The error itself, or where it comes from the disk's state a sentence that says what to do about that.
pub(crate) fn explain(error: Error, data_dir: &Path) -> Error {
    let kind = error.chain().find_map(|cause| match (cause.downcast_ref(), cause.downcast_ref::<io::Error>()) {
        (Some(StoreError::Full(_)), _) => Some(ErrorKind::StorageFull),
        (Some(StoreError::Unwritable(_)), _) => Some(ErrorKind::ReadOnlyFilesystem),
        (_, Some(error)) => Some(error.kind()),
        _ => None,
    });
    let data_dir = data_dir.display();
    match kind {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            anyhow!("the disk of {data_dir} is full; make room on it and start again")
        }
        Some(ErrorKind::ReadOnlyFilesystem) => anyhow!(
            "the disk of {data_dir} takes no writes: it is mounted read-only, which Linux does after an error of the \
             disk; look at `dmesg`, repair the file system and start again"
        ),
        _ => error,
    }
}
