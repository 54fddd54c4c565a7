//! A finished release as an archive, for another node to run it too.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use ids::{DeploymentId, ProjectId};
use tokio_util::io::{ReaderStream, SyncIoBridge};

use crate::Agent;

/// Little work for the processor, and most of what there is to be gained.
const LEVEL: i32 = 1;

/// 404 when there is no such release, or only a part of it. An archive that breaks off is worthless: it has no end.
pub(super) async fn archive(
    State(agent): State<Agent>,
    UrlPath((group, build)): UrlPath<(ProjectId, DeploymentId)>,
) -> Response {
    let layout = &agent.confine().layout;
    let directory = layout.release(&group, &build);
    if !layout.manifest(&group, &build).exists() || !directory.is_dir() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (read, write) = tokio::io::duplex(256 * 1024);
    let packing = tokio::task::spawn_blocking(move || pack(&directory, SyncIoBridge::new(write)));
    let end = async move {
        let error = match packing.await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        };
        tracing::warn!(%error, build.id = %build, "a release cannot be sent to another node");
        Some(Err(error))
    };
    // Without its last word a part would be taken for the whole.
    let end = futures_util::stream::once(end).filter_map(async |end| end);
    Body::from_stream(ReaderStream::with_capacity(read, 64 * 1024).chain(end)).into_response()
}

/// What a build left is whatever its project wanted: links are not followed, and nothing is opened that is no file.
fn pack(directory: &Path, into: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(zstd::Encoder::new(into, LEVEL)?);
    archive.follow_symlinks(false);
    let mut waiting = vec![PathBuf::new()];
    while let Some(inside) = waiting.pop() {
        for entry in std::fs::read_dir(directory.join(&inside))? {
            let entry = entry?;
            let name = inside.join(entry.file_name());
            let (path, found) = (entry.path(), entry.metadata()?);
            if found.is_dir() {
                archive.append_dir(&name, &path)?;
                waiting.push(name);
            } else if found.is_symlink() {
                append_link(&mut archive, &name, &path, &found)?;
            } else if found.is_file() {
                let mut file = File::options().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(&path)?;
                archive.append_file(&name, &mut file)?;
            }
        }
    }
    archive.into_inner()?.finish()?.flush()
}

fn append_link<W: Write>(archive: &mut tar::Builder<W>, name: &Path, path: &Path, found: &Metadata) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_metadata(found);
    header.set_size(0);
    archive.append_link(&mut header, name, std::fs::read_link(path)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_release_is_packed_as_it_is() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(from.path().join("a/b")).unwrap();
        std::fs::write(from.path().join("a/b/run"), "#!/bin/sh").unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(from.path().join("a/b/run"), executable).unwrap();
        symlink("/nowhere/at/all", from.path().join("a/link")).unwrap();
        nix::unistd::mkfifo(&from.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut bytes = Vec::new();
        pack(from.path(), &mut bytes).unwrap();
        tar::Archive::new(zstd::Decoder::new(&bytes[..]).unwrap()).unpack(to.path()).unwrap();
        let run = std::fs::metadata(to.path().join("a/b/run")).unwrap();
        assert_eq!(run.permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_link(to.path().join("a/link")).unwrap(), Path::new("/nowhere/at/all"));
        assert!(!to.path().join("pipe").exists());
    }
}
