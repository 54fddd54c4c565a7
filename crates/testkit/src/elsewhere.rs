//! A machine somewhere on the internet: a network namespace with a public address and a
//! service, reached over a link of its own. Nothing leaves this machine.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

/// Greets everybody who connects.
const SERVICE: &str = "
import socket, sys
s = socket.create_server(('0.0.0.0', 7777))
print('listens', flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b'hello')
    c.close()
";

/// Gone when dropped. Needs root.
pub struct Elsewhere {
    namespace: String,
    address: Ipv4Addr,
    service: Child,
}

// === impl Elsewhere ===

impl Elsewhere {
    #[expect(clippy::new_without_default, reason = "making one changes the machine")]
    pub fn new() -> Self {
        let random: u16 = rand::random();
        let namespace = format!("nst-{random:04x}");
        // Of a range that nobody has any more (RFC 7526), and that is not private.
        let first = u8::try_from(random % 63).expect("below 64") * 4;
        let (near, address) = (Ipv4Addr::new(192, 88, 99, first + 1), Ipv4Addr::new(192, 88, 99, first + 2));
        let (near_net, far_net) = (format!("{near}/30"), format!("{address}/30"));
        ip(&["netns", "add", &namespace]);
        ip(&["link", "add", &namespace, "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
        ip(&["addr", "add", &near_net, "dev", &namespace]);
        ip(&["link", "set", &namespace, "up"]);
        ip(&["-n", &namespace, "addr", "add", &far_net, "dev", "eth0"]);
        ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        let mut service = Command::new("ip")
            .args(["netns", "exec", &namespace, "python3", "-c", SERVICE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the service");
        let mut line = String::new();
        BufReader::new(service.stdout.take().expect("its output")).read_line(&mut line).expect("hear that it listens");
        assert_eq!(line, "listens\n");
        Self { namespace, address, service }
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub fn port(&self) -> u16 {
        7777
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
        // Its link goes with it.
        ip(&["netns", "del", &self.namespace]);
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("run ip, of the package iproute2");
    assert!(status.success(), "ip {} failed", arguments.join(" "));
}
