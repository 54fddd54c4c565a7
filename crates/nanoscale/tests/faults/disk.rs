//! The disk is full, or takes no writes at all.

use std::path::Path;
use std::process::Command;

use ids::{DeploymentState, ProjectId};
use serde_json::json;
use testkit::{
    ApiFailure, App, Browser, Client, Database, Load, LogsQuery, PATIENCE, TestServer, random_secret, wait_until,
};

use crate::apps::{archive, node_app_with, project, project_with};
use crate::process::{assert_idle, memory};
use crate::{ALONE, BUILD, server};

/// Megabytes of the disk, and of it what builds leave free.
const SIZE: u64 = 96;
const RESERVE: u64 = 8;
const FULL: (u16, &str) = (507, "DISK_FULL");
const READ_ONLY: (u16, &str) = (503, "DISK_READ_ONLY");

/// Says in its log what is asked of it.
const TELL: &str = "process.stdout.on('error', () => {});\n\
    const emit = http.Server.prototype.emit;\n\
    http.Server.prototype.emit = function (name, request) {\n\
      if (name === 'request') console.log('asked for ' + request.url);\n\
      return emit.apply(this, arguments);\n\
    };";

fn telling(version: &str) -> Vec<u8> {
    node_app_with(version, TELL)
}

async fn on_small_disk() -> TestServer {
    let limits = json!({ "limits": { "disk_reserve_mb": RESERVE } });
    server().database(Database::Sqlite).small_disk(SIZE).config(limits).start().await
}

/// A server on a small disk with an app that tells what it is asked for.
struct Fixture {
    server: TestServer,
    client: Client,
    /// By an API token rather than a session.
    program: Client,
    password: String,
    project: ProjectId,
    app: App,
}

impl Fixture {
    async fn new() -> Self {
        let server = on_small_disk().await;
        let (client, password) = (server.client(), random_secret());
        client.setup("admin", &password, server.setup_code()).await.unwrap();
        let token = client.token_create("ci").await.unwrap().token;
        let program = client.with_token(token);
        let project = project(&client, "shop").await;
        let app = server.app("shop.localhost");
        let fixture = Self { server, client, program, password, project, app };
        fixture.deploys("1").await;
        fixture
    }

    async fn deploys(&self, version: &str) {
        let deployment = self.client.upload(&self.project, telling(version)).await.unwrap();
        self.client.wait_for(&deployment.id, DeploymentState::Live, BUILD).await;
        self.app.wait_for_version(version, PATIENCE).await;
    }

    /// Everything that only looks.
    async fn reads(&self) {
        for client in [&self.client, &self.program] {
            client.me().await.unwrap();
            client.project_list().await.unwrap();
            client.project_get(&self.project).await.unwrap();
            client.nodes().await.unwrap();
            let deployments = client.deployment_list(&self.project).await.unwrap();
            assert!(!client.log(&deployments[0].id).await.unwrap().is_empty());
            assert!(!client.project_logs(&self.project, &LogsQuery::default()).await.unwrap().is_empty());
        }
        assert!(self.app.get("/").await.unwrap().version().is_some());
    }

    /// Everything that changes something is refused with `code`, if not at once: what a database has taken of the
    /// disk before it can use up.
    async fn refuses_changes(&self, code: (u16, &str)) {
        let Self { client, project, .. } = self;
        let named = api::ProjectCreate { name: random_secret(), ..api::ProjectCreate::default() };
        refused("a sign-in", code, async || client.anonymous().login("admin", &self.password).await.map(drop)).await;
        refused("a variable", code, async || client.env_put(project, &[("KEY", Some("value"))]).await.map(drop)).await;
        refused("a token", code, async || client.token_create("more").await.map(drop)).await;
        refused("a project", code, async || client.project_create(&named).await.map(drop)).await;
        refused("an upload", code, async || client.upload(project, telling("no")).await.map(drop)).await;
        refused("a deployment", code, async || client.redeploy(project).await.map(drop)).await;
        refused("a removal", code, async || client.token_create("last").await.map(drop)).await;
    }

