//! Releases: what a rollback restores and says it will, and which releases stay.

use ids::{ChangeKind, DeploymentId, DeploymentState, Outward, ProjectId};
use reqwest::Method;
use testkit::{Client, TestServer, wait_some, wait_until};

use crate::apps::{archive, deploy, node_app, project, project_with};
use crate::{BUILD, server};

/// Answers with two variables, its directory and what its release commands wrote.
const WEB: &str = "
import http.server, json, os
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        log = open('/data/log').read() if os.path.exists('/data/log') else ''
        told = {'greeting': os.environ.get('GREETING'), 'extra': os.environ.get('EXTRA'), 'directory': os.getcwd(), 'log': log}
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(told).encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), App).serve_forever()
";

async fn told(server: &TestServer, host: &str) -> serde_json::Value {
    serde_json::from_str(&server.app(host).get("/").await.unwrap().text()).unwrap()
}

async fn roll_back(client: &Client, id: &ProjectId, to: Option<&DeploymentId>) -> api::Deployment {
    let back = client.rollback(id, to).await.unwrap();
    client.wait_for(&back.id, DeploymentState::Live, BUILD).await
}

async fn processes(client: &Client) -> Vec<String> {
    let node = &client.nodes().await.unwrap()[0];
    let workloads = client.node_get(&node.id).await.unwrap().workloads;
    let mut names = workloads.into_iter().map(|workload| workload.process).collect::<Vec<_>>();
    names.sort();
    names
}

fn lines(plan: &api::RollbackPlan) -> Vec<String> {
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let line = |it: &api::ReleaseChange| format!("{} {}: {} -> {}", it.what, it.change, shown(&it.from), shown(&it.to));
    plan.changes.iter().map(line).collect()
}

/// Two releases that differ in everything a release keeps.
async fn two_releases(client: &Client) -> (ProjectId, [api::Deployment; 2]) {
    let create = api::ProjectCreate {
        name: "shop".into(),
        volumes: Some(vec![api::Volume { name: "data".into(), path: "/data".into(), size_mb: None }]),
        root_directory: Some("one".into()),
        health_path: Some("/old".into()),
        ..api::ProjectCreate::default()
    };
    let id = project_with(client, create).await;
    client.env_put(&id, &[("GREETING", Some("old-secret")), ("EXTRA", Some("extra-secret"))]).await.unwrap();
    let release = "release: sh -c 'echo migrated >> /data/log'";
    let first =
        format!("web: python3 main.py\n{release}\nmail: sh -c 'exec sleep 600'\nqueue: sh -c 'exec sleep 601'\n");
    let second = format!(
        "web: python3 -u main.py\n{release}\nqueue: sh -c 'exec sleep 602'\nreport: sh -c 'exec sleep 603'\n\
         cron-clean: 0 3 * * * true\n"
    );
    let first =
        deploy(client, &id, archive(&[("one/main.py", WEB), ("one/Procfile", &first), ("two/README.md", "later")]))
            .await;

    client.env_put(&id, &[("GREETING", Some("new-secret")), ("FRESH", Some("fresh-secret"))]).await.unwrap();
    let update = api::ProjectUpdate {
        root_directory: Some("two".into()),
        health_path: Some("/new".into()),
        network: Some(api::NetworkSettings { outward: Outward::None, ..api::NetworkSettings::default() }),
        limits: Some(api::LimitSettings { memory_mb: Some(256), ..api::LimitSettings::default() }),
        ..api::ProjectUpdate::default()
    };
    client.project_update(&id, &update).await.unwrap();
    let second = deploy(client, &id, archive(&[("two/main.py", WEB), ("two/Procfile", &second)])).await;
    (id, [first, second])
}

