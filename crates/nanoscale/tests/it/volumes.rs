//! What volumes may take of the disk, and what happens beyond it.

use std::os::unix::fs::FileExt;

use ids::{DeploymentState, ProjectId, ProjectStatus, RunState};
use serde_json::json;
use testkit::{Browser, Client, LogsQuery, PATIENCE, wait_some, wait_until};

use crate::apps::{archive, deploy, deploy_failing, project_with};
use crate::{BUILD, server};

/// Writes as much as the path says to the volume, and answers before it has.
const WRITER: &str = "
import http.server, os, threading
def fill(how, megabytes):
    file = open('/data/' + how, 'wb', buffering=0)
    if how == 'unlinked': os.unlink('/data/unlinked')
    if how == 'sparse': file.truncate(megabytes << 20)
    else:
        for _ in range(megabytes): file.write(os.urandom(1 << 20))
    threading.Event().wait()
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = self.path.strip('/').split('/')
        if len(parts) == 2: threading.Thread(target=fill, args=(parts[0], int(parts[1])), daemon=True).start()
        self.send_response(200); self.end_headers(); self.wfile.write(b'here')
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), App).serve_forever()
";

fn volume(size_mb: Option<u64>) -> Option<Vec<api::Volume>> {
    Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb }])
}

async fn writer(client: &Client, name: &str, size_mb: Option<u64>) -> ProjectId {
    let create = api::ProjectCreate { name: name.into(), volumes: volume(size_mb), ..api::ProjectCreate::default() };
    let id = project_with(client, create).await;
    deploy(client, &id, app()).await;
    id
}

fn app() -> Vec<u8> {
    archive(&[("main.py", WRITER)])
}

async fn is_full(client: &Client, id: &ProjectId) -> api::Project {
    wait_some("its processes are stopped", BUILD, async || {
        let project = client.project_get(id).await.unwrap();
        (project.down_code.as_deref() == Some("VOLUME_FULL")).then_some(project)
    })
    .await
}

async fn is_live(client: &Client, id: &ProjectId) {
    wait_until("it is live again", BUILD, async || {
        let project = client.project_get(id).await.unwrap();
        project.status == ProjectStatus::Live && project.down_code.is_none()
    })
    .await;
}

async fn run(client: &Client, id: &ProjectId, command: &str) -> api::Run {
    let run = client.run_create(id, command, None).await.unwrap();
    wait_some("the run has ended", BUILD, async || {
        let run = client.run(&run.id).await.unwrap();
        run.state.is_settled().then_some(run)
    })
    .await
}