    async fn health(&self) -> api::Health {
        self.client.raw(reqwest::Method::GET, "/api/health").send().await.unwrap().json().await.unwrap()
    }

    /// What is wrong is said on the page of the machine, and to who watches the server.
    async fn shows(&self, code: &str) {
        wait_until("the problem is told", PATIENCE, async || {
            let health = self.health().await;
            let node = self.client.nodes().await.unwrap().remove(0);
            assert_eq!(health.status == "ok", health.problems.is_empty());
            health.problems.iter().any(|it| it.code == code) && node.problems.iter().any(|it| it.code == code)
        })
        .await;
    }

    async fn shows_nothing(&self) {
        wait_until("nothing is wrong", PATIENCE, async || self.health().await.status == "ok").await;
    }

    /// Lines that the app writes now come to its log.
    async fn logs(&self) {
        let path = format!("/{}", random_secret());
        wait_until("the log goes on", PATIENCE, async || {
            self.app.get(&path).await.unwrap();
            let query = LogsQuery { search: Some(path.clone()), ..LogsQuery::default() };
            !self.client.project_logs(&self.project, &query).await.unwrap().is_empty()
        })
        .await;
    }

    /// Everything on disk is whole, and what was removed has gone.
    async fn is_whole(&self) {
        let data = self.server.data_dir();
        let check =
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
        let output = Command::new("python3").args(["-c", check]).arg(data.join("nanoscale.db")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok", "{output:?}");
        let node = data.join("node");
        wait_until("the trash is empty", PATIENCE, async || files(&node.join("trash")).is_empty()).await;
        for file in files(&data) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.ends_with(".part"), "{}", file.display());
            if name.ends_with(".json") && !file.starts_with(node.join("groups")) {
                serde_json::from_slice::<serde_json::Value>(&std::fs::read(&file).unwrap()).unwrap();
            }
        }
    }
}

