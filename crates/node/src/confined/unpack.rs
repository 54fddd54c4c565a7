use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Fetched, tree};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UnpackRequest {
    pub(crate) archive: PathBuf,
    /// Where in the tree the app lies.
    pub(crate) root_directory: String,
}

/// Unpacks an archive into the working directory.
pub(super) fn run(request: &UnpackRequest) -> Fetched {
    let into = Path::new(".");
    if let Err(error) = unpack(&request.archive, into) {
        return Fetched::failed(
            "BAD_ARCHIVE",
            format!(
                "the upload cannot be unpacked: {error}; send a tar archive, plain or compressed with gzip or zstd"
            ),
        );
    }
    match tree::read(&into.join(&request.root_directory)) {
        Ok(tree) => Fetched::Source { commit: None, tree },
        Err(_) => Fetched::failed(
            "ROOT_DIRECTORY_MISSING",
            format!("the upload has no directory `{}`; correct the root directory", request.root_directory),
        ),
    }
}

fn unpack(archive: &Path, into: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(decompressed(archive)?);
    archive.set_preserve_mtime(false);
    archive.set_unpack_xattrs(false);
    let mut count = 0_u64;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if !(kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link()) {
            continue;
        }
        if !entry.unpack_in(into)? {
            let path = entry.path()?.display().to_string();
            return Err(io::Error::other(format!("`{path}` lies outside of the archive")));
        }
        count += 1;
    }
    if count == 0 {
        return Err(io::Error::other("it is empty"));
    }
    Ok(())
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
