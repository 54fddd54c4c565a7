//! Workloads as units of systemd, and what systemd's own tools say of them. A machine that systemd does not run has the
//! refusal to show instead.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use ids::{DeploymentId, DeploymentState, ProjectId};
use serde_json::json;
use testkit::{Builder, Client, PATIENCE, TestServer, wait_until};

use crate::apps::{deploy, node_app, project, project_with};
use crate::{BUILD, server};

fn is_there() -> bool {
    Path::new("/run/systemd/system").exists()
}

fn with_units() -> Builder {
    server().config(json!({"node": {"driver": "systemd"}}))
}

fn systemctl(arguments: &[&str]) -> String {
    let output = Command::new("systemctl").arg("--no-pager").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A server whose workloads are units.
struct Fixture {
    server: TestServer,
    client: Client,
    /// Names of units begin with this.
    prefix: String,
}

impl Fixture {
    async fn start() -> Self {
        let server = with_units().start().await;
        let client = server.setup().await;
        let text = std::fs::read_to_string(server.data_dir().join("node/identities.json")).unwrap();
        let prefix = format!("nanoscale-{}", text.split('"').nth(3).unwrap());
        Self { server, client, prefix }
    }

    fn unit(&self, workload: &DeploymentId) -> String {
        format!("{}-{workload}.scope", self.prefix)
    }

    /// Names of units of this server's in any state.
    fn units(&self, suffix: &str) -> Vec<String> {
        let listed =
            systemctl(&["list-units", "--all", "--plain", "--no-legend", &format!("{}*{suffix}", self.prefix)]);
        listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// Properties of a unit.
    fn shown(&self, unit: &str) -> BTreeMap<String, String> {
        let text = systemctl(&["show", unit]);
        text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
    }

    fn is_active(&self, unit: &str) -> bool {
        systemctl(&["is-active", unit]).trim() == "active"
    }

    /// Processes of the app itself: neither its shim nor the sandbox's init.
    fn processes(&self, unit: &str) -> Vec<u32> {
        let group = self.shown(unit).remove("ControlGroup").unwrap_or_default();
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup{group}/process/cgroup.procs")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    async fn answers(&self, version: &str) {
        let app = self.server.app("hello.localhost");
        wait_until("it answers", BUILD, async || {
            app.get("/").await.is_ok_and(|reply| reply.version() == Some(version))
        })
        .await;
    }
}

#[tokio::test]
async fn a_machine_without_it_says_what_to_do() {
    if is_there() {
        return;
    }
    let root = "it needs a machine that systemd runs (there is no /run/systemd/system); set it to `native`";
    for (builder, reason) in [(server(), root), (server().unprivileged(), "it needs a node that is root")] {
        let mut server = builder.start().await;
        server.kill();
        server.configure(json!({"node": {"driver": "systemd"}}));
        let said = server.start_in_vain();
        assert!(said.contains("node.driver is `systemd`") && said.contains(reason), "{said}");
    }
}

async fn limited(client: &Client) -> ProjectId {
    let limits = api::LimitSettings {
        memory_mb: Some(200),
        processes: Some(77),
        cpu_percent: Some(150),
        ..api::LimitSettings::default()
    };
    project_with(
        client,
        api::ProjectCreate { name: "hello".into(), limits: Some(limits), ..api::ProjectCreate::default() },
    )
    .await
}

fn link(pid: impl std::fmt::Display, namespace: &str) -> std::path::PathBuf {
    std::fs::read_link(format!("/proc/{pid}/ns/{namespace}")).unwrap()
}

/// What the sandbox gives a process, as the kernel tells it.
fn is_confined(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    for namespace in ["mnt", "pid", "ipc", "net", "uts"] {
        assert_ne!(link(pid, namespace), link("self", namespace), "{namespace}");
    }
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim(), "0");
}

#[tokio::test]
async fn its_tools_show_an_app_and_its_limits() {
    if !is_there() {
        return;
    }
    let mut fixture = Fixture::start().await;
    let id = limited(&fixture.client).await;
    let deployment = deploy(&fixture.client, &id, node_app("1")).await;
    let unit = fixture.unit(&deployment.id);

    let status = systemctl(&["status", &unit]);
    for part in ["NanoScale: web of project", "hello.localhost", "active (running)", "node server.js", " shim"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let before = fixture.shown(&unit);
    for (property, value) in [
        ("MemoryMax", (200 << 20).to_string()),
        ("MemorySwapMax", "0".into()),
        ("TasksMax", "77".into()),
        ("CPUQuotaPerSecUSec", "1.500000s".into()),
        ("CPUWeight", "100".into()),
        ("Delegate", "yes".into()),
        ("Slice", format!("{}-{id}.slice", fixture.prefix)),
    ] {
        assert_eq!(before[property], value, "{property}");
    }
    let processes = fixture.processes(&unit);
    assert!(!processes.is_empty());
    processes.iter().for_each(|&pid| is_confined(pid));
    assert_eq!(fixture.units(".scope"), [unit.as_str()]);

    // What a reload changes, and what a restart of the node.
    systemctl(&["daemon-reload"]);
    let limits = |shown: &BTreeMap<String, String>| {
        ["MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "Delegate", "ControlGroup", "InvocationID", "ActiveState"]
            .map(|property| shown[property].clone())
    };
    assert_eq!(limits(&fixture.shown(&unit)), limits(&before));
    fixture.server.restart().await;
    fixture.answers("1").await;
    assert_eq!(fixture.processes(&unit), processes);
    assert_eq!(limits(&fixture.shown(&unit)), limits(&before));
    let node = fixture.client.nodes().await.unwrap().remove(0);
    let driver = node.capabilities.iter().find(|it| it.name == "driver").unwrap();
    assert!(driver.enabled && driver.detail.starts_with("systemd 2"), "{driver:?}");

    // A person stops it: the app has died, and is started again in a unit of the same name.
    systemctl(&["stop", &unit]);
    wait_until("it is started again", BUILD, async || {
        let now = fixture.processes(&unit);
        !now.is_empty() && now.iter().all(|pid| !processes.contains(pid)) && fixture.is_active(&unit)
    })
    .await;
    fixture.answers("1").await;
    let log = fixture.client.log(&deployment.id).await.unwrap();
    assert!(log.iter().any(|line| line.text.contains("starting it again")), "{log:#?}");

    fixture.client.project_delete("hello").await.unwrap();
    fixture.client.wait_deleted("hello", BUILD).await;
    wait_until("no unit is left", PATIENCE, async || fixture.units("").is_empty()).await;
}

/// Killed in the middle of a build, with a unit that nobody knows of beside it.
#[tokio::test]
async fn a_node_that_was_killed_converges_to_one_unit() {
    if !is_there() {
        return;
    }
    let mut fixture = Fixture::start().await;
    let id = project(&fixture.client, "hello").await;
    let old = deploy(&fixture.client, &id, node_app("1")).await;
    let waits = "until [ -e /cache/go ]; do touch /cache/here; sleep 0.05; done";
    let update = api::ProjectUpdate { build_command: Some(waits.into()), ..api::ProjectUpdate::default() };
    fixture.client.project_update(&id, &update).await.unwrap();
    let next = fixture.client.upload(&id, node_app("2")).await.unwrap();
    let cache = fixture.server.data_dir().join("node/groups").join(id.as_str()).join("cache");
    wait_until("the build is under way", BUILD, async || cache.join("here").exists()).await;
    let build = fixture.unit(&next.id);
    assert!(fixture.shown(&build)["Description"].contains("build"), "{:?}", fixture.shown(&build));
    fixture.server.kill();
    assert!(fixture.is_active(&build) && fixture.is_active(&fixture.unit(&old.id)));
    let stray = fixture.unit(&DeploymentId::new());
    let slice = format!("{}-{}.slice", fixture.prefix, ProjectId::new());
    let mut nobodys = Command::new("systemd-run")
        .args(["--quiet", "--scope", &format!("--unit={stray}"), &format!("--slice={slice}"), "sleep", "10000"])
        .spawn()
        .unwrap();
    wait_until("it is there", PATIENCE, async || fixture.is_active(&stray)).await;
    std::fs::write(cache.join("go"), "").unwrap();

    fixture.server.restart().await;
    fixture.answers("1").await;
    fixture.client.wait_for(&next.id, DeploymentState::Live, BUILD).await;
    fixture.answers("2").await;
    nobodys.wait().unwrap();
    wait_until("one unit is left", BUILD, async || fixture.units(".scope") == [build.as_str()]).await;
    wait_until("its slices are left", BUILD, async || {
        let slices = [format!("{}-{id}.slice", fixture.prefix), format!("{}.slice", fixture.prefix)];
        let mut found = fixture.units(".slice");
        found.sort_by_key(|name| std::cmp::Reverse(name.len()));
        found == slices
    })
    .await;
}
