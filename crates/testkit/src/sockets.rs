//! How a process has set up the connections that it has.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{getpeername, getsockname, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// TCP connections of a process: the addresses of both ends, and whether what is written is sent at once (TCP_NODELAY).
pub fn tcp_connections(pid: u32) -> Vec<(String, bool)> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    let process = pidfd_open(process, PidfdFlags::empty()).expect("the process is there");
    let mut connections = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a descriptor's number");
        // It may be closed by now.
        let Ok(socket) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        connections.extend(connection(&socket));
    }
    connections
}

/// `None` where it is no connection over TCP.
fn connection(socket: &OwnedFd) -> Option<(String, bool)> {
    let sends_at_once = sockopt::tcp_nodelay(socket).ok()?;
    let (here, there) = (getsockname(socket).ok()?, getpeername(socket).ok()??);
    let [here, there] = [here, there].map(|address| SocketAddr::try_from(address).ok());
    Some((format!("{} to {}", here?, there?), sends_at_once))
}
