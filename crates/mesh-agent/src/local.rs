//! The machine's own models for programs on it, as an IDE: without a coordinator, and without credits.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use axum::serve::ListenerExt;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Served};
use crate::kept;

/// Where its owner's programs find a machine's models.
pub struct LocalEndpoint {
    listener: TcpListener,
    address: SocketAddr,
    token: String,
    token_path: PathBuf,
}

// === impl LocalEndpoint ===

impl LocalEndpoint {
    /// Listens from now on. The token is the one that is kept in the directory; a new one where there is none.
    ///
    /// # Errors
    /// Where others than this machine would reach it: what is said there is not encrypted.
    pub(crate) fn bind(address: SocketAddr, directory: &Path) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::other(format!("{address} is not of this machine alone; use 127.0.0.1")));
        }
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let (token, token_path) = kept::local_token(directory)?;
        Ok(Self { address: listener.local_addr()?, listener, token, token_path })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file that has what its programs show.
    pub fn token_path(&self) -> &Path {
        &self.token_path
    }

    pub(crate) async fn serve(&self, served: &Served, stop: CancellationToken) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
        // Without it a word waits for the acknowledgement of the one before.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let router = http::of_owner(served, &self.token);
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}
