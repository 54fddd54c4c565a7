//! A machine somewhere on the internet: a public address and a service.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use crate::wire::Wire;

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
    wire: Wire,
    service: Child,
}

// === impl Elsewhere ===

impl Elsewhere {
    #[expect(clippy::new_without_default, reason = "making one changes the machine")]
    pub fn new() -> Self {
        let wire = Wire::new();
        let [enter, arguments @ ..] = wire.enter();
        let mut service = Command::new(enter)
            .args(arguments)
            .args(["python3", "-c", SERVICE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the service");
        let mut line = String::new();
        BufReader::new(service.stdout.take().expect("its output")).read_line(&mut line).expect("hear that it listens");
        assert_eq!(line, "listens\n");
        Self { wire, service }
    }

    pub fn address(&self) -> Ipv4Addr {
        self.wire.far()
    }

    pub fn port(&self) -> u16 {
        7777
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
