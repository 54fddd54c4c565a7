//! Programs that put a terminal into a browser, each on a port of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::SHELL;
use super::line::Line;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Ttyd,
    Wetty,
}

/// Ends with this value.
pub(super) struct Peer {
    kind: Kind,
    child: Child,
    address: SocketAddr,
    _home: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Those that are installed; the others are named.
    pub(super) fn all() -> Vec<Self> {
        [Kind::Ttyd, Kind::Wetty].into_iter().filter_map(Self::start).collect()
    }

    fn start(kind: Kind) -> Option<Self> {
        let program = match kind {
            Kind::Ttyd => "/usr/local/bin/ttyd",
            Kind::Wetty => "/usr/local/bin/wetty",
        };
        if !Path::new(program).exists() {
            eprintln!("{program} is not here");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = Command::new(program);
        match kind {
            Kind::Ttyd => command.args(["--writable", "--interface", &host, "--port", &port]).args(SHELL),
            // It takes a program without arguments.
            Kind::Wetty => {
                let shell = home.path().join("shell");
                std::fs::write(&shell, format!("#!/bin/sh\nexec {}\n", SHELL.join(" "))).unwrap();
                std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
                command.args(["--host", &host, "--port", &port, "--base", "/", "--command"]).arg(shell)
            }
        };
        let quiet = [command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())];
        let [command] = quiet;
        let child = command.env("HOME", home.path()).current_dir(home.path()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{program} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { kind, child, address, _home: home })
    }

    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Ttyd => "ttyd",
            Kind::Wetty => "WeTTY",
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new terminal; it ends when this does.
    pub(super) async fn connect(&self) -> Line {
        match self.kind {
            Kind::Ttyd => Line::ttyd(self.address).await,
            Kind::Wetty => Line::wetty(self.address).await,
        }
    }
}
