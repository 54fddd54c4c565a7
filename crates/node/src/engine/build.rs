//! Images made of a directory and its Dockerfile, by the engine's classic builder: its commands can be put into a network that is
//! already there, which BuildKit's cannot.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bollard::errors::Error;
use bollard::query_parameters::{BuildImageOptionsBuilder, BuilderVersion};
use bytes::Bytes;
use domain::dockerignore::Dockerignore;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use wire::Limits;

use super::{Engine, GROUP, INSTANCE};

/// Pieces of the archive that wait for the engine.
const PIECES: usize = 8;
const PIECE: usize = 256 * 1024;
const IGNORE: &str = ".dockerignore";
const ORDINARY_SHARES: u64 = 1024;
const ORDINARY_WEIGHT: u64 = 100;

/// What to build, and how.
pub(crate) struct Build<'a> {
    /// What `COPY .` is.
    pub(crate) directory: PathBuf,
    /// Relative to it.
    pub(crate) dockerfile: &'a str,
    pub(crate) name: String,
    pub(crate) instance: &'a str,
    pub(crate) group: &'a str,
    /// The container whose network its commands are in.
    pub(crate) network_of: &'a str,
    pub(crate) arguments: HashMap<String, String>,
    pub(crate) limits: &'a Limits,
}

impl Engine {
    /// Builds; says what the builder says, line by line. Dropping this ends the build.
    pub(crate) async fn build(&self, build: Build<'_>, mut say: impl FnMut(&str)) -> Result<(), Error> {
        let labels = HashMap::from([(INSTANCE, build.instance), (GROUP, build.group)]);
        // The API's client has no room for more.
        let memory = i32::try_from(build.limits.memory_bytes).unwrap_or(i32::MAX);
        let shares = build.limits.cpu_weight * ORDINARY_SHARES / ORDINARY_WEIGHT;
        let options = BuildImageOptionsBuilder::new()
            .dockerfile(build.dockerfile)
            .t(&build.name)
            .rm(true)
            .forcerm(true)
            .memory(memory)
            .memswap(memory)
            .cpushares(i32::try_from(shares).unwrap_or(i32::MAX))
            .networkmode(&format!("container:{}", build.network_of))
            .buildargs(&build.arguments)
            .labels(&labels)
            .version(BuilderVersion::BuilderV1)
            .build();
        let archive = bollard::body_try_stream(context(build.directory, build.dockerfile.to_owned()));
        let mut rest = String::new();
        let mut said = std::pin::pin!(self.docker.build_image(options, None, Some(archive)));
        while let Some(event) = said.next().await {
            let event = event?;
            if let Some(error) = event.error_detail.and_then(|detail| detail.message) {
                return Err(Error::DockerStreamError { error });
            }
            rest.push_str(&event.stream.unwrap_or_default());
            while let Some((line, after)) = rest.split_once('\n') {
                say(line.trim_end_matches('\r'));
                rest = after.to_owned();
            }
        }
        if !rest.is_empty() {
            say(&rest);
        }
        Ok(())
    }
}

/// The directory as an archive that is made while it is sent.
fn context(directory: PathBuf, dockerfile: String) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender: sender.clone(), piece: Vec::new() };
        if let Err(error) = pack(&directory, &dockerfile, &mut pieces).and_then(|()| pieces.flush()) {
            // Nobody listens when the build has ended meanwhile.
            let _ = sender.blocking_send(Err(error));
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

/// Writes pieces of a good size.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn pack(directory: &Path, dockerfile: &str, out: &mut impl Write) -> io::Result<()> {
    let ignore = std::fs::read_to_string(directory.join(IGNORE)).unwrap_or_default();
    let ignore = Dockerignore::new(&ignore);
    let mut archive = tar::Builder::new(out);
    // Links are packed as links: what they lead to is for the container.
    archive.follow_symlinks(false);
    archive.mode(tar::HeaderMode::Deterministic);
    pack_below(&mut archive, directory, "", &ignore, dockerfile)?;
    archive.into_inner().map(drop)
}

fn pack_below(
    archive: &mut tar::Builder<&mut impl Write>,
    directory: &Path,
    below: &str,
    ignore: &Dockerignore,
    dockerfile: &str,
) -> io::Result<()> {
    let mut entries = std::fs::read_dir(directory.join(below))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        let out = ignore.leaves_out(&path, kind.is_dir()) && path != dockerfile && path != IGNORE;
        if kind.is_dir() {
            if !out {
                archive.append_dir(&path, entry.path())?;
            }
            if !out || ignore.takes_back() || dockerfile.starts_with(&format!("{path}/")) {
                pack_below(archive, directory, &path, ignore, dockerfile)?;
            }
        } else if !out && kind.is_symlink() {
            archive.append_path_with_name(entry.path(), &path)?;
        } else if !out && kind.is_file() {
            archive.append_file(&path, &mut File::open(entry.path())?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_stays_out_and_links_stay_links() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            (".dockerignore", "node_modules\nDockerfile\n"),
            ("Dockerfile", "FROM scratch"),
            ("node_modules/a.js", ""),
            ("src/a.js", "1"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/shadow", root.path().join("link")).unwrap();
        let mut bytes = Vec::new();
        pack(root.path(), "Dockerfile", &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().entry_type())
        });
        let entries = entries.collect::<HashMap<_, _>>();
        assert_eq!(entries["link"], tar::EntryType::Symlink);
        assert!(entries.contains_key("Dockerfile") && entries.contains_key("src/a.js"));
        assert!(entries.keys().all(|path| !path.starts_with("node_modules")), "{entries:?}");
    }
}
