//! The network namespace: its own loopback, sockets for whoever is outside, and a link to
//! the caller's network where one is wanted.
//!
//! A TCP socket belongs for ever to the namespace it was made in. So the init makes sockets
//! inside and hands them, not yet connected, to whoever may open the Unix socket outside:
//! the program is reached on its own loopback, without an address, a route or a NAT rule.
//!
//! The link is made by the child with a netlink socket that its parent opened: the kernel
//! removes both ends with the namespace, however that ends.

mod link;
mod visit;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::io::{Errno, IoSlice};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::error::{Failure, Step};
use crate::spec::Network;
use crate::sys;
use link::Routes;
pub use visit::serve_namespace;

const BACKLOG: i32 = 256;
/// One of each family, and those that listen.
const SOCKETS: usize = 2 + PORTS;
/// Ports that are answered for from outside.
pub(crate) const PORTS: usize = 16;

/// What is opened in the caller's namespace, before the fork.
pub(crate) struct Outside {
    routes: Option<Routes>,
    sockets: Option<OwnedFd>,
}

impl Outside {
    pub(crate) fn open(network: &Network) -> Result<Self, Failure> {
        let Network::Own { sockets, link, .. } = network else { return Ok(Self::none()) };
        let of = |path: &Path| Failure::at(Step::Network, path.to_owned());
        Ok(Self {
            routes: link.as_ref().map(|_| Routes::open()).transpose().map_err(Failure::of(Step::Network))?,
            sockets: sockets.as_ref().map(|path| listen(path).map_err(of(path))).transpose()?,
        })
    }

    pub(crate) fn none() -> Self {
        Self { routes: None, sockets: None }
    }

    /// Sets up the namespace this process is in now. Gives the socket to serve in it.
    pub(crate) fn connect(self, network: &Network) -> Result<Option<Outlet>, Failure> {
        let Network::Own { link, ports, .. } = network else { return Ok(None) };
        let connected = Routes::open().and_then(|inside| {
            inside.up("lo")?;
            match (link, &self.routes) {
                (Some(link), Some(outside)) => link::connect(link, outside, &inside),
                _ => Ok(()),
            }
        });
        let outlet = connected.and_then(|()| {
            let answered = ports.iter().map(|port| answer(*port)).collect::<Result<_, _>>()?;
            Ok(self.sockets.map(|listener| Outlet { listener, answered }))
        });
        outlet.map_err(Failure::of(Step::Network))
    }
}

/// What the init needs to give out sockets.
pub(crate) struct Outlet {
    pub(crate) listener: OwnedFd,
    /// Sockets that listen on the namespace's loopback.
    pub(crate) answered: Vec<OwnedFd>,
}

fn answer(port: u16) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn listen(path: &Path) -> Result<OwnedFd, Errno> {
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

impl Outlet {
    /// Gives everybody who has connected a fresh IPv4 and IPv6 socket of this process's
    /// namespace, and those that listen there. Never blocks.
    pub(crate) fn give_sockets(&self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(client) = rustix::net::accept_with(&self.listener, flags) {
            let _ = give(&client, &self.answered);
        }
    }
}

fn give(client: &OwnedFd, answered: &[OwnedFd]) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let mut made = vec![rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?];
    // Where the kernel has IPv6.
    made.extend(rustix::net::socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None));
    // Whoever may connect gets sockets to connect with. Those that listen are for whoever made this one, and passes on.
    let answered = if sys::peer_uid(client.as_fd())? == 0 { answered } else { &[] };
    let fds: Vec<_> = made.iter().chain(answered).map(|fd| fd.as_fd()).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(client, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