#[tokio::test]
async fn a_rollback_does_what_its_plan_says() {
    let server = server().start().await;
    let client = server.setup().await;
    let (id, [first, second]) = two_releases(&client).await;
    let host = "shop.localhost";
    let now = told(&server, host).await;
    assert_eq!((&now["greeting"], &now["directory"]), (&"new-secret".into(), &"/app/two".into()), "{now}");
    assert_eq!(now["log"], "migrated\nmigrated\n");
    wait_until("the workers are the new ones", BUILD, async || processes(&client).await == ["queue", "report", "web"])
        .await;

    let plan = client.rollback_plan(&id, None).await.unwrap();
    assert_eq!((plan.from.as_ref().unwrap().number, plan.to.number), (2, 1));
    assert_eq!(plan.to.deployment_id, first.id);
    assert_eq!(
        lines(&plan),
        [
            "directory changed: two -> one",
            "path changed: two/.venv/bin -> one/.venv/bin",
            "web changed: python3 -u main.py -> python3 main.py",
            "worker.mail added: - -> sh -c 'exec sleep 600'",
            "worker.queue changed: sh -c 'exec sleep 602' -> sh -c 'exec sleep 601'",
            "worker.report removed: sh -c 'exec sleep 603' -> -",
            "schedule.cron-clean removed: 0 3 * * * true -> -",
            "env.EXTRA added: - -> -",
            "env.FRESH removed: - -> -",
            "env.GREETING changed: - -> -",
            "health_path changed: /new -> /old",
            "network.outward changed: none -> open",
            "limits.memory_mb removed: 256 -> -",
        ]
    );
    assert!(plan.notes[0].contains("release command is not run") && plan.notes[1].contains("volumes"), "{plan:?}");
    assert!(!serde_json::to_string(&plan).unwrap().contains("-secret"), "values are not told");
    assert_eq!(client.deployment_list(&id).await.unwrap().len(), 2, "a plan makes nothing");

    let back = roll_back(&client, &id, None).await;
    let now = told(&server, host).await;
    assert_eq!((&now["greeting"], &now["extra"]), (&"old-secret".into(), &"extra-secret".into()));
    assert_eq!(now["directory"], "/app/one");
    assert_eq!(now["log"], "migrated\nmigrated\n", "what the migrations did is there, and they did not run again");
    wait_until("the workers are the old ones", BUILD, async || processes(&client).await == ["mail", "queue", "web"])
        .await;
    assert!(client.schedule_list(&id).await.unwrap().is_empty());
    let runs = client.run_list(&id).await.unwrap();
    assert!(runs.iter().all(|run| run.deployment_id != back.id), "{runs:?}");

    // Forward again is the same plan the other way round, and the settings of now wait for the next deployment.
    let plan = client.rollback_plan(&id, Some(&second.id)).await.unwrap();
    assert_eq!((plan.from.as_ref().unwrap().number, plan.to.number), (3, 2));
    assert!(lines(&plan).contains(&"env.FRESH added: - -> -".to_owned()), "{plan:?}");
    assert!(lines(&plan).contains(&"limits.memory_mb added: - -> 256".to_owned()), "{plan:?}");
    let project = client.project_get(&id).await.unwrap();
    assert_eq!((project.root_directory.as_deref(), project.limits.memory_mb), (Some("two"), Some(256)));
    roll_back(&client, &id, Some(&second.id)).await;
    assert_eq!(told(&server, host).await["greeting"], "new-secret");
}

#[tokio::test]
async fn a_plan_may_find_no_difference_but_the_code() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    assert_eq!(client.rollback_plan(&id, None).await.unwrap_err().code(), "NOTHING_TO_ROLL_BACK_TO");
    let first = deploy(&client, &id, node_app("1")).await;
    assert_eq!(client.rollback_plan(&id, None).await.unwrap_err().code(), "NOTHING_TO_ROLL_BACK_TO");
    deploy(&client, &id, node_app("2")).await;
    let plan = client.rollback_plan(&id, Some(&first.id)).await.unwrap();
    assert!(plan.changes.is_empty() && plan.notes.is_empty(), "{plan:?}");

    let other = project(&client, "other").await;
    let foreign = client.rollback_plan(&other, Some(&first.id)).await.unwrap_err();
    assert_eq!(foreign.code(), "UNKNOWN_DEPLOYMENT");
    for bad in ["x", "%00", "01j9z3k4w5x6y7z8a9b0c1d2e3"] {
        let path = format!("/api/projects/{id}/rollback-plan?deployment_id={bad}");
        let answer = client.raw(Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn what_was_never_live_is_nothing_to_roll_back_to() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, node_app("1")).await;
    let files = archive(&[("main.py", WEB), ("Procfile", "web: python3 main.py\nrelease: sleep 600\n")]);
    let waits = client.upload(&id, files).await.unwrap();
    wait_some("the release command runs", BUILD, async || {
        client.run_list(&id).await.unwrap().into_iter().find(|run| run.deployment_id == waits.id)
    })
    .await;
    assert_eq!(client.rollback_plan(&id, Some(&waits.id)).await.unwrap_err().code(), "NOT_LIVE_YET");
    assert_eq!(client.rollback(&id, Some(&waits.id)).await.unwrap_err().code(), "NOT_LIVE_YET");
    assert_eq!(client.deployment_get(&waits.id).await.unwrap().state, DeploymentState::Starting, "it goes on");
}

