//! What is in a mesh agent's directory: its own key, by which key it knows the coordinator, and whether its owner has paused it.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ::link::{KeyPair, PublicKey};
use serde::{Deserialize, Serialize};
use url::Url;

const KEY: &str = "mesh.key";
const COORDINATOR: &str = "coordinator.json";
const PAUSED: &str = "paused";
const LOCAL_TOKEN: &str = "local.token";
const COORDINATORS: &str = "coordinators.json";

/// Makes the directory, for nobody else, when it is not there.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The key of this machine, for life; made now when there is none.
pub(crate) fn load_key(directory: &Path) -> io::Result<KeyPair> {
    let path = directory.join(KEY);
    let Some(der) = read(&path)? else {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        write(&path, key.to_pkcs8())?;
        return Ok(key);
    };
    KeyPair::from_pkcs8(&der).map_err(|_| {
        io::Error::other(format!("{} is not a key; remove it and enrol this machine anew", path.display()))
    })
}

/// What programs of the owner show, and where it is kept; made now when there is none.
pub(crate) fn local_token(directory: &Path) -> io::Result<(String, PathBuf)> {
    let path = directory.join(LOCAL_TOKEN);
    if let Some(kept) = read(&path)? {
        let token = String::from_utf8_lossy(&kept).trim().to_owned();
        return if token.is_empty() {
            Err(io::Error::other(format!("{} is empty; remove it, and a new token is made", path.display())))
        } else {
            Ok((token, path))
        };
    }
    let token = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    write(&path, token.as_bytes())?;
    Ok((token, path))
}

/// Lets nobody else use the machine whose mesh agent has this directory, for a reason that the coordinator is told; or lets them again.
/// The agent obeys within a second, and after a restart. What is under way goes on.
pub fn pause(directory: &Path, reason: Option<&str>) -> io::Result<()> {
    let path = directory.join(PAUSED);
    match reason {
        Some(reason) => {
            write(&path, reason.as_bytes())?;
            // Root may say so to an agent of another user.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
        }
        None => match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// Why its owner has paused it.
pub(crate) fn paused(directory: &Path) -> io::Result<Option<String>> {
    Ok(read(&directory.join(PAUSED))?.map(|reason| String::from_utf8_lossy(&reason).into_owned()))
}

/// What the registry said last of where coordinators are.
pub(crate) fn coordinators(directory: &Path) -> io::Result<Vec<Url>> {
    let Some(bytes) = read(&directory.join(COORDINATORS))? else { return Ok(Vec::new()) };
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}

pub(crate) fn keep_coordinators(directory: &Path, urls: &[Url]) -> io::Result<()> {
    write(&directory.join(COORDINATORS), &serde_json::to_vec_pretty(urls)?)
}

/// The coordinator that was met first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coordinator {
    /// Where it was then, for who reads the file.
    pub(crate) url: Url,
    pub(crate) public_key: PublicKey,
}

// === impl Coordinator ===

impl Coordinator {
    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let path = Self::path(directory);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            io::Error::other(format!(
                "{} cannot be read ({error}); remove it to meet the coordinator anew",
                path.display()
            ))
        })
    }

    pub(crate) fn keep(&self, directory: &Path) -> io::Result<()> {
        write(&Self::path(directory), &serde_json::to_vec_pretty(self)?)
    }

    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(COORDINATOR)
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole or not at all, and for nobody else to read: a temporary file has mode 0600.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(directory)?;
    part.write_all(bytes)?;
    part.as_file().sync_all()?;
    part.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_the_same_after_a_restart_and_nobody_else_reads_its_key() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("a/b");
        make(&directory).unwrap();
        let key = load_key(&directory).unwrap().public();
        assert_eq!(load_key(&directory).unwrap().public(), key);
        assert_eq!(std::fs::metadata(directory.join(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Coordinator::load(&directory).unwrap().is_none());
        Coordinator { url: Url::parse("http://127.0.0.1:4301").unwrap(), public_key: key }.keep(&directory).unwrap();
        assert_eq!(Coordinator::load(&directory).unwrap().unwrap().public_key, key);

        std::fs::write(directory.join(KEY), "x").unwrap();
        assert!(load_key(&directory).unwrap_err().to_string().contains("enrol"));
        std::fs::write(directory.join(COORDINATOR), "x").unwrap();
        assert!(Coordinator::load(&directory).unwrap_err().to_string().contains("remove it"));
    }
}
