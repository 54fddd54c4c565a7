//! A real Docker, whose containers a machine shows and whose logs it reads.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use testkit::{Builder, MachineLogEvent, PATIENCE, wait_until};

use super::{messages, pages, start};
use crate::server;

/// A daemon of this test's own. It and its containers end with this.
struct Docker {
    directory: tempfile::TempDir,
    daemon: Child,
}

impl Docker {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--", "/usr/sbin/dockerd", "--iptables=false", "--ip6tables=false"]);
        command.args(["--bridge=none", "--storage-driver=vfs", "--host", &format!("unix://{}", at("docker.sock"))]);
        command.args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")]);
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let daemon = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let docker = Self { directory, daemon };
        wait_until("the daemon answers", PATIENCE, async || docker.try_run(&["version"]).is_some()).await;
        let image = docker.directory.path().join("image");
        std::fs::create_dir_all(image.join("bin")).unwrap();
        std::fs::copy("/bin/busybox", image.join("bin/busybox")).unwrap();
        let tar = docker.directory.path().join("image.tar");
        let tarred = Command::new("tar").arg("-C").arg(&image).arg("-cf").arg(&tar).arg(".").status().unwrap();
        assert!(tarred.success());
        docker.run(&["import", tar.to_str().unwrap(), "box"]);
        docker
    }

    fn host(&self) -> String {
        format!("unix://{}", self.directory.path().join("docker.sock").display())
    }

    fn try_run(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("docker").env("DOCKER_HOST", self.host()).args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments).unwrap_or_else(|| panic!("docker {arguments:?} failed"))
    }

    /// A container that runs a script, with what `docker run` is told besides.
    fn container(&self, name: &str, script: &str, more: &[&str]) {
        let first = ["run", "--detach", "--network=none", "--name", name];
        let last = ["box", "/bin/busybox", "sh", "-c", script];
        self.run(&[&first[..], more, &last[..]].concat());
    }

    /// The server of this test asks this daemon.
    fn known_to(&self, builder: Builder) -> Builder {
        builder.env("DOCKER_HOST", self.host())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Some(ids) = self.try_run(&["ps", "--quiet"]) {
            for id in ids.lines() {
                let _ = self.try_run(&["kill", id]);
            }
        }
        // `setpriv` has become the daemon.
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
    }
}

#[tokio::test]
async fn containers_are_shown_in_all_states_and_their_logs_are_read_and_followed() {
    let docker = Docker::start().await;
    docker.container(
        "web",
        "for i in 0 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done; exec /bin/busybox cat",
        &["--interactive"],
    );
    docker.container("once", "echo done; exit 3", &[]);
    docker.container("silent", "exec /bin/busybox sleep 600", &["--log-driver=none"]);
    docker.run(&["create", "--network=none", "--name", "never", "box", "/bin/busybox", "true"]);
    wait_until("both have written", PATIENCE, async || {
        docker.run(&["wait", "once"]);
        docker.run(&["logs", "web"]).lines().count() == 10
    })
    .await;
    let nothing: PathBuf = docker.directory.path().join("none");
    let builder = docker.known_to(server().config(json!({"machine_logs": {"cloud_init_dir": nothing}})));
    let (_server, admin, node) = start(builder).await;

    let info = admin.system_info(&node).await.unwrap().docker;
    assert!(info.installed && info.error.is_none() && info.version.is_some(), "{info:?}");
    let mut states = info.containers.iter().map(|it| (it.name.as_str(), it.state.as_str())).collect::<Vec<_>>();
    states.sort_unstable();
    assert_eq!(states, [("never", "created"), ("once", "exited"), ("silent", "running"), ("web", "running")]);
    let web = info.containers.iter().find(|it| it.name == "web").unwrap();
    assert!(web.memory_bytes.is_some_and(|bytes| bytes > 0) && web.cpu_percent.is_some(), "{web:?}");
    assert!(info.containers.iter().any(|it| it.name == "once" && it.memory_bytes.is_none()));

    // Lines of a moment ago may still be on their way.
    wait_until("all lines are there", PATIENCE, async || {
        admin.machine_log_page(&node, "source=docker&limit=1000").await.unwrap().entries.len() == 21
    })
    .await;
    let all = admin.machine_log_page(&node, "source=docker&limit=1000").await.unwrap();
    assert!(all.unavailable[0].reason.contains("silent: "), "{:?}", all.unavailable);
    for limit in [1, 4, 21] {
        assert_eq!(pages(&admin, &node, "source=docker", limit, |_| {}).await, all.entries, "{limit}");
    }
    let named = pages(&admin, &node, "source=docker:once", 5, |_| {}).await;
    assert_eq!((messages(&named), named[0].source.as_str()), (vec!["done"], "docker:once"));
    let errors = pages(&admin, &node, "container=web&level=error&search=ERR", 3, |_| {}).await;
    assert_eq!(messages(&errors), (0..10).rev().map(|n| format!("err {n}")).collect::<Vec<_>>());
    let missing = admin.machine_log_page(&node, "source=docker:missing").await.unwrap();
    assert!(missing.unavailable[0].reason.contains("no container `missing`"), "{missing:?}");

    let mut stream = admin.follow_machine_logs(&node, "source=docker:web&level=debug", None).await.unwrap();
    let (lines, count) = super::caught_up(&mut stream).await;
    assert_eq!((lines.len(), count), (20, 20));
    docker.container("attached", "echo elsewhere", &[]);
    docker.run(&["exec", "web", "/bin/busybox", "sh", "-c", "echo later >/proc/1/fd/1"]);
    assert_eq!(super::line(&mut stream).await, "later");
    let id = stream.last_id().unwrap().to_owned();
    docker.run(&["exec", "web", "/bin/busybox", "sh", "-c", "echo latest >/proc/1/fd/1"]);
    let mut stream = admin.follow_machine_logs(&node, "source=docker:web&level=debug", Some(&id)).await.unwrap();
    loop {
        match stream.next().await.unwrap() {
            MachineLogEvent::Entry(entry) => break assert_eq!(entry.message, "latest"),
            MachineLogEvent::CaughtUp(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_docker_that_does_not_answer_is_an_error_and_not_an_empty_list() {
    let directory = tempfile::tempdir().unwrap();
    let host = format!("unix://{}/docker.sock", directory.path().display());
    let (_server, admin, node) = start(server().env("DOCKER_HOST", host)).await;
    let docker = admin.system_info(&node).await.unwrap().docker;
    assert!(docker.installed && docker.containers.is_empty(), "{docker:?}");
    assert!(docker.error.unwrap().contains("Cannot connect to the Docker daemon"));
    let page = admin.machine_log_page(&node, "source=docker").await.unwrap();
    assert!(page.unavailable[0].reason.contains("Cannot connect to the Docker daemon"), "{page:?}");
}