#[tokio::test]
async fn a_pinned_release_outlives_retention() {
    let server = server().config(serde_json::json!({"limits": {"settle_ms": 0}})).start().await;
    let client = server.setup().await;
    let create = api::ProjectCreate { name: "hello".into(), releases_kept: Some(2), ..api::ProjectCreate::default() };
    let id = project_with(&client, create).await;
    let first = deploy(&client, &id, node_app("1")).await;
    client.release_pin(first.release_id.as_ref().unwrap(), true).await.unwrap();
    client.release_pin(first.release_id.as_ref().unwrap(), true).await.unwrap();
    for version in ["2", "3", "4"] {
        deploy(&client, &id, node_app(version)).await;
    }
    let listed = async || {
        let releases = client.release_list(&id).await.unwrap();
        releases.into_iter().map(|it| (it.number, it.live, it.pinned)).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [(4, true, false), (3, false, false), (1, false, true)]);
    let files = server.data_dir().join("node/groups").join(id.as_str()).join("releases");
    let forgotten = client.deployment_list(&id).await.unwrap().into_iter().find(|it| it.number == 2).unwrap();
    wait_until("the second one's files are gone", BUILD, async || !files.join(forgotten.id.as_str()).exists()).await;
    assert!(files.join(first.id.as_str()).is_dir());
    roll_back(&client, &id, Some(&first.id)).await;
    assert!(server.app("hello.localhost").get("/").await.unwrap().text().contains("version=1"));

    // Unpinned, it goes like any other once it is not live any more.
    client.release_pin(first.release_id.as_ref().unwrap(), false).await.unwrap();
    let update = api::ProjectUpdate { releases_kept: Some(1), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&id, &update).await.unwrap().releases_kept, Some(1));
    deploy(&client, &id, node_app("6")).await;
    assert_eq!(listed().await, [(6, true, false)]);
    assert_eq!(client.rollback(&id, Some(&first.id)).await.unwrap_err().code(), "RELEASE_NOT_KEPT");

    let update = |count| api::ProjectUpdate { releases_kept: Some(count), ..api::ProjectUpdate::default() };
    assert_eq!(client.project_update(&id, &update(101)).await.unwrap_err().code(), "INVALID_LIMIT");
    assert_eq!(client.project_update(&id, &update(0)).await.unwrap().releases_kept, None);
    let path = format!("/api/projects/{id}/releases");
    let list: api::ReleaseList = client.raw(Method::GET, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!(list.releases_kept, 5, "the server's default");
}

#[tokio::test]
async fn pins_are_bounded_and_belong_to_a_release() {
    let server = server().config(serde_json::json!({"limits": {"settle_ms": 0}})).start().await;
    let client = server.setup().await;
    for unknown in ["01j9z3k4w5x6y7z8a9b0c1d2e3", "x", "%00"] {
        for pinned in [true, false] {
            assert_eq!(client.release_pin(unknown, pinned).await.unwrap_err().code(), "NOT_FOUND", "{unknown}");
        }
    }
    let id = project(&client, "site").await;
    let files = archive(&[("index.html", "<p>here</p>")]);
    let mut last = None;
    for number in 1..=21 {
        let deployment = deploy(&client, &id, files.clone()).await;
        let pin = client.release_pin(deployment.release_id.as_ref().unwrap(), true).await;
        assert_eq!(
            pin.err().map(|error| error.code().to_owned()).as_deref(),
            (number > 20).then_some("TOO_MANY_PINNED")
        );
        last = deployment.release_id;
    }
    let releases = client.release_list(&id).await.unwrap();
    assert_eq!(releases.len(), 21, "the pinned ones do not take the places of the others");
    client.release_pin(&releases[20].id, false).await.unwrap();
    client.release_pin(last.unwrap(), true).await.unwrap();
    let plan = client.rollback_plan(&id, None).await.unwrap();
    assert!(!plan.changes.iter().any(|it| it.change == ChangeKind::Changed), "{plan:?}");
}
