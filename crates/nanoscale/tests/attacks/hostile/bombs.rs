//! A project that uses things up, and its neighbour, which answers throughout.

use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::cgroup::Cgroup;
use testkit::{App, Client, LogsQuery, TestServer, example, wait_until};
use tokio::sync::{Mutex, MutexGuard};

use super::{hostile, pids_of_user, uid};
use crate::apps::{archive_of, deploy, node_app, project, project_with};
use crate::{BUILD, server};

const VISITS: usize = 200;
/// One bomb at a time: each takes all of the machine that it gets.
pub(crate) static ALONE: Mutex<()> = Mutex::const_new(());

/// A hostile project that is about to blow up, beside another one.
struct Scene {
    server: TestServer,
    client: Client,
    bomber: App,
    neighbour: App,
    uid: u32,
    quiet: Duration,
    _alone: MutexGuard<'static, ()>,
}

/// The slowest answer but for one in a hundred. Every one has to come.
pub(crate) async fn p99(app: &App) -> Duration {
    let mut took = Vec::new();
    for _ in 0..VISITS {
        let began = Instant::now();
        let reply = app.get("/").await.unwrap();
        assert_eq!(reply.version(), Some("1"));
        took.push(began.elapsed());
    }
    took.sort();
    took[VISITS * 99 / 100]
}

impl Scene {
    async fn with_memory(megabytes: u64) -> Self {
        let alone = ALONE.lock().await;
        let server = server().start().await;
        let client = server.setup().await;
        let id = project(&client, "neighbour").await;
        deploy(&client, &id, node_app("1")).await;
        let limits = api::LimitSettings { memory_mb: Some(megabytes), ..api::LimitSettings::default() };
        // Its attacks are tried elsewhere.
        let volume = api::Volume { name: "data".into(), path: "/data".into(), size_mb: Some(64) };
        let volumes = Some(vec![volume]);
        let create = api::ProjectCreate { build_command: None, limits: Some(limits), volumes, ..hostile("bomber") };
        let id = project_with(&client, create).await;
        deploy(&client, &id, archive_of(&example("hostile"))).await;
        let (bomber, neighbour) = (server.app("bomber.localhost"), server.app("neighbour.localhost"));
        let (uid, quiet) = (uid(&bomber).await, p99(&neighbour).await);
        Self { server, client, bomber, neighbour, uid, quiet, _alone: alone }
    }

    async fn new() -> Self {
        Self::with_memory(256).await
    }

    async fn light(&self, bomb: &str) {
        self.bomber.get(&format!("/bomb/{bomb}")).await.unwrap();
    }

    /// Until the bomb's process is gone: there are an init and the app, or neither at that moment.
    async fn is_killed(&self) {
        wait_until("its limit ends it", BUILD, async || pids_of_user(self.uid).len() <= 2).await;
    }

    /// Until all that it computes with is what the others leave, on a kernel that can.
    async fn yields(&self) {
        let node = self.client.nodes().await.unwrap().remove(0);
        let can = node.capabilities.iter().any(|it| it.name == "cpu_yielding" && it.enabled);
        assert!(can || !Path::new("/sys/fs/cgroup/cpu/cpu.idle").exists());
        wait_until("it yields", BUILD, async || !can || pids_of_user(self.uid).into_iter().any(yields)).await;
    }

    async fn log_says(&self, text: &str) -> String {
        let query = || LogsQuery { search: Some(text.into()), ..LogsQuery::default() };
        let line = testkit::wait_some(text, BUILD, async || {
            self.client.project_logs("bomber", &query()).await.unwrap().into_iter().next()
        });
        line.await.text
    }

    /// The neighbour answers, the server too, and the project goes when it is told to.
    async fn survives(self, bomb: &str) {
        let loud = p99(&self.neighbour).await;
        let ratio = loud.as_secs_f64() / self.quiet.as_secs_f64();
        println!("{bomb}: the neighbour's p99 is {:?} in quiet and {loud:?} beside it, {ratio:.1} times", self.quiet);
        assert!(self.client.status().await.unwrap().authenticated);
        self.client.project_delete("bomber").await.unwrap();
        self.client.wait_deleted("bomber", BUILD).await;
        wait_until("nothing of it is left", BUILD, async || pids_of_user(self.uid).is_empty()).await;
        assert_eq!(self.neighbour.get("/").await.unwrap().version(), Some("1"));
        assert!(!self.server.output().contains("panicked"));
    }
}

