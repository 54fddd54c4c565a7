//! A container engine and an image registry of the tests' own, beside any that the machine has.

mod registry;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use registry::Registry;

use crate::wait::{PATIENCE, wait_blocking};

/// Of Debian's package: another one in the PATH need not fit the daemon.
const CLIENT: &str = "/usr/bin/docker";
const DAEMON: &str = "/usr/sbin/dockerd";
const BUSYBOX: &str = "/bin/busybox";

/// Stops the engine with its containers and removes its directory when standard input ends, which it does with the
/// process that holds the other end, however that ends.
const KEEPER: &str = r#"
trap '' HUP INT TERM
"$@" >>"$DIRECTORY/log" 2>&1 </dev/null &
daemon=$!
cat
kill -TERM "$daemon"
wait
rm -rf "$DIRECTORY"
"#;

/// What answers in [`Docker::app`]'s images, whatever the path: `/name` as `name` has it.
const APP: &str = r#"#!/bin/sh
echo "Content-Type: text/plain"
echo "X-Version: $VERSION"
echo
case "$QUERY_STRING" in
    env) env ;;
    id) id ;;
    capabilities) cat /proc/self/status ;;
    eat) echo eating; cat /dev/zero | tail ;;
    end) kill -9 1; kill 1 ;;
    read=*) cat "${QUERY_STRING#read=}" ;;
    write=*) echo "$VERSION" > "${QUERY_STRING#write=}" && echo written ;;
    fetch=*) wget -q -T 3 -O - "http://${QUERY_STRING#fetch=}" 2>&1 || echo refused ;;
    *) echo "version=$VERSION" ;;
esac
"#;

