use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::Docker;
use crate::child::{self, Rights};
use crate::secrets::random_secret;
use crate::wait::{PATIENCE, wait_blocking};

const PROGRAM: &str = "/usr/bin/docker-registry";
/// Prints an entry of a file that the registry reads.
const HASH: &str =
    "import crypt, sys; print('user:' + crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))";

/// A real image registry on this machine's loopback.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    host: String,
    password: Option<String>,
    _directory: TempDir,
}

impl Registry {
    /// Everybody may pull and push.
    pub fn open() -> Self {
        Self::start(None)
    }

    /// Only the user `user` with [`Registry::password`] may.
    pub fn closed() -> Self {
        Self::start(Some(random_secret()))
    }

    /// `host:port`, as images have it.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn password(&self) -> &str {
        self.password.as_deref().expect("a registry that is closed")
    }

    /// The name of an image in here.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// Takes an image of the engine's, which is not known there any more after that.
    pub fn take(&self, docker: &Docker, local: &str, name: &str) {
        let image = self.image(name);
        if let Some(password) = &self.password {
            docker.run(&["login", "--username", "user", "--password", password, &self.host]);
        }
        docker.run(&["tag", local, &image]);
        docker.run(&["push", "--quiet", &image]);
        docker.run(&["rmi", &image]);
        if self.password.is_some() {
            docker.run(&["logout", &self.host]);
        }
    }

    fn start(password: Option<String>) -> Self {
        let directory = tempfile::tempdir().expect("make a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let host = format!("127.0.0.1:{}", port.expect("find a free port").port());
        let path = |name: &str| directory.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
            path("data")
        );
        if let Some(password) = &password {
            let hash =
                Command::new("python3").args(["-W", "ignore", "-c", HASH, password]).output().expect("run python3");
            assert!(hash.status.success(), "{}", String::from_utf8_lossy(&hash.stderr));
            fs::write(path("users"), hash.stdout).expect("write the registry's users");
            config.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path("users")));
        }
        fs::write(path("config.yml"), config).expect("write the registry's configuration");
        let mut command = child::mortal(PROGRAM, Rights::Own);
        command.args(["serve", &path("config.yml")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = child::spawn(command).expect("start the registry; `cargo xtask test` installs it");
        let answers = || std::net::TcpStream::connect(&host).is_ok();
        assert!(wait_blocking(PATIENCE, answers), "the registry does not start");
        Self { process, host, password, _directory: directory }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        child::signal(&self.process, Signal::SIGTERM);
        let _ = self.process.wait();
    }
}
