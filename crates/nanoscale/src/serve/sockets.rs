//! Unix sockets between the processes of one machine. Each end makes sure of the other's user.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixStream};

/// Listens in a directory of this process.
pub(super) struct Socket(UnixListener);

impl Socket {
    pub(super) fn bind(directory: &Path, name: &str) -> io::Result<Self> {
        // One that was left by an earlier process; the directory's lock says that nobody uses it.
        match std::fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (_open, short) = short(directory, name)?;
        let listener = UnixListener::bind(&short)?;
        std::fs::set_permissions(&short, Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    /// The next connection of root or of this process's own user: the node's.
    pub(super) async fn accept(&self) -> UnixStream {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) if is_from(&stream, &[0, geteuid().as_raw()]) => return stream,
                Ok(_) => tracing::warn!("a connection of another user is refused"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of the node");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Connects to the process that works in `directory`.
pub(super) async fn connect(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(directory)?);
    let (_open, short) = short(directory, name)?;
    let stream = UnixStream::connect(&short).await?;
    match is_from(&stream, &[owner]) {
        true => Ok(stream),
        false => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "another user than the directory's answers there"))
        }
    }
}

fn is_from(stream: &UnixStream, users: &[u32]) -> bool {
    stream.peer_cred().is_ok_and(|peer| users.contains(&peer.uid()))
}

/// A name of the socket that fits into 108 bytes (unix(7)) as long as the directory is held open.
fn short(directory: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let open = File::open(directory)?;
    let short = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join(name);
    Ok((open, short))
}
