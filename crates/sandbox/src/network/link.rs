//! A veth pair between the caller's namespace and the new one (rtnetlink(7)).
//!
//! The caller's end has no address, of either family: an address that comes or goes is news to every program of the
//! machine that watches for a change of networks, as browsers do, which then drop what they are loading. Routes lead
//! to the link itself, and each side is told the other's hardware address, as nobody would answer for the gateway's.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd as _;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::Socket;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::spec::Link;

/// The end inside.
const INSIDE: &str = "eth0";
const HOST_PREFIX: u8 = 32;
/// Hardware addresses of the two ends, the same on each link, as it has no others. Set, so that udev leaves them alone.
const NEAR: [u8; 6] = [2, 0, 0, 0, 0, 1];
const FAR: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Addresses tried until one is free.
const TRIES: usize = 64;
const ANSWER_MAX: usize = 32 * 1024;

/// A route socket; it speaks for the namespace it was opened in, whoever uses it.
pub(crate) struct Routes(Socket);

impl Routes {
    pub(crate) fn open() -> Result<Self, Errno> {
        let open = || {
            let mut socket = Socket::new(netlink_sys::protocols::NETLINK_ROUTE)?;
            socket.bind_auto()?;
            Ok(Self(socket))
        };
        open().map_err(errno)
    }

    /// Brings an interface up.
    pub(crate) fn up(&self, name: &str) -> Result<(), Errno> {
        let mut link = LinkMessage::default();
        link.header.index = self.index(name)?;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.ask(RouteNetlinkMessage::SetLink(link), 0).map(drop)
    }

    fn index(&self, name: &str) -> Result<u32, Errno> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.into()));
        match self.ask(RouteNetlinkMessage::GetLink(link), 0)? {
            Some(RouteNetlinkMessage::NewLink(link)) => Ok(link.header.index),
            _ => Err(Errno::NODEV),
        }
    }

    fn remove(&self, name: &str) -> Result<(), Errno> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.into()));
        self.ask(RouteNetlinkMessage::DelLink(link), 0).map(drop)
    }

    /// Makes a pair whose other end is in the namespace of this thread.
    fn add_pair(&self, name: &str) -> Result<(), Errno> {
        let own = rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut peer = LinkMessage::default();
        peer.attributes.extend([
            LinkAttribute::IfName(INSIDE.into()),
            LinkAttribute::Address(FAR.to_vec()),
            LinkAttribute::NetNsFd(own.as_raw_fd()),
        ]);
        let mut link = LinkMessage::default();
        link.attributes.extend([LinkAttribute::IfName(name.into()), LinkAttribute::Address(NEAR.to_vec())]);
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL).map(drop)
    }

    /// Keeps an interface from taking an IPv6 address by itself once it is up.
    fn keep_bare(&self, index: u32) -> Result<(), Errno> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        let none = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        link.attributes.push(LinkAttribute::AfSpecUnspec(vec![none]));
        match self.ask(RouteNetlinkMessage::SetLink(link), 0) {
            // The kernel has no IPv6, or has it turned off.
            Err(Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::NODEV) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Says which hardware address an address has, so that nobody is asked.
    fn add_neighbour(&self, index: u32, address: Ipv4Addr, hardware: [u8; 6]) -> Result<(), Errno> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.attributes.extend([
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
            NeighbourAttribute::LinkLayerAddress(hardware.to_vec()),
        ]);
        self.ask(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE).map(drop)
    }

    fn add_address(&self, index: u32, address: Ipv4Addr) -> Result<(), Errno> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = HOST_PREFIX;
        message.header.index = index;
        let address = IpAddr::V4(address);
        message.attributes.extend([AddressAttribute::Local(address), AddressAttribute::Address(address)]);
        self.ask(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL).map(drop)
    }

    /// Fails with `EXIST` where there is such a route already.
    fn add_route(&self, index: u32, to: To) -> Result<(), Errno> {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.protocol = RouteProtocol::Boot;
        route.header.kind = RouteType::Unicast;
        route.attributes.push(RouteAttribute::Oif(index));
        match to {
            To::Neighbour(address) => {
                route.header.scope = RouteScope::Link;
                route.header.destination_prefix_length = HOST_PREFIX;
                route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(address)));
            }
            To::EverythingThrough(gateway) => {
                route.header.scope = RouteScope::Universe;
                route.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
            }
        }
        self.ask(RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL).map(drop)
    }

    /// Sends one request and reads its answer.
    fn ask(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Option<RouteNetlinkMessage>, Errno> {
        let mut request = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send_to(&bytes, &netlink_sys::SocketAddr::new(0, 0), 0).map_err(errno)?;
        let mut found = None;
        loop {
            let mut answer = Vec::with_capacity(ANSWER_MAX);
            self.0.recv_from(&mut answer, 0).map_err(errno)?;
            let mut rest = answer.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::deserialize(rest).map_err(|_| Errno::BADMSG)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::Error(error) => {
                        return match error.code {
                            None => Ok(found),
                            Some(code) => Err(Errno::from_raw_os_error(-code.get())),
                        };
                    }
                    NetlinkPayload::InnerMessage(message) => found = Some(message),
                    _ => {}
                }
            }
        }
    }
}

/// Where a route leads.
enum To {
    Neighbour(Ipv4Addr),
    EverythingThrough(Ipv4Addr),
}

/// Links this process's namespace to the one `outside` was opened in.
pub(super) fn connect(link: &Link, outside: &Routes, inside: &Routes) -> Result<(), Errno> {
    match outside.add_pair(&link.name) {
        // A namespace with that name which the kernel has not cleared away yet.
        Err(Errno::EXIST) => {
            outside.remove(&link.name)?;
            outside.add_pair(&link.name)?;
        }
        result => result?,
    }
    let near = outside.index(&link.name)?;
    outside.keep_bare(near)?;
    outside.up(&link.name)?;
    let address = take_address(link, |address| outside.add_route(near, To::Neighbour(address)))?;
    outside.add_neighbour(near, address, FAR)?;
    let far = inside.index(INSIDE)?;
    inside.add_address(far, address)?;
    inside.up(INSIDE)?;
    inside.add_neighbour(far, link.gateway, NEAR)?;
    inside.add_route(far, To::Neighbour(link.gateway))?;
    inside.add_route(far, To::EverythingThrough(link.gateway))
}

/// An address of the range that nobody has: the kernel says so by taking the route to it.
fn take_address(link: &Link, mut take: impl FnMut(Ipv4Addr) -> Result<(), Errno>) -> Result<Ipv4Addr, Errno> {
    let mut taken = Errno::ADDRNOTAVAIL;
    for _ in 0..TRIES {
        let mut random = [0; 4];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let address = link.address(u32::from_ne_bytes(random));
        if address == link.gateway {
            continue;
        }
        match take(address) {
            Ok(()) => return Ok(address),
            Err(Errno::EXIST) => taken = Errno::EXIST,
            Err(errno) => return Err(errno),
        }
    }
    Err(taken)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
