//! A Docker daemon of our own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const IMAGE: &str = "bench";
/// Of Debian's package: another one in the PATH need not fit the daemon.
const CLIENT: &str = "/usr/bin/docker";
const DAEMON: &str = "/usr/sbin/dockerd";
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends with this value, and its containers with it.
pub(crate) struct Docker {
    daemon: Child,
    directory: TempDir,
}

impl Docker {
    /// A daemon with an image of nothing but `/bin/true`, or why there is none.
    pub(crate) fn start() -> Result<Self, String> {
        if !Path::new(DAEMON).exists() {
            return Err("no Docker daemon is installed".into());
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let log = fs::File::create(path("log")).unwrap();
        let daemon = Command::new(DAEMON)
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .arg("--host")
            .arg(format!("unix://{}", path("socket").display()))
            .args(["--iptables=false", "--bridge=none"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut docker = Self { daemon, directory };
        let deadline = Instant::now() + PATIENCE;
        while !docker.command(&["version"]).status().is_ok_and(|status| status.success()) {
            let ended = docker.daemon.try_wait().unwrap().is_some();
            if ended || Instant::now() > deadline {
                let log = fs::read_to_string(docker.directory.path().join("log")).unwrap_or_default();
                return Err(format!("the Docker daemon does not start: {}", log.lines().last().unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        docker.import()?;
        Ok(docker)
    }

    fn import(&self) -> Result<(), String> {
        let root = self.directory.path().join("root");
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::copy("/bin/busybox", root.join("bin/true")).map_err(|error| format!("no /bin/busybox: {error}"))?;
        let archive = self.directory.path().join("image.tar");
        let mut builder = tar::Builder::new(fs::File::create(&archive).unwrap());
        builder.append_dir_all(".", &root).unwrap();
        builder.finish().unwrap();
        let imported = self.command(&["import"]).arg(archive).arg(IMAGE).status().unwrap();
        if imported.success() { Ok(()) } else { Err("the Docker daemon takes no image".into()) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CLIENT);
        let host = format!("unix://{}", self.directory.path().join("socket").display());
        command.env_clear().env("HOME", self.directory.path()).arg("--host").arg(host).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs `true` in a container.
    pub(crate) fn run(&self) -> Command {
        self.command(&["run", "--rm", "--network", "none", IMAGE, "/bin/true"])
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
    }
}
