//! Another place than this machine: a network namespace with a public address, on a wire of its own that can be cut.
//! Nothing leaves this machine.

use std::net::Ipv4Addr;
use std::process::Command;

/// Gone when dropped, with everything on it. Needs root.
#[derive(Debug)]
pub struct Wire {
    namespace: String,
    /// This machine's end, and the other's.
    near: Ipv4Addr,
    far: Ipv4Addr,
}

// === impl Wire ===

impl Wire {
    #[expect(clippy::new_without_default, reason = "making one changes the machine")]
    pub fn new() -> Self {
        let namespace = format!("nst-{:04x}", rand::random::<u16>());
        let (near, far) = free_ends();
        let (near_net, far_net) = (format!("{near}/30"), format!("{far}/30"));
        ip(&["netns", "add", &namespace]);
        ip(&["link", "add", &namespace, "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
        ip(&["addr", "add", &near_net, "dev", &namespace]);
        ip(&["link", "set", &namespace, "up"]);
        ip(&["-n", &namespace, "addr", "add", &far_net, "dev", "eth0"]);
        ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        Self { namespace, near, far }
    }

    /// This machine, as the other one sees it.
    pub fn near(&self) -> Ipv4Addr {
        self.near
    }

    /// The other machine, as this one sees it.
    pub fn far(&self) -> Ipv4Addr {
        self.far
    }

    /// What puts a program there: nothing but its network is another.
    pub fn enter(&self) -> [String; 3] {
        ["nsenter".into(), format!("--net=/run/netns/{}", self.namespace), "--".into()]
    }

    /// From now on nothing passes, in either direction, and nobody is told.
    pub fn cut(&self) {
        ip(&["link", "set", &self.namespace, "down"]);
    }

    /// Everything passes again.
    pub fn mend(&self) {
        ip(&["link", "set", &self.namespace, "up"]);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The link goes with it.
        ip(&["netns", "del", &self.namespace]);
    }
}

/// Of a range that nobody has any more (RFC 7526), and that is not private; of it what no other wire has.
fn free_ends() -> (Ipv4Addr, Ipv4Addr) {
    let end = |number: u8| Ipv4Addr::new(192, 88, 99, number);
    let mut numbers = std::iter::repeat_with(|| rand::random::<u8>() % 63 * 4).take(1000);
    let is_free = |first: &u8| {
        let shown = Command::new("ip").args(["-o", "addr", "show", "to", &end(first + 1).to_string()]).output();
        shown.expect("run ip, of the package iproute2").stdout.is_empty()
    };
    let first = numbers.find(is_free).expect("a wire that nobody has");
    (end(first + 1), end(first + 2))
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("run ip, of the package iproute2");
    assert!(status.success(), "ip {} failed", arguments.join(" "));
}
