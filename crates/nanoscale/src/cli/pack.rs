//! A directory as a compressed tar archive, made while it is sent.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use futures_util::stream;
use ignore::{DirEntry, Walk, WalkBuilder};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Like .gitignore, for what is in the repository but not needed to deploy; it wins over .gitignore.
const IGNORE_FILE: &str = ".nanoscaleignore";
const CHUNK: usize = 64 * 1024;
/// Chunks that wait for a slow network.
const CHUNKS: usize = 16;
const COMPRESSION_LEVEL: i32 = 3;

/// A directory on its way into an archive.
pub(super) struct Packing {
    pub(super) body: reqwest::Body,
    /// Bytes of the archive that were made so far.
    pub(super) made: Arc<AtomicU64>,
    pub(super) done: JoinHandle<Result<Packed>>,
}

#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Whether there is anything to pack.
pub(super) fn check(directory: &Path) -> Result<()> {
    // An entry that cannot be read is something, too: packing says what is wrong with it.
    let is_something =
        |entry: Result<DirEntry, _>| entry.map_or(true, |entry| entry.file_type().is_some_and(|kind| !kind.is_dir()));
    if !walk(directory).any(is_something) {
        bail!("there is nothing to deploy in {}: it is empty, or everything in it is ignored", directory.display());
    }
    Ok(())
}

/// Packs on a thread of its own. A failure also breaks the body off, so that no server takes half a tree for a whole.
pub(super) fn start(directory: PathBuf) -> Packing {
    let (sender, receiver) = mpsc::channel::<io::Result<Vec<u8>>>(CHUNKS);
    let made = Arc::new(AtomicU64::new(0));
    let channel = Channel { sender: sender.clone(), made: made.clone() };
    let done = tokio::task::spawn_blocking(move || {
        let packed = write_archive(&directory, BufWriter::with_capacity(CHUNK, channel));
        if packed.is_err() {
            let _ = sender.blocking_send(Err(io::Error::other("packing failed")));
        }
        packed
    });
    let chunks = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    Packing { body: reqwest::Body::wrap_stream(chunks), made, done }
}

struct Channel {
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
    made: Arc<AtomicU64>,
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.sender.blocking_send(Ok(bytes.to_vec()));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.made.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether packing ended because nobody took the archive any more.
pub(super) fn was_unwanted(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The same tree gives the same bytes: names in order, no owners, no times, and only whether a file is executable.
fn write_archive(directory: &Path, into: impl Write) -> Result<Packed> {
    let mut archive = tar::Builder::new(zstd::Encoder::new(into, COMPRESSION_LEVEL)?);
    let mut packed = Packed::default();
    for entry in walk(directory) {
        let entry = entry.with_context(|| format!("read {}", directory.display()))?;
        let path = entry.path().strip_prefix(directory)?;
        if !path.as_os_str().is_empty() {
            append(&mut archive, &entry, path, &mut packed).with_context(|| format!("pack {}", path.display()))?;
        }
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(packed)
}

fn walk(directory: &Path) -> Walk {
    // Outside of a repository nothing bounds the way up, and a .gitignore in the home directory is not meant.
    let in_repository = directory.ancestors().any(|ancestor| ancestor.join(".git").exists());
    WalkBuilder::new(directory)
        .standard_filters(false)
        .git_ignore(true)
        .git_exclude(true)
        .git_global(true)
        .require_git(false)
        .parents(in_repository)
        .add_custom_ignore_filename(IGNORE_FILE)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_name(Ord::cmp)
        .build()
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    entry: &DirEntry,
    path: &Path,
    packed: &mut Packed,
) -> io::Result<()> {
    let Some(kind) = entry.file_type() else { return Ok(()) };
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    if kind.is_dir() {
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        return archive.append_data(&mut header, path, io::empty());
    }
    if kind.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        packed.files += 1;
        return archive.append_link(&mut header, path, fs::read_link(entry.path())?);
    }
    // Sockets, pipes and devices mean nothing elsewhere, and opening a pipe would wait for its other end.
    if !kind.is_file() {
        return Ok(());
    }
    let file = File::open(entry.path())?;
    let metadata = file.metadata()?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 });
    header.set_size(metadata.len());
    packed.files += 1;
    packed.bytes += metadata.len();
    archive.append_data(&mut header, path, Exactly { file, left: metadata.len() })
}