#[tokio::test]
async fn a_full_volume_stops_its_project_until_there_is_room() {
    let mut server = server().config(json!({"limits": {"volume_mb": 16, "settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let (id, neighbour) = (writer(&client, "writer", None).await, writer(&client, "neighbour", None).await);
    let visitor = server.app("writer.localhost");
    // A hole takes nothing.
    visitor.get("/sparse/1000").await.unwrap();
    visitor.get("/some/8").await.unwrap();
    let used = wait_some("eight are counted", BUILD, async || {
        let used = client.volume_list(&id).await.unwrap().remove(0);
        (used.used_bytes >= 8 << 20).then_some(used)
    })
    .await;
    assert!(used.used_bytes < 9 << 20 && used.limit_bytes == 16 << 20, "{used:?}");
    visitor.get("/more/12").await.unwrap();
    let project = is_full(&client, &id).await;
    let reason = project.down_reason.unwrap();
    assert!(reason.contains("`data` takes ") && reason.contains("more than its 16 MB"), "{reason}");
    assert_eq!(project.status, ProjectStatus::Down);
    wait_until("nobody answers", BUILD, async || visitor.get("/").await.is_ok_and(|reply| reply.status != 200)).await;
    assert_eq!(server.app("neighbour.localhost").get("/").await.unwrap().status, 200);
    let query = LogsQuery { search: Some("stopped: the volume".into()), ..LogsQuery::default() };
    assert_eq!(client.project_logs(&id, &query).await.unwrap().len(), 1);
    // Neither a deployment nor a new life of the node starts it.
    let failed = deploy_failing(&client, &id, app()).await;
    assert_eq!(failed.failure_code.as_deref(), Some("VOLUME_FULL"));
    server.kill();
    server.restart().await;
    is_full(&client, &id).await;

    // What fills it further is ended; what clears it up is not.
    let filler = run(&client, &id, "sh -c 'head -c 4M /dev/urandom > /data/filler; sleep 86400'").await;
    assert_eq!((filler.state, filler.failure_code.as_deref()), (RunState::Failed, Some("VOLUME_FULL")), "{filler:?}");
    let cleaner = run(&client, &id, "sh -c 'rm /data/more /data/filler'").await;
    assert_eq!(cleaner.state, RunState::Succeeded, "{cleaner:?}");
    is_live(&client, &id).await;
    assert_eq!(visitor.get("/").await.unwrap().status, 200);

    // A file that has lost its name, too, takes what it takes.
    visitor.get("/unlinked/24").await.unwrap();
    wait_until("it is stopped and, as that freed the file, begun again", BUILD, async || {
        client.project_logs(&id, &query).await.unwrap().len() > 1
    })
    .await;
    is_live(&client, &id).await;
    assert_eq!(client.project_delete(&neighbour).await.unwrap(), 204);
}

#[tokio::test]
async fn a_larger_size_holds_at_once() {
    let server = server().config(json!({"limits": {"settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let id = writer(&client, "writer", Some(4)).await;
    server.app("writer.localhost").get("/some/8").await.unwrap();
    is_full(&client, &id).await;
    let resize = |size_mb| api::ProjectUpdate { volumes: volume(size_mb), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&id, &resize(Some(0))).await.unwrap_err().code(), "INVALID_LIMIT");
    let project = client.project_update(&id, &resize(Some(12))).await.unwrap();
    assert_eq!(project.volumes[0].size_mb, Some(12));
    is_live(&client, &id).await;
    assert_eq!(client.volume_list(&id).await.unwrap()[0].limit_bytes, 12 << 20);
    // A smaller one, too.
    client.project_update(&id, &resize(Some(1))).await.unwrap();
    is_full(&client, &id).await;
    client.project_update(&id, &resize(None)).await.unwrap();
    is_live(&client, &id).await;
    let live = client.project_get(&id).await.unwrap().live_deployment.unwrap();
    assert_eq!((live.number, live.state), (1, DeploymentState::Live));
    // Counted also when nothing runs.
    let idle = project_with(
        &client,
        api::ProjectCreate { name: "idle".into(), volumes: volume(Some(3)), ..api::ProjectCreate::default() },
    )
    .await;
    wait_until("its limit is known", PATIENCE, async || {
        client.volume_list(&idle).await.unwrap().iter().any(|it| (it.used_bytes, it.limit_bytes) == (0, 3 << 20))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_in_a_browser() {
    let server = server().config(json!({"limits": {"settle_ms": 0}})).start().await;
    let client = server.client();
    client.setup("ada", "correct horse battery", server.setup_code()).await.unwrap();
    let id = writer(&client, "writer", Some(16)).await;
    let file = server.data_dir().join("node/groups").join(id.as_str()).join("volumes/data/file");
    std::fs::File::create(&file).unwrap().write_all_at(&vec![1; 6 << 20], 0).unwrap();
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 1000).await;
    page.sign_in(&server.api_url(), "ada", "correct horse battery").await;
    page.goto(&format!("{}/projects/{id}/settings", server.api_url())).await;
    page.wait_for(
        "document.querySelector('[data-testid=volume-use]')?.innerText.includes('6.00 MB of 16.0 MB')",
        BUILD,
    )
    .await;
    page.eval("document.querySelector('[data-testid=add-volume]').scrollIntoView({block: 'center'})").await;
    page.screenshot("volumes-1-settings").await;
    page.fill("[aria-label='Size of volume 1 in MB']", "4").await;
    page.click("[data-testid=runtime-save]").await;
    is_full(&client, &id).await;
    page.wait_for_text("more than its 4 MB", BUILD).await;
    page.eval("window.scrollTo(0, 0)").await;
    page.screenshot("volumes-2-full").await;
    page.resize(390, 844).await;
    page.eval("document.querySelector('[data-testid=add-volume]').scrollIntoView({block: 'center'})").await;
    let overflow = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
    assert_eq!(page.eval(overflow).await, 0, "the page fits a phone");
    page.screenshot("volumes-3-phone").await;
    page.fill("[aria-label='Size of volume 1 in MB']", "").await;
    page.click("[data-testid=runtime-save]").await;
    is_live(&client, &id).await;
    assert_eq!(page.errors(), Vec::<String>::new());
}