/// Asks again until it is refused, and not for another reason.
async fn refused(what: &str, code: (u16, &str), request: impl AsyncFn() -> Result<(), ApiFailure>) {
    wait_until(&format!("{what} is refused"), PATIENCE, async || match request().await {
        Ok(()) => false,
        Err(failure) => {
            assert_eq!((failure.status, failure.code()), code, "{what}: {failure}");
            true
        }
    })
    .await;
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_changes_and_nothing_else() {
    let _alone = ALONE.lock().await;
    let mut fixture = Fixture::new().await;
    let load = Load::gets(&fixture.app);
    fixture.shows_nothing().await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.sign_in(&fixture.server.api_url(), "admin", &fixture.password).await;
    let before = memory(&fixture.server);
    fixture.server.disk().fill();
    fixture.reads().await;
    fixture.refuses_changes(FULL).await;
    fixture.shows(FULL.1).await;
    page.wait_for_text("nothing is built until there is more room", PATIENCE).await;
    page.screenshot("disk-full").await;
    fixture.reads().await;
    assert_idle(&fixture.server).await;
    let after = memory(&fixture.server);
    assert!(after < before + (64 << 20), "from {before} to {after} bytes of memory");

    fixture.server.disk().free();
    fixture.shows_nothing().await;
    page.wait_for("!document.body.innerText.includes('nothing is built until')", PATIENCE).await;
    drop(browser);
    fixture.deploys("2").await;
    fixture.logs().await;
    fixture.client.anonymous().login("admin", &fixture.password).await.unwrap();
    fixture.is_whole().await;

    // A machine that comes up with a full disk.
    fixture.server.disk().fill();
    load.stop().await.assert_clean();
    fixture.server.kill();
    let said = fixture.server.start_in_vain();
    println!("{said}");
    assert!(said.contains("is full; make room"), "{said}");
    fixture.server.disk().free();
    fixture.server.restart().await;
    fixture.app.wait_for_version("2", PATIENCE).await;
    fixture.deploys("3").await;
    fixture.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fills_the_disk_fails_with_a_reason_and_gives_the_room_back() {
    let _alone = ALONE.lock().await;
    let fixture = Fixture::new().await;
    let load = Load::gets(&fixture.app);
    let writes = api::ProjectCreate {
        name: "writer".into(),
        build_command: Some("sh -c 'echo begins; dd if=/dev/zero of=big bs=64k'".into()),
        ..api::ProjectCreate::default()
    };
    let writer = project_with(&fixture.client, writes).await;
    let deployment = fixture.client.upload(&writer, archive(&[("index.html", "x")])).await.unwrap();
    let failed = fixture.client.wait_for(&deployment.id, DeploymentState::Failed, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("DISK_FULL"), "{failed:?}");
    assert!(failed.reason.as_ref().unwrap().contains("make room and deploy again"), "{failed:?}");
    let log = fixture.client.log(&deployment.id).await.unwrap();
    assert!(log.iter().any(|line| line.text == "begins"), "{log:?}");
    fixture.deploys("2").await;
    // Somebody else takes the last of it while a build goes on.
    let waits = api::ProjectUpdate {
        build_command: Some("sh -c 'echo begins; while sleep 0.1; do echo x >> grows; done'".into()),
        ..api::ProjectUpdate::default()
    };
    fixture.client.project_update(&writer, &waits).await.unwrap();
    let deployment = fixture.client.redeploy(&writer).await.unwrap();
    let mut log = fixture.client.follow_log(&deployment.id, None).await.unwrap();
    while log.next().await.unwrap().text != "begins" {}
    fixture.server.disk().fill();
    // The server may not be able to write it down before there is room.
    assert_idle(&fixture.server).await;
    fixture.server.disk().free();
    let failed = fixture.client.wait_for(&deployment.id, DeploymentState::Failed, BUILD).await;
    assert_eq!(failed.failure_code.as_deref(), Some("DISK_FULL"), "{failed:?}");
    fixture.deploys("3").await;
    fixture.logs().await;
    load.stop().await.assert_clean();
    fixture.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_logs_onto_a_full_disk_serves_on_and_its_log_stays_readable() {
    let _alone = ALONE.lock().await;
    let fixture = Fixture::new().await;
    let load = Load::gets(&fixture.app);
    fixture.logs().await;
    fixture.server.disk().fill();
    let flood = node_requests(&fixture.app, 2000).await;
    assert_eq!(flood, 2000);
    fixture.reads().await;
    fixture.server.disk().free();
    fixture.logs().await;
    let page = fixture.client.project_log_page(&fixture.project, &LogsQuery::default()).await.unwrap();
    assert!(page.lines.windows(2).all(|pair| pair[0].time <= pair[1].time));
    fixture.deploys("2").await;
    load.stop().await.assert_clean();
    fixture.is_whole().await;
}

/// How many of so many visits are answered.
async fn node_requests(app: &App, count: usize) -> usize {
    let mut answered = 0;
    for number in 0..count {
        let reply = app.get(&format!("/{number}/{}", "x".repeat(500))).await.unwrap();
        answered += usize::from(reply.version().is_some());
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_became_read_only_refuses_changes_and_nothing_else() {
    let _alone = ALONE.lock().await;
    let mut fixture = Fixture::new().await;
    let load = Load::gets(&fixture.app);
    fixture.shows_nothing().await;
    fixture.server.disk().fail();
    fixture.reads().await;
    fixture.refuses_changes(READ_ONLY).await;
    fixture.shows(READ_ONLY.1).await;
    fixture.reads().await;
    assert_idle(&fixture.server).await;
    load.stop().await.assert_clean();
    // As the sentence says.
    fixture.server.kill();
    fixture.server.end_apps();
    fixture.server.disk().repair();
    fixture.server.restart().await;
    fixture.app.wait_for_version("1", PATIENCE).await;
    fixture.shows_nothing().await;
    fixture.deploys("2").await;
    fixture.logs().await;
    fixture.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_on_a_read_only_disk_and_says_so() {
    let mut server = on_small_disk().await;
    server.setup().await;
    server.kill();
    server.end_apps();
    server.disk().read_only();
    let said = server.start_in_vain();
    assert!(said.contains("takes no writes"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    server.disk().writable();
    server.restart().await;
    assert_eq!(server.client().status().await.unwrap().users_count, 1);
}
