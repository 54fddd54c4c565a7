//! Where the connections to an upstream come from.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, sockopt};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::sleep;
use tokio_util::either::Either;

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
    /// At a Unix stream socket. Its absolute path may be longer than the 107 bytes of unix(7).
    Socket(PathBuf),
}

/// A connection to an [`Origin`].
pub type Stream = Either<TcpStream, UnixStream>;

/// Sockets one answer may carry; the first of them are for connections.
const SOCKETS: usize = 32;

impl Origin {
    /// A new connection. It may take for ever; the caller sets a limit.
    pub async fn connect(&self) -> io::Result<Stream> {
        let stream = match self {
            Self::Address(address) => {
                let stream = TcpStream::connect(address).await?;
                if !address.ip().is_loopback() {
                    notice_silence(&stream)?;
                }
                stream
            }
            Self::Namespace { sockets, port } => connect_inside(sockets, *port).await?,
            Self::Socket(path) => return connect_patiently(path).await.map(Either::Right),
        };
        stream.set_nodelay(true)?;
        Ok(Either::Left(stream))
    }
}

/// How long another machine may be silent, although it was asked whether it is there (tcp(7)).
const SILENCE: Duration = Duration::from_secs(15);
const SILENCE_PROBE: Duration = Duration::from_secs(5);

/// A machine that is gone says no farewell: whoever waits for its answer would wait for ever.
fn notice_silence(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE_PROBE)?;
    sockopt::set_tcp_keepintvl(stream, SILENCE_PROBE)?;
    Ok(sockopt::set_tcp_user_timeout(stream, u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX))?)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Namespace { sockets, port } => write!(f, "port {port} behind {}", sockets.display()),
            Self::Socket(path) => path.display().fmt(f),
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
    let stream = connect_socket(path).await?;
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || receive(&stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// A Unix socket whose backlog is full says so at once, where TCP waits (connect(2)).
async fn connect_patiently(path: &Path) -> io::Result<UnixStream> {
    loop {
        match connect_socket(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(FULL_PAUSE).await,
            result => return result,
        }
    }
}

const FULL_PAUSE: Duration = Duration::from_millis(5);

async fn connect_socket(path: &Path) -> io::Result<UnixStream> {
    // A socket's path has at most 107 bytes (unix(7)); one below an open directory always fits.
    let (parent, name) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    // To be walked through, which is all that the edge may do with it.
    let directory = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    UnixStream::connect(short).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_silent_machine_is_noticed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        notice_silence(&stream).unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), SILENCE_PROBE);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 15_000);
    }
}
