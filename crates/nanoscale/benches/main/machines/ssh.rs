//! The same way with OpenSSH: one machine has the server pass a port on to it, and another one reaches that port.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const DAEMON: &str = "/usr/sbin/sshd";
const PATIENCE: Duration = Duration::from_secs(10);

/// From `address` of one machine, through a server, to another machine. Ends with this value.
pub(super) struct Ssh {
    pub(super) address: SocketAddr,
    processes: Vec<Child>,
    _directory: TempDir,
}

impl Drop for Ssh {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Ssh {
    /// Or why there is none.
    pub(super) fn start(to: SocketAddr) -> Result<Self, String> {
        if !Path::new(DAEMON).exists() {
            return Err("no OpenSSH server is installed".into());
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]).status();
            assert!(made.unwrap().success(), "ssh-keygen");
        }
        std::fs::copy(path("user.pub"), path("authorized")).unwrap();
        // Where the daemon's unprivileged part is shut in.
        std::fs::create_dir_all("/run/sshd").unwrap();
        std::fs::set_permissions("/run/sshd", std::fs::Permissions::from_mode(0o755)).unwrap();
        let [server, middle, address] = [(); 3].map(|()| free());
        let config = format!(
            "ListenAddress {server}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication no\n",
            path("host"),
            path("authorized")
        );
        std::fs::write(path("config"), config).unwrap();
        let daemon = Command::new(DAEMON).args(["-D", "-f", &path("config")]).stderr(Stdio::null()).spawn().unwrap();
        let mut this = Self { address, processes: vec![daemon], _directory: directory };
        listens(server)?;
        let key = this._directory.path().join("user").display().to_string();
        for (way, listener) in
            [(["-R".into(), format!("{middle}:{to}")], middle), (["-L".into(), format!("{address}:{middle}")], address)]
        {
            let connected = Command::new("ssh")
                .args(["-F", "none", "-N", "-i", &key, "-p", &server.port().to_string()])
                .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
                .args(way)
                .arg(format!("root@{}", server.ip()))
                .stdin(Stdio::null())
                .spawn();
            this.processes.push(connected.map_err(|error| format!("ssh does not start: {error}"))?);
            listens(listener)?;
        }
        Ok(this)
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn listens(address: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err("OpenSSH's tunnel does not come up".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
