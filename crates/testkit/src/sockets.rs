//! How a process has set up the connections that it has.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{getpeername, getsockname, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// Ports at which a process listens.
pub fn tcp_listeners(pid: u32) -> Vec<u16> {
    let listening = sockets(pid).into_iter().filter(|socket| sockopt::socket_acceptconn(socket).unwrap_or_default());
    let addresses = listening.filter_map(|socket| SocketAddr::try_from(getsockname(&socket).ok()?).ok());
    addresses.map(|address| address.port()).collect()
}

/// TCP connections of a process: the addresses of both ends, and whether what is written is sent at once (TCP_NODELAY).
pub fn tcp_connections(pid: u32) -> Vec<(String, bool)> {
    sockets(pid).iter().filter_map(connection).collect()
}

fn sockets(pid: u32) -> Vec<OwnedFd> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    let process = pidfd_open(process, PidfdFlags::empty()).expect("the process is there");
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Some may be closed by now.
    numbers.filter_map(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()).collect()
}

/// `None` where it is no connection over TCP.
fn connection(socket: &OwnedFd) -> Option<(String, bool)> {
    let sends_at_once = sockopt::tcp_nodelay(socket).ok()?;
    let (here, there) = (getsockname(socket).ok()?, getpeername(socket).ok()??);
    let [here, there] = [here, there].map(|address| SocketAddr::try_from(address).ok());
    Some((format!("{} to {}", here?, there?), sends_at_once))
}
