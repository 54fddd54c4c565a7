mod bounds;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tar::EntryType;

use super::{Fetched, tree};
use bounds::{Bounds, Metered};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UnpackRequest {
    pub(crate) archive: PathBuf,
    /// Where in the tree the app lies.
    pub(crate) root_directory: String,
}

/// Longer paths no system call takes (limits.h: `PATH_MAX`), and taking one apart costs the square of its length.
const PATH_MAX: usize = 4096;

/// Why an archive was not unpacked.
#[derive(Debug)]
enum Error {
    Bad(io::Error),
    TooLarge(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Bad(error)
    }
}

/// Unpacks an archive into the working directory.
pub(super) fn run(request: &UnpackRequest) -> Fetched {
    let into = Path::new(".");
    match unpack(&request.archive, into, Bounds::default()) {
        Ok(0) => {}
        Ok(left_out) => println!("note: {left_out} devices, pipes or the like in the upload are left out"),
        Err(Error::Bad(error)) => {
            return Fetched::failed(
                "BAD_ARCHIVE",
                format!(
                    "the upload cannot be unpacked: {error}; send a tar archive, plain or compressed with gzip or zstd"
                ),
            );
        }
        Err(Error::TooLarge(what)) => {
            return Fetched::failed(
                "ARCHIVE_TOO_LARGE",
                format!(
                    "the upload unpacks to more than {what}; leave out what the app does not need, or let the build make it"
                ),
            );
        }
    }
    match tree::read(&into.join(&request.root_directory)) {
        Ok(tree) => Fetched::Source { commit: None, tree },
        Err(_) => Fetched::failed(
            "ROOT_DIRECTORY_MISSING",
            format!("the upload has no directory `{}`; correct the root directory", request.root_directory),
        ),
    }
}

/// Gives how many entries were left out, as they are no files.
fn unpack(archive: &Path, into: &Path, mut bounds: Bounds) -> Result<u64, Error> {
    let (reader, meter) = Metered::new(decompressed(archive)?);
    let mut archive = tar::Archive::new(reader);
    archive.set_preserve_mtime(false);
    archive.set_unpack_xattrs(false);
    let (mut count, mut left_out) = (0_u64, 0);
    for entry in archive.entries()? {
        let mut entry = entry?;
        bounds.take(entry.size())?;
        meter.allow(entry.size());
        if entry.path_bytes().len() >= PATH_MAX {
            return Err(io::Error::other(format!("it has a path of more than {PATH_MAX} bytes")).into());
        }
        count += 1;
        if !is_plain(entry.header().entry_type()) {
            left_out += 1;
        } else if !entry.unpack_in(into)? {
            let path = entry.path()?.display().to_string();
            return Err(io::Error::other(format!("`{path}` lies outside of the archive")).into());
        }
    }
    if count == left_out {
        return Err(io::Error::other("it is empty").into());
    }
    Ok(left_out)
}

/// Whether an entry is a file, a directory or a link. A file with holes is one.
fn is_plain(kind: EntryType) -> bool {
    let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
    is_file || kind.is_dir() || kind.is_symlink() || kind.is_hard_link()
}

/// The archive's bytes, whichever of the three ways they are packed.
fn decompressed(archive: &Path) -> io::Result<Box<dyn Read>> {
    let mut reader = BufReader::new(File::open(archive)?);
    let head = reader.fill_buf()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader)));
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Box::new(zstd::Decoder::with_buffer(reader)?));
    }
    Ok(Box::new(reader))
}

#[cfg(test)]
mod tests;