/// What [`Docker::python`] takes: the interpreter, its library, and the libraries that both are linked with.
const PYTHON: &str = r#"
library=$(/usr/bin/python3 -c 'import os; print(os.path.dirname(os.__file__))')
linked=$(ldd /usr/bin/python3 /bin/sh "$library"/lib-dynload/*.so | awk '/=> \//{print $3} /^	\//{print $1}' | sort -u)
mkdir -p "$ROOT/app" "$ROOT/tmp" "$ROOT/bin"
chmod 1777 "$ROOT/tmp"
for file in /usr/bin/python3 $linked; do cp -L --parents "$file" "$ROOT"; done
cp -L /bin/sh "$ROOT/bin/sh"
cp /bin/busybox "$ROOT/bin/busybox"
ln -s busybox "$ROOT/bin/id"
for part in __pycache__ test config-* idlelib lib2to3 ensurepip pydoc_data; do set -- "$@" --exclude="$part"; done
tar -cf - "$@" "$library" 2>/dev/null | tar -xf - -C "$ROOT"
cp -r "$APP"/. "$ROOT/app"
tar -C "$ROOT" -cf "$ARCHIVE" .
"#;

/// A real Docker daemon for all tests of this process.
#[derive(Debug)]
pub struct Docker {
    directory: PathBuf,
    names: AtomicU32,
    /// Holds the other end of the keeper's standard input.
    _keeper: Child,
}

static SHARED: LazyLock<Docker> = LazyLock::new(Docker::start);

/// What an image of [`Docker::app`] is like.
#[derive(Debug, Clone, Copy)]
pub struct AppImage<'a> {
    pub version: &'a str,
    /// In place of a web server on `$PORT`.
    pub command: Option<&'a str>,
    pub expose: &'a [u16],
    pub user: Option<&'a str>,
}

impl Default for AppImage<'_> {
    fn default() -> Self {
        Self { version: "1", command: None, expose: &[8080], user: None }
    }
}

impl Docker {
    /// Starts with the first call, which takes a second or two.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// As `docker.host` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.directory.join("socket").display())
    }

    /// A name that no other test has.
    pub fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an image from nothing but a static busybox: a web server that tells its version.
    pub fn app(&self, name: &str, image: AppImage<'_>) {
        let root = tempfile::tempdir_in(&self.directory).expect("make a directory");
        let cgi = root.path().join("www/cgi-bin");
        for directory in [root.path().join("bin"), root.path().join("tmp"), cgi.clone()] {
            fs::create_dir_all(directory).expect("make a directory");
        }
        write_program(&root.path().join("bin/busybox"), &fs::read(BUSYBOX).expect("busybox is installed"));
        for applet in
            ["sh", "httpd", "cat", "sleep", "tail", "wget", "id", "env", "kill", "head", "ls", "echo", "ip", "nc"]
        {
            std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet)).expect("make a link");
        }
        write_program(&cgi.join("index.cgi"), APP.as_bytes());
        let serve = "echo version $VERSION listens >&2; exec httpd -f -p ${PORT:-8080} -h /www";
        let command = serde_json::json!(["/bin/sh", "-c", image.command.unwrap_or(serve)]);
        let mut changes = vec![format!("CMD {command}"), format!("ENV VERSION={} PATH=/bin", image.version)];
        changes.extend(image.expose.iter().map(|port| format!("EXPOSE {port}/tcp")));
        changes.extend(image.user.map(|user| format!("USER {user}")));
        let archive = self.directory.join(format!("{}.tar", self.name("image")));
        let packed = Command::new("tar").arg("-C").arg(root.path()).arg("-cf").arg(&archive).arg(".").status();
        assert!(packed.expect("run tar").success());
        let mut arguments = vec!["import"];
        arguments.extend(changes.iter().flat_map(|change| ["-c", change.as_str()]));
        let archive = archive.display().to_string();
        arguments.extend([archive.as_str(), name]);
        self.run(&arguments);
    }

    /// Makes an image of the machine's own Python and what is in `directory`, which `main.py` in there serves.
    pub fn python(&self, name: &str, directory: &Path) {
        let root = tempfile::tempdir_in(&self.directory).expect("make a directory");
        let archive = self.directory.join(format!("{}.tar", self.name("image")));
        let packed = Command::new("/bin/sh")
            .args(["-ec", PYTHON])
            .env("ROOT", root.path())
            .env("APP", directory)
            .env("ARCHIVE", &archive)
            .status();
        assert!(packed.expect("run a shell").success());
        let archive = archive.display().to_string();
        let mut arguments = vec!["import"];
        let command = r#"CMD ["/usr/bin/python3", "main.py"]"#;
        for change in [command, "ENV PATH=/bin:/usr/bin", "EXPOSE 8080/tcp", "USER 1234:1234", "WORKDIR /app"] {
            arguments.extend(["-c", change]);
        }
        arguments.extend([archive.as_str(), name]);
        self.run(&arguments);
    }

    /// Runs Docker's client and returns its trimmed output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("run docker");
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ids of containers that match all filters, as `label=key=value`.
    pub fn containers(&self, filters: &[&str]) -> Vec<String> {
        let mut arguments = vec!["ps", "--all", "--quiet", "--no-trunc"];
        arguments.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
        self.run(&arguments).lines().map(str::to_owned).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CLIENT);
        command.env_clear().env("HOME", &self.directory).arg("--host").arg(self.host()).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    fn start() -> Self {
        assert!(Path::new(DAEMON).exists(), "{DAEMON} is not installed; `cargo xtask test` installs it");
        let directory = tempfile::Builder::new().prefix("nanoscale-docker-").tempdir().expect("make a directory");
        let directory = directory.keep();
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", KEEPER, "keeper", DAEMON]);
        for (option, name) in
            [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid"), ("--config-file", "daemon.json")]
        {
            keeper.arg(option).arg(directory.join(name));
        }
        fs::write(directory.join("daemon.json"), "{}").expect("write the daemon's configuration");
        // It leaves the machine's network alone.
        keeper.args([
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--bridge=none",
        ]);
        keeper
            .args(["--shutdown-timeout", "2", "--host"])
            .arg(format!("unix://{}", directory.join("socket").display()));
        let keeper = std::os::unix::process::CommandExt::process_group(&mut keeper, 0)
            .env("DIRECTORY", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the engine's keeper");
        let docker = Self { directory, names: AtomicU32::new(0), _keeper: keeper };
        let answers = || docker.command(&["version"]).output().is_ok_and(|output| output.status.success());
        if !wait_blocking(PATIENCE, answers) {
            let log = fs::read_to_string(docker.directory.join("log")).unwrap_or_default();
            panic!("the container engine does not start; it wrote:\n{log}");
        }
        docker
    }
}

fn write_program(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, bytes).expect("write a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("make it executable");
}