fn yields(pid: u32) -> bool {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    // `nanoscale-INSTANCE/WORKLOAD` in every hierarchy it has one in; as a unit, its project's slice is what yields.
    let path = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find(|path| path.contains("/nanoscale-"));
    let mut names = Path::new(path.unwrap_or_default().trim_start_matches('/')).ancestors().filter_map(Path::to_str);
    names.any(|name| Cgroup::open(name).is_ok_and(|cgroup| cgroup.is_idle()))
}

fn threads_of(uid: u32) -> usize {
    let tasks = |pid| std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    pids_of_user(uid).into_iter().map(tasks).sum()
}

fn descriptors_of(uid: u32) -> usize {
    let open = |pid| std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    pids_of_user(uid).into_iter().map(open).sum()
}

#[tokio::test]
async fn a_fork_bomb() {
    let scene = Scene::new().await;
    scene.light("fork").await;
    wait_until("it has forked", BUILD, async || pids_of_user(scene.uid).len() > 100).await;
    scene.survives("fork").await;
}

#[tokio::test]
async fn a_memory_bomb() {
    let scene = Scene::new().await;
    scene.light("memory").await;
    scene.is_killed().await;
    scene.survives("memory").await;
}

#[tokio::test]
async fn a_bomb_of_descriptors() {
    let scene = Scene::new().await;
    scene.light("descriptors").await;
    wait_until("it has opened many", BUILD, async || descriptors_of(scene.uid) > 20_000).await;
    scene.yields().await;
    scene.survives("descriptors").await;
}

#[tokio::test]
async fn a_bomb_of_terminals() {
    let scene = Scene::new().await;
    scene.light("terminals").await;
    assert!(scene.log_says("terminals: ").await.starts_with("terminals: 256 "));
    scene.survives("terminals").await;
}

#[tokio::test]
async fn a_bomb_of_threads() {
    let scene = Scene::new().await;
    scene.light("threads").await;
    wait_until("it has many", BUILD, async || threads_of(scene.uid) > 500).await;
    assert!(threads_of(scene.uid) < 1100);
    scene.survives("threads").await;
}

#[tokio::test]
async fn a_flood_of_the_log() {
    let scene = Scene::new().await;
    scene.light("log").await;
    scene.log_says("xxxx").await;
    scene.survives("log").await;
}

#[tokio::test]
async fn a_burner_of_the_processor() {
    let scene = Scene::new().await;
    scene.light("processor").await;
    wait_until("it burns", BUILD, async || pids_of_user(scene.uid).len() > 32).await;
    scene.yields().await;
    scene.survives("processor").await;
}

/// Temporary files are memory: the app's own limit ends it, or the size of its /tmp.
#[tokio::test]
async fn a_filler_of_temporary_files() {
    let scene = Scene::new().await;
    scene.light("temporary").await;
    scene.is_killed().await;
    scene.survives("temporary, beyond its memory").await;
    let scene = Scene::with_memory(1024).await;
    scene.light("temporary").await;
    assert!(scene.log_says("fill /tmp: ").await.starts_with("fill /tmp: 512 MiB"));
    scene.light("shared").await;
    assert!(scene.log_says("fill /dev/shm: ").await.starts_with("fill /dev/shm: 64 MiB"));
    scene.survives("temporary, all of it").await;
}

#[tokio::test]
async fn a_filler_of_volumes() {
    let scene = Scene::new().await;
    scene.light("volume").await;
    wait_until("it is stopped", BUILD, async || {
        let project = scene.client.project_get("bomber").await.unwrap();
        project.down_code.as_deref() == Some("VOLUME_FULL") && pids_of_user(scene.uid).is_empty()
    })
    .await;
    let used = scene.client.volume_list("bomber").await.unwrap().remove(0);
    println!(
        "volume: {} MB were written before it was stopped at its {} MB",
        used.used_bytes >> 20,
        used.limit_bytes >> 20
    );
    scene.survives("volume").await;
}
