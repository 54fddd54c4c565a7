//! Where the connections to an upstream come from.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// Where an upstream listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// At an address of this process's network.
    Address(SocketAddr),
    /// On the loopback of another network namespace.
    Namespace {
        /// A Unix socket that answers each connection with one byte and, by `SCM_RIGHTS`, TCP sockets
        /// made in that namespace and not connected: IPv4 first, then IPv6 if it has one.
        sockets: PathBuf,
        port: u16,
    },
}

/// Sockets one answer may carry; the first of them are for connections.
const SOCKETS: usize = 32;

impl Origin {
    /// A new connection.
    pub async fn connect(&self) -> io::Result<TcpStream> {
        let stream = match self {
            Self::Address(address) => TcpStream::connect(address).await?,
            Self::Namespace { sockets, port } => connect_inside(sockets, *port).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Namespace { sockets, port } => write!(f, "port {port} behind {}", sockets.display()),
        }
    }
}

impl From<SocketAddr> for Origin {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// Tries IPv4, then IPv6: an app that was told to listen on `localhost` may have chosen either.
async fn connect_inside(sockets: &Path, port: u16) -> io::Result<TcpStream> {
    let addresses: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    let mut refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    for (socket, address) in take_sockets(sockets).await?.into_iter().zip(addresses) {
        match TcpSocket::from_std_stream(socket.into()).connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// Takes what the Unix socket at `path` gives out, see [`Origin::Namespace`]; sockets that listen may follow.
pub async fn take_sockets(path: &Path) -> io::Result<Vec<OwnedFd>> {
    // A socket's path has at most 107 bytes (unix(7)); one below an open directory always fits.
    let (parent, name) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    // To be walked through, which is all that the edge may do with it.
    let directory = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    let stream = UnixStream::connect(short).await?;
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || receive(&stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

fn receive(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            sockets.extend(fds);
        }
    }
    match sockets.is_empty() {
        true => Err(io::ErrorKind::ConnectionRefused.into()),
        false => Ok(sockets),
    }
}