/// As many bytes of a file as its header promised: the archive would be broken behind any other number.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(io::Error::other("the file became shorter while it was packed; try again"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use tempfile::TempDir;

    use super::{check, write_archive};

    fn tree(files: &[(&str, &str)]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn pack(directory: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_archive(directory, &mut bytes).unwrap();
        bytes
    }

    /// Everything but directories.
    fn names(directory: &Path) -> Vec<String> {
        let bytes = pack(directory);
        let mut archive = tar::Archive::new(zstd::Decoder::new(&bytes[..]).unwrap());
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let entries = entries.filter(|entry| !entry.header().entry_type().is_dir());
        entries.map(|entry| entry.path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn what_git_ignores_stays_at_home() {
        let tree = tree(&[
            (".gitignore", "node_modules/\n*.log\n!keep.log\n"),
            (".nanoscaleignore", "docs\n!dist.log\n"),
            (".env", "A=1"),
            (".git/config", ""),
            ("app/.gitignore", "/local\n"),
            ("app/local", ""),
            ("app/main.js", ""),
            ("app/node_modules/x.js", ""),
            ("debug.log", ""),
            ("dist.log", ""),
            ("docs/index.md", ""),
            ("keep.log", ""),
            ("local", ""),
            ("vendor/.git", "gitdir: elsewhere"),
            ("vendor/lib.js", ""),
        ]);
        let expected = [
            ".env",
            ".gitignore",
            ".nanoscaleignore",
            "app/.gitignore",
            "app/main.js",
            "dist.log",
            "keep.log",
            "local",
            "vendor/lib.js",
        ];
        assert_eq!(names(tree.path()), expected);
    }

    #[test]
    fn only_what_is_ignored_is_left_out() {
        let tree = tree(&[("node_modules/x.js", ""), (".venv/bin/python", ""), ("target/debug/x", "")]);
        assert_eq!(names(tree.path()), [".venv/bin/python", "node_modules/x.js", "target/debug/x"]);
    }

    #[test]
    fn a_directory_above_counts_only_within_its_repository() {
        let files = [(".gitignore", "*.log\n"), ("web/a.log", ""), ("web/index.html", "")];
        let loose = tree(&files);
        assert_eq!(names(&loose.path().join("web")), ["a.log", "index.html"]);
        let repository = tree(&files);
        fs::create_dir(repository.path().join(".git")).unwrap();
        assert_eq!(names(&repository.path().join("web")), ["index.html"]);
    }

    #[test]
    fn a_directory_named_to_deploy_is_not_ignored_itself() {
        let tree = tree(&[(".gitignore", "dist/\n"), (".git/config", ""), ("dist/index.html", "")]);
        assert_eq!(names(&tree.path().join("dist")), ["index.html"]);
    }

    #[test]
    fn links_stay_links_and_modes_are_two() {
        let tree = tree(&[("run.sh", "#!/bin/sh\n"), ("secret", "x")]);
        fs::set_permissions(tree.path().join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(tree.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("/nowhere/at/all", tree.path().join("link")).unwrap();
        let bytes = pack(tree.path());
        let mut archive = tar::Archive::new(zstd::Decoder::new(&bytes[..]).unwrap());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let link = entry.link_name().unwrap().map(|target| target.display().to_string());
            seen.push((entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), link));
        }
        let expected = [("link", 0o777, Some("/nowhere/at/all")), ("run.sh", 0o755, None), ("secret", 0o644, None)];
        let expected = expected.map(|(path, mode, link)| (path.to_owned(), mode, link.map(str::to_owned)));
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_same_tree_gives_the_same_archive() {
        let deep = format!("{}/file", "long-directory-name".repeat(8));
        let files = [("b", "2"), ("a/x", "1"), (deep.as_str(), "3")];
        assert_eq!(pack(tree(&files).path()), pack(tree(&files).path()));
        assert_eq!(names(tree(&files).path()), ["a/x", "b", &deep]);
    }

    #[test]
    fn an_empty_tree_is_no_deployment() {
        assert!(check(tree(&[(".nanoscaleignore", "*\n"), ("a/b", "")]).path()).is_err());
        assert!(check(tree(&[("a/b", "")]).path()).is_ok());
    }
}
